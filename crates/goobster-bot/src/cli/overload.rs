//! `goobster rehearse --overload`: four times as many people as this machine can follow, and what becomes of the promises.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use comfy_table::{Table, presets};
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::scenario::Engines as ScriptedEngines;
use goobster_rehearsal::soak::{Finding, Overload, Sample, judge_overload};
use goobster_rehearsal::{BotCommand, Outcome, RehearsalOptions};

use super::args::Rehearse;
use super::exit::Failure;
use super::rehearse::watch;
use super::terminal::Terminal;
use crate::admission::calibrate::Calibration;
use crate::config::Config;
use crate::engines::Engines;
use crate::monitoring::names;

/// So many times the speakers that this machine can follow.
const TIMES: usize = 4;
/// Talkers at most: a call on the loopback Discord takes no more on one machine together with the bot.
const MOST: usize = 48;
/// How often the metrics are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long an answer may take, and how much of it is read.
const ANSWER: Duration = Duration::from_secs(2);
const ANSWER_BYTES: u64 = 4 << 20;

/// Rehearses overload, and tells what was found.
pub(super) async fn run(
    args: &Rehearse,
    minutes: u32,
    config: &Config,
    mut bot: BotCommand,
    shelf: Shelf,
    engines: &Engines<'_>,
    terminal: Terminal,
) -> Result<(), Failure> {
    let calibration = {
        let (own, smaller) = (engines.recogniser(None)?, engines.smaller_recogniser()?);
        let own = config.recogniser.url.is_none().then_some(own.as_ref());
        Calibration::measure(own, smaller.as_deref(), engines.detector()).await?
    };
    let seats = calibration.seats(&config.admission);
    let ladder = config.admission.ladder(true);
    terminal.line(&format!(
        "this machine follows {} people at once: {}",
        seats.own,
        calibration.words()
    ))?;
    let overload = Overload {
        seed: args.seed_start,
        talkers: (seats.own * TIMES).clamp(TIMES, MOST),
        lasts: Duration::from_mins(u64::from(minutes)),
        refuses_after: ladder.rise * 4 + Duration::from_secs(12),
        // What the ladder takes at most to come back: 4, 4, 2 and 1 times `fall`.
        rest: ladder.fall * 11 + Duration::from_secs(15),
        alone: 6,
        engines: if args.scripted {
            ScriptedEngines::Scripted
        } else {
            ScriptedEngines::Real
        },
        bot: toml::Table::new(),
    };
    let watched = Watched::begin(&mut bot)?;
    let mut options = RehearsalOptions::new(overload.scenario(), bot);
    options.shelf = shelf;
    options.out = Some(args.out.join("overload"));
    terminal.line(&format!("\n— {} —", options.scenario.title))?;
    let outcome = watch(options, terminal).await;
    let samples = watched.end();
    report(&overload, &outcome?, &samples, terminal)
}

/// Prints what was found; fails when a promise was not kept.
fn report(
    overload: &Overload,
    outcome: &Outcome,
    samples: &[Sample],
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut findings = judge_overload(overload, &outcome.timeline, &outcome.figures, samples);
    findings.push(Finding {
        promise: "nothing else went wrong",
        found: match &outcome.failures()[..] {
            [] => "nothing".to_owned(),
            failures => failures.join("; "),
        },
        kept: outcome.passed(),
    });
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["promise", "found", "kept"]);
    for finding in &findings {
        terminal.event(&serde_json::json!({ "event": "finding", "finding": finding }))?;
        table.add_row([
            finding.promise,
            &finding.found,
            if finding.kept { "yes" } else { "NO" },
        ]);
    }
    terminal.line(&format!("\n{table}"))?;
    let broken: Vec<&str> = findings
        .iter()
        .filter(|finding| !finding.kept)
        .map(|finding| finding.promise)
        .collect();
    terminal.summary(&serde_json::json!({
        "event": "summary", "talkers": overload.talkers, "seconds": overload.lasts.as_secs(), "findings": findings,
        "samples": samples.len(),
    }))?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("not kept: {}", broken.join("; "))))
}

/// The bot's metrics, looked at while it runs.
#[derive(Debug)]
pub struct Watched {
    samples: Arc<Mutex<Vec<Sample>>>,
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Watched {
    /// Has the bot tell its metrics, and looks at them from the moment it is ready.
    ///
    /// # Errors
    /// No free port.
    pub fn begin(bot: &mut BotCommand) -> Result<Self, Failure> {
        let free =
            |error: std::io::Error| Failure::Failed(format!("no port is free on this machine: {error}"));
        // Free most likely a moment later, too.
        let at = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(free)?;
        bot.env
            .push(("GOOBSTER_MONITORING_LISTEN".into(), at.to_string().into()));
        let samples = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (samples, over) = (Arc::clone(&samples), Arc::clone(&over));
            std::thread::spawn(move || look(at, &samples, &over))
        };
        Ok(Self {
            samples,
            over,
            thread,
        })
    }

    /// What was seen.
    pub fn end(self) -> Vec<Sample> {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks until it is over.
fn look(at: SocketAddr, samples: &Mutex<Vec<Sample>>, over: &AtomicBool) {
    let mut ready: Option<Instant> = None;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        let Some(metrics) = asked(at) else { continue };
        if ready.is_none() && value(&metrics, names::READY, "") != Some(1.0) {
            continue;
        }
        let since = ready.get_or_insert_with(Instant::now).elapsed();
        let sample = sample(since.as_secs_f64(), &metrics);
        samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sample);
    }
}

/// What the bot tells.
fn asked(at: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&at, ANSWER).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    stream.set_write_timeout(Some(ANSWER)).ok()?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

fn sample(at: f64, metrics: &str) -> Sample {
    let of = |name: &str, label: &str| value(metrics, name, label).unwrap_or(0.0);
    Sample {
        at,
        decodes: of(names::QUEUE, "queue=\"decodes\""),
        finals: of(names::QUEUE, "queue=\"finals\""),
        captions: of(names::QUEUE, "queue=\"captions\""),
        events: of(names::QUEUE, "queue=\"call_events\""),
        seats: of(names::SEATS, "state=\"there\""),
        taken: of(names::SEATS, "state=\"taken\""),
        level: of(names::LEVEL, ""),
        not_followed: of(names::NOT_FOLLOWED, ""),
        resident: of(names::RESIDENT, ""),
    }
}

/// The value of a series, by its name and, unless empty, a label.
fn value(metrics: &str, name: &str, label: &str) -> Option<f64> {
    metrics.lines().find_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let labels = series.strip_prefix(name)?;
        let ours = if label.is_empty() {
            labels.is_empty()
        } else {
            labels.starts_with('{') && labels.contains(label)
        };
        ours.then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_by_name_and_label() {
        let metrics = "# TYPE goobster_queue_depth gauge\ngoobster_queue_depth{queue=\"decodes\"} 3\n\
                       goobster_queue_depth{queue=\"finals\"} 2\ngoobster_overload_level 4\n\
                       goobster_overload_level_more 9\n";
        let sample = sample(1.0, metrics);
        assert!((sample.decodes - 3.0).abs() < f64::EPSILON && (sample.finals - 2.0).abs() < f64::EPSILON);
        assert!((sample.level - 4.0).abs() < f64::EPSILON && sample.seats.abs() < f64::EPSILON);
    }
}
