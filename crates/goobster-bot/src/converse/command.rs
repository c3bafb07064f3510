//! `goobster converse`: a conversation with recordings, each file a speaker.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use goobster_core::language::Language;
use goobster_core::ports::LanguageChoice;
use goobster_core::time::UtcMillis;

use super::mouth::Throat;
use super::reporter::{Reporter, Summary};
use super::room::{self, Outcome, Pace, RoomParts, Troubles};
use super::speakers::Speaker;
use crate::admission::guard::Guard;
use crate::cli::args::{Common, Converse};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::engines::{Engines, check_language};
use crate::monitoring::traces;

/// Holds the conversation and reports it.
pub async fn run(
    args: &Converse,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    let speakers = names(&args.files)
        .into_iter()
        .zip(&args.files)
        .map(|(name, file)| Speaker::new(name, vec![file.clone()]))
        .collect::<Result<Vec<_>, _>>()?;
    let pace = if args.fast { Pace::Fast } else { Pace::Real };
    hold(speakers, pace, args.out.as_deref(), config, common, terminal).await
}

/// Holds a conversation to its end, writes its files, and prints the table (or the summary line).
pub(super) async fn hold(
    speakers: Vec<Speaker>,
    pace: Pace,
    out: Option<&Path>,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    let engines = Engines::new(config, common.offline, terminal);
    let people = speakers.len();
    let parts = parts(&engines, config, pace)?;
    let (model, brain) = (parts.recogniser.model().to_owned(), parts.responder.name());
    let sending = traces::begin(&config.monitoring, config.network)?;
    let mut reporter = Reporter::new(terminal, out)?;
    let outcome = tokio::select! {
        outcome = room::hold(parts, speakers, &mut reporter) => outcome,
        () = told_to_stop() => Err(Failure::Failed("stopped before the end of the conversation".to_owned())),
    };
    sending.finish().await;
    // Whatever happened, what was heard so far is written.
    let files = reporter.finish()?;
    let outcome = outcome?;
    let turns = outcome.book.turns();
    let understood = turns.iter().any(|turn| turn.captioned.is_some());
    if people > 1 && understood && turns.iter().all(|turn| turn.answered.is_none()) {
        terminal.line(&format!(
            "\nNobody called \"{}\", so nobody was answered: with several people it answers those who name it (--wake-name).",
            config.conversation.turns.wake_name
        ))?;
    }
    report(&outcome, &model, &brain, files, terminal)
}

/// Waits for Ctrl-C, or for the system to end the process.
pub async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Everything that a room needs.
pub fn parts(engines: &Engines, config: &Config, pace: Pace) -> Result<RoomParts, Failure> {
    let recogniser = engines.recogniser(None)?;
    let language = config.language_choice(LanguageChoice::Fixed(Language::ENGLISH))?;
    if let LanguageChoice::Fixed(language) = language {
        check_language(recogniser.as_ref(), language)?;
    }
    Ok(RoomParts {
        recogniser,
        throat: Throat::Samples(engines.voices()?, config.voice.clone()),
        responder: engines.responder()?,
        detectors: engines.detectors(),
        conversation: config.conversation.turns.clone(),
        endpoint: config.conversation.endpoint(),
        language,
        pace,
        begun: UtcMillis::new(jiff::Timestamp::now().as_millisecond()),
        loudspeaker: None,
        limits: None,
        guard: Guard::open(),
        traces: traces::told(),
    })
}

fn report(
    outcome: &Outcome,
    model: &str,
    brain: &str,
    files: Vec<String>,
    terminal: Terminal,
) -> Result<(), Failure> {
    let latencies = outcome.book.latencies();
    let (audio_s, wall_s) = (outcome.audio.as_secs_f64(), outcome.wall.as_secs_f64());
    if latencies.turns > 0 {
        terminal.line(&format!("\n{}", outcome.book.table()))?;
        let percentiles = |p: Option<super::turnbook::Percentiles>| {
            p.map_or_else(
                || "-".to_owned(),
                |p| format!("p50 {} ms, p95 {} ms", p.p50, p.p95),
            )
        };
        terminal.line(&format!(
            "\nend of speech -> final caption: {}\nend of speech -> first reply audio: {}",
            percentiles(latencies.caption_ms),
            percentiles(latencies.reply_audio_ms)
        ))?;
    }
    let factor = if audio_s > 0.0 { wall_s / audio_s } else { 0.0 };
    terminal.line(&format!(
        "{audio_s:.1} s of conversation in {wall_s:.1} s (real-time factor {factor:.2}); {model}, {brain}"
    ))?;
    for file in &files {
        terminal.line(&format!("wrote {file}"))?;
    }
    let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    terminal.summary(&Summary {
        event: "summary",
        audio_s: round(audio_s),
        wall_s: round(wall_s),
        model,
        brain,
        latencies,
        files,
    })?;
    match &outcome.failure {
        Some(failure) => Err(Failure::BadInput(failure.to_string())),
        None => told(outcome.troubles).map_or(Ok(()), |text| Err(Failure::Failed(text))),
    }
}

/// What failed during a conversation, for people; `None` when nothing did.
fn told(troubles: Troubles) -> Option<String> {
    let parts: Vec<String> = [
        (troubles.brain, "reply(s) failed: the brain did not answer"),
        (
            troubles.hearing,
            "turn(s) were not understood: speech recognition failed",
        ),
        (
            troubles.voice,
            "sentence(s) were not spoken: speech synthesis failed",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    (!parts.is_empty()).then(|| format!("{} (see above)", parts.join("; ")))
}

/// Speakers' names: the files' stems, told apart by numbers where they are the same.
pub(super) fn names(files: &[PathBuf]) -> Vec<String> {
    let mut taken = HashSet::new();
    files
        .iter()
        .map(|file| {
            let stem = file
                .file_stem()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned();
            let numbered = (2_u32..).map(|n| format!("{stem} {n}"));
            let name = std::iter::once(stem.clone())
                .chain(numbered)
                .find(|name| !taken.contains(name));
            let name = name.unwrap_or(stem);
            taken.insert(name.clone());
            name
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_of_the_same_name_are_told_apart() {
        let files = ["a/alice.wav", "b/alice.flac", "bob.mp3", "alice 2.wav"].map(PathBuf::from);
        assert_eq!(names(&files), ["alice", "alice 2", "bob", "alice 2 2"]);
    }
}
