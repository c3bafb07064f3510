//! What the room tells its traces: the words for what happened.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use goobster_core::conversation::{Outcome, ReplyKind};
use goobster_core::hearing::Ticket;
use goobster_core::ids::TurnId;
use goobster_core::ports::{
    DecodeClass, RecogniseError, RecogniseRequest, Recognition, RespondError, SPEECH_RATE,
};

use super::Room;
use crate::converse::trace::Seen;

impl Room<'_> {
    pub(super) fn trace(&mut self, seen: Seen) {
        self.tracing.see(self.now(), seen);
    }

    /// A decode that a final caption may come from. Partial ones come and go by the dozen: their captions are marks.
    pub(super) fn trace_decode(&mut self, turn: TurnId, ticket: Ticket, request: &RecogniseRequest) {
        let class = match request.class {
            DecodeClass::Partial => return,
            DecodeClass::Speculative => "speculative",
            DecodeClass::Final => "final",
        };
        self.trace(Seen::DecodeBegan {
            turn,
            ticket: ticket.get(),
            class,
            audio: Duration::from_secs_f64(request.audio.len() as f64 / f64::from(SPEECH_RATE)),
        });
    }
}

/// A number that the turns of one conversation share and that says nothing of it.
pub(super) fn random() -> u32 {
    // The standard library's hasher is seeded anew by the system's randomness.
    RandomState::new().hash_one(0_u8) as u32
}

pub(super) const fn decoded(result: &Result<Recognition, RecogniseError>) -> &'static str {
    match result {
        Ok(_) => "recognised",
        Err(RecogniseError::Aborted) => "called_off",
        Err(RecogniseError::Overloaded { .. }) => "overloaded",
        Err(_) => "failed",
    }
}

pub(super) const fn answered(result: &Result<(), RespondError>) -> &'static str {
    match result {
        Ok(()) => "answered",
        Err(RespondError::Aborted) => "called_off",
        Err(_) => "failed",
    }
}

pub(super) const fn kind(kind: ReplyKind) -> &'static str {
    match kind {
        ReplyKind::Answer => "answer",
        ReplyKind::Attention => "attention",
        ReplyKind::Announcement => "announcement",
        ReplyKind::Apology => "apology",
        #[allow(unreachable_patterns, reason = "kinds may be added in the core")]
        _ => "other",
    }
}

pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Interrupted => "interrupted",
        Outcome::Superseded => "superseded",
        Outcome::Silenced => "silenced",
        Outcome::Failed => "failed",
        _ => "other",
    }
}
