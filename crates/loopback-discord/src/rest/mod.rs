//! REST: reads requests, decides who may ask and how often, and hands them to the routes.

mod applications;
mod channels;
mod guilds;
mod interactions;
mod limits;
mod request;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tracing::debug;

pub(crate) use limits::Buckets;

use crate::faults::RestFault;
use crate::hub::{Hub, unix_ms};
use crate::recorded::Seen;
use crate::world::ApiError;
use limits::Verdict;
use request::Request;

/// What a route answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// 200 with a body.
    Json(Value),
    /// 201 with a body.
    Created(Value),
    /// 204.
    Nothing,
}

pub(crate) async fn serve(hub: &Arc<Hub>, stream: TlsStream<TcpStream>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let hub = Arc::clone(hub);
        async move { answer(&hub, request).await.ok_or(Cut) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(e) = connection.await {
        debug!("a REST connection ended: {e}");
    }
}

/// A connection is to break before the answer.
#[derive(Debug, thiserror::Error)]
#[error("cut, as a test ordered")]
struct Cut;

/// The answer, or none to break the connection.
async fn answer(hub: &Hub, request: hyper::Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    let request = match Request::read(request).await {
        Ok(request) => request,
        Err(e) => return Some(respond(e.status(), Some(e.body()), None)),
    };
    let (method, path) = (request.method.clone(), request.path.clone());
    let verdict = hub.buckets.take(&method, &request.segments(), unix_ms());
    let fault = hub.faults.take(&method, &path);
    let (status, body, extra) = match fault {
        Some(RestFault::Cut) => return None,
        Some(RestFault::TooMany { retry_after, global }) => too_many(hub, &path, retry_after, global),
        Some(RestFault::Status(status)) => (status, Some(ApiError::Ordered(status).body()), Vec::new()),
        _ if verdict.is_some_and(|v| !v.passes) => {
            let wait = verdict.map_or(Duration::ZERO, |v| v.reset_after);
            too_many(hub, &path, wait, false)
        }
        other => {
            if let Some(RestFault::Late(late)) = other {
                tokio::time::sleep(late).await;
            }
            let (status, body) = handle(hub, request);
            (status, body, Vec::new())
        }
    };
    hub.seen.note(Seen::Rest { method, path, status });
    let mut response = respond(status, body, verdict);
    for (name, value) in extra {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Some(response)
}

type TooMany = (u16, Option<Value>, Vec<(&'static str, String)>);

fn too_many(hub: &Hub, path: &str, wait: Duration, global: bool) -> TooMany {
    hub.seen.note(Seen::RateLimited {
        path: path.to_owned(),
    });
    let seconds = wait.as_secs_f64();
    let mut headers = vec![
        ("retry-after", format!("{}", seconds.ceil())),
        ("via", "1.1 loopback".to_owned()),
    ];
    if global {
        headers.push(("x-ratelimit-global", "true".to_owned()));
    } else {
        headers.push(("x-ratelimit-bucket", "ordered".to_owned()));
        headers.push(("x-ratelimit-limit", "1".to_owned()));
        headers.push(("x-ratelimit-remaining", "0".to_owned()));
        headers.push(("x-ratelimit-reset-after", format!("{seconds:.3}")));
        let reset = Duration::from_millis(unix_ms()) + wait;
        headers.push(("x-ratelimit-reset", format!("{:.3}", reset.as_secs_f64())));
        headers.push(("x-ratelimit-scope", "user".to_owned()));
    }
    let body = json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": global });
    (429, Some(body), headers)
}

fn handle(hub: &Hub, request: Request) -> (u16, Option<Value>) {
    let (method, path) = (request.method.clone(), request.path.clone());
    match routes::route(hub, request) {
        Ok(Reply::Json(body)) => (200, Some(body)),
        Ok(Reply::Created(body)) => (201, Some(body)),
        Ok(Reply::Nothing) => (204, None),
        Err(e) => {
            if e == ApiError::NotFound {
                hub.seen.note(Seen::UnknownRoute { method, path });
            }
            (e.status(), Some(e.body()))
        }
    }
}

fn respond(status: u16, body: Option<Value>, verdict: Option<Verdict>) -> Response<Full<Bytes>> {
    let bytes = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    if let Some(v) = verdict {
        let told = [
            ("x-ratelimit-bucket", "messages".to_owned()),
            ("x-ratelimit-limit", v.limit.to_string()),
            ("x-ratelimit-remaining", v.remaining.to_string()),
            (
                "x-ratelimit-reset-after",
                format!("{:.3}", v.reset_after.as_secs_f64()),
            ),
            (
                "x-ratelimit-reset",
                format!("{:.3}", Duration::from_millis(v.reset_ms).as_secs_f64()),
            ),
        ];
        for (name, value) in told {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
    }
    response
}
