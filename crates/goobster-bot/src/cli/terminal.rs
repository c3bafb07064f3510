//! What people and machines see: lines on stdout, JSON lines with `--json`, everything else on stderr.
//!
//! Colours vanish when the output is piped; a reader that goes away ends the command quietly.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde::Serialize;

use super::exit::Failure;
use super::logging::blackened;

/// Whether the summary was printed: stdout has one last line, and a process one stdout.
static SUMMARISED: AtomicBool = AtomicBool::new(false);

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    json: bool,
}

/// Writes an error or a warning to stderr; a closed stderr is nobody's problem.
pub fn complain(text: &str) {
    let text = blackened(text);
    let mut err = anstream::stderr().lock();
    let _ = match text.split_once(": ") {
        Some((kind @ ("error" | "warning"), rest)) if kind == "error" => {
            writeln!(err, "{}: {rest}", kind.red().bold())
        }
        Some((kind @ "warning", rest)) => writeln!(err, "{}: {rest}", kind.yellow().bold()),
        _ => writeln!(err, "{text}"),
    };
}

impl Terminal {
    /// A terminal that prints JSON lines when `json`, text otherwise.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether stdout holds JSON lines.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints one event as a JSON line; nothing in text mode.
    pub fn event(self, event: &impl Serialize) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let line =
            serde_json::to_string(event).map_err(|e| Failure::Failed(format!("cannot write JSON: {e}")))?;
        Self::print(&line)
    }

    /// Prints the last event, a command's `summary`.
    pub fn summary(self, summary: &impl Serialize) -> Result<(), Failure> {
        SUMMARISED.store(true, Ordering::Relaxed);
        self.event(summary)
    }

    /// The last event of a command that has printed none of its own, because it failed.
    pub fn summarise(self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        if SUMMARISED.load(Ordering::Relaxed) || matches!(outcome, Err(Failure::ReaderGone)) {
            return outcome;
        }
        let told = self.summary(&match &outcome {
            Ok(()) => serde_json::json!({ "event": "summary" }),
            Err(failure) => serde_json::json!({
                "event": "summary", "error": failure.to_string(), "exit_code": failure.code(),
            }),
        });
        outcome.and(told)
    }

    /// Prints one line for people; nothing with `--json`.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { Self::print(text) }
    }

    /// Prints text as it is, without a line end; nothing with `--json`.
    pub fn raw(self, text: &str) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|e| Failure::output("stdout", e))
    }

    /// A word to the user that is no result: on stderr.
    pub fn note(self, text: &str) {
        complain(text);
    }

    /// A warning on stderr.
    pub fn warn(self, text: &str) {
        complain(&format!("warning: {text}"));
    }

    /// A progress bar over `total` of audio, on stderr and only on a terminal. Unknown totals get a spinner.
    pub fn audio_progress(self, label: &str, total: Option<Duration>) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total.as_secs()).with_style(
                ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3} % {elapsed} (ends in {eta})")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            ),
            None => ProgressBar::new_spinner(),
        };
        bar.with_message(label.to_owned())
    }

    fn print(text: &str) -> Result<(), Failure> {
        let text = blackened(text);
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(|e| Failure::output("stdout", e))
    }
}
