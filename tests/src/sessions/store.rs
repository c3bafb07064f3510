//! A store that fails by chance: before it did what it was asked, after it (so that the answer is lost), or never
//! answering at all.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsError, Opening, Recovery,
    SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::time::UtcMillis;
use goobster_store::MemoryStore;

use super::world::World;

/// A memory store with faults before it.
#[derive(Debug)]
pub struct FaultyStore {
    /// The truth.
    pub inner: MemoryStore,
    /// Where chance comes from.
    pub world: Arc<World>,
    /// How many of a hundred calls fail.
    pub percent: u32,
}

impl FaultyStore {
    fn through<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce() -> PortFuture<'a, Result<T, LimitsError>> + Send + 'a,
    ) -> PortFuture<'a, Result<T, LimitsError>> {
        Box::pin(async move {
            if !self.world.chance(self.percent) {
                return call().await;
            }
            let down = || LimitsError::Unavailable {
                what: "planned".to_owned(),
                cause: None,
            };
            match self.world.below(5) {
                0 => Err(down()),
                1 => {
                    let _ = call().await;
                    Err(down())
                }
                2 => {
                    let answer = call().await;
                    tokio::time::sleep(Duration::from_millis(self.world.below(3_000))).await;
                    answer
                }
                3 => {
                    tokio::time::sleep(Duration::from_millis(self.world.below(3_000))).await;
                    call().await
                }
                _ => pending().await,
            }
        })
    }
}

impl Slots for FaultyStore {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(move || self.inner.reserve(claim, hold))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(move || self.inner.confirm(lease))
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(move || self.inner.renew(lease))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        self.through(move || self.inner.release(lease))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        self.inner.held()
    }
}

impl Ledger for FaultyStore {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        self.through(move || self.inner.usage(user, now))
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        self.through(move || self.inner.open(opening))
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        self.through(move || self.inner.charge(charge))
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        self.through(move || self.inner.close(closing))
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        self.inner.close_record(claim)
    }

    fn recover(&self, now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        self.inner.recover(now)
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        self.through(move || self.inner.forget(user, when, now))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        self.inner.sweep(now)
    }
}
