//! Speech-to-text: one utterance of 16 kHz mono in, text with times and confidence out.
//!
//! - [`whisper`]: whisper.cpp in this process, the standard.
//! - [`openai`]: any server with OpenAI's `/v1/audio/transcriptions`.
//! - [`scheduler`]: which decode runs next (pure); `pool`: the threads that obey it.
//! - [`gate`]: keeps text that nobody spoke out of captions (pure).

pub mod gate;
pub mod openai;
mod pool;
pub mod scheduler;
pub mod whisper;

pub use goobster_core::ports::{
    DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, RecognisedSegment, Recognition,
    SpeechToText,
};
pub use openai::{OpenAiRecogniser, OpenAiTranscriptionOptions};
pub use pool::PoolStats;
pub use whisper::{AudioContext, WhisperOptions, WhisperRecogniser};
