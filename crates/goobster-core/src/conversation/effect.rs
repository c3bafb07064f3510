//! What a conversation wants done.

use super::{LineId, ReplyId};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::ports::{Exchange, Utterance};

/// What a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplyKind {
    /// The responder answers a turn.
    Answer,
    /// "Yes?", to somebody who said only the name.
    Attention,
    /// A timer rings.
    Announcement,
    /// An apology for what could not be heard.
    Apology,
}

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Spoken to its end.
    Finished,
    /// Somebody spoke over it.
    Interrupted,
    /// Its speaker went on before it was heard; both turns are answered as one.
    Superseded,
    /// Stopped by a command, by "stop", or because its speaker left.
    Silenced,
    /// The responder failed; the user was told aloud.
    Failed,
}

/// Why a turn gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// No words in it.
    Empty,
    /// Said to somebody else.
    NotAddressed,
    /// It asked for silence, and got it.
    Hushed,
    /// Goobster is muted.
    Muted,
    /// Too many turns wait already.
    QueueFull,
}

/// What the responder is to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyRequest {
    /// Whose turn it is.
    pub who: UserId,
    /// What was said; the wake name is taken out where it was only a call.
    pub utterance: Utterance,
    /// The language to answer in.
    pub language: Language,
    /// The conversation before this turn, oldest first.
    pub history: Vec<Exchange>,
}

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// A reply begins. For an [`ReplyKind::Answer`] a [`Effect::StartReply`] follows.
    ReplyOpened {
        /// The reply.
        reply: ReplyId,
        /// What it is.
        kind: ReplyKind,
        /// To whom; `None` for everybody.
        who: Option<UserId>,
        /// The turns it answers (several when they were merged).
        turns: Vec<TurnId>,
    },
    /// Ask the responder; report with `ReplyText`, `ReplyTimer`, and one of `ReplyEnded` and `ReplyFailed`.
    StartReply {
        /// The reply.
        reply: ReplyId,
        /// What to answer.
        request: Box<ReplyRequest>,
    },
    /// Call the responder off: raise the abort flag and drop the stream.
    CancelReply {
        /// The reply.
        reply: ReplyId,
    },
    /// Speak a line after those handed over before; report with `LineStarted` and `LineFinished` or `LineFailed`.
    Speak {
        /// The reply.
        reply: ReplyId,
        /// The line.
        line: LineId,
        /// Plain text.
        text: String,
        /// Its language.
        language: Language,
    },
    /// Be silent at once: drop every line handed over, played or not.
    StopPlayout {
        /// The reply they belong to.
        reply: ReplyId,
    },
    /// Show the reply as it stands; sent whenever a line is added or was spoken.
    ShowReply {
        /// The reply.
        reply: ReplyId,
        /// The lines so far.
        text: String,
        /// How many bytes of `text` were spoken; always at a character's boundary.
        spoken: usize,
    },
    /// A reply is over.
    ReplyClosed {
        /// The reply.
        reply: ReplyId,
        /// How.
        outcome: Outcome,
        /// All its lines.
        text: String,
        /// What was really heard of it.
        spoken: String,
    },
    /// A turn gets no answer.
    TurnIgnored {
        /// Whose.
        who: UserId,
        /// The turn.
        turn: TurnId,
        /// Why.
        why: Ignored,
    },
}
