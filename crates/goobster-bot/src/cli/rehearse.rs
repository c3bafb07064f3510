//! `goobster rehearse`, and the demonstration: the real bot, in a process of its own, on the loopback Discord.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use goobster_models::manifest;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::scenario::Engines as ScriptedEngines;
use goobster_rehearsal::soak::{Clips, Endurance, SoakOptions, soak};
use goobster_rehearsal::words::WordErrors;
use goobster_rehearsal::{
    BotCommand, Happening, Outcome, RehearsalError, RehearsalOptions, Scenario, Watcher,
};

use super::args::{Common, Rehearse};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::{Config, Profile};
use crate::engines::Engines;

/// Rehearses scenarios, recordings, or seeds.
pub(super) async fn run(
    args: &Rehearse,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    if args.list {
        return list(terminal);
    }
    let samples = have_everything(config, common, terminal)?;
    let shelf = Shelf {
        beside: None,
        samples: Some(samples),
    };
    let bot = bot(config, common, &args.talk)?;
    if let Some(runs) = args.soak {
        return soaked(args, runs, bot, shelf, terminal).await;
    }
    if let Some(minutes) = args.overload {
        let engines = Engines::new(config, common.offline, terminal);
        return super::overload::run(args, minutes, config, bot, shelf, &engines, terminal).await;
    }
    let mut failed = Vec::new();
    for Piece {
        name,
        scenario,
        beside,
    } in pieces(args)?
    {
        let mut options = RehearsalOptions::new(scenario, bot.clone());
        options.shelf = Shelf {
            beside,
            ..shelf.clone()
        };
        options.engines = args.scripted.then_some(ScriptedEngines::Scripted);
        options.log_connects = args.log_connects;
        options.scenario.dave &= !args.without_dave;
        let mut errors = WordErrors::default();
        for seed in seeds(args) {
            let mut options = options.clone();
            let name = match seed {
                None => name.clone(),
                Some(seed) => {
                    options.scenario.seed = seed;
                    format!("{name}-{seed}")
                }
            };
            options.out = Some(args.out.join(&name));
            terminal.line(&format!("\n— {} —", options.scenario.title))?;
            let outcome = watch(options, terminal).await?;
            report(&outcome, terminal)?;
            errors += outcome.figures.word_errors;
            if !outcome.passed() {
                failed.push(name);
            }
        }
        if let Some(seeds) = args.seeds {
            terminal.line(&format!(
                "{name}, {seeds} seeds: {} of {} words wrong ({:.2} %)",
                errors.errors,
                errors.words,
                errors.percent()
            ))?;
            terminal.event(&serde_json::json!({
                "event": "seeds", "scenario": name, "seeds": seeds, "words": errors.words,
                "word_errors": errors.errors, "word_errors_percent": errors.percent(),
            }))?;
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("not as expected: {}", failed.join(", "))))
}

/// Plays recordings to the bot as one member would, for the demonstration.
pub(crate) async fn play(
    recordings: &[PathBuf],
    out: &Path,
    config: &Config,
    common: &Common,
    talk: &super::args::TalkArgs,
    terminal: Terminal,
) -> Result<(), Failure> {
    let names: Vec<String> = recordings.iter().map(|path| path.display().to_string()).collect();
    let mut options = RehearsalOptions::new(Scenario::plain(&names, false), bot(config, common, talk)?);
    options.shelf = Shelf {
        beside: None,
        samples: Some(have_everything(config, common, terminal)?),
    };
    options.out = Some(out.to_owned());
    let outcome = watch(options, terminal).await?;
    report(&outcome, terminal)?;
    if outcome.passed() {
        return Ok(());
    }
    Err(Failure::Failed(outcome.failures().join("\n")))
}

