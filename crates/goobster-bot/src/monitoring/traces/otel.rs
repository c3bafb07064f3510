//! Traces as OpenTelemetry spans: sampled, queued, and sent in batches by a thread of the SDK's.
//!
//! The room never waits: a turn whose spans find no place in the queue is dropped whole, and counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use goobster_core::time::Moment;
use metrics::counter;
use opentelemetry::trace::{
    Event, Span as _, SpanBuilder, SpanId, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use tokio::runtime::Handle;

use super::client::{Client, PATIENCE};
use super::settings::Collector;
use crate::cli::exit::Failure;
use crate::converse::trace::{Span, TurnTrace, Value};
use crate::monitoring::names;

/// Spans that may wait: about 200 turns, half a megabyte.
const QUEUE: usize = 2048;

/// Spans of a batch.
const BATCH: usize = 512;

/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(2);

/// How long the last batch may take when the bot goes down.
const LAST: Duration = Duration::from_secs(3);

static EXPORTER: RwLock<Option<Arc<Exporter>>> = RwLock::new(None);

/// From now on traces are sent by this one.
pub(super) fn install(exporter: Option<Arc<Exporter>>) {
    *EXPORTER.write().unwrap_or_else(PoisonError::into_inner) = exporter;
}

/// Sends a trace, where there is a collector; gives its id if it will be sent.
pub(super) fn send(trace: &TurnTrace, now: Moment) -> Option<String> {
    let exporter = EXPORTER.read().unwrap_or_else(PoisonError::into_inner).clone();
    exporter?.send(trace, now, SystemTime::now())
}

/// Sends spans to a collector.
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    books: Arc<Books>,
}

/// What became of spans.
#[derive(Debug, Default)]
struct Books {
    /// Spans in the queue or being sent.
    waiting: AtomicUsize,
    /// Whether traces are being dropped, and whether the collector fails: each is told once.
    dropping: AtomicBool,
    failing: AtomicBool,
}

impl Books {
    /// Room for so many spans, or none.
    fn reserve(&self, spans: usize) -> bool {
        self.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                Some(waiting + spans).filter(|all| *all <= QUEUE)
            })
            .is_ok()
    }

    fn release(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
    }
}

impl Exporter {
    pub(super) fn begin(collector: Collector) -> Result<Arc<Self>, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("traces cannot be sent: {error}"));
        let client = Client::new(collector.hosts, Handle::current()).map_err(|error| failed(&error))?;
        let address = collector.endpoint.origin().ascii_serialization();
        let otlp = Otlp::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(collector.endpoint)
            .with_headers(collector.headers)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| failed(&error))?;
        let books = Arc::new(Books::default());
        let counted = Counted {
            otlp,
            books: Arc::clone(&books),
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(GATHER)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(
                BatchSpanProcessor::builder(counted)
                    .with_batch_config(batches)
                    .build(),
            )
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                collector.ratio,
            ))))
            .with_resource(
                Resource::builder()
                    .with_service_name(collector.service)
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .build(),
            )
            .build();
        for outcome in ["sent", "failed", "dropped"] {
            counter!(names::TRACES, "outcome" => outcome).absolute(0);
        }
        tracing::info!(collector = %address, share = collector.ratio, "a trace of each turn is sent");
        Ok(Arc::new(Self {
            tracer: provider.tracer("goobster"),
            provider,
            books,
        }))
    }

    /// Sends a trace. The room's moment `now` is the time of day `clock`.
    fn send(&self, trace: &TurnTrace, now: Moment, clock: SystemTime) -> Option<String> {
        let spans = trace.spans.len();
        if !self.books.reserve(spans) {
            counter!(names::TRACES, "outcome" => "dropped").increment(1);
            if !self.books.dropping.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "the collector does not keep up: traces are dropped (goobster_traces_total counts them)"
                );
            }
            return None;
        }
        self.books.dropping.store(false, Ordering::Relaxed);
        let at = |moment: Moment| clock.checked_sub(now.since(moment)).unwrap_or(clock);
        let mut contexts: Vec<Context> = Vec::with_capacity(spans);
        for span in &trace.spans {
            let parent = span.parent.and_then(|parent| contexts.get(parent)).cloned();
            let mut started = self
                .tracer
                .build_with_context(begun(span, &at), &parent.unwrap_or_default());
            if span.failed {
                started.set_status(Status::error(""));
            }
            if !started.span_context().is_sampled() {
                self.books.release(spans);
                return None;
            }
            contexts.push(Context::new().with_span(started));
        }
        let id = contexts
            .first()
            .map(|root| root.span().span_context().trace_id().to_string());
        // Children end before their parents, as they do.
        for (span, context) in trace.spans.iter().zip(&contexts).rev() {
            context.span().end_with_timestamp(at(span.upto));
        }
        id
    }

    /// Sends what waits, within [`LAST`].
    pub(super) async fn finish(&self) {
        let provider = self.provider.clone();
        let done = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST));
        let done = tokio::time::timeout(LAST + Duration::from_secs(1), done).await;
        if !matches!(done, Ok(Ok(Ok(())))) {
            tracing::warn!("the last traces were not sent in time");
        }
    }
}

