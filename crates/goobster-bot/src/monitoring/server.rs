//! A small HTTP server: a bounded number of connections, bounded waits, short answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::cli::exit::Failure;

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections at once; more wait to be taken.
    connections: usize,
    /// How long a client may take to say what it wants, from its first byte or its last answer on.
    head: Duration,
    /// Bytes of a request's head.
    head_bytes: usize,
    /// How long a connection may last, however it is used: whoever asks again connects again.
    life: Duration,
}

impl Bounds {
    /// What is enough for some browsers and a scraper, and little to lose to somebody hostile.
    pub(super) const USUAL: Self = Self {
        connections: 64,
        head: Duration::from_secs(10),
        head_bytes: 16 * 1024,
        life: Duration::from_mins(1),
    };
}

/// What is answered.
pub(super) type Answer = Response<Full<Bytes>>;

/// An answer of words.
pub(super) fn text(status: StatusCode, words: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{words}\n"))));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    answer
}

/// A socket that listens.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens at an address that a setting names.
    pub(super) async fn bind(setting: &'static str, at: SocketAddr) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::Configuration(format!(
                "{setting}: nobody can listen at {at} ({error}); choose another port, or end who listens there"
            ))
        };
        let socket = TcpListener::bind(at).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// Where it really listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub(super) async fn serve<F, A>(self, bounds: Bounds, answer: F)
    where
        F: Fn(Request<hyper::body::Incoming>) -> A + Clone + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(bounds.connections));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            while connections.try_join_next().is_some() {}
            let stream = match self.socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: others may give some back.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let answer = answer.clone();
            connections.spawn(async move {
                let _place = place;
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(guarded(answer.await)) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(bounds.head)
                    .max_buf_size(bounds.head_bytes)
                    .serve_connection(TokioIo::new(stream), service);
                let _ = tokio::time::timeout(bounds.life, connection).await;
            });
        }
    }
}

/// With the headers that every answer has.
fn guarded(mut answer: Answer) -> Answer {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // A page says itself what it may load; nothing else is a page.
    answer
        .headers_mut()
        .entry(hyper::header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    answer
}

#[cfg(test)]
mod tests;