pub(super) async fn watch(options: RehearsalOptions, terminal: Terminal) -> Result<Outcome, Failure> {
    let mut screen = Screen {
        terminal,
        shown: HashMap::new(),
        gone: None,
    };
    let outcome = goobster_rehearsal::rehearse(options, &mut screen).await;
    if let Some(failure) = screen.gone {
        return Err(failure);
    }
    outcome.map_err(failure)
}

fn failure(error: RehearsalError) -> Failure {
    match error {
        RehearsalError::Recording(error) => Failure::Audio(error),
        RehearsalError::Scenario(_) | RehearsalError::UnknownRecording { .. } => {
            Failure::BadInput(error.to_string())
        }
        RehearsalError::Io { path, source } => Failure::Output { path, cause: source },
        other => Failure::Failed(other.to_string()),
    }
}

/// How the bot is started: this program again.
fn bot(config: &Config, common: &Common, talk: &super::args::TalkArgs) -> Result<BotCommand, Failure> {
    let program =
        std::env::current_exe().map_err(|e| Failure::Failed(format!("where this program is: {e}")))?;
    let mut args: Vec<OsString> = vec!["run".into(), "--profile".into(), config.profile.name().into()];
    if common.offline {
        args.push("--offline".into());
    }
    if let Some(network) = &common.network {
        args.extend(["--network".into(), network.into()]);
    }
    if let Some(models) = &common.models {
        args.extend(["--models".into(), models.into()]);
    }
    let verbose = usize::from(common.verbose.max(1));
    args.extend(std::iter::repeat_n("-v".into(), verbose));
    for (flag, value) in [
        ("--brain-url", &talk.brain_url),
        ("--brain-model", &talk.brain_model),
        ("--wake-name", &talk.wake_name),
        ("--language", &talk.language),
        ("--voice", &talk.voice),
    ] {
        if let Some(value) = value {
            args.extend([flag.into(), value.into()]);
        }
    }
    Ok(BotCommand {
        program,
        args,
        env: Vec::new(),
    })
}

/// Fetches what the bot needs, so that it does not begin with a download; the folder of sample speech.
fn have_everything(config: &Config, common: &Common, terminal: Terminal) -> Result<PathBuf, Failure> {
    let engines = Engines::new(config, common.offline, terminal);
    let profile = match config.profile {
        Profile::Small => manifest::Profile::Small,
        Profile::Standard => manifest::Profile::Standard,
    };
    for piece in manifest::of_profile(profile)
        .into_iter()
        .chain(manifest::speech())
    {
        engines.have_where_it_exists(piece)?;
    }
    Ok(goobster_models::Cache::locate()?.root().join("speech"))
}

/// The seeds to play with; none leaves it to the scenario.
fn seeds(args: &Rehearse) -> Vec<Option<u64>> {
    match args.seeds {
        None => vec![None],
        Some(n) => (0..u64::from(n))
            .map(|n| Some(args.seed_start.wrapping_add(n)))
            .collect(),
    }
}

/// A scenario that was asked for.
struct Piece {
    name: String,
    scenario: Scenario,
    /// The folder that its recordings may lie in.
    beside: Option<PathBuf>,
}

