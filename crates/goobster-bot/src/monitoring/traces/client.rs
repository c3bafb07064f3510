//! The HTTP client that spans are posted with: bounded in time and in what it reads, it contacts the collector alone and is
//! redirected nowhere, for the headers may hold a secret.
//!
//! The exporter's own clients know no list of hosts; this one is made where all clients are made.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goobster_network::http::Error;
use goobster_network::{ClientError, ClientOptions, Hosts};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use url::Url;

/// How long the collector may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to be reached.
const REACH: Duration = Duration::from_secs(3);

/// What is read of its answer at most; it is a few bytes.
const ANSWER: usize = 64 << 10;

/// Posts on the runtime: the thread of the batches has none of its own.
#[derive(Debug)]
pub(super) struct Client {
    http: goobster_network::Client,
    runtime: Handle,
}

impl Client {
    pub(super) fn new(hosts: Hosts, runtime: Handle) -> Result<Self, ClientError> {
        let options = ClientOptions {
            connect: Some(REACH),
            whole: Some(PATIENCE),
            ..ClientOptions::default()
        };
        let http = goobster_network::Client::new(hosts, options)?;
        Ok(Self { http, runtime })
    }
}

impl HttpClient for Client {
    fn send_bytes<'client, 'answer>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        let http = self.http.clone();
        let posted = self.runtime.spawn(async move { post(&http, request).await });
        Box::pin(async move { posted.await? })
    }
}

async fn post(
    http: &goobster_network::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    // An error of the library names the address, which may hold a password.
    let nameless = Error::without_url;
    let (head, body) = request.into_parts();
    let address: Url = head.uri.to_string().parse()?;
    let mut answer = http
        .post(&address)?
        .headers(head.headers)
        .body(body)
        .send()
        .await
        .map_err(nameless)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(nameless)? {
        if body.len() + chunk.len() > ANSWER {
            return Err(format!("an answer of more than {ANSWER} bytes").into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.freeze());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}
