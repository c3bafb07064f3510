//! The responder ("brain"): what somebody said in, a reply out, piece by piece.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{AbortFlag, Cause, PortFuture};
use crate::language::Language;
use crate::time::UtcMillis;

/// Something somebody said, as finally captioned.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// The speaker's name, as shown in captions.
    pub speaker: String,
    /// What they said.
    pub text: String,
    /// When they finished.
    pub at: UtcMillis,
}

/// One exchange of the past: what was said, and what Goobster answered (as far as it was spoken).
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// What was said.
    pub said: Utterance,
    /// What was answered; `None` when nothing was.
    pub reply: Option<String>,
}

/// What the speaker may still use, for the question "how long do I have left?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsLeft {
    /// Voice time left in this window.
    pub left: Duration,
    /// When the window resets; `None` when it has not begun.
    pub resets_at: Option<UtcMillis>,
}

/// A turn to answer.
#[derive(Debug, Clone)]
pub struct RespondRequest {
    /// What was said just now.
    pub turn: Utterance,
    /// The conversation so far, oldest first, bounded by the caller.
    pub history: Vec<Exchange>,
    /// The language to answer in.
    pub language: Language,
    /// The name Goobster answers to.
    pub wake_name: String,
    /// What the speaker may still use; `None` when nothing limits them.
    pub limits: Option<LimitsLeft>,
    /// A seed for dice, so that a test can know the throw.
    pub seed: u64,
    /// Raised when the reply is no longer wanted (barge-in).
    pub abort: AbortFlag,
}

/// A piece of a reply.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ReplyPiece {
    /// Text to show and speak; pieces are joined as they come, without a separator.
    Text(String),
    /// A timer to ring: after `after`, Goobster says `announcement`.
    Timer {
        /// How long from now.
        after: Duration,
        /// What to say then.
        announcement: String,
    },
}

/// A reply as it is made; it ends when the channel closes, or with an error. Dropping it calls the reply off.
pub type ReplyStream = mpsc::Receiver<Result<ReplyPiece, RespondError>>;

/// Why there is no (complete) reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The abort flag was raised or the stream dropped.
    #[error("the reply was called off")]
    Aborted,
    /// The chat server cannot be reached.
    #[error("the chat server at {url} cannot be reached: {what}")]
    Unreachable {
        /// The server's address, without secrets.
        url: String,
        /// What was tried.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
    /// The chat server took too long.
    #[error("the chat server at {url} did not answer within {waited:?}")]
    TimedOut {
        /// The server's address, without secrets.
        url: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The chat server refused or answered nonsense.
    #[error("the chat server at {url} answered {what}")]
    BadAnswer {
        /// The server's address, without secrets.
        url: String,
        /// The status or what could not be read.
        what: String,
    },
    /// The settings are wrong.
    #[error("the brain is not configured right: {0}")]
    Configuration(String),
}

/// A source of replies.
pub trait Responder: Send + Sync {
    /// Begins to answer a turn; pieces follow on the stream.
    fn respond(&self, request: RespondRequest) -> PortFuture<'_, Result<ReplyStream, RespondError>>;

    /// What answers, for people: "built-in" or "llama3.2 at `http://localhost:11434`".
    fn name(&self) -> String;
}
