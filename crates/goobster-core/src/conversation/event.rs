//! What a conversation is told.

use std::time::Duration;

use super::{LineId, ReplyId};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::ports::RespondError;
use crate::time::UtcMillis;

/// Why there is no (complete) reply, as far as it is said aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The chat server cannot be reached.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// It refused, broke off or answered nonsense.
    BadAnswer,
    /// The settings are wrong.
    Misconfigured,
    /// Something else.
    Other,
}

impl From<&RespondError> for Failure {
    fn from(error: &RespondError) -> Self {
        match error {
            RespondError::Unreachable { .. } => Self::Unreachable,
            RespondError::TimedOut { .. } => Self::TimedOut,
            RespondError::BadAnswer { .. } => Self::BadAnswer,
            RespondError::Configuration(_) => Self::Misconfigured,
            RespondError::Aborted => Self::Other,
        }
    }
}

/// Something that happened. Events about replies and lines that are closed already are ignored, so a transport
/// need not cancel its own messages.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A person (never Goobster itself) is there.
    Joined {
        /// Who.
        who: UserId,
        /// The name to show.
        name: String,
    },
    /// They are gone.
    Left {
        /// Who.
        who: UserId,
    },
    /// Somebody began to speak. Must be followed by one of [`Event::Final`], [`Event::Nothing`] and
    /// [`Event::HearingFailed`] of the same turn, or by their leaving.
    SpeechStarted {
        /// Who.
        who: UserId,
        /// The turn it opens.
        turn: TurnId,
    },
    /// They go on.
    Voice {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
        /// Voice in this turn so far, pauses left out.
        voiced: Duration,
    },
    /// They stopped (the endpointer's patience has run out); the final caption is on its way.
    SpeechStopped {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
    },
    /// What was recognised of a turn so far.
    Partial {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
        /// The words.
        text: String,
    },
    /// What was recognised of a whole turn.
    Final {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
        /// The words; none is the same as [`Event::Nothing`].
        text: String,
        /// The language spoken.
        language: Language,
        /// When they finished.
        at: UtcMillis,
    },
    /// The turn was no speech, or no words were in it.
    Nothing {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
    },
    /// The turn could not be recognised.
    HearingFailed {
        /// Who.
        who: UserId,
        /// The turn.
        turn: TurnId,
        /// The language to apologise in.
        language: Language,
    },
    /// The responder made some text.
    ReplyText {
        /// The reply.
        reply: ReplyId,
        /// The text; joined to what came before without a separator.
        text: String,
    },
    /// The responder wants something said later.
    ReplyTimer {
        /// The reply.
        reply: ReplyId,
        /// How long from now.
        after: Duration,
        /// What to say then.
        announcement: String,
    },
    /// The responder is done.
    ReplyEnded {
        /// The reply.
        reply: ReplyId,
    },
    /// The responder failed.
    ReplyFailed {
        /// The reply.
        reply: ReplyId,
        /// Why.
        why: Failure,
    },
    /// The first audible sample of a line went out.
    LineStarted {
        /// The line.
        line: LineId,
    },
    /// How much of a line has gone out so far; send one before acting on a `StopPlayout` for an exact history.
    LineProgress {
        /// The line.
        line: LineId,
        /// The share, `0.0..=1.0`.
        played: f32,
    },
    /// The last sample of a line went out.
    LineFinished {
        /// The line.
        line: LineId,
    },
    /// A line could not be spoken; the next one follows.
    LineFailed {
        /// The line.
        line: LineId,
    },
    /// A command: be silent until told otherwise.
    Mute(bool),
    /// A command: stop talking now.
    Hush,
    /// A command: forget what somebody said, and what was answered.
    Forget {
        /// Who.
        who: UserId,
    },
    /// Time has passed.
    Tick,
}
