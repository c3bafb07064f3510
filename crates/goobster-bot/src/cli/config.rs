//! `goobster config`: the configuration written, checked, and shown with where each value came from.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;

use super::args::{Common, TalkArgs};
use super::exit::Failure;
use super::logging;
use super::terminal::Terminal;
use crate::config::table::SETTINGS;
use crate::config::{Config, Log, Overrides, Place, Problem, Value, page, read_file, resolve};

/// `goobster config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  goobster config init goobster.toml
  goobster config check goobster.toml
  GOOBSTER_SESSIONS_TIMEOUT=10m goobster config show --config goobster.toml")]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Write a file in which every setting is explained and nothing is set yet
    Init {
        /// Where to write it [default: stdout]
        file: Option<PathBuf>,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Say whether a file is in order, and everything that is wrong with it; needs no token
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print what is in force, and where each value came from
    Show {
        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
        /// How to talk.
        #[command(flatten)]
        talk: TalkArgs,
    },
}

/// Writes, checks or shows the configuration.
pub(super) fn run(args: &ConfigArgs, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    logging::to_stderr(common.verbose, &Log::default());
    match &args.action {
        ConfigAction::Init { file, force } => init(file.as_deref(), *force, terminal),
        ConfigAction::Check { file } => check(file, terminal),
        ConfigAction::Show { changed, talk } => show(*changed, talk, common, terminal),
    }
}

fn init(file: Option<&Path>, force: bool, terminal: Terminal) -> Result<(), Failure> {
    let text = page::commented();
    let Some(path) = file else {
        terminal.event(&json!({ "event": "file", "text": text }))?;
        terminal.raw(&text)?;
        return terminal.summary(&json!({ "event": "summary", "file": null }));
    };
    if force {
        // As a whole or not at all: whoever reads it meanwhile sees the old one.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .and_then(|mut part| part.write_all(text.as_bytes()).map(|()| part))
            .and_then(|part| part.persist(path).map(drop).map_err(|error| error.error))
            .map_err(|e| Failure::output(path, e))?;
    } else {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| match e.kind() {
                std::io::ErrorKind::AlreadyExists => Failure::BadInput(format!(
                    "{} is there already; --force writes over it",
                    path.display()
                )),
                _ => Failure::output(path, e),
            })?;
    }
    terminal.summary(&json!({ "event": "summary", "file": path.display().to_string() }))?;
    terminal.line(&format!(
        "wrote {}; edit it, then: goobster config check {0}",
        path.display()
    ))
}

fn check(file: &Path, terminal: Terminal) -> Result<(), Failure> {
    let name = file.display().to_string();
    let text = read_file(file)?;
    match resolve(Some((&name, &text)), &|_| None, &Overrides::default()) {
        Ok(loaded) => {
            for note in &loaded.notes {
                terminal.warn(note);
            }
            let set = SETTINGS
                .iter()
                .filter(|setting| matches!(loaded.place(setting.key), Place::File { .. }));
            let set = set.count();
            terminal.summary(&json!({ "event": "summary", "file": name, "problems": 0, "settings": set }))?;
            terminal.line(&format!(
                "{name} is in order; it sets {set} of {} settings",
                SETTINGS.len()
            ))
        }
        Err(problems) => {
            for problem in &problems {
                terminal.event(&Told::of(problem))?;
            }
            terminal.summary(
                &json!({ "event": "summary", "file": name, "problems": problems.len(), "exit_code": 5 }),
            )?;
            Err(Failure::Problems(problems))
        }
    }
}

#[derive(Serialize)]
struct Told<'a> {
    event: &'static str,
    #[serde(flatten)]
    place: At<'a>,
    key: &'a str,
    reason: &'a str,
    remedy: &'a str,
}

impl<'a> Told<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            event: "problem",
            place: At::of(&problem.place),
            key: &problem.key,
            reason: &problem.reason,
            remedy: &problem.remedy,
        }
    }
}

/// A place, for machines.
#[derive(Serialize)]
struct At<'a> {
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// The variable, the flag, or the setting that it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> At<'a> {
    fn of(place: &'a Place) -> Self {
        let named = |origin, name| Self {
            origin,
            file: None,
            line: None,
            column: None,
            name,
        };
        match place {
            Place::File { file, line, column } => Self {
                origin: "file",
                file: Some(file),
                line: Some(*line),
                column: Some(*column),
                name: None,
            },
            Place::Variable(name) => named("environment", Some(name)),
            Place::Flag(name) => named("flag", Some(name)),
            Place::Default => named("default", None),
            Place::Follows(key) => named("follows", Some(key)),
        }
    }
}

fn show(changed: bool, talk: &TalkArgs, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    let loaded = Config::load(
        common.config.as_deref(),
        &common.over(talk.overrides(common.profile)),
    )?;
    logging::blacken_all(&loaded.config);
    for note in &loaded.notes {
        terminal.warn(note);
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["setting", "value", "from"]);
    let mut shown = 0;
    for setting in SETTINGS {
        let place = loaded.place(setting.key);
        if changed && place == Place::Default {
            continue;
        }
        shown += 1;
        let value = setting.value(&loaded.config).map(|value| value.without_secrets());
        let from = match &place {
            Place::File { file, line, .. } => format!("{file}:{line}"),
            Place::Variable(name) => format!("environment variable {name}"),
            Place::Flag(name) => format!("flag {name}"),
            other => other.to_string(),
        };
        let text = value
            .as_ref()
            .map_or_else(|| format!("({})", setting.unset), Value::to_toml);
        table.add_row([setting.key.to_owned(), text, from]);
        terminal.event(&json!({
            "event": "setting", "key": setting.key, "value": value.as_ref().map(machine), "from": At::of(&place),
        }))?;
    }
    let file = loaded.file.as_ref().map(|file| file.display().to_string());
    terminal.summary(&json!({ "event": "summary", "file": file, "settings": shown }))?;
    let file = file.unwrap_or_else(|| "none".to_owned());
    terminal.line(&format!("configuration file: {file}\n\n{}", table.trim_fmt()))
}

/// A value, for machines: lengths of time as the file has them.
fn machine(value: &Value) -> serde_json::Value {
    match value {
        Value::Span(span) => json!(crate::config::show_span(*span)),
        Value::Count(count) => json!(count),
        Value::Switch(on) => json!(on),
        Value::Text(text) => json!(text),
        // Ids do not fit a JavaScript number.
        Value::Ids(ids) => json!(ids.iter().map(u64::to_string).collect::<Vec<_>>()),
    }
}
