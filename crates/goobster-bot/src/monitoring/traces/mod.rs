//! Where the traces of turns go: a line in the log for each, and with the feature `otel` spans to a collector.

#[cfg(feature = "otel")]
mod client;
#[cfg(feature = "otel")]
mod otel;
#[cfg(feature = "otel")]
mod settings;

use std::sync::Arc;

use goobster_core::time::Moment;
use goobster_network::Network;

use crate::cli::exit::Failure;
use crate::config::Monitoring;
use crate::converse::trace::{TraceSink, TurnTrace, Value, field, span};

/// Where a room's traces go.
pub(crate) fn told() -> Arc<dyn TraceSink> {
    Arc::new(Telling)
}

/// Sends traces while it lives, where the configuration names a collector.
#[must_use]
pub(crate) struct Sending {
    #[cfg(feature = "otel")]
    exporter: Option<Arc<otel::Exporter>>,
}

/// Begins to send.
///
/// # Errors
/// A collector's address or headers that are none.
pub(crate) fn begin(settings: &Monitoring, network: Network) -> Result<Sending, Failure> {
    #[cfg(feature = "otel")]
    {
        let exporter = settings::of(settings, network)?
            .map(otel::Exporter::begin)
            .transpose()?;
        otel::install(exporter.clone());
        Ok(Sending { exporter })
    }
    #[cfg(not(feature = "otel"))]
    {
        let _ = network;
        // The configuration refuses the setting in this build, with its place: nobody comes here with it.
        match settings.otlp_endpoint {
            Some(_) => Err(Failure::Configuration(
                "monitoring.otlp_endpoint: this goobster was built without traces".to_owned(),
            )),
            None => Ok(Sending {}),
        }
    }
}

impl Sending {
    /// Sends what waits, within a bounded time.
    #[cfg_attr(
        not(feature = "otel"),
        expect(clippy::unused_async, reason = "there is nothing to wait for")
    )]
    pub(crate) async fn finish(self) {
        #[cfg(feature = "otel")]
        if let Some(exporter) = self.exporter {
            otel::install(None);
            exporter.finish().await;
        }
    }
}

/// Tells of a trace: to the collector first, so that its log line can name it.
struct Telling;

impl TraceSink for Telling {
    fn take(&self, trace: &TurnTrace, now: Moment) {
        #[cfg(feature = "otel")]
        let id = otel::send(trace, now);
        #[cfg(not(feature = "otel"))]
        let id: Option<String> = {
            let _ = now;
            None
        };
        log(trace, id.as_deref());
    }
}

/// One line a turn, for who has no collector.
fn log(trace: &TurnTrace, trace_id: Option<&str>) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let took = |name: &str| {
        trace
            .find(name)
            .map(|span| span.upto.as_millis().saturating_sub(span.from.as_millis()))
    };
    let number = |name: &str| match trace.field(name) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    let outcome = match trace.field(field::OUTCOME) {
        Some(Value::Word(word)) => Some(word),
        _ => None,
    };
    tracing::debug!(
        conversation = number(field::CONVERSATION),
        turn = number(field::TURN),
        speaker = number(field::SPEAKER),
        outcome,
        turn_ms = took(span::TURN),
        listen_ms = took(span::LISTEN),
        endpoint_ms = took(span::ENDPOINT),
        recognise_ms = took(span::RECOGNISE),
        decide_ms = took(span::DECIDE),
        respond_ms = took(span::RESPOND),
        synthesise_ms = took(span::SYNTHESISE),
        play_ms = took(span::PLAY),
        trace_id,
        "a turn is over"
    );
}
