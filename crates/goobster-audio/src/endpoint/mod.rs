//! Endpointing: from a voice probability a window to "someone speaks", "they paused", "they are done".
//!
//! Pure: an [`Endpointer`] sees numbers, never sound, and its only clock is the windows it has been shown.

mod config;
mod evidence;
mod machine;
mod patience;
mod pauses;

pub use config::{EndpointConfig, EndpointConfigError};
pub use evidence::Evidence;
pub use machine::Endpointer;
pub use patience::AdaptivePatience;

use crate::position::Position;

/// What is known of one window of sound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowHeard {
    /// The detector's probability of speech, `0.0..=1.0`.
    pub probability: f32,
    /// The mean square of the samples, `0.0..=1.0`.
    pub power: f32,
}

/// Why an utterance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The speaker was silent for as long as patience allows.
    Silence,
    /// The turn reached its longest and was cut at the best pause; what follows is the next utterance.
    MaxTurn,
    /// The stream ended, or the caller asked.
    Flush,
}

/// A decision of the endpointer. Every `Started` is followed by exactly one `Ended` or `Discarded` before the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EndpointEvent {
    /// Someone speaks.
    Started {
        /// The first sample of the utterance, pre-roll included.
        from: Position,
        /// Where the voice was first heard.
        at: Position,
    },
    /// The voice stopped; patience has been running since `at`.
    Paused {
        /// The end of the last voiced window.
        at: Position,
    },
    /// The voice came back before patience ran out.
    Resumed {
        /// The start of the window in which it did.
        at: Position,
    },
    /// The utterance is complete.
    Ended {
        /// Its first sample, as in `Started`.
        from: Position,
        /// The end of its last voiced window.
        voice_end: Position,
        /// The end of its last sample: a little after `voice_end`.
        to: Position,
        /// Why it ended.
        reason: EndReason,
        /// What speaks for it being speech.
        evidence: Evidence,
    },
    /// Too little voice to be an utterance: a click, a cough.
    Discarded {
        /// The end of its last voiced window.
        at: Position,
        /// What there was.
        evidence: Evidence,
    },
}

/// The decisions that one window brought, in order; at most four.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decisions {
    events: [Option<EndpointEvent>; 4],
    len: usize,
}

impl Decisions {
    fn push(&mut self, event: EndpointEvent) {
        debug_assert!(
            self.len < self.events.len(),
            "one window brings at most four decisions"
        );
        if let Some(slot) = self.events.get_mut(self.len) {
            *slot = Some(event);
            self.len += 1;
        }
    }
}

impl IntoIterator for Decisions {
    type Item = EndpointEvent;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<EndpointEvent>, 4>>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
