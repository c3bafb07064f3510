//! The ports: what the outside must provide for a conversation. Adapters live in `goobster-speech` (recogniser,
//! synthesiser) and `goobster-brain` (responder).
//!
//! Every port is asynchronous, cancellable by an [`AbortFlag`], and has one error type that keeps its cause.

mod abort;
mod recogniser;
mod responder;
mod synthesiser;

use std::future::Future;
use std::pin::Pin;

pub use abort::AbortFlag;
pub use recogniser::{
    DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, RecognisedSegment, RecogniserLoad,
    Recognition, SPEECH_RATE, SpeechToText,
};
pub use responder::{
    Exchange, LimitsLeft, ReplyPiece, ReplyStream, RespondError, RespondRequest, Responder, Utterance,
};
pub use synthesiser::{
    PcmChunk, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice, VoiceQuality,
};

/// The boxed future that ports return, so that they can be used as trait objects.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The cause of a port's failure, whatever library it came from.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;
