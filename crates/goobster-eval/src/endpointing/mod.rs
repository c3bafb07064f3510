//! Endpointing: fixed patience against one that follows the speaker and their words, on the same recordings of people.
//!
//! - `labels`: which pauses lie within a sentence and which at its end.
//! - `turns`, `reader`: turns cut out of the recordings, and what is read at each pause.
//! - `replay`: the turns, replayed to the endpointer.
//! - `fit`: the constants, chosen on one half of the recordings and judged on the other.
//! - `statistics`: rates, delays, confidence.

mod fit;
mod labels;
mod reader;
mod replay;
mod statistics;
mod turns;

use std::collections::BTreeSet;
use std::time::Duration;

use goobster_audio::endpoint::EndpointConfig;
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_speech::stt::AudioContext;

use crate::corpus::{self, Recording};
use fit::{Clues, shifted};
use replay::replay;
use statistics::{Curve, Point, Tallies, at_rate, interval, point};
use turns::{LeftOut, Turn};

use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// The share of pauses that may be taken for the end.
const RATE: f64 = 0.05;
/// From the announcement of a pause to the words before it, in samples: 280 ms, as the standard profile takes on two cores.
const READING: u64 = 4480;

/// Everything that is replayed.
struct Corpus {
    recordings: Vec<Recording>,
    turns: Vec<Turn>,
    window: usize,
}

/// Marks the pauses, compares, and reports.
pub(crate) async fn measure(announcements: usize, report: &mut Report) -> anyhow::Result<()> {
    let config = config(Profile::Standard);
    let engines = Engines::new(&config, false, quiet());
    let recordings = corpus::recordings(&engines, announcements)?;
    let recogniser = engines.whisper(None, AudioContext::Trimmed)?;
    let mut reader = reader::Reader::new(&recogniser)?;
    let mut detector = engines.detector();
    let (mut turns, mut left_out) = (Vec::new(), LeftOut::default());
    for (index, recording) in recordings.iter().enumerate() {
        turns.extend(turns::of(index, recording, &mut reader, detector.as_mut(), &mut left_out).await?);
    }
    reader.keep()?;
    if let Some(time) = reader.usual_time() {
        progress(&format!(
            "endpointing: reading took {} ms in the middle",
            time.as_millis()
        ));
    }
    let corpus = Corpus {
        recordings,
        turns,
        window: detector.window(),
    };
    let english: Vec<usize> = corpus.with(|recording| recording.language == Language::ENGLISH);
    let all: Vec<usize> = corpus.with(|_| true);
    let mut groups: Vec<(&str, &[usize])> = vec![("English", &english)];
    if all.len() > english.len() {
        groups.push(("all", &all));
    }
    let mut body = format!("{}\n\n", corpus.told(&groups, &left_out));
    let fixed = corpus.fixed()?;
    body.push_str(&by_patience(&english, &corpus)?);
    body.push_str("\n\n");
    body.push_str(&compared(&fixed, &groups, &corpus)?);
    report.section("Endpointing", &body)
}

impl Corpus {
    /// The recordings with turns that `pick` takes.
    fn with(&self, pick: impl Fn(&Recording) -> bool) -> Vec<usize> {
        let used: BTreeSet<usize> = self.turns.iter().map(|turn| turn.recording).collect();
        used.into_iter()
            .filter(|index| pick(&self.recordings[*index]))
            .collect()
    }

    /// The turns of these recordings, a list for each speaker.
    fn speakers(&self, picks: &[usize]) -> Vec<Vec<&Turn>> {
        let mut speakers: Vec<(&str, Vec<&Turn>)> = Vec::new();
        for turn in self.turns.iter().filter(|turn| picks.contains(&turn.recording)) {
            let name = self.recordings[turn.recording].speaker.as_str();
            match speakers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, turns)) => turns.push(turn),
                None => speakers.push((name, vec![turn])),
            }
        }
        speakers.into_iter().map(|(_, turns)| turns).collect()
    }

    fn replay(
        &self,
        picks: &[usize],
        config: &EndpointConfig,
        reading: Option<u64>,
    ) -> anyhow::Result<Tallies> {
        replay(
            &self.speakers(picks),
            config,
            self.window,
            reading,
            self.recordings.len(),
        )
    }

    /// Fixed patience from 200 to 1900 ms; a window of Silero is 32 ms.
    fn fixed(&self) -> anyhow::Result<Curve> {
        let all = self.with(|_| true);
        (200..=1900)
            .step_by(32)
            .map(|ms| self.replay(&all, &patience(ms), None))
            .collect()
    }

    /// Adaptive patience on `picks`, each half with constants chosen on the other, shifted from hasty to patient.
    fn crossed(
        &self,
        picks: &[usize],
        clues: Clues,
        reading: Option<u64>,
    ) -> anyhow::Result<(Curve, Vec<EndpointConfig>)> {
        let half = |odd: usize| picks.iter().copied().skip(odd).step_by(2).collect::<Vec<_>>();
        let shifts: Vec<i64> = (-560..=800).step_by(16).collect();
        let mut curve: Curve = vec![vec![replay::Tally::default(); self.recordings.len()]; shifts.len()];
        let mut chosen = Vec::new();
        for (train, test) in [(half(0), half(1)), (half(1), half(0))] {
            let speakers = self.speakers(&train);
            let Some(best) = fit::best(
                &speakers,
                self.window,
                reading,
                self.recordings.len(),
                clues,
                RATE,
            )?
            else {
                continue;
            };
            for (tallies, shift) in curve.iter_mut().zip(&shifts) {
                let judged = self.replay(&test, &shifted(&best, *shift), reading)?;
                for index in &test {
                    tallies[*index] = judged[*index].clone();
                }
            }
            chosen.push(best);
        }
        Ok((curve, chosen))
    }

    fn told(&self, groups: &[(&str, &[usize])], left_out: &LeftOut) -> String {
        let rows = groups.iter().map(|(name, picks)| {
            let turns = || self.turns.iter().filter(|turn| picks.contains(&turn.recording));
            let voices: BTreeSet<&str> = picks
                .iter()
                .map(|index| self.recordings[*index].speaker.as_str())
                .collect();
            let minutes = picks
                .iter()
                .map(|index| self.recordings[*index].sound.len())
                .sum::<usize>() as f64
                / 960_000.0;
            [
                (*name).to_owned(),
                voices.len().to_string(),
                picks.len().to_string(),
                format!("{minutes:.1}"),
                turns().count().to_string(),
                turns().map(|turn| turn.pauses.len()).sum::<usize>().to_string(),
            ]
        });
        let header = [
            "recordings",
            "speakers",
            "recordings used",
            "minutes",
            "ends of turns",
            "pauses within sentences",
        ];
        format!(
            "{}\n\n{} pauses whose place was not certain are left out.",
            table(header, rows),
            left_out.0
        )
    }
}

