//! What became of the promises under overload: pure, from the timeline and the samples of the bot's metrics.

use std::time::Duration;

use goobster_core::time::Moment;
use serde::Serialize;

use super::Overload;
use crate::figures::{Figures, Percentiles};
use crate::timeline::Timeline;

/// Captions may take so many times longer than when one member talks alone.
const LATER: f64 = 2.0;
/// Memory may grow by this much while everybody talks, in per cent, once it has settled.
const GROWTH: f64 = 10.0;
/// The share of the loaded time after which memory has settled.
const SETTLED: f64 = 0.25;
/// Waiting decodes and finals for each seat at most.
const A_SEAT: f64 = 2.0;
/// What a polite refusal says.
const POLITE: &str = "as busy as this machine allows";

/// What the bot's metrics said at a moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sample {
    /// Seconds since the bot was ready.
    pub at: f64,
    /// Decodes that wait.
    pub decodes: f64,
    /// Final and speculative ones among them.
    pub finals: f64,
    /// Captions that wait to be taken up.
    pub captions: f64,
    /// Events that wait for the call.
    pub events: f64,
    /// Seats there are.
    pub seats: f64,
    /// Seats that are taken.
    pub taken: f64,
    /// What is given up.
    pub level: f64,
    /// Turns that were not followed, so far.
    pub not_followed: f64,
    /// Bytes in memory.
    pub resident: f64,
}

/// A promise and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What is promised.
    pub promise: &'static str,
    /// What was seen.
    pub found: String,
    /// Whether it was kept.
    pub kept: bool,
}

/// Looks at everything.
pub fn judge(
    overload: &Overload,
    timeline: &Timeline,
    figures: &Figures,
    samples: &[Sample],
) -> Vec<Finding> {
    let loaded: Vec<Sample> = samples
        .iter()
        .copied()
        .filter(|sample| (overload.begins()..overload.ends()).contains(&sample.at))
        .collect();
    let mut findings = vec![captions(figures)];
    findings.extend(queues(&loaded));
    findings.push(memory(overload, &loaded));
    findings.push(refusals(timeline));
    findings.push(notices(overload, timeline, &loaded));
    findings.push(recovery(timeline, samples));
    findings
}

fn latencies(figures: &Figures, label: &str) -> (Percentiles, usize, usize) {
    let turns = figures.turns.iter().filter(|turn| turn.label.starts_with(label));
    let said = turns.clone().count();
    let times: Vec<i64> = turns.filter_map(|turn| turn.caption_ms).collect();
    let captioned = times.len();
    (Percentiles::of(times), captioned, said)
}

fn captions(figures: &Figures) -> Finding {
    let (alone, ..) = latencies(figures, "alone ");
    let (loaded, captioned, said) = latencies(figures, "load ");
    let within = |of: fn(&Percentiles) -> Option<i64>| match (of(&alone), of(&loaded)) {
        (Some(alone), Some(loaded)) => loaded as f64 <= alone as f64 * LATER,
        _ => false,
    };
    let ms = |it: Option<i64>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
    Finding {
        promise: "captions of who is followed come within twice their idle time",
        found: format!(
            "{captioned} of {said} captioned; p50 {} ms, p95 {} ms; one alone {} and {} ms",
            ms(loaded.p50),
            ms(loaded.p95),
            ms(alone.p50),
            ms(alone.p95)
        ),
        kept: captioned > 0 && within(|p| p.p50) && within(|p| p.p95),
    }
}

/// The most of a half of the samples.
fn most(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    samples.iter().map(of).fold(0.0, f64::max)
}

fn queues(loaded: &[Sample]) -> Vec<Finding> {
    let (first, second) = loaded.split_at(loaded.len() / 2);
    let seats = most(loaded, |sample| sample.seats);
    let one = |promise, of: fn(&Sample) -> f64, bound: f64| {
        let (early, late) = (most(first, of), most(second, of));
        Finding {
            promise,
            found: format!("at most {early} in the first half, {late} in the second; the bound is {bound}"),
            kept: !loaded.is_empty() && early.max(late) <= bound,
        }
    };
    vec![
        one("decodes that wait", |sample| sample.decodes, seats * A_SEAT),
        one("final decodes that wait", |sample| sample.finals, seats * A_SEAT),
        one(
            "captions that wait to be taken up",
            |sample| sample.captions,
            32.0,
        ),
        one("events that wait for the call", |sample| sample.events, 64.0),
        one("seats taken", |sample| sample.taken, seats),
    ]
}

