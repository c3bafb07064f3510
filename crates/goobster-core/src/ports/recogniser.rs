//! Speech-to-text: an utterance of one speaker in, text with times and confidence out.

use std::sync::Arc;
use std::time::Duration;

use super::{AbortFlag, Cause, PortFuture};
use crate::language::Language;

/// The rate of every sample handed to a recogniser, in hertz: 16 kHz mono, `f32` in `-1.0..=1.0`.
pub const SPEECH_RATE: u32 = 16_000;

/// Why a decode is asked for; later variants matter more and go first when cores are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecodeClass {
    /// A caption while the speaker goes on; dropped when a newer one of the same speaker is waiting.
    Partial,
    /// Begun while the endpointer's patience runs; becomes the final caption if the speaker stays silent.
    Speculative,
    /// The final caption of a finished utterance; never dropped.
    Final,
}

/// Which language is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LanguageChoice {
    /// Let the model decide from the audio.
    #[default]
    Detect,
    /// The caller knows.
    Fixed(Language),
}

/// One piece of audio to recognise.
#[derive(Debug, Clone)]
pub struct RecogniseRequest {
    /// 16 kHz mono samples ([`SPEECH_RATE`]), at most 30 s.
    pub audio: Arc<[f32]>,
    /// The language, when known.
    pub language: LanguageChoice,
    /// Why this decode is asked for.
    pub class: DecodeClass,
    /// Whose speech it is: schedulers are fair between sources, and a newer partial replaces an older one of its source.
    pub source: u64,
    /// Names and words to expect (the wake name); `None` for none.
    pub prompt: Option<String>,
    /// Raised when the result is no longer wanted.
    pub abort: AbortFlag,
}

/// A stretch of recognised text. Times count from the start of the request's audio.
#[derive(Debug, Clone, PartialEq)]
pub struct RecognisedSegment {
    /// Where the text begins.
    pub start: Duration,
    /// Where it ends; never before `start`.
    pub end: Duration,
    /// The text, trimmed, never empty.
    pub text: String,
    /// How sure the model is, `0.0..=1.0` (the geometric mean of the token probabilities).
    pub confidence: f32,
}

/// What was heard. No segments means: no speech.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognition {
    /// In order of time, not overlapping.
    pub segments: Vec<RecognisedSegment>,
    /// The language spoken, as chosen or detected.
    pub language: Language,
    /// The model's probability that there is no speech in it, `0.0..=1.0`.
    pub no_speech: f32,
}

impl Recognition {
    /// The whole text, segments joined by single spaces; empty for no speech.
    pub fn text(&self) -> String {
        self.segments
            .iter()
            .map(|s| s.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The mean confidence weighted by text length, `0.0..=1.0`; zero for no speech.
    pub fn confidence(&self) -> f32 {
        let (sum, weight) = self.segments.iter().fold((0.0_f32, 0.0_f32), |(sum, weight), s| {
            let chars = s.text.chars().count() as f32;
            (sum + s.confidence * chars, weight + chars)
        });
        if weight > 0.0 { sum / weight } else { 0.0 }
    }
}

/// Why a decode gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecogniseError {
    /// The abort flag was raised, or a newer partial took its place.
    #[error("the decode was called off")]
    Aborted,
    /// The scheduler's queue is full: the machine cannot keep up.
    #[error("speech recognition is overloaded: {waiting} decodes are waiting already")]
    Overloaded {
        /// How many were waiting.
        waiting: usize,
    },
    /// The request itself is wrong (too long, wrong language for the model).
    #[error("this audio cannot be recognised: {0}")]
    BadRequest(String),
    /// The model could not be loaded.
    #[error("the speech model cannot be used: {what}")]
    Model {
        /// What is wrong, and with which file.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
    /// The engine or server failed.
    #[error("speech recognition failed: {what}")]
    Engine {
        /// What was being done.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
}

/// A speech recogniser. Implementations schedule their own work: calls may be made from any task, many at once.
pub trait SpeechToText: Send + Sync {
    /// Recognises one piece of audio. Cancel-safe: dropping the future calls the decode off.
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>>;

    /// The model's name, for people and `summary` lines: "base-q8_0".
    fn model(&self) -> &str;

    /// Whether the model knows this language.
    fn knows(&self, language: Language) -> bool;

    /// Decodes that wait for their turn now; none where nothing waits here.
    fn waiting(&self) -> usize {
        0
    }

    /// How it does; where nothing is queued or computed here, only what waits.
    fn load(&self) -> RecogniserLoad {
        RecogniserLoad {
            waiting: self.waiting(),
            ..RecogniserLoad::default()
        }
    }
}

/// How a recogniser does, for admission and monitoring. Urgent are final and speculative decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecogniserLoad {
    /// Decodes that can run at once; 0 where nobody here knows.
    pub workers: usize,
    /// Decodes that wait.
    pub waiting: usize,
    /// Urgent ones among them.
    pub urgent: usize,
    /// How long the urgent one that waits longest has waited.
    pub longest_wait: Duration,
    /// Time that workers have spent on urgent decodes since the beginning, those that run now included.
    pub busy: Duration,
    /// Workers that were given up, since the beginning, because their decode would not end.
    pub abandoned: u64,
    /// Every worker hangs: nothing is recognised until one comes back.
    pub down: bool,
}
