//! What an operator sees of a running bot: metrics, health, a status page.
//!
//! - `names`: every metric, named and explained once. `measured`: what is counted where it happens; `gauges`: what is looked
//!   up when somebody asks.
//! - `signs`: whether it is alive and ready. `recent`: the last warnings. `latency`: how long people waited.
//! - `traces`: where the traces of turns go.
//! - `server`: a small, bounded HTTP server for both; `status`: the page.

mod gauges;
pub(crate) mod latency;
pub(crate) mod measured;
pub mod names;
mod process;
pub(crate) mod recent;
mod server;
pub(crate) mod signs;
mod status;
pub(crate) mod traces;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::task::JoinHandle;

use self::server::{Answer, Bounds, Listener, text};
use self::signs::Signs;
use crate::cli::exit::Failure;
use crate::config::Config;
use crate::discord::bot::Late;

/// How often histograms are folded, and the store is asked whether it can be written.
const UPKEEP: Duration = Duration::from_secs(5);

static PROMETHEUS: OnceLock<PrometheusHandle> = OnceLock::new();

/// What watches a bot; it ends when this is dropped.
pub(crate) struct Watch {
    tasks: Vec<JoinHandle<()>>,
    traces: Option<traces::Sending>,
}

impl Watch {
    /// Sends the traces that wait, within a bounded time, and ends.
    pub(crate) async fn finish(mut self) {
        if let Some(traces) = self.traces.take() {
            traces.finish().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Begins to watch: counts from now on, and listens where the configuration says. Before the bot is there, so that its start
/// can be seen as well.
///
/// # Errors
/// An address that cannot be listened on; a status page without a token; a collector that is none.
pub(crate) async fn begin(config: &Config, late: &Late, signs: &Arc<Signs>) -> Result<Watch, Failure> {
    let mut tasks = Vec::new();
    if let Some(at) = config.monitoring.listen {
        let prometheus = prometheus()?;
        let listener = Listener::bind("monitoring.listen", at).await?;
        tracing::info!(address = %listener.address(), "metrics and health are told");
        if !at.ip().is_loopback() {
            tracing::warn!(%at, "metrics can be read by other machines, without a password");
        }
        let (late, signs, rendering) = (late.clone(), Arc::clone(signs), prometheus.clone());
        tasks.push(tokio::spawn(listener.serve(Bounds::USUAL, move |request| {
            let (late, signs, prometheus) = (late.clone(), Arc::clone(&signs), rendering.clone());
            async move { health(&request, &late, &signs, &prometheus).await }
        })));
        tasks.push(tokio::spawn(async move {
            let mut upkeep = tokio::time::interval(UPKEEP);
            loop {
                upkeep.tick().await;
                prometheus.run_upkeep();
            }
        }));
    }
    if let Some(at) = config.status.listen {
        let page = status::Page::new(&config.status, late.clone(), Arc::clone(signs))?;
        let listener = Listener::bind("status.listen", at).await?;
        tracing::info!(address = %listener.address(), "the status page is at http://{}/", listener.address());
        let page = Arc::new(page);
        tasks.push(tokio::spawn(listener.serve(Bounds::USUAL, move |request| {
            let page = Arc::clone(&page);
            async move { page.answer(request).await }
        })));
    }
    let traces = Some(traces::begin(&config.monitoring, config.network)?);
    Ok(Watch { tasks, traces })
}

/// The exporter; a process has one.
fn prometheus() -> Result<PrometheusHandle, Failure> {
    if let Some(handle) = PROMETHEUS.get() {
        return Ok(handle.clone());
    }
    let failed =
        |error: &dyn std::fmt::Display| Failure::Failed(format!("metrics cannot be counted: {error}"));
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in names::buckets() {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
            .map_err(|error| failed(&error))?;
    }
    let handle = builder.install_recorder().map_err(|error| failed(&error))?;
    names::describe();
    Ok(PROMETHEUS.get_or_init(|| handle).clone())
}

/// `/metrics`, `/healthz`, `/readyz`.
async fn health(
    request: &Request<hyper::body::Incoming>,
    late: &Late,
    signs: &Arc<Signs>,
    prometheus: &PrometheusHandle,
) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    match request.uri().path() {
        "/metrics" => {
            gauges::look(late.get().as_deref(), signs).await;
            let mut answer = Response::new(Full::new(Bytes::from(prometheus.render())));
            let kind = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            answer.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
            answer
        }
        // Whoever can answer this is alive.
        "/healthz" => text(StatusCode::OK, "alive"),
        "/readyz" => {
            let lacking = signs.lacking();
            if lacking.is_empty() {
                text(StatusCode::OK, "ready")
            } else {
                text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!("not ready: {}", lacking.join(", ")),
                )
            }
        }
        _ => text(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz"),
    }
}
