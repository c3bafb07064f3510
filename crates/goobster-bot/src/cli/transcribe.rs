//! `goobster transcribe`: files in, segments out, in bounded memory.
//!
//! A thread reads and listens (decoding, voice activity, endpointing); utterances of at most 28 s come over a short
//! channel to the recogniser; segments are written as they are known. Nothing grows with the length of a file.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goobster_audio::AudioError;
use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::file::{AudioFile, Damage};
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, Recognition, SpeechToText,
};
use goobster_core::time::Moment;
use goobster_core::transcript::{Caption, CaptionFormat, CaptionKind, CaptionWriter};
use serde::Serialize;
use tokio::sync::mpsc;

use super::args::{Common, Format, Transcribe};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;
use crate::engines::{Engines, check_language};

/// Utterances in a row that may fail before the rest of a file is given up: a server that is down stays down.
const FAILURES_IN_A_ROW: usize = 3;

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

/// An utterance cut out of a file, ready to be recognised.
struct Cut {
    start: Moment,
    audio: Arc<[f32]>,
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

/// A recording about to be transcribed.
pub struct Recording {
    file: AudioFile,
    listener: Listener,
    name: String,
    number: u64,
}

/// What a recording was.
#[derive(Debug)]
pub struct Heard {
    /// How much of it was listened to.
    pub audio: Duration,
    /// What of it was heard but not understood because the recogniser failed.
    pub missed: Option<Missed>,
    /// What of it was damaged, or why it could not be read to its end.
    pub end: Result<Damage, AudioError>,
}

/// Utterances that the recogniser failed on.
#[derive(Debug)]
pub struct Missed {
    /// How many.
    pub utterances: usize,
    /// Where the first of them begins.
    pub first_at: Moment,
    /// Why the first of them failed.
    pub why: RecogniseError,
    /// Whether the rest of the recording was not tried any more.
    pub gave_up: bool,
}

impl Missed {
    fn of(self, name: &str) -> Failure {
        let rest = if self.gave_up {
            "; the rest of the file was given up"
        } else {
            ""
        };
        let text = format!(
            "{name}: {} utterance(s) could not be transcribed, the first at {}: {}{rest}",
            self.utterances,
            clock(self.first_at),
            self.why
        );
        // The same exit code as the recogniser's own failure would have.
        match Failure::from(self.why).code() {
            3 => Failure::BadInput(text),
            4 => Failure::SetupMissing(text),
            _ => Failure::Failed(text),
        }
    }
}

impl Recording {
    /// Opens a recording.
    pub fn open(path: &Path, engines: &Engines<'_>) -> Result<Self, Failure> {
        let file = AudioFile::open(path)?;
        let listener = Listener::new(&EndpointConfig::transcription(), engines.detector()?)
            .map_err(|e| Failure::Configuration(e.to_string()))?;
        Ok(Self {
            file,
            listener,
            name: path.display().to_string(),
            number: 0,
        })
    }

