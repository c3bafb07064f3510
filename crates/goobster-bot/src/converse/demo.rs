//! `goobster demo`: the demonstration conversation, one recording after the other, each answered before the next.

use std::path::PathBuf;

use goobster_models::manifest;

use super::command;
use super::room::Pace;
use super::speakers::Speaker;
use crate::cli::args::{Common, Demo};
use crate::cli::exit::Failure;
use crate::cli::rehearse;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::engines::Engines;

/// The recordings of the demonstration, in the cache's speech folder: questions, a request, and a sentence to caption.
const CLIPS: [&str; 4] = [
    "questions/what-time-is-it.wav",
    "questions/grapefruit-in-french.wav",
    "commands/go-forward.wav",
    "librivox/0930.wav",
];

/// Holds the demonstration.
pub async fn run(args: &Demo, config: &Config, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    let recordings = if args.files.is_empty() {
        recordings(config, common, terminal)?
    } else {
        args.files.clone()
    };
    terminal.line("Recordings of people are played to Goobster; it captions them and answers.\n")?;
    if !args.fast && !args.alone {
        return rehearse::play(&recordings, &args.out, config, common, &args.talk, terminal).await;
    }
    let speaker = Speaker::new("Guest".to_owned(), recordings)?;
    let pace = if args.fast { Pace::Fast } else { Pace::Real };
    command::hold(vec![speaker], pace, Some(&args.out), config, common, terminal).await
}

fn recordings(config: &Config, common: &Common, terminal: Terminal) -> Result<Vec<PathBuf>, Failure> {
    let engines = Engines::new(config, common.offline, terminal);
    let pieces = [
        &manifest::SPEECH_QUESTIONS,
        &manifest::SPEECH_COMMANDS,
        &manifest::SPEECH_LIBRIVOX,
    ];
    for piece in pieces {
        engines.have(piece)?;
    }
    let speech = goobster_models::Cache::locate()?.root().join("speech");
    Ok(CLIPS.iter().map(|clip| speech.join(clip)).collect())
}