fn patience(ms: u64) -> EndpointConfig {
    let conversation = EndpointConfig::conversation();
    let patience = Duration::from_millis(ms);
    EndpointConfig {
        patience,
        adaptive: None,
        ..conversation
    }
}

fn cells(point: Option<Point>) -> [String; 3] {
    point.map_or_else(
        || ["-".to_owned(), "-".to_owned(), "-".to_owned()],
        |point| {
            let cut = format!("{:.1} %", point.cut * 100.0);
            [cut, format!("{:.0}", point.median), format!("{:.0}", point.p95)]
        },
    )
}

/// The table by patience: what is shipped beside fixed ones.
fn by_patience(picks: &[usize], corpus: &Corpus) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    let mut row = |name: String, config: &EndpointConfig, reading| {
        let [cut, median, p95] = cells(point(&corpus.replay(picks, config, reading)?, picks));
        rows.push([name, cut, median, p95]);
        Ok::<_, anyhow::Error>(())
    };
    for ms in (300..=1200).step_by(100) {
        row(format!("{ms} ms"), &patience(ms), None)?;
    }
    let shipped = EndpointConfig::adapting();
    for (name, reading) in [
        (
            "adaptive, words known 200 ms after the announcement of a pause",
            Some(3200),
        ),
        ("adaptive, 280 ms after", Some(READING)),
        ("adaptive, 400 ms after", Some(6400)),
        ("adaptive, 800 ms after", Some(12_800)),
        ("adaptive, words never known", None),
    ] {
        row(name.to_owned(), &shipped, reading)?;
    }
    let header = ["patience (English)", "pauses cut", "median delay, ms", "p95, ms"];
    Ok(table(header, rows))
}

/// The delay at the same rate of cuts, fixed and adaptive.
fn compared(fixed: &Curve, groups: &[(&str, &[usize])], corpus: &Corpus) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    let mut constants = Vec::new();
    for (group, picks) in groups {
        let median = |curve: &Curve, picks: &[usize]| at_rate(curve, picks, RATE).map(|point| point.median);
        let mean = |curve: &Curve, picks: &[usize]| at_rate(curve, picks, RATE).map(|point| point.mean);
        let shown =
            |figure: Option<statistics::Interval>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
        rows.push([
            (*group).to_owned(),
            "fixed".to_owned(),
            shown(interval(picks, |picks| median(fixed, picks))),
            shown(interval(picks, |picks| mean(fixed, picks))),
            "-".to_owned(),
        ]);
        for (name, clues) in [
            ("adaptive: speaker and words", Clues::Both),
            ("adaptive: words alone", Clues::Words),
            ("adaptive: speaker alone", Clues::Pauses),
        ] {
            progress(&format!("endpointing: {group}, {name}"));
            let (curve, chosen) = corpus.crossed(picks, clues, Some(READING))?;
            rows.push([
                (*group).to_owned(),
                name.to_owned(),
                shown(interval(picks, |picks| median(&curve, picks))),
                shown(interval(picks, |picks| mean(&curve, picks))),
                shown(interval(picks, |picks| {
                    Some(median(fixed, picks)? - median(&curve, picks)?)
                })),
            ]);
            constants.extend(
                chosen
                    .iter()
                    .map(|config| format!("- {group}, {name}: {}", constants_of(config))),
            );
        }
    }
    let header = [
        "recordings",
        "patience",
        "median delay at 5 % cuts, ms (95 %)",
        "mean delay, ms (95 %)",
        "median saved, ms (95 %)",
    ];
    Ok(format!(
        "{}\n\nConstants chosen on either half:\n\n{}",
        table(header, rows),
        constants.join("\n")
    ))
}

fn constants_of(config: &EndpointConfig) -> String {
    config.adaptive.map_or_else(String::new, |rule| {
        format!(
            "complete {} ms, undecided {} ms, incomplete {} ms, unread {} ms, weight {}",
            rule.complete.as_millis(),
            config.patience.as_millis(),
            rule.incomplete.as_millis(),
            rule.unread.as_millis(),
            rule.weight
        )
    })
}
