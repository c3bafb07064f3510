//! `goobster transcribe`: files in, segments out, in bounded memory.
//!
//! A thread reads and listens (decoding, voice activity, endpointing); utterances of at most 28 s come over a short
//! channel to the recogniser; segments are written as they are known. Nothing grows with the length of a file.

mod recording;
mod sink;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, SpeechToText};
use serde::Serialize;

use super::args::{Common, Format, Transcribe};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;
use crate::engines::{Engines, check_language};
pub use recording::{Heard, Missed, Recording};
use sink::Sink;

/// One stretch of recognised speech, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Segment<'a> {
    event: &'static str,
    /// The file as it was given.
    file: &'a str,
    /// Where it begins, in seconds from the start of the file.
    start_s: f64,
    /// Where it ends.
    end_s: f64,
    /// What was said.
    text: &'a str,
    /// In which language.
    language: Language,
    /// How sure the model is, `0.0..=1.0`.
    confidence: f32,
}

#[derive(Debug, Serialize)]
struct Summary<'a> {
    event: &'static str,
    files: usize,
    segments: usize,
    audio_s: f64,
    wall_s: f64,
    /// Wall time over audio time; below one is faster than speech.
    real_time_factor: Option<f64>,
    model: &'a str,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: String,
    error: String,
}

/// Transcribes every file; a bad one is reported, the rest go on, and the exit code tells.
pub(super) async fn run(
    args: &Transcribe,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    if terminal.is_json() && !matches!(args.format, Format::Text | Format::Json) && args.out.is_none() {
        return Err(Failure::Usage(
            "--json prints JSON lines; for subtitle files beside them give a folder with --out".to_owned(),
        ));
    }
    let begun = Instant::now();
    let engines = Engines::new(config, common.offline, terminal);
    let recogniser = engines.recogniser(args.model.as_deref())?;
    let language = config.language_choice(LanguageChoice::Detect)?;
    if let LanguageChoice::Fixed(language) = language {
        check_language(recogniser.as_ref(), language)?;
    }
    let mut work = Work {
        args,
        terminal,
        recogniser: recogniser.as_ref(),
        language,
        names: HashSet::new(),
        audio: Duration::ZERO,
        segments: 0,
    };
    let mut failed = Vec::new();
    let mut first_failure = None;
    for (number, file) in (0..).zip(&args.files) {
        if let Err(failure) = work.file(number, file, &engines).await {
            if matches!(failure, Failure::ReaderGone | Failure::Output { .. }) {
                return Err(failure);
            }
            if args.files.len() > 1 {
                terminal.note(&format!("error: {failure}"));
            }
            failed.push(Failed {
                file: file.display().to_string(),
                error: failure.to_string(),
            });
            first_failure.get_or_insert(failure);
        }
    }
    let wall = begun.elapsed().as_secs_f64();
    let audio_s = work.audio.as_secs_f64();
    let failures = failed.len();
    terminal.summary(&Summary {
        event: "summary",
        files: args.files.len(),
        segments: work.segments,
        audio_s: (audio_s * 1000.0).round() / 1000.0,
        wall_s: (wall * 1000.0).round() / 1000.0,
        real_time_factor: (audio_s > 0.0).then(|| (wall / audio_s * 10_000.0).round() / 10_000.0),
        model: recogniser.model(),
        failed,
    })?;
    match first_failure {
        None => Ok(()),
        Some(failure) if args.files.len() == 1 => Err(failure),
        Some(failure) if failure.code() == 3 => Err(Failure::BadInput(format!(
            "{failures} of {} files could not be transcribed, see above",
            args.files.len()
        ))),
        Some(failure) => Err(failure),
    }
}

struct Work<'a> {
    args: &'a Transcribe,
    terminal: Terminal,
    recogniser: &'a dyn SpeechToText,
    language: LanguageChoice,
    audio: Duration,
    segments: usize,
    /// The names of the transcripts in the folder that was asked for.
    names: HashSet<OsString>,
}

impl Work<'_> {
    async fn file(&mut self, number: u64, path: &Path, engines: &Engines<'_>) -> Result<(), Failure> {
        let (name, terminal) = (path.display().to_string(), self.terminal);
        let mut segments = 0;
        let recording = Recording::open(path, engines)?.numbered(number);
        // Not before the recording is open: a file that cannot be read must not empty its old transcript.
        let mut sink = Sink::new(self.args, terminal, path, &mut self.names)?;
        let heard = recording
            .transcribe(self.recogniser, self.language, terminal, &mut |caption| {
                segments += 1;
                sink.write(&caption)?;
                terminal.event(&Segment {
                    event: "segment",
                    file: &name,
                    start_s: caption.start.as_secs_f64(),
                    end_s: caption.end.as_secs_f64(),
                    text: &caption.text,
                    language: caption.language,
                    confidence: (caption.confidence * 1000.0).round() / 1000.0,
                })
            })
            .await;
        // Whatever was heard before a failure is kept.
        sink.finish()?;
        self.segments += segments;
        let heard = heard?;
        self.audio += heard.audio;
        if let Some(missed) = heard.missed {
            return Err(missed.of(&name));
        }
        let damage = heard.end?;
        if damage.truncated_at.is_some() {
            // Everything before the cut was transcribed; that something is missing is still bad input.
            return Err(Failure::BadInput(format!("{name}: {damage}")));
        }
        if !damage.is_none() {
            terminal.warn(&format!("{name}: {damage}"));
        }
        Ok(())
    }
}
