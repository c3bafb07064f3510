//! What a listener reports.

use std::time::Duration;

use crate::endpoint::{EndReason, Evidence};
use crate::pool::PooledAudio;
use crate::position::{Position, samples_to_time};

/// Something heard. Every `Started` is followed by exactly one `Ended` or `Discarded` before the next.
#[derive(Debug)]
#[non_exhaustive]
pub enum HeardEvent {
    /// Someone speaks.
    Started {
        /// Where the voice was first heard (the sound kept begins earlier, by the pre-roll).
        at: Position,
    },
    /// The voice stopped, and patience runs: the moment to begin a speculative decode.
    Paused {
        /// The end of the last voiced window.
        at: Position,
    },
    /// The voice came back before patience ran out.
    Resumed {
        /// The start of the window in which it did.
        at: Position,
    },
    /// A complete utterance.
    Ended(Utterance),
    /// What had started held too little voice to be an utterance: a click, a cough.
    Discarded {
        /// The end of its last voiced window.
        at: Position,
        /// What there was.
        evidence: Evidence,
    },
    /// Someone speaks, but all buffers are in use: this utterance is lost, and nothing more is said about it.
    Refused {
        /// Where the voice was first heard.
        at: Position,
    },
}

/// What one speaker said between two silences.
#[derive(Debug)]
pub struct Utterance {
    /// The place of the first sample of `audio` in the stream: the pre-roll before the voice.
    pub start: Position,
    /// Where the voice was first heard.
    pub speech_start: Position,
    /// The end of the last voiced window.
    pub voice_end: Position,
    /// Why it ended.
    pub reason: EndReason,
    /// What speaks for it being speech.
    pub evidence: Evidence,
    /// 16 kHz mono samples in `-1.0..=1.0`; goes back to the pool when dropped.
    pub audio: PooledAudio,
}

impl Utterance {
    /// The place after the last sample of `audio`.
    pub fn end(&self) -> Position {
        self.start + self.audio.len() as u64
    }

    /// How long `audio` lasts.
    pub fn duration(&self) -> Duration {
        samples_to_time(self.audio.len() as u64)
    }
}

/// The utterance being spoken, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct SoFar<'a> {
    /// The place of the first sample of `audio` in the stream; that of the finished utterance will be the same.
    pub start: Position,
    /// Where the voice was first heard.
    pub speech_start: Position,
    /// 16 kHz mono samples, pre-roll included.
    pub audio: &'a [f32],
}