fn memory(overload: &Overload, loaded: &[Sample]) -> Finding {
    let settled = overload.begins() + overload.lasts.as_secs_f64() * SETTLED;
    let (early, late): (Vec<Sample>, Vec<Sample>) =
        loaded.iter().copied().partition(|sample| sample.at < settled);
    let (before, after) = (
        most(&early, |sample| sample.resident),
        most(&late, |sample| sample.resident),
    );
    let growth = if before > 0.0 {
        (after / before - 1.0) * 100.0
    } else {
        f64::INFINITY
    };
    Finding {
        promise: "memory is bounded",
        found: format!(
            "{:.0} MB in the first quarter, {:.0} MB after ({growth:+.1} %)",
            before / 1e6,
            after / 1e6
        ),
        kept: growth <= GROWTH,
    }
}

fn refusals(timeline: &Timeline) -> Finding {
    let asked: Vec<usize> = (0..timeline.requests.len())
        .filter(|n| {
            let label = &timeline.requests[*n].label;
            label.starts_with("asks ") && label != "asks after"
        })
        .collect();
    let polite = asked
        .iter()
        .filter(|n| answered_with(timeline, **n, POLITE))
        .count();
    Finding {
        promise: "new sessions are refused politely, to who asked alone",
        found: format!("{polite} of {} requests", asked.len()),
        kept: !asked.is_empty() && polite == asked.len(),
    }
}

fn answered_with(timeline: &Timeline, request: usize, words: &str) -> bool {
    timeline
        .messages
        .iter()
        .filter(|message| message.answers == Some(request) && message.hidden)
        .any(|message| {
            let revised = message.revisions.iter().any(|(_, text)| text.contains(words));
            revised || message.words.contains(words)
        })
}

fn notices(overload: &Overload, timeline: &Timeline, loaded: &[Sample]) -> Finding {
    let told = timeline
        .messages
        .iter()
        .filter(|message| message.words.contains("more people are talking at once"))
        .count();
    let minutes = overload.lasts.as_secs_f64() / 60.0;
    let left_out = most(loaded, |sample| sample.not_followed);
    Finding {
        promise: "who is not followed is told, at most once a minute",
        found: format!("{left_out} turns were not followed; told {told} times"),
        kept: left_out > 0.0 && told > 0 && told as f64 <= minutes.ceil() + 1.0,
    }
}

fn recovery(timeline: &Timeline, samples: &[Sample]) -> Finding {
    let last = samples.last().map_or(f64::NAN, |sample| sample.level);
    let top = most(samples, |sample| sample.level);
    let admitted = (0..timeline.requests.len())
        .any(|n| timeline.requests[n].label == "asks after" && answered_with(timeline, n, "I am listening"));
    let over: Option<Duration> = samples
        .iter()
        .rev()
        .take_while(|sample| sample.level == 0.0)
        .last()
        .map(|sample| Moment::from_millis((sample.at * 1000.0) as u64).since(Moment::ZERO));
    Finding {
        promise: "everything comes back, and sessions are let in again",
        found: format!(
            "rung {top} at the top, {last} at the end ({}); the next request was {}",
            over.map_or_else(
                || "never back".to_owned(),
                |at| format!("back after {:.0} s", at.as_secs_f64())
            ),
            if admitted { "admitted" } else { "refused" }
        ),
        kept: last == 0.0 && top >= 3.0 && admitted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Engines;

    fn overload() -> Overload {
        Overload {
            seed: 1,
            talkers: 4,
            lasts: Duration::from_mins(1),
            refuses_after: Duration::from_secs(10),
            rest: Duration::from_secs(30),
            alone: 6,
            engines: Engines::Scripted,
            bot: toml::Table::new(),
        }
    }

    fn samples(resident: impl Fn(f64) -> f64, decodes: f64) -> Vec<Sample> {
        let begins = overload().begins();
        (0..60)
            .map(|n| Sample {
                at: begins + f64::from(n),
                seats: 2.0,
                decodes,
                resident: resident(f64::from(n)),
                ..Sample::default()
            })
            .collect()
    }

    #[test]
    fn nothing_seen_keeps_no_promise() {
        let findings = judge(&overload(), &Timeline::default(), &Figures::default(), &[]);
        assert!(findings.iter().all(|finding| !finding.kept), "{findings:#?}");
    }

    #[test]
    fn growing_memory_and_queues_are_found() {
        let flat = samples(|_| 3e8, 3.0);
        assert!(memory(&overload(), &flat).kept);
        assert!(queues(&flat)[0].kept);
        let growing = samples(|second| 3e8 + second * 2e6, 5.0);
        assert!(!memory(&overload(), &growing).kept);
        assert!(!queues(&growing)[0].kept);
    }
}
