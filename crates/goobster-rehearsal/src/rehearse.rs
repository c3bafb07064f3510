//! One rehearsal from beginning to end: recordings are prepared, the scenario is played, expectations are judged, files written.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::RehearsalError;
use crate::expectations::{Evidence, Verdict, judge};
use crate::figures::Figures;
use crate::recording::{Recording, Shelf};
use crate::report;
use crate::scenario::{Action, Claim, Engines, Scenario};
use crate::scripted::Scripted;
use crate::stage::{self, BotCommand, Line, Played};
use crate::timeline::Timeline;
use crate::watcher::{Happening, Watcher};

/// Lines of the bot's words that an outcome carries.
const SAID: usize = 400;

/// What to rehearse, with what.
#[derive(Debug, Clone)]
pub struct RehearsalOptions {
    /// The scenario.
    pub scenario: Scenario,
    /// How the bot is started.
    pub bot: BotCommand,
    /// Where recordings are looked for.
    pub shelf: Shelf,
    /// Where files are written; none to write none.
    pub out: Option<PathBuf>,
    /// Who hears and speaks for the bot, whatever the scenario says.
    pub engines: Option<Engines>,
    /// How long the scripted engines take to hear something.
    pub scripted_delay: Duration,
}

impl RehearsalOptions {
    /// A rehearsal that writes nothing and leaves the engines to the scenario.
    pub fn new(scenario: Scenario, bot: BotCommand) -> Self {
        Self {
            scenario,
            bot,
            shelf: Shelf::default(),
            out: None,
            engines: None,
            scripted_delay: Duration::from_millis(150),
        }
    }
}

/// What came of a rehearsal.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The scenario's title.
    pub title: String,
    /// Its seed.
    pub seed: u64,
    /// What happened.
    pub timeline: Timeline,
    /// How long it took.
    pub figures: Figures,
    /// What became of what was expected.
    pub verdicts: Vec<Verdict>,
    /// The end of what the bot wrote to its standard error and output, without the token.
    pub said: Vec<String>,
    /// How often something in the bot panicked.
    pub panics: usize,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// How long it took altogether.
    pub wall: Duration,
}

impl Outcome {
    /// Whether everything went as the scenario says and as expected, and nothing panicked.
    pub fn passed(&self) -> bool {
        self.failures().is_empty()
    }

    /// Everything that did not go as it should, in words.
    pub fn failures(&self) -> Vec<String> {
        let verdicts = self.verdicts.iter().filter(|v| !v.met);
        let verdicts = verdicts.map(|v| format!("expected that {}; found: {}", v.expected, v.found));
        let remarks = self
            .timeline
            .remarks
            .iter()
            .filter(|r| r.fails)
            .map(|r| format!("at {}: {}", r.at, r.what));
        let panics = (self.panics > 0).then(|| format!("the bot panicked {} times", self.panics));
        let strange = self
            .timeline
            .strange_requests
            .iter()
            .map(|r| format!("the bot asked for {r}"));
        verdicts.chain(remarks).chain(panics).chain(strange).collect()
    }

    /// The last line of JSON.
    pub fn summary(&self) -> Value {
        let percentiles = |p: crate::figures::Percentiles| json!({ "p50": p.p50, "p95": p.p95 });
        let files: Vec<String> = self.files.iter().map(|f| f.display().to_string()).collect();
        json!({
            "event": "summary", "title": self.title, "seed": self.seed, "passed": self.passed(),
            "turns": self.figures.turns.len(), "audio_s": self.timeline.over.as_secs_f64(),
            "wall_s": self.wall.as_secs_f64(), "ready_s": self.timeline.ready_after.as_secs_f64(),
            "listening_ms": self.figures.listening_ms, "caption_ms": percentiles(self.figures.caption_ms),
            "reply_audio_ms": percentiles(self.figures.reply_audio_ms),
            "word_errors_percent": self.figures.word_errors.percent(), "words": self.figures.word_errors.words,
            "failures": self.failures(), "files": files,
        })
    }
}

