//! Scripted engines: a server that speaks OpenAI's `/v1/audio/transcriptions` and `/v1/audio/speech`, knows the recordings of
//! the rehearsal, and needs no model. Rehearsals of what breaks need no inference; hundreds of them could not afford it.

mod hearing;
mod speaking;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::RehearsalError;
use crate::recording::Recording;
use hearing::Memory;

/// Half a minute of 16 kHz WAV with what surrounds it.
const MOST_BYTES: usize = 4 << 20;
/// What was heard is kept up to this many samples, 10 minutes: the newest.
const KEPT: usize = 600 * 16_000;
/// Connections get this long to end.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// The running server.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    heard: Heard,
}

struct Engines {
    memory: Memory,
    delay: Duration,
    heard: Heard,
}

/// The sounds that were brought to be heard, at 16 kHz, oldest first; a bounded number of them.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<VecDeque<Vec<f32>>>>);

impl Heard {
    fn keep(&self, sound: Vec<f32>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(sound);
        let mut samples: usize = kept.iter().map(Vec::len).sum();
        while samples > KEPT {
            samples -= kept.pop_front().map_or(samples, |oldest| oldest.len());
        }
    }
}

impl Scripted {
    /// Starts it on a free port of this machine. It knows `recordings` with their texts, and takes `delay` to hear.
    pub async fn start(recordings: Vec<Recording>, delay: Duration) -> Result<Self, RehearsalError> {
        let place = || RehearsalError::io(PathBuf::from("127.0.0.1"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(place())?;
        let address = listener.local_addr().map_err(place())?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let engines = Arc::new(Engines {
            memory: Memory::new(&recordings),
            delay,
            heard: Heard::default(),
        });
        let heard = engines.heard.clone();
        tasks.spawn(listen(listener, engines, stop.clone(), tasks.clone()));
        Ok(Self {
            address,
            stop,
            tasks,
            heard,
        })
    }

    /// The newest sounds that the bot brought to be heard, at 16 kHz, oldest first: at most ten minutes of them.
    pub fn heard(&self) -> Vec<Vec<f32>> {
        let kept = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// The address to put before `/audio/…`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Points a bot's configuration at it.
    pub fn configure(&self, config: &mut toml::Table) {
        for engine in ["recogniser", "synthesiser"] {
            let table = config.entry(engine).or_insert_with(|| toml::Table::new().into());
            if let Some(table) = table.as_table_mut() {
                table.insert("url".to_owned(), self.url().into());
            }
        }
    }

    /// Ends it.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(STOP_WITHIN, self.tasks.wait()).await;
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(listener: TcpListener, engines: Arc<Engines>, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (engines, stop) = (Arc::clone(&engines), stop.clone());
        tasks.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&engines), request));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "scripted engines: a connection broke");
                },
            }
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(engines: Arc<Engines>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Ok(body) = Limited::new(request.into_body(), MOST_BYTES).collect().await else {
        return Ok(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large, or broke off",
        ));
    };
    let body = body.to_bytes();
    Ok(match path.as_str() {
        "/v1/audio/transcriptions" => {
            tokio::time::sleep(engines.delay).await;
            match hearing::sound(body, &kind).await {
                Ok(sound) => {
                    let answer = engines.memory.answer(&sound);
                    tracing::debug!(samples = sound.len(), text = %answer["text"], "scripted engines: heard");
                    engines.heard.keep(sound);
                    json_answer(StatusCode::OK, &answer)
                }
                Err(what) => refuse(StatusCode::BAD_REQUEST, &what),
            }
        }
        "/v1/audio/speech" => match serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|b| b["input"].as_str().map(str::to_owned))
        {
            Some(text) => typed(StatusCode::OK, "audio/wav", speaking::wav(&text)),
            None => refuse(StatusCode::BAD_REQUEST, "`input` is missing"),
        },
        _ => refuse(StatusCode::NOT_FOUND, "there is nothing here"),
    })
}

fn typed(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    typed(status, "application/json", body.to_string().into_bytes())
}

fn refuse(status: StatusCode, what: &str) -> Answer {
    json_answer(status, &json!({ "error": { "message": what } }))
}

#[cfg(test)]
mod tests;
