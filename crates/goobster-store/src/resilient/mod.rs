//! A store that may be down for a while: running sessions go on under local limits, what they use is kept and written
//! when the store returns, and new sessions follow a configured policy.

mod backlog;
mod calls;
mod flush;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsConfig, LimitsError,
    Opening, Recovery, SlotBook, SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::{Epoch, SessionId};
use goobster_core::time::{Moment, UtcMillis};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::backlog::Backlog;
use self::watch::Watch;

/// What becomes of new sessions while the store is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenDown {
    /// They are refused, in plain words: no limit is ever exceeded.
    #[default]
    Refuse,
    /// They are allowed under this process's own limits, and entered in the store when it returns. Across processes the
    /// limits may be exceeded meanwhile; a session that the store then refuses is ended.
    AllowLocally,
}

/// The epoch of a session that the store does not know yet; stores give out higher ones.
const LOCAL: Epoch = Epoch::new(0);

#[derive(Debug)]
struct State {
    backlog: Backlog,
    /// This process's own places, for when the store cannot say.
    slots: SlotBook,
    /// Whether the store is down, and since when it has answered.
    watch: Watch,
}

#[derive(Debug)]
struct Inner<S> {
    store: S,
    when_down: WhenDown,
    grace: Duration,
    origin: Instant,
    state: Mutex<State>,
    /// One flush at a time: charges of a session must arrive in order.
    flushing: tokio::sync::Mutex<()>,
}

/// A store with a memory for when it is down. Clones are the same.
#[derive(Debug)]
pub struct Resilient<S> {
    inner: Arc<Inner<S>>,
}

impl<S> Clone for Resilient<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S: Slots + Ledger + 'static> Resilient<S> {
    /// How often what waits is tried again.
    pub const RETRY_EVERY: Duration = Duration::from_secs(1);
    /// For so long the store must have answered this process without a gap before anybody's sessions are taken for
    /// crashed: after an outage, and after a start, which may follow one, their processes come back first.
    pub const GRACE: Duration = Duration::from_secs(30);

    /// Wraps a store that other processes use too. Must be called in a tokio runtime: a task writes what waits and looks
    /// whether the store answers, until the last clone is gone.
    pub fn new(store: S, config: &LimitsConfig, when_down: WhenDown) -> Self {
        Self::with_timing(store, config, when_down, Self::RETRY_EVERY, Self::GRACE)
    }

    /// Wraps a store that no other process uses: whatever an earlier process left open is recovered at once.
    pub fn alone(store: S, config: &LimitsConfig, when_down: WhenDown) -> Self {
        Self::with_timing(store, config, when_down, Self::RETRY_EVERY, Duration::ZERO)
    }

    /// The same with times of the caller's choice.
    pub fn with_timing(
        store: S,
        config: &LimitsConfig,
        when_down: WhenDown,
        retry_every: Duration,
        grace: Duration,
    ) -> Self {
        let state = State {
            backlog: Backlog::new(config),
            slots: SlotBook::new(config, LOCAL, None),
            watch: Watch::new(grace, retry_every),
        };
        let inner = Arc::new(Inner {
            store,
            when_down,
            grace,
            origin: Instant::now(),
            state: Mutex::new(state),
            flushing: tokio::sync::Mutex::new(()),
        });
        let weak = Arc::downgrade(&inner);
        tokio::spawn(async move {
            loop {
                let Some(inner) = weak.upgrade() else { return };
                // Tried again in a moment.
                if inner.flush().await.is_ok() {
                    let _ = inner.probe().await;
                }
                drop(inner);
                tokio::time::sleep(retry_every).await;
            }
        });
        Self { inner }
    }

    /// Writes what waits; returns how many sessions still wait.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`] while the store is still down.
    pub async fn flush(&self) -> Result<usize, LimitsError> {
        self.inner.flush().await?;
        Ok(self.waiting())
    }

    /// How many sessions wait to be written.
    pub fn waiting(&self) -> usize {
        self.inner.state().backlog.waiting()
    }

    /// The store itself.
    pub fn store(&self) -> &S {
        &self.inner.store
    }
}

impl<S: Slots + Ledger> Inner<S> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    fn mark_down(&self, error: &LimitsError) {
        if self.state().watch.failed() {
            tracing::warn!(%error, "the store of limits is down: running sessions go on under local limits");
        }
    }

    /// The store took something.
    fn mark_up(&self) {
        let mut state = self.state();
        state.watch.answered(Instant::now());
        if state.watch.worked() {
            tracing::info!("the store of limits is back");
        }
    }

    /// Looks whether the store answers, so that a process with nothing to ask notices an outage as well.
    async fn probe(&self) -> Result<(), LimitsError> {
        if self.grace.is_zero() {
            return Ok(());
        }
        // Nobody's: the cheapest question there is.
        match self.store.usage(UserId::new(0), UtcMillis::new(0)).await {
            Err(error) if error.is_unavailable() => {
                self.mark_down(&error);
                Err(error)
            }
            _ => {
                self.state().watch.answered(Instant::now());
                Ok(())
            }
        }
    }

    /// The epoch that the store knows a session under.
    fn epoch(&self, session: SessionId, given: Epoch) -> Epoch {
        let state = self.state();
        state
            .backlog
            .running
            .get(&session)
            .and_then(|running| running.adopted)
            .unwrap_or(given)
    }
}

impl<S: Slots + Ledger> Slots for Resilient<S> {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.inner.reserve(claim, hold))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.inner.keep(lease, true))
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.inner.keep(lease, false))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        Box::pin(self.inner.release(lease))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        self.inner.store.held()
    }
}

impl<S: Slots + Ledger> Ledger for Resilient<S> {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        self.inner.store.usage(user, now)
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(self.inner.open(opening))
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(self.inner.charge(charge))
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        Box::pin(self.inner.close(closing))
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        self.inner.store.close_record(claim)
    }

    fn recover(&self, now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        Box::pin(self.inner.recover(now))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        self.inner.state().backlog.sweep(now);
        self.inner.store.sweep(now)
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        self.inner.state().backlog.forget_user(user);
        self.inner.store.forget(user, when, now)
    }
}
