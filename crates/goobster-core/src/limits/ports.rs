//! The ports of the limits: places for sessions ([`Slots`]) and the record of voice time ([`Ledger`]).
//!
//! `goobster-store` implements both three times (memory, embedded, Redis) and runs one test-suite against all of them.
//! The order of a session's life at these ports:
//!
//! 1. [`Ledger::usage`] for the forecast, [`Slots::reserve`] before anything is connected;
//! 2. [`Slots::confirm`] and [`Ledger::open`] once the session is active;
//! 3. [`Ledger::charge`] every tick, [`Slots::renew`] well within [`SlotLease::good_for`];
//! 4. a last [`Ledger::charge`], [`Ledger::close`], and [`Slots::release`] at the very end.
//!
//! Every operation may be repeated unchanged after an [`Unavailable`](LimitsError::Unavailable) error.

use std::time::Duration;

use super::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, LimitsError, Opening, Recovery,
    SlotClaim, SlotLease, SlotsHeld, Swept, Usage,
};
use crate::ids::UserId;
use crate::ports::PortFuture;
use crate::time::UtcMillis;

/// Places for sessions: per member, per guild and in total. No limit is ever exceeded, whoever asks at once.
///
/// One process serves a guild at a time (Discord allows one call a guild). The first place a process gets in a guild
/// that another process served before raises the guild's [`Epoch`](crate::session::Epoch), which fences the other one off.
pub trait Slots: Send + Sync {
    /// Reserves a place; it is given back by itself after `hold` unless it is confirmed. Idempotent: the same claim gets
    /// the same place again, and a reservation's time starts anew.
    ///
    /// # Errors
    /// [`LimitsError::Refused`] when a limit says no, [`LimitsError::Conflict`] when the session's id belongs to
    /// another member or guild, [`LimitsError::Unavailable`].
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>>;

    /// Makes a reservation last until it is released (or, across processes, as long as it is renewed). Idempotent.
    ///
    /// # Errors
    /// [`LimitsError::LeaseLost`] when the reservation timed out, [`LimitsError::Fenced`], [`LimitsError::Unavailable`].
    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>>;

    /// Keeps a confirmed place. Needed only when [`SlotLease::good_for`] is a time: call it every third of that.
    ///
    /// # Errors
    /// [`LimitsError::LeaseLost`] when it timed out before, [`LimitsError::Fenced`], [`LimitsError::Unavailable`].
    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>>;

    /// Gives the place back. Idempotent: true when it was still held.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`]; the place then frees itself when its lease times out.
    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>>;

    /// How many places are taken just now, by everybody.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`].
    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>>;
}

/// The record of voice time: what each member used, which sessions are open, and how each one ended.
///
/// An answer means: it is durable (unless the answer says otherwise). After a crash at most one tick plus the store's
/// commit interval of a session is missing.
pub trait Ledger: Send + Sync {
    /// A member's usage at `now`. Never fails for a member who was never seen: nothing is used.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`], [`LimitsError::Corrupt`].
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>>;

    /// Opens a session and leases its first budget. Idempotent.
    ///
    /// # Errors
    /// [`LimitsError::Refused`] with [`VoiceUsedUp`](super::Refusal::VoiceUsedUp) when the owner has nothing left,
    /// [`LimitsError::Fenced`], [`LimitsError::SessionClosed`], [`LimitsError::Conflict`],
    /// [`LimitsError::Unavailable`].
    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>>;

    /// Charges voice time to an open session: this is its tick. Charging past the limit is recorded in full; the
    /// answer's `granted` is zero then.
    ///
    /// # Errors
    /// [`LimitsError::Fenced`], [`LimitsError::SessionClosed`], [`LimitsError::UnknownSession`],
    /// [`LimitsError::Conflict`], [`LimitsError::Unavailable`].
    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>>;

    /// Closes a session and gives the rest of its budget back. The first close wins; a later one gets its record.
    ///
    /// # Errors
    /// [`LimitsError::Fenced`], [`LimitsError::UnknownSession`], [`LimitsError::Conflict`],
    /// [`LimitsError::Unavailable`].
    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>>;

    /// How a session ended; `None` while it is open, when it was never opened, or when its record was swept.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`].
    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>>;

    /// Closes the open sessions of processes that died, each at its last tick. Call it at start, and now and then when
    /// several processes share a store.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`], [`LimitsError::Corrupt`].
    fn recover(&self, now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>>;

    /// Forgets members who were not charged for the configured time, and close records past their retention. Call it
    /// every few minutes.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`].
    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>>;

    /// Forgets a member, who asked for it: the close records at once, the usage as `when` says. A session that is open goes on
    /// being charged; nothing of it is forgotten before it is closed. Idempotent.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`].
    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>>;
}