    /// The same, told apart from other recordings: what language was spoken in one says nothing about the next.
    #[must_use]
    pub fn numbered(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// Transcribes it, giving out each caption (without a speaker's name) as it is known.
    pub async fn transcribe(
        self,
        recogniser: &dyn SpeechToText,
        language: LanguageChoice,
        terminal: Terminal,
        on_caption: &mut dyn FnMut(Caption) -> Result<(), Failure>,
    ) -> Result<Heard, Failure> {
        let Self {
            file,
            listener,
            name,
            number,
        } = self;
        let progress = terminal.audio_progress(&name, file.length().duration());
        let (send, mut cuts) = mpsc::channel::<Cut>(1);
        let heard = Arc::new(AtomicU64::new(0));
        let reader = {
            let heard = Arc::clone(&heard);
            tokio::task::spawn_blocking(move || read(file, listener, &send, &heard))
        };
        let (mut missed, mut in_a_row) = (None::<Missed>, 0);
        while let Some(cut) = cuts.recv().await {
            let request = RecogniseRequest {
                audio: cut.audio,
                language,
                class: DecodeClass::Final,
                source: number,
                prompt: None,
                abort: AbortFlag::new(),
            };
            let recognition = match twice(recogniser, &request).await {
                Ok(recognition) => recognition,
                Err(why) => {
                    in_a_row += 1;
                    let missed = missed.get_or_insert(Missed {
                        utterances: 0,
                        first_at: cut.start,
                        why,
                        gave_up: false,
                    });
                    missed.utterances += 1;
                    missed.gave_up = in_a_row >= FAILURES_IN_A_ROW;
                    if missed.gave_up {
                        break;
                    }
                    continue;
                }
            };
            in_a_row = 0;
            for segment in recognition.segments {
                on_caption(Caption {
                    speaker: String::new(),
                    start: cut.start.after(segment.start),
                    end: cut.start.after(segment.end),
                    text: segment.text,
                    language: recognition.language,
                    confidence: segment.confidence,
                    kind: CaptionKind::Speech,
                })?;
            }
            progress.set_position(cut.start.as_millis() / 1000);
        }
        // The reader stops when nobody waits for its utterances.
        drop(cuts);
        progress.finish_and_clear();
        let end = reader
            .await
            .map_err(|e| Failure::Failed(format!("{name}: the reader stopped: {e}")))?;
        Ok(Heard {
            audio: Duration::from_millis(heard.load(Ordering::Relaxed)),
            missed,
            end,
        })
    }
}

/// Recognises, and tries once more what failed: the next try may find a free decoder or a server that is back.
async fn twice(
    recogniser: &dyn SpeechToText,
    request: &RecogniseRequest,
) -> Result<Recognition, RecogniseError> {
    match recogniser.recognise(request.clone()).await {
        Err(RecogniseError::Engine { .. } | RecogniseError::Overloaded { .. } | RecogniseError::Aborted) => {
            recogniser.recognise(request.clone()).await
        }
        other => other,
    }
}

/// A moment of a recording, for people: "01:02:03".
fn clock(moment: Moment) -> String {
    let s = moment.as_millis() / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Reads a file to its end (or to where it is broken), cutting it into utterances, and tells what of it was damaged.
/// `heard` counts milliseconds.
fn read(
    mut file: AudioFile,
    mut listener: Listener,
    send: &mpsc::Sender<Cut>,
    heard: &AtomicU64,
) -> Result<Damage, AudioError> {
    let mut block = Vec::new();
    let mut gone = false;
    let mut on_event = |event: HeardEvent| {
        if let HeardEvent::Ended(utterance) = event {
            let cut = Cut {
                start: Moment::from_millis(utterance.start.millis()),
                audio: utterance.audio.to_shared(),
            };
            gone |= send.blocking_send(cut).is_err();
        }
    };
    let mut end = Ok(());
    loop {
        match file.next_block(&mut block) {
            Ok(Some(_)) => listener.push(&block, &mut on_event),
            Ok(None) => break,
            Err(error) => {
                // What came before the damage is kept.
                end = Err(error);
                break;
            }
        }
        heard.store(listener.position().millis(), Ordering::Relaxed);
        if send.is_closed() {
            return Ok(Damage::default());
        }
    }
    listener.flush(&mut on_event);
    heard.store(listener.position().millis(), Ordering::Relaxed);
    end.map(|()| file.damage().clone())
}

/// Where the captions of one file go besides JSON lines.
enum Sink {
    /// Nowhere: JSON lines are enough.
    None,
    /// A line a segment.
    Lines(Terminal),
    /// A subtitle file on stdout.
    Stdout(CaptionWriter<Box<dyn Write>>),
    /// A file in the folder that was asked for.
    File(PathBuf, CaptionWriter<Box<dyn Write>>),
}

impl Sink {
    fn new(
        args: &Transcribe,
        terminal: Terminal,
        file: &Path,
        names: &mut HashSet<OsString>,
    ) -> Result<Self, Failure> {
        let (format, extension) = match args.format {
            Format::Text => (CaptionFormat::Text, "txt"),
            Format::Srt => (CaptionFormat::SubRip, "srt"),
            Format::Vtt => (CaptionFormat::WebVtt, "vtt"),
            Format::Json => (CaptionFormat::Json, "json"),
        };
        if let Some(folder) = &args.out {
            std::fs::create_dir_all(folder).map_err(|e| Failure::output(folder, e))?;
            let path = folder.join(own_name(file, extension, names));
            let writer = File::create(&path)
                .and_then(|created| {
                    CaptionWriter::new(format, Box::new(BufWriter::new(created)) as Box<dyn Write>)
                })
                .map_err(|e| Failure::output(&path, e))?;
            return Ok(Self::File(path, writer));
        }
        if terminal.is_json() {
            return Ok(Self::None);
        }
        if args.format == Format::Text {
            if args.files.len() > 1 {
                terminal.line(&format!("== {}", file.display()))?;
            }
            return Ok(Self::Lines(terminal));
        }
        CaptionWriter::new(format, Box::new(io::stdout()) as Box<dyn Write>)
            .map(Self::Stdout)
            .map_err(|e| Failure::output("stdout", e))
    }

    fn write(&mut self, caption: &Caption) -> Result<(), Failure> {
        match self {
            Self::None => Ok(()),
            Self::Lines(terminal) => {
                let (start, end) = (clock(caption.start), clock(caption.end));
                terminal.line(&format!("[{start} - {end}] {}", caption.text))
            }
            Self::Stdout(writer) => writer
                .append(caption)
                .and_then(|()| writer.sink().flush())
                .map_err(|e| Failure::output("stdout", e)),
            Self::File(path, writer) => writer
                .append(caption)
                .and_then(|()| writer.sink().flush())
                .map_err(|e| Failure::output(&*path, e)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::None | Self::Lines(_) => Ok(()),
            Self::Stdout(writer) => writer
                .finish()
                .map(drop)
                .map_err(|e| Failure::output("stdout", e)),
            Self::File(path, writer) => writer.finish().map(drop).map_err(|e| Failure::output(path, e)),
        }
    }
}

/// The name of a recording's transcript: its own and the extension, numbered when another recording has it already.
fn own_name(file: &Path, extension: &str, taken: &mut HashSet<OsString>) -> OsString {
    let base = file.file_name().unwrap_or(file.as_os_str());
    let mut number = 1;
    loop {
        let mut name = base.to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(".");
        name.push(extension);
        if taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_of_one_name_get_transcripts_of_their_own() {
        let mut taken = HashSet::new();
        let names = ["a/talk.wav", "b/talk.wav", "talk.wav-2", "c/talk.wav"]
            .map(|file| own_name(Path::new(file), "srt", &mut taken));
        assert_eq!(
            names,
            [
                "talk.wav.srt",
                "talk.wav-2.srt",
                "talk.wav-2-2.srt",
                "talk.wav-3.srt"
            ]
        );
    }
}
