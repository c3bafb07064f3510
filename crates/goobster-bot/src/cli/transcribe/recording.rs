//! One recording, from its first block to its last caption, in bounded memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use goobster_audio::AudioError;
use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::file::{AudioFile, Damage};
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, Recognition, SpeechToText,
};
use goobster_core::time::Moment;
use goobster_core::transcript::{Caption, CaptionKind};
use tokio::sync::mpsc;

use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::engines::Engines;

/// Utterances in a row that may fail before the rest of a file is given up: a server that is down stays down.
const FAILURES_IN_A_ROW: usize = 3;

/// An utterance cut out of a file, ready to be recognised.
struct Cut {
    start: Moment,
    audio: Arc<[f32]>,
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
    pub(super) fn of(self, name: &str) -> Failure {
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
        let listener = Listener::new(&EndpointConfig::transcription(), engines.detector())
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
                    whose: None,
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
pub(super) fn clock(moment: Moment) -> String {
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
