//! Hearing one speaker: when to decode what, so that captions appear while someone speaks, and the final one soon
//! after they stop.
//!
//! - [`Planner`]: asks for partial decodes as the audio grows, begins the final decode speculatively while the
//!   endpointer's patience runs, calls it off when the speaker goes on, and promotes it when they do not.
//! - [`Partials`]: how often a growing caption is asked for at all; less under load.
//! - [`Agreement`]: which words of a growing caption are firm and which may still change.
//! - [`completeness`]: whether a pause after these words is likely the end.
//!
//! Positions are sample numbers of one speaker's stream at 16 kHz. Nothing here holds audio: the driver keeps it
//! and cuts `from..upto` when a decode is asked for.
//!
//! Invariant: every [`Heard::Started`] ends in exactly one of [`Effect::FinalCaption`], [`Effect::FinalFailed`] and
//! [`Effect::Dropped`], and one speaker's come in the order in which they spoke.

mod agreement;
mod completeness;
mod planner;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use agreement::{Agreement, Forming};
pub use completeness::{UNDECIDED, completeness};
pub use planner::Planner;

use crate::ids::TurnId;
use crate::language::Language;
use crate::ports::{DecodeClass, RecogniseError, Recognition};

/// A decode that was asked for; unique within one planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

impl Ticket {
    /// The number, for logs.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// When to ask for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HearingConfig {
    /// Speech before the first partial. Whisper pads what is shorter than a second, and a word takes about 0.4 s:
    /// sooner gives mostly wrong words.
    pub first_partial: Duration,
    /// New speech between two partials at least.
    pub growth: Duration,
    /// The longest span a decode may cover (Whisper's window); partials stop there.
    pub longest: Duration,
    /// Whether to decode while patience runs.
    pub speculate: bool,
}

impl Default for HearingConfig {
    fn default() -> Self {
        Self {
            first_partial: Duration::from_millis(800),
            growth: Duration::from_millis(600),
            longest: Duration::from_secs(30),
            speculate: true,
        }
    }
}

/// How often growing captions may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Partials {
    /// As configured.
    #[default]
    Full,
    /// A third as often.
    Fewer,
    /// Not at all.
    None,
}

/// What the planner is told. Positions are samples at 16 kHz of this speaker's stream.
#[derive(Debug)]
pub enum Heard {
    /// Speech began.
    Started {
        /// The turn it opens.
        turn: TurnId,
        /// The first sample of the utterance, pre-roll included.
        from: u64,
    },
    /// The stream has grown.
    Audio {
        /// One past the last sample there is.
        upto: u64,
    },
    /// The voice stopped; the endpointer's patience runs.
    Paused {
        /// The end of the voice.
        at: u64,
        /// One past the last sample there is: the speculative decode covers this much.
        upto: u64,
    },
    /// The voice came back before patience ran out.
    Resumed,
    /// The utterance is complete.
    Ended {
        /// Its first sample.
        from: u64,
        /// The end of its voice.
        voice_end: u64,
        /// One past its last sample, at least `voice_end`.
        upto: u64,
    },
    /// It was not speech after all.
    Discarded,
    /// A decode came to its end.
    Decoded {
        /// Which.
        ticket: Ticket,
        /// What was heard.
        recognition: Recognition,
    },
    /// A decode failed or was called off.
    Failed {
        /// Which.
        ticket: Ticket,
        /// Why.
        error: RecogniseError,
    },
}

/// What the driver is to do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Decode `from..upto` and report with [`Heard::Decoded`] or [`Heard::Failed`].
    Decode {
        /// To report with.
        ticket: Ticket,
        /// The turn it belongs to.
        turn: TurnId,
        /// Why.
        class: DecodeClass,
        /// The first sample.
        from: u64,
        /// One past the last sample.
        upto: u64,
    },
    /// A speculative decode has become the final one: raise its class if it still waits.
    Promote {
        /// Which.
        ticket: Ticket,
    },
    /// Call a decode off. Its report, if one still comes, is ignored.
    Abort {
        /// Which.
        ticket: Ticket,
    },
    /// This was said before the present pause, as far as a speculative decode heard: how complete it is tells how likely the
    /// pause is the end. Not for showing.
    HeardSoFar {
        /// The turn.
        turn: TurnId,
        /// What was heard.
        text: String,
        /// Its language.
        language: Language,
    },
    /// Show this while the speaker goes on.
    PartialCaption {
        /// The turn.
        turn: TurnId,
        /// What is firm, and what may change.
        forming: Forming,
        /// The first sample it covers.
        from: u64,
        /// One past the last.
        upto: u64,
    },
    /// What was said. A recognition without text means that nothing was.
    FinalCaption {
        /// The turn.
        turn: TurnId,
        /// The first sample of the utterance.
        from: u64,
        /// The end of the voice.
        voice_end: u64,
        /// What was heard.
        recognition: Recognition,
        /// Whether a speculative decode was promoted.
        promoted: bool,
    },
    /// The utterance could not be recognised, though it was tried twice: say so.
    FinalFailed {
        /// The turn.
        turn: TurnId,
        /// The first sample of the utterance.
        from: u64,
        /// The end of the voice.
        voice_end: u64,
        /// The last failure.
        error: RecogniseError,
    },
    /// The turn was not speech: take its partial caption back.
    Dropped {
        /// The turn.
        turn: TurnId,
    },
}
