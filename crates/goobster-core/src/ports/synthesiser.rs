//! Text-to-speech: a sentence in, a stream of samples out.

use tokio::sync::mpsc;

use super::{AbortFlag, Cause, PortFuture};
use crate::language::Language;

/// One sentence (or a short text) to speak.
#[derive(Debug, Clone)]
pub struct SpeakRequest {
    /// Plain text as a person would write it; the adapter normalises it for speaking.
    pub text: String,
    /// The language of the text.
    pub language: Language,
    /// A voice by name; `None` for the best voice of the language.
    pub voice: Option<String>,
    /// Raised when nobody listens any more (barge-in).
    pub abort: AbortFlag,
}

/// Some samples of speech.
#[derive(Debug, Clone, PartialEq)]
pub struct PcmChunk {
    /// Mono samples in `-1.0..=1.0` at the stream's rate.
    pub samples: Vec<f32>,
}

/// Speech as it is made. Dropping the stream stops the synthesis.
#[derive(Debug)]
pub struct SpeechStream {
    /// Samples a second of every chunk, in hertz.
    pub rate: u32,
    /// The voice that speaks.
    pub voice: String,
    /// A word to the user when the voice is not what they would expect ("no neural voice for 'de': espeak-ng speaks").
    pub notice: Option<String>,
    /// The chunks, bounded; an error ends the stream.
    pub chunks: mpsc::Receiver<Result<PcmChunk, SynthesiseError>>,
}

/// How a voice sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VoiceQuality {
    /// A neural voice (Piper, a server's).
    Neural,
    /// A formant voice (espeak-ng): robotic, instant, every language.
    Formant,
    /// Whatever the host's own speech service uses.
    Host,
}

/// A voice that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// The name to ask for.
    pub name: String,
    /// The language it speaks.
    pub language: Language,
    /// How it sounds.
    pub quality: VoiceQuality,
    /// The engine behind it: "piper", "espeak-ng", "host", "openai".
    pub engine: &'static str,
}

/// Why nothing (or no more) is spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthesiseError {
    /// The abort flag was raised or the stream dropped.
    #[error("the speech was called off")]
    Aborted,
    /// There is nothing to say once the text is normalised.
    #[error("there is nothing to say in this text")]
    NothingToSay,
    /// The text is longer than is spoken at once.
    #[error("{sentences} sentences are too many to be spoken at once: at most {most}; split the text")]
    TooLong {
        /// How many it has.
        sentences: usize,
        /// The most that are accepted.
        most: usize,
    },
    /// No voice of that name or language.
    #[error("no voice '{wanted}': choose one of {known}")]
    NoSuchVoice {
        /// What was asked for.
        wanted: String,
        /// The voices there are, for the message.
        known: String,
    },
    /// A voice's files are missing or broken.
    #[error("the voice cannot be used: {what}")]
    Voice {
        /// What is wrong, and with which file.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
    /// The engine or server failed.
    #[error("speech synthesis failed: {what}")]
    Engine {
        /// What was being done.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
}

/// A synthesiser.
pub trait TextToSpeech: Send + Sync {
    /// Begins to speak. The future resolves when the voice is chosen; samples follow on the stream.
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>>;

    /// The voices that can be chosen.
    fn voices(&self) -> Vec<Voice>;
}
