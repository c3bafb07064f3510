//! `goobster models`: what is in the cache.

use comfy_table::{Table, presets};
use goobster_models::manifest::{self, Artefact, Kind};
use goobster_models::{Cache, FetchOptions, State};
use serde::Serialize;

use super::args::{Common, Models, ModelsAction};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::{Config, Profile};

#[derive(Serialize)]
struct ModelLine<'a> {
    event: &'static str,
    name: &'a str,
    kind: &'static str,
    state: &'static str,
    bytes: u64,
    licence: &'a str,
    source: String,
    path: String,
}

impl<'a> ModelLine<'a> {
    fn of(artefact: &'a Artefact, cache: &Cache) -> Self {
        let kind = match artefact.kind {
            Kind::Model => "model",
            Kind::Voice => "voice",
            Kind::Runtime => "runtime",
            Kind::Speech => "speech",
            _ => "other",
        };
        Self {
            event: "model",
            name: artefact.id,
            kind,
            state: state_word(cache.state(artefact)),
            bytes: artefact.contents.size(),
            licence: artefact.licence,
            source: artefact.source(),
            path: cache.path_of(artefact).display().to_string(),
        }
    }
}

/// Lists, fetches or removes.
pub(super) fn run(
    args: &Models,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    let cache = Cache::locate()?;
    let root = cache.root().display().to_string();
    match &args.action {
        ModelsAction::List => {
            list(&cache, terminal)?;
            terminal.summary(&serde_json::json!({
                "event": "summary", "cache": root, "models": manifest::ALL.len(),
                "present": manifest::ALL.iter().filter(|a| cache.state(a) == State::Present).count(),
            }))
        }
        ModelsAction::Pull { names, from } => {
            let wanted = if names.is_empty() {
                let (here, elsewhere) = manifest::for_this_system(&needed(config.profile));
                for told in elsewhere {
                    terminal.warn(&format!("left out: {told}"));
                }
                here
            } else {
                find(names)?
            };
            let options = FetchOptions {
                offline: common.offline,
                network: config.network,
                from: from.clone(),
                ..FetchOptions::default()
            };
            let mut progress = goobster_models::Terminal::default();
            goobster_models::ensure(&cache, &wanted, &options, &mut progress)?;
            for artefact in &wanted {
                terminal.event(&ModelLine::of(artefact, &cache))?;
            }
            terminal.line(&format!("{} piece(s) are in {root}", wanted.len()))?;
            terminal.summary(&serde_json::json!({
                "event": "summary", "cache": root, "models": wanted.len(), "present": wanted.len(),
            }))
        }
        ModelsAction::Remove { names } => {
            let mut removed = 0;
            for artefact in find(names)? {
                let was_there = cache.remove(artefact)?;
                removed += usize::from(was_there);
                let word = if was_there { "removed" } else { "was not there" };
                terminal.line(&format!("{}: {word}", artefact.id))?;
                terminal.event(&ModelLine::of(artefact, &cache))?;
            }
            terminal.summary(&serde_json::json!({ "event": "summary", "cache": root, "removed": removed }))
        }
    }
}

/// What a profile needs to run on this platform.
pub(super) fn needed(profile: Profile) -> Vec<&'static Artefact> {
    manifest::of_profile(match profile {
        Profile::Small => manifest::Profile::Small,
        Profile::Standard => manifest::Profile::Standard,
    })
}

/// The word for a piece's state.
pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Present => "here",
        State::Missing => "-",
        _ => "damaged",
    }
}

fn find(names: &[String]) -> Result<Vec<&'static Artefact>, Failure> {
    names
        .iter()
        .map(|name| {
            manifest::find(name)
                .or_else(|| manifest::find(&format!("whisper-{name}")))
                .ok_or_else(|| {
                    Failure::Usage(format!(
                        "no model or voice '{name}'; `goobster models list` shows their names"
                    ))
                })
        })
        .collect()
}

fn list(cache: &Cache, terminal: Terminal) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "name",
        "kind",
        "here?",
        "MB",
        "licence",
        "what it is",
        "from",
    ]);
    for artefact in manifest::ALL {
        let line = ModelLine::of(artefact, cache);
        terminal.event(&line)?;
        let megabytes = format!("{:.1}", line.bytes as f64 / 1e6);
        table.add_row([
            line.name,
            line.kind,
            line.state,
            &megabytes,
            line.licence,
            artefact.summary,
            &artefact.source(),
        ]);
    }
    terminal.line(&table.to_string())?;
    terminal.line(&format!("\nin {}", cache.root().display()))
}