/// The scenarios that were asked for.
fn pieces(args: &Rehearse) -> Result<Vec<Piece>, Failure> {
    if let Some(minutes) = args.endurance {
        let endurance = Endurance {
            seed: args.seed_start,
            lasts: Duration::from_mins(u64::from(minutes)),
            returns: args.returns,
            members: usize::from(args.members),
        };
        return Ok(vec![Piece {
            name: "endurance".to_owned(),
            scenario: endurance.scenario(&Clips::default()),
            beside: None,
        }]);
    }
    let mut found = Vec::new();
    for wanted in &args.scenario {
        let name = Path::new(wanted)
            .file_stem()
            .map_or_else(|| wanted.clone(), |stem| stem.to_string_lossy().into_owned());
        let scenario = if let Some(built_in) = Scenario::named(wanted) {
            built_in.map_err(|e| Failure::BadInput(e.to_string()))?
        } else {
            let text = std::fs::read_to_string(wanted).map_err(|e| {
                Failure::BadInput(format!(
                    "{wanted}: {e}; it is neither a file nor a scenario of the library (--list names those)"
                ))
            })?;
            Scenario::parse(&text).map_err(|e| Failure::BadInput(e.in_file(wanted).to_string()))?
        };
        found.push(Piece {
            name,
            scenario,
            beside: Path::new(wanted).parent().map(Path::to_owned),
        });
    }
    if !args.recordings.is_empty() || found.is_empty() {
        let names: Vec<String> = args
            .recordings
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        if names.is_empty() {
            let scenario = Scenario::named("conversation");
            let scenario = scenario.ok_or_else(|| Failure::Failed("the library is empty".to_owned()))?;
            found.push(Piece {
                name: "conversation".to_owned(),
                scenario: scenario.map_err(|e| Failure::BadInput(e.to_string()))?,
                beside: None,
            });
        } else {
            found.push(Piece {
                name: "recordings".to_owned(),
                scenario: Scenario::plain(&names, args.several),
                beside: None,
            });
        }
    }
    Ok(found)
}

fn list(terminal: Terminal) -> Result<(), Failure> {
    for name in Scenario::names() {
        let title = match Scenario::named(name) {
            Some(Ok(scenario)) => scenario.title,
            _ => String::new(),
        };
        terminal.event(&serde_json::json!({ "event": "scenario", "name": name, "title": title }))?;
        terminal.line(&format!("{name:28} {title}"))?;
    }
    terminal.summary(&serde_json::json!({ "event": "summary", "scenarios": Scenario::names().count() }))
}

async fn soaked(
    args: &Rehearse,
    runs: u32,
    bot: BotCommand,
    shelf: Shelf,
    terminal: Terminal,
) -> Result<(), Failure> {
    let options = SoakOptions {
        bot,
        shelf,
        clips: Clips::default(),
        seed_start: args.seed_start,
        runs,
        at_once: args.at_once,
        out: Some(args.out.clone()),
    };
    let mut broken = None;
    let soaked = soak(options, |run| {
        let told = terminal.event(&serde_json::json!({
            "event": "run", "seed": run.seed, "title": run.title, "wall_s": run.wall.as_secs_f64(),
            "ailments": run.ailments.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
        let mut text = format!(
            "seed {:5}  {:5.1} s  {}",
            run.seed,
            run.wall.as_secs_f64(),
            run.title
        );
        for ailment in &run.ailments {
            let _ = write!(text, "\n    {ailment}");
        }
        if !run.ailments.is_empty() {
            let _ = write!(text, "\n    again: {}", run.repeat());
        }
        if let Err(failure) = told.and_then(|()| terminal.line(&text)) {
            broken.get_or_insert(failure);
        }
    })
    .await
    .map_err(failure)?;
    if let Some(failure) = broken {
        return Err(failure);
    }
    let ailing: Vec<u64> = soaked.ailing().map(|run| run.seed).collect();
    let slowest = soaked
        .runs
        .iter()
        .map(|run| run.wall)
        .max()
        .unwrap_or(Duration::ZERO);
    terminal.line(&format!(
        "{} scripts in {:.0} s ({} at a time, the slowest took {:.0} s): {} with something wrong",
        soaked.runs.len(),
        soaked.wall.as_secs_f64(),
        args.at_once,
        slowest.as_secs_f64(),
        ailing.len()
    ))?;
    terminal.summary(&serde_json::json!({
        "event": "summary", "runs": soaked.runs.len(), "wall_s": soaked.wall.as_secs_f64(), "ailing": ailing,
    }))?;
    if ailing.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "something was wrong with the seeds {ailing:?}"
    )))
}

/// Shows a rehearsal as it goes.
struct Screen {
    terminal: Terminal,
    /// The last words shown of each speaker.
    shown: HashMap<String, String>,
    /// The first output that failed.
    gone: Option<Failure>,
}

