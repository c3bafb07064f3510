//! What the room sees of turns and replies. Replies are named by their number in the conversation.

use std::time::Duration;

use goobster_core::ids::TurnId;
use goobster_core::time::Moment;

/// What the room sees of turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Voice began, or came back after a pause.
    Voice {
        /// Which turn.
        turn: TurnId,
        /// Whose, as a number of this room.
        speaker: u64,
    },
    /// The voice paused.
    Hush {
        /// Which turn.
        turn: TurnId,
    },
    /// A caption that may still change was shown.
    Partial {
        /// Which turn.
        turn: TurnId,
    },
    /// The endpointer is sure that the turn is over.
    Ended {
        /// Which turn.
        turn: TurnId,
        /// Its first sample.
        from: Moment,
        /// The end of speech.
        speech_ended: Moment,
    },
    /// A speculative or final decode was asked for.
    DecodeBegan {
        /// Which turn.
        turn: TurnId,
        /// Which decode.
        ticket: u64,
        /// `speculative` or `final`.
        class: &'static str,
        /// How much audio.
        audio: Duration,
    },
    /// A decode came back.
    DecodeOver {
        /// Which turn.
        turn: TurnId,
        /// Which decode.
        ticket: u64,
        /// How it went.
        outcome: &'static str,
    },
    /// The final caption is there.
    Captioned {
        /// Which turn.
        turn: TurnId,
    },
    /// The recogniser failed at the turn.
    NotUnderstood {
        /// Which turn.
        turn: TurnId,
    },
    /// Turn-taking decided for a reply.
    ReplyOpened {
        /// Which reply.
        reply: u64,
        /// The turns it answers.
        turns: Vec<TurnId>,
        /// What it is.
        kind: &'static str,
    },
    /// The responder was asked.
    Asked {
        /// For which reply.
        reply: u64,
    },
    /// The responder said something.
    Words {
        /// Of which reply.
        reply: u64,
    },
    /// The responder is done.
    Answered {
        /// With which reply.
        reply: u64,
        /// How it went.
        outcome: &'static str,
    },
    /// A sentence was handed to the voice.
    Sentence {
        /// Of which reply.
        reply: u64,
    },
    /// Samples of a sentence came.
    Synthesised {
        /// Of which reply.
        reply: u64,
    },
    /// A sentence is being heard.
    Audible {
        /// Of which reply.
        reply: u64,
    },
    /// A reply is over.
    ReplyClosed {
        /// Which.
        reply: u64,
        /// How it went.
        outcome: &'static str,
        /// Whether its turns go on, to be answered together with what was said next.
        go_on: bool,
    },
    /// A turn is over without a reply.
    Over {
        /// Which.
        turn: TurnId,
        /// Why.
        outcome: &'static str,
    },
}
