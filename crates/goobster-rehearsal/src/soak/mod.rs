//! Soaks: many rehearsals with faults by chance, several at a time. A seed makes a script, the same every time.
//!
//! - `script`: from a seed to a scenario. - `endurance`: a long one in which nothing breaks.
//! - `overload`: more people talk than can be followed. - `health`: what no script may bring about.

mod endurance;
mod health;
mod overload;
mod script;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;

use crate::error::RehearsalError;
use crate::expectations::heard_well;
use crate::recording::Shelf;
use crate::rehearse::{RehearsalOptions, rehearse};
use crate::report;
use crate::stage::BotCommand;
use crate::watcher::Nobody;

pub use endurance::Endurance;
pub use health::{Ailment, examine};
pub use overload::{Finding, Overload, Sample, judge as judge_overload};
pub use script::{Clips, script};

/// What to soak.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// How the bot is started.
    pub bot: BotCommand,
    /// Where recordings are looked for.
    pub shelf: Shelf,
    /// What is said.
    pub clips: Clips,
    /// The first seed.
    pub seed_start: u64,
    /// How many seeds.
    pub runs: u32,
    /// How many at a time.
    pub at_once: usize,
    /// Where the reports of ailing runs are written; none to write none.
    pub out: Option<PathBuf>,
}

/// What came of one seed.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What it does, in a line.
    pub title: String,
    /// How many things were said, and how many of them could be heard well and had to be captioned.
    pub said: (usize, usize),
    /// What is wrong; nothing if all is well.
    pub ailments: Vec<Ailment>,
    /// How long it took.
    pub wall: Duration,
    /// Where its report is, if one was written.
    pub report: Option<PathBuf>,
}

impl Run {
    /// How to see it again.
    pub fn repeat(&self) -> String {
        format!("cargo xtask soak --rehearse 1 --seed-start {}", self.seed)
    }
}

/// What came of all of them.
#[derive(Debug, Clone, Serialize)]
pub struct Soaked {
    /// The runs, in order of their seeds.
    pub runs: Vec<Run>,
    /// How long it took altogether.
    pub wall: Duration,
}

impl Soaked {
    /// The runs in which something was wrong.
    pub fn ailing(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|r| !r.ailments.is_empty())
    }
}

/// Rehearses `runs` seeds, several at a time; `told` hears of each as it ends. A run that could not take place is an ailment
/// of it, too: the bot may be what hindered it.
pub async fn soak(options: SoakOptions, mut told: impl FnMut(&Run)) -> Result<Soaked, RehearsalError> {
    let begun = Instant::now();
    let at_once = options.at_once.max(1);
    let options = Arc::new(options);
    let seeds = (0..u64::from(options.runs)).map(|n| options.seed_start.wrapping_add(n));
    let mut running =
        stream::iter(seeds.map(|seed| run(Arc::clone(&options), seed))).buffer_unordered(at_once);
    let mut runs = Vec::new();
    while let Some(run) = running.next().await {
        let run = run?;
        told(&run);
        runs.push(run);
    }
    runs.sort_by_key(|r| r.seed);
    Ok(Soaked {
        runs,
        wall: begun.elapsed(),
    })
}

async fn run(options: Arc<SoakOptions>, seed: u64) -> Result<Run, RehearsalError> {
    let begun = Instant::now();
    let scenario = script(seed, &options.clips);
    let title = scenario.title.clone();
    let out = options.out.as_ref().map(|o| o.join(format!("seed-{seed}")));
    let mut rehearsal = RehearsalOptions::new(scenario.clone(), options.bot.clone());
    rehearsal.shelf = options.shelf.clone();
    let outcome = match rehearse(rehearsal, &mut Nobody).await {
        Ok(outcome) => outcome,
        // What is wrong with the set-up is wrong with every run.
        Err(
            error @ (RehearsalError::UnknownRecording { .. }
            | RehearsalError::Recording(_)
            | RehearsalError::Io { .. }),
        ) => {
            return Err(error);
        }
        Err(error) => {
            let ailments = vec![Ailment::NoRehearsal(error.to_string())];
            return Ok(Run {
                seed,
                title,
                said: (0, 0),
                ailments,
                wall: begun.elapsed(),
                report: None,
            });
        }
    };
    let ailments = examine(&scenario, &outcome);
    let speeches = &outcome.timeline.speeches;
    let well = speeches
        .iter()
        .filter(|s| heard_well(&outcome.timeline, s))
        .count();
    let mut report = None;
    if let Some(folder) = out.filter(|_| !ailments.is_empty()) {
        std::fs::create_dir_all(&folder).map_err(RehearsalError::io(&folder))?;
        let path = folder.join("report.html");
        std::fs::write(&path, report::html(&outcome)).map_err(RehearsalError::io(&path))?;
        let log = folder.join("bot.log");
        std::fs::write(&log, outcome.said.join("\n") + "\n").map_err(RehearsalError::io(&log))?;
        let timeline = folder.join("timeline.json");
        let text = serde_json::to_string(&outcome.timeline).unwrap_or_default();
        std::fs::write(&timeline, text).map_err(RehearsalError::io(&timeline))?;
        report = Some(path);
    }
    Ok(Run {
        seed,
        title,
        said: (speeches.len(), well),
        ailments,
        wall: begun.elapsed(),
        report,
    })
}
