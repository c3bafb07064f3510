//! The last warnings and errors of the log, for the status page: a bounded ring, with secrets blackened.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::names;
use crate::cli::logging::blackened;

/// Lines kept.
const KEPT: usize = 50;

/// Characters of a line.
const LONGEST: usize = 400;

static LINES: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

/// A line of the log.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// When, in milliseconds since 1970.
    at_ms: i64,
    /// "error" or "warning".
    level: &'static str,
    /// Which part of the program.
    part: String,
    what: String,
}

/// The last lines, the newest first.
pub(crate) fn lines() -> Vec<Line> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().rev().cloned().collect()
}

/// Keeps what is logged. Give it nothing below warnings.
pub(crate) struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (level, label) = match *event.metadata().level() {
            Level::ERROR => ("error", "error"),
            Level::WARN => ("warning", "warn"),
            _ => return,
        };
        metrics::counter!(names::LOGGED, "level" => label).increment(1);
        let mut words = Words::default();
        event.record(&mut words);
        let what: String = blackened(&format!("{}{}", words.message, words.fields))
            .chars()
            .take(LONGEST)
            .collect();
        let line = Line {
            at_ms: jiff::Timestamp::now().as_millisecond(),
            level,
            part: event.metadata().target().to_owned(),
            what,
        };
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn warnings_are_kept_within_bounds_and_without_secrets() {
        crate::cli::logging::blacken("open-sesame-open");
        let subscriber = tracing_subscriber::registry().with(Recent);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..KEPT + 5 {
                tracing::warn!(number, key = "open-sesame-open", "something of recent");
            }
            tracing::info!("nothing of recent");
        });
        let kept: Vec<Line> = lines()
            .into_iter()
            .filter(|line| line.what.contains("of recent"))
            .collect();
        assert!(kept.len() <= KEPT && kept.len() > KEPT - 10);
        assert!(
            kept[0].what.contains(&format!("number={}", KEPT + 4)),
            "{:?}",
            kept[0]
        );
        assert!(
            kept.iter()
                .all(|line| !line.what.contains("sesame") && !line.what.contains("nothing"))
        );
    }
}