/// What a scenario needs of recordings.
struct Prepared {
    lines: HashMap<String, Line>,
    recordings: HashMap<String, Recording>,
}

/// Rehearses. What the bot does wrong stands in the outcome; an error means that there was no rehearsal.
pub async fn rehearse(
    mut options: RehearsalOptions,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, RehearsalError> {
    let begun = Instant::now();
    let (shelf, scenario) = (options.shelf.clone(), options.scenario.clone());
    let prepared = tokio::task::spawn_blocking(move || prepare(&shelf, &scenario))
        .await
        .map_err(|_| RehearsalError::BrokenOff)??;
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out).map_err(RehearsalError::io(out))?;
    }
    let folder = tempfile::Builder::new()
        .prefix("goobster-rehearsal-")
        .tempdir()
        .map_err(RehearsalError::io(std::env::temp_dir()))?;
    let engines = options.engines.unwrap_or(options.scenario.engines);
    let scripted = match engines {
        Engines::Real => None,
        Engines::Scripted => {
            let known = prepared.recordings.values().cloned().collect();
            Some(Scripted::start(known, options.scripted_delay).await?)
        }
    };
    if let Some(scripted) = &scripted {
        scripted.configure(&mut options.scenario.bot);
    }
    let scenario = &options.scenario;
    let config = scenario.bot.clone();
    let played = stage::play(
        scenario,
        &prepared.lines,
        options.bot,
        folder.path(),
        &config,
        watcher,
    )
    .await?;
    let mut heard = Vec::new();
    if let Some(scripted) = scripted {
        heard = scripted.heard();
        scripted.stop().await;
    }
    let figures = Figures::of(&played.timeline);
    let evidence = Evidence {
        timeline: &played.timeline,
        figures: &figures,
        sound: (&played.frames, played.zero),
        heard: &heard,
        recordings: &prepared.recordings,
    };
    let verdicts: Vec<Verdict> = scenario.expectations.iter().map(|e| judge(e, evidence)).collect();
    for turn in &figures.turns {
        watcher.told(&Happening::Turn(turn));
    }
    for verdict in &verdicts {
        watcher.told(&Happening::Expectation(verdict));
    }
    let Played {
        timeline,
        frames,
        zero,
        said,
    } = played;
    let mut outcome = Outcome {
        title: scenario.title.clone(),
        seed: scenario.seed,
        timeline,
        figures,
        verdicts,
        said: said.tail(SAID),
        panics: said.panics(),
        files: Vec::new(),
        wall: begun.elapsed(),
    };
    if let Some(out) = &options.out {
        outcome.files = report::write(out, &outcome, &frames, zero)?;
    }
    Ok(outcome)
}

/// Reads and encodes everything that is said; each recording is read once.
fn prepare(shelf: &Shelf, scenario: &Scenario) -> Result<Prepared, RehearsalError> {
    let mut recordings: HashMap<String, Recording> = HashMap::new();
    let mut lines = HashMap::new();
    let mut read = |clip: &str| -> Result<Recording, RehearsalError> {
        if let Some(known) = recordings.get(clip) {
            return Ok(known.clone());
        }
        let recording = shelf.read(clip)?;
        recordings.insert(clip.to_owned(), recording.clone());
        Ok(recording)
    };
    for step in &scenario.steps {
        if let Action::Speak(speech) = &step.action {
            let mut recording = read(&speech.clip)?;
            recording.text = speech.text.clone().or(recording.text);
            lines.insert(step.label.clone(), Line::of(&recording, speech)?);
        }
    }
    for expectation in &scenario.expectations {
        if let Claim::Echoes { clip, .. } | Claim::HeardWhole { clip, .. } = &expectation.claim {
            read(clip)?;
        }
    }
    // What a scenario says about words counts for the scripted engines, too.
    for step in &scenario.steps {
        if let Action::Speak(speech) = &step.action
            && let (Some(text), Some(recording)) = (&speech.text, recordings.get_mut(&speech.clip))
        {
            recording.text = Some(text.clone());
        }
    }
    Ok(Prepared { lines, recordings })
}
