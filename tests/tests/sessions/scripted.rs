//! A memory store that does what a test says: how slow it is, and what single calls do instead of answering.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsError, Opening, Recovery,
    SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::time::UtcMillis;
use goobster_store::MemoryStore;

/// A call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Reserve,
    Release,
    Charge,
}

/// What one call does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// It is carried out after this long.
    After(Duration),
    /// It fails after this long, and nothing was done.
    Fails(Duration, fn() -> LimitsError),
    /// It never answers.
    Hangs,
    /// It panics.
    Panics,
}

/// The store.
#[derive(Debug)]
pub(crate) struct ScriptedStore {
    inner: MemoryStore,
    script: Mutex<BTreeMap<Call, VecDeque<Does>>>,
    /// How long every call takes.
    slow: Duration,
    /// Whether it cannot be reached at all.
    out: AtomicBool,
}

pub(crate) fn down() -> LimitsError {
    LimitsError::Unavailable {
        what: "planned".to_owned(),
        cause: None,
    }
}

impl ScriptedStore {
    /// A sound store.
    pub(crate) fn new(inner: MemoryStore, slow: Duration) -> Self {
        Self {
            inner,
            script: Mutex::default(),
            slow,
            out: AtomicBool::new(false),
        }
    }

    /// What the next calls of this kind do, one after the other.
    pub(crate) fn next(&self, call: Call, does: impl IntoIterator<Item = Does>) {
        self.script.lock().unwrap().entry(call).or_default().extend(does);
    }

    /// An outage begins or ends.
    pub(crate) fn outage(&self, out: bool) {
        self.out.store(out, Ordering::Release);
    }

    fn scripted(&self, call: Call) -> Option<Does> {
        self.script.lock().unwrap().get_mut(&call)?.pop_front()
    }

    fn through<'a, T: Send + 'a>(
        &'a self,
        call: Option<Call>,
        act: impl FnOnce() -> PortFuture<'a, Result<T, LimitsError>> + Send + 'a,
    ) -> PortFuture<'a, Result<T, LimitsError>> {
        let does = call.and_then(|call| self.scripted(call));
        Box::pin(async move {
            if self.out.load(Ordering::Acquire) {
                return Err(down());
            }
            match does {
                None => tokio::time::sleep(self.slow).await,
                Some(Does::After(wait)) => tokio::time::sleep(wait).await,
                Some(Does::Fails(wait, error)) => {
                    tokio::time::sleep(wait).await;
                    return Err(error());
                }
                Some(Does::Hangs) => pending().await,
                Some(Does::Panics) => panic!("planned panic"),
            }
            act().await
        })
    }
}

impl Slots for ScriptedStore {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(Some(Call::Reserve), move || self.inner.reserve(claim, hold))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(None, move || self.inner.confirm(lease))
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.through(None, move || self.inner.renew(lease))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        self.through(Some(Call::Release), move || self.inner.release(lease))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        self.inner.held()
    }
}

impl Ledger for ScriptedStore {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        self.through(None, move || self.inner.usage(user, now))
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        self.through(None, move || self.inner.open(opening))
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        self.through(Some(Call::Charge), move || self.inner.charge(charge))
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        self.through(None, move || self.inner.close(closing))
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
        self.through(None, move || self.inner.forget(user, when, now))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        self.inner.sweep(now)
    }
}
