//! What the room tells its traces: the words for what happened.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use goobster_core::conversation::{Outcome, ReplyKind};
use goobster_core::ids::UserId;
use goobster_core::ports::{DecodeClass, RecogniseError, Recognition, RespondError, SPEECH_RATE};

use super::Room;
use crate::converse::ear::Told;
use crate::converse::trace::Seen;

impl Room<'_> {
    pub(super) fn trace(&mut self, seen: Seen) {
        self.tracing.see(self.now(), seen);
    }

    /// What an ear tells that needs nothing but its words. A partial decode is not traced, they come and go by the dozen: its
    /// caption is a mark.
    pub(super) fn trace_told(&mut self, who: UserId, told: &Told) {
        let seen = match *told {
            Told::Voice { turn } => {
                let Some(seat) = self.seats.get(&who) else { return };
                let speaker = seat.number;
                Seen::Voice { turn, speaker }
            }
            Told::Hush { turn } => Seen::Hush { turn },
            Told::Partial { turn, .. } => Seen::Partial { turn },
            Told::Failed { turn, .. } => Seen::NotUnderstood { turn },
            Told::Decode {
                turn,
                ticket,
                ref request,
            } => Seen::DecodeBegan {
                turn,
                ticket: ticket.get(),
                class: match request.class {
                    DecodeClass::Partial => return,
                    DecodeClass::Speculative => "speculative",
                    DecodeClass::Final => "final",
                },
                audio: Duration::from_secs_f64(request.audio.len() as f64 / f64::from(SPEECH_RATE)),
            },
            _ => return,
        };
        self.trace(seen);
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
