//! What crosses the limits' ports: claims, leases, charges, and the one close record of each session.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Millis, PolicyKind};
use crate::ids::{GuildId, UserId};
use crate::session::{ChargeSeq, CloseReason, Epoch, SessionId};
use crate::time::UtcMillis;

/// A wish for a place: whose session, in which guild. The session's id is the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SlotClaim {
    /// The session that wants the place; the same id always gets the same place.
    pub session: SessionId,
    /// Its owner.
    pub user: UserId,
    /// Its guild.
    pub guild: GuildId,
}

/// A place held by a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLease {
    /// Who holds it.
    pub claim: SlotClaim,
    /// The fencing epoch to charge under.
    pub epoch: Epoch,
    /// How long the place is safe without [`renew`](super::Slots::renew); `None` when it never times out.
    pub good_for: Option<Duration>,
}

/// How many places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotsHeld {
    /// Reserved, not confirmed yet.
    pub reserved: u32,
    /// Confirmed.
    pub confirmed: u32,
}

impl SlotsHeld {
    /// All of them.
    pub const fn total(self) -> u32 {
        self.reserved.saturating_add(self.confirmed)
    }
}

/// A session begins to be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The session, its owner and its guild.
    pub claim: SlotClaim,
    /// From the session's [`SlotLease`].
    pub epoch: Epoch,
    /// When it began.
    pub at: UtcMillis,
}

/// Voice time to charge: `delta` that ended at `at`. `(session, epoch, seq)` names it for ever, so a replay changes
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The session, its owner (who is charged) and its guild.
    pub claim: SlotClaim,
    /// From the session's [`SlotLease`].
    pub epoch: Epoch,
    /// 1 for the session's first charge, higher for each later one. Gaps are allowed; what is not higher than the last
    /// one applied is a replay.
    pub seq: ChargeSeq,
    /// How much voice time.
    pub delta: Millis,
    /// When that time ended.
    pub at: UtcMillis,
}

/// What the ledger says to a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// False for a replay: it was charged before.
    pub applied: bool,
    /// The owner's usage afterwards.
    pub usage: Usage,
    /// How much longer the session may run before its next charge must have been answered: its leased budget. Zero
    /// means that the limit is reached.
    pub granted: Millis,
    /// False while the store is down: the charge is kept locally and written when the store returns.
    pub durable: bool,
}

/// A member's usage of voice time. Amounts saturate at the limit; the ledger itself keeps every millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What may be used in one window.
    pub limit: Millis,
    /// What was used in the current window, at most `limit`.
    pub used: Millis,
    /// What is left: `limit - used`.
    pub remaining: Millis,
    /// What is left and not set aside for the member's running sessions.
    pub available: Millis,
    /// Fixed window: when it ends; sliding window: when the oldest counted time leaves it. `None` when nothing is
    /// counted.
    pub resets_at: Option<UtcMillis>,
    /// The window's length.
    pub window: Millis,
    /// How it is counted.
    pub policy: PolicyKind,
}

/// A session is to be closed in the ledger. The last charge goes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// The session, its owner and its guild.
    pub claim: SlotClaim,
    /// From the session's [`SlotLease`].
    pub epoch: Epoch,
    /// When it ended.
    pub at: UtcMillis,
    /// Why.
    pub reason: CloseReason,
}

/// How a session ended: exactly one a session, for ever the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseRecord {
    /// The session, its owner and its guild.
    pub claim: SlotClaim,
    /// The epoch it ran under.
    pub epoch: Epoch,
    /// When it was opened.
    pub opened_at: UtcMillis,
    /// When it ended; for a crash: its last tick.
    pub closed_at: UtcMillis,
    /// The last charge's end; `opened_at` when there was none.
    pub last_tick: UtcMillis,
    /// The last charge's number; zero when there was none.
    pub last_seq: ChargeSeq,
    /// The sum of its charges.
    pub charged: Millis,
    /// Why it ended.
    pub reason: CloseReason,
}

/// What the ledger says to a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// The record: this close's, or the earlier one's.
    pub record: CloseRecord,
    /// Whether this call wrote it.
    pub first: bool,
    /// False while the store is down: it is kept locally and written when the store returns.
    pub durable: bool,
}

/// What recovery found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Sessions whose process died; each was closed as [`CloseReason::Crashed`] at its last tick by this call.
    pub crashed: Vec<CloseRecord>,
    /// Open sessions of processes that still live.
    pub alive: usize,
}

/// When a member's usage is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// When the running window ends, or at once where nothing is counted: what a member may ask for. Forgetting at once would
    /// hand out the voice time anew.
    WhenWindowEnds,
    /// At once: what an operator may ask for.
    Now,
}

/// What became of a request to forget a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Close records that were removed.
    pub records: usize,
    /// Sessions of the member that are open: they, and the usage, stay until they are closed.
    pub open: usize,
    /// Whether usage is still kept.
    pub usage_kept: bool,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Members forgotten because they were not charged for the configured time.
    pub users: usize,
    /// Close records older than their retention.
    pub records: usize,
}