impl Watcher for Screen {
    fn told(&mut self, happening: &Happening<'_>) {
        if self.gone.is_some() {
            return;
        }
        let told = self
            .terminal
            .event(&happening.to_json())
            .and_then(|()| match self.line(happening) {
                Some(line) => self.terminal.line(&line),
                None => Ok(()),
            });
        self.gone = told.err();
    }
}

impl Screen {
    /// A line for people; `None` for what they see elsewhere.
    fn line(&mut self, happening: &Happening<'_>) -> Option<String> {
        Some(match happening {
            Happening::Ready { bot, after_s } => {
                format!("{bot} is on the loopback Discord after {after_s:.1} s")
            }
            Happening::Speaks { at, member, clip } => format!("{at}  {member} speaks ({clip})"),
            Happening::Asks { at, member, what } => format!("{at}  {member}: {what}"),
            Happening::Caption {
                at,
                speaker,
                text,
                is_final,
            } => {
                let before = self.shown.insert((*speaker).to_owned(), (*text).to_owned());
                if before.as_deref() == Some(*text) && !is_final {
                    return None;
                }
                let mark = if *is_final { "" } else { " …" };
                format!("{at}    {speaker}: {text}{mark}")
            }
            Happening::Reply { at, text, is_final } if *is_final => format!("{at}    → {text}"),
            Happening::Message { at, text, hidden } => {
                let whom = if *hidden { " (to one member)" } else { "" };
                format!("{at}    [{}{whom}]", text.lines().next().unwrap_or_default())
            }
            Happening::Fault { at, what } => format!("{at}  ✗ {what}"),
            Happening::Place {
                at,
                channel,
                connected,
            } => match (channel, connected) {
                (Some(channel), true) => format!("{at}  the bot listens in {channel}"),
                (Some(channel), false) => format!("{at}  the bot is in {channel}, without a link"),
                (None, _) => format!("{at}  the bot is in no channel"),
            },
            Happening::Remark { at, what } => format!("{at}  ! {what}"),
            Happening::Expectation(verdict) => {
                let mark = if verdict.met { "✓" } else { "✗" };
                format!("  {mark} {} ({})", verdict.expected, verdict.found)
            }
            _ => return None,
        })
    }
}

/// The table at the end, and the files.
fn report(outcome: &Outcome, terminal: Terminal) -> Result<(), Failure> {
    let figures = &outcome.figures;
    let ms = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    if !figures.turns.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["turn", "speaker", "heard", "final caption", "first reply audio"]);
        for turn in &figures.turns {
            let heard: String = turn.heard.chars().take(48).collect();
            table.add_row([
                turn.label.clone(),
                turn.speaker.clone(),
                heard,
                ms(turn.caption_ms),
                ms(turn.reply_audio_ms),
            ]);
        }
        for column in [3, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        terminal.line(&format!("\n{table}"))?;
        let line = |what: &str, p: goobster_rehearsal::figures::Percentiles| {
            format!("end of speech -> {what}: p50 {}, p95 {}", ms(p.p50), ms(p.p95))
        };
        terminal.line(&line("final caption", figures.caption_ms))?;
        terminal.line(&line("first reply audio", figures.reply_audio_ms))?;
    }
    let over = outcome.timeline.over.as_secs_f64();
    terminal.line(&format!(
        "{over:.1} s on the loopback Discord in {:.1} s; listening {} after /voice start",
        outcome.wall.as_secs_f64(),
        ms(figures.listening_ms)
    ))?;
    for contact in outcome.contacts.iter().flatten() {
        terminal.line(&format!("contacted {contact}"))?;
    }
    for failure in outcome.failures() {
        terminal.warn(&failure);
    }
    for file in &outcome.files {
        terminal.line(&format!("wrote {}", file.display()))?;
    }
    terminal.summary(&outcome.summary())
}
