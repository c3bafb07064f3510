//! How the user sees that something is going on.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Something that shows the progress of one step after another.
pub trait Progress {
    /// A step begins; `total` in bytes when it is known.
    fn begin(&mut self, step: &str, total: Option<u64>);
    /// The step has come this far, in bytes.
    fn at(&mut self, position: u64);
    /// The step ended; `outcome` in a word or two.
    fn end(&mut self, outcome: &str);
    /// Something worth knowing that is not a step.
    fn note(&mut self, line: &str);
}

/// Shows nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _step: &str, _total: Option<u64>) {}
    fn at(&mut self, _position: u64) {}
    fn end(&mut self, _outcome: &str) {}
    fn note(&mut self, _line: &str) {}
}

/// A bar on standard error; a plain line a step, and one every ten seconds within it, when that is not a terminal.
#[derive(Debug)]
pub struct Terminal {
    bar: Option<ProgressBar>,
    interactive: bool,
    step: String,
    total: Option<u64>,
    began: Instant,
    said: Instant,
}

/// How often a long step says something when there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

impl Default for Terminal {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            bar: None,
            interactive: std::io::stderr().is_terminal(),
            step: String::new(),
            total: None,
            began: now,
            said: now,
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress is what standard error is for")]
impl Progress for Terminal {
    fn begin(&mut self, step: &str, total: Option<u64>) {
        step.clone_into(&mut self.step);
        self.total = total;
        self.began = Instant::now();
        self.said = self.began;
        if !self.interactive {
            eprintln!(
                "{step}{}",
                total
                    .map(|t| format!(" ({} MB)", megabytes(t)))
                    .unwrap_or_default()
            );
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() {
            "{msg:44!} {bar:24} {bytes:>10} / {total_bytes} {bytes_per_sec} {eta}"
        } else {
            "{msg:44!} {spinner} {elapsed}"
        };
        // The template is a constant; were it wrong, the default style would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(step.to_owned());
        if total.is_none() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        self.bar = Some(bar);
    }

    fn at(&mut self, position: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        } else if self.said.elapsed() >= PLAIN_EVERY {
            self.said = Instant::now();
            match self.total.filter(|t| *t > 0) {
                Some(total) => eprintln!("{}: {} %", self.step, position * 100 / total),
                None => eprintln!("{}: {} MB", self.step, megabytes(position)),
            }
        }
    }

    fn end(&mut self, outcome: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        eprintln!("{}: {outcome} ({seconds:.1} s)", self.step);
    }

    fn note(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