fn begun(span: &Span, at: &dyn Fn(Moment) -> SystemTime) -> SpanBuilder {
    let fields = span.fields.iter().map(|(name, value)| match value {
        Value::Number(number) => KeyValue::new(*name, i64::try_from(*number).unwrap_or(i64::MAX)),
        Value::Word(word) => KeyValue::new(*name, *word),
    });
    let marks = span
        .marks
        .iter()
        .map(|mark| Event::new(mark.name, at(mark.at), Vec::new(), 0));
    SpanBuilder::from_name(span.name)
        .with_start_time(at(span.from))
        .with_attributes(fields)
        .with_events(marks.collect())
}

/// The exporter, with what became of its spans.
#[derive(Debug)]
struct Counted {
    otlp: Otlp,
    books: Arc<Books>,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let roots = batch.iter().filter(|span| span.parent_span_id == SpanId::INVALID);
        let (spans, turns) = (batch.len(), roots.count() as u64);
        let result = self.otlp.export(batch).await;
        self.books.release(spans);
        let failed = result.is_err();
        let outcome = if failed { "failed" } else { "sent" };
        counter!(names::TRACES, "outcome" => outcome).increment(turns);
        match &result {
            Err(error) if !self.books.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "the collector does not take traces");
            }
            Ok(()) if self.books.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("the collector takes traces again");
            }
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Instant;

    use goobster_core::ids::TurnId;
    use goobster_network::{Hosts, Network};

    use super::*;
    use crate::converse::trace::{Seen, TraceBook};

    fn trace() -> TurnTrace {
        let mut book = TraceBook::new(1);
        let turn = TurnId::new(1);
        book.see(Moment::from_millis(100), Seen::Voice { turn, speaker: 1 });
        let outcome = "empty";
        book.see(Moment::from_millis(900), Seen::Over { turn, outcome })
            .remove(0)
    }

    fn collector(endpoint: &str, ratio: f64) -> Collector {
        let endpoint: url::Url = endpoint.parse().unwrap();
        let hosts = Hosts::of(Network::Open, "monitoring.otlp_endpoint", &endpoint).unwrap();
        Collector {
            endpoint,
            hosts,
            headers: HashMap::new(),
            ratio,
            service: "goobster".to_owned(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_collector_that_hangs_neither_holds_the_room_nor_the_end_up() {
        // It takes connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/v1/traces", silent.local_addr().unwrap());
        let exporter = Exporter::begin(collector(&at, 1.0)).unwrap();
        let (trace, began) = (trace(), Instant::now());
        assert_eq!(trace.spans.len(), 2);
        let now = Moment::from_millis(1_000);
        let kept = (0..4 * QUEUE)
            .filter(|_| exporter.send(&trace, now, SystemTime::now()).is_some())
            .count();
        assert_eq!(kept, QUEUE / 2, "whole turns are dropped");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let ending = Instant::now();
        exporter.finish().await;
        assert!(
            ending.elapsed() < LAST + Duration::from_secs(2),
            "{:?}",
            ending.elapsed()
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn traces_that_are_not_sampled_take_no_place() {
        let exporter = Exporter::begin(collector("http://127.0.0.1:9/v1/traces", 0.1)).unwrap();
        let trace = trace();
        let kept = (0..1_000)
            .filter(|_| exporter.send(&trace, Moment::ZERO, SystemTime::now()).is_some())
            .count();
        // A tenth of a thousand, six standard deviations wide.
        assert!((43..=157).contains(&kept), "{kept}");
        assert!(exporter.books.waiting.load(Ordering::Acquire) <= 2 * kept);
        exporter.finish().await;
    }
}
