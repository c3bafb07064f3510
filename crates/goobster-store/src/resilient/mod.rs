//! A store that may be down for a while: running sessions go on under local limits, what they use is kept and written
//! when the store returns, and new sessions follow a configured policy.

mod backlog;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Ledger, LimitsConfig, LimitsError, NodeId, Opening,
    Recovery, Refusal, Rules, SlotBook, SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::{Epoch, SessionId};
use goobster_core::time::{Moment, UtcMillis};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::backlog::Backlog;

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

/// So many sessions at most may wait to be written before new ones are refused whatever the policy.
const MOST_WAITING: usize = 4096;
/// The epoch of a session that the store does not know yet; stores give out higher ones.
const LOCAL: Epoch = Epoch::new(0);

#[derive(Debug)]
struct State {
    backlog: Backlog,
    /// This process's own places, for when the store cannot say.
    slots: SlotBook,
    /// When the store was last found to be down.
    down: Option<Instant>,
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
    /// For so long after an outage nobody's sessions are taken for crashed: their processes come back first.
    pub const GRACE: Duration = Duration::from_secs(30);

    /// Wraps a store. Must be called in a tokio runtime: a task writes what waits, until the last clone is gone.
    pub fn new(store: S, config: &LimitsConfig, when_down: WhenDown) -> Self {
        Self::with_timing(store, config, when_down, Self::RETRY_EVERY, Self::GRACE)
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
            down: None,
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
                tokio::time::sleep(retry_every).await;
                let Some(inner) = weak.upgrade() else { return };
                // Tried again in a moment.
                let _ = inner.flush().await;
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
        let mut state = self.state();
        if state.down.replace(Instant::now()).is_none() {
            tracing::warn!(%error, "the store of limits is down: running sessions go on under local limits");
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

    async fn flush(&self) -> Result<(), LimitsError> {
        let _one = self.flushing.lock().await;
        if !self.state().backlog.owes() {
            return Ok(());
        }
        let sessions: Vec<SessionId> = self.state().backlog.running.keys().copied().collect();
        for session in sessions {
            match self.flush_session(session).await {
                Err(error) if error.is_unavailable() => {
                    self.mark_down(&error);
                    return Err(error);
                }
                Err(error) => self.give_up(session, &error),
                Ok(()) => {}
            }
        }
        tracing::info!("the store of limits is back: what was kept is written");
        Ok(())
    }

    /// Writes what one session owes, in its order.
    async fn flush_session(&self, session: SessionId) -> Result<(), LimitsError> {
        let Some(running) = self.state().backlog.running.get(&session).cloned() else {
            return Ok(());
        };
        let claim = running.row.claim;
        let mut epoch = running.adopted.unwrap_or(running.row.epoch);
        if let Some(opening) = running.opening {
            let lease = self.store.reserve(claim, Duration::from_secs(30)).await?;
            let lease = self.store.confirm(lease).await?;
            epoch = lease.epoch;
            self.store.open(Opening { epoch, ..opening }).await?;
            if let Some(running) = self.state().backlog.running.get_mut(&session) {
                (running.opening, running.adopted) = (None, Some(epoch));
            }
        }
        // A session that has ended needs no place any more. One whose place is somebody else's by now must end, but what it
        // used is owed all the same: it is written first.
        let mut place_lost = None;
        if running.opening.is_none() && running.closing.is_none() && running.sent.is_some() {
            match self.hold_on(claim, epoch).await {
                Err(error @ LimitsError::Refused(_)) => place_lost = Some(error),
                held => {
                    held?;
                }
            }
        }
        loop {
            // What is about to be sent must not change any more.
            let next = match self.state().backlog.running.get_mut(&session) {
                Some(running) => {
                    if running.sent.is_none() {
                        running.sent = running.unsent.take();
                    }
                    running.sent
                }
                None => None,
            };
            let Some(charge) = next else { break };
            let charged = self.store.charge(Charge { epoch, ..charge }).await?;
            let mut state = self.state();
            if let Some(running) = state.backlog.running.get_mut(&session) {
                running.sent = None;
            }
            state.backlog.learn(claim.user, &charged.usage, charge.at);
        }
        if let Some(closing) = running.closing {
            self.store.close(Closing { epoch, ..closing }).await?;
            self.store
                .release(SlotLease {
                    claim,
                    epoch,
                    good_for: None,
                })
                .await?;
            self.state().backlog.forget(claim);
        }
        place_lost.map_or(Ok(()), Err)
    }

    /// The place may have timed out while the store was away: it is taken again, if nobody took the guild over.
    async fn hold_on(&self, claim: SlotClaim, epoch: Epoch) -> Result<SlotLease, LimitsError> {
        let lease = SlotLease {
            claim,
            epoch,
            good_for: None,
        };
        match self.store.renew(lease).await {
            Err(LimitsError::LeaseLost { .. }) => {
                let again = self.store.reserve(claim, Duration::from_secs(30)).await?;
                if again.epoch != epoch {
                    self.store.release(again).await?;
                    return Err(LimitsError::Fenced {
                        guild: claim.guild,
                        held: epoch,
                        current: again.epoch,
                    });
                }
                self.store.confirm(again).await
            }
            kept => kept,
        }
    }

    /// The store will never take what this session owes.
    fn give_up(&self, session: SessionId, error: &LimitsError) {
        let mut state = self.state();
        let Some(running) = state.backlog.running.get_mut(&session) else {
            return;
        };
        let owed = [running.sent, running.unsent].into_iter().flatten();
        let lost: u64 = owed.map(|charge| charge.delta.get()).sum();
        tracing::error!(%session, %error, lost_ms = lost, "the store refuses what was kept of a session");
        (running.lost, running.opening, running.sent, running.unsent) = (true, None, None, None);
        if running.closing.is_some() {
            let claim = running.row.claim;
            state.backlog.forget(claim);
        }
    }

    async fn reserve(&self, claim: SlotClaim, hold: Duration) -> Result<SlotLease, LimitsError> {
        match self.store.reserve(claim, hold).await {
            Err(error @ LimitsError::Unavailable { .. }) => {
                self.mark_down(&error);
                self.refuse_new()?;
                let now = self.now();
                self.state().slots.reserve(NodeId::new(0), claim, hold, now)
            }
            Ok(lease) => {
                let now = self.now();
                // Counted here too, so that the local limits know of it. The store's word is what counts.
                let _ = self.state().slots.reserve(NodeId::new(0), claim, hold, now);
                Ok(lease)
            }
            refused => refused,
        }
    }

    fn refuse_new(&self) -> Result<(), LimitsError> {
        let full = self.state().backlog.waiting() >= MOST_WAITING;
        if self.when_down == WhenDown::Refuse || full {
            Err(Refusal::StoreDown.into())
        } else {
            Ok(())
        }
    }

    /// Confirms (`new`) or renews a place.
    async fn keep(&self, lease: SlotLease, new: bool) -> Result<SlotLease, LimitsError> {
        let session = lease.claim.session;
        let now = self.now();
        let _ = self.state().slots.keep(
            SlotLease {
                epoch: LOCAL,
                ..lease
            },
            now,
        );
        let running = self
            .state()
            .backlog
            .running
            .get(&session)
            .map(|running| (running.lost, running.opening));
        match running {
            Some((true, _)) => return Err(LimitsError::LeaseLost { session }),
            // Not in the store yet.
            Some((false, Some(_))) => return Ok(lease),
            _ => {}
        }
        let epoch = self.epoch(session, lease.epoch);
        if epoch == LOCAL {
            return Ok(lease);
        }
        let kept = if new {
            self.store.confirm(SlotLease { epoch, ..lease }).await
        } else {
            self.hold_on(lease.claim, epoch).await
        };
        match kept {
            Ok(kept) => Ok(SlotLease {
                epoch: lease.epoch,
                ..kept
            }),
            Err(error @ LimitsError::Unavailable { .. }) => {
                self.mark_down(&error);
                if new {
                    self.refuse_new()?;
                }
                Ok(lease)
            }
            Err(error) => Err(error),
        }
    }

    async fn release(&self, lease: SlotLease) -> Result<bool, LimitsError> {
        let session = lease.claim.session;
        let now = self.now();
        let (local, waits) = {
            let mut state = self.state();
            let local = state.slots.release(
                SlotLease {
                    epoch: LOCAL,
                    ..lease
                },
                now,
            );
            (
                local,
                state
                    .backlog
                    .running
                    .get(&session)
                    .is_some_and(backlog::Running::owes),
            )
        };
        if waits {
            // Released when the rest is written.
            return Ok(local);
        }
        let epoch = self.epoch(session, lease.epoch);
        self.state().backlog.forget(lease.claim);
        if epoch == LOCAL {
            return Ok(local);
        }
        self.store.release(SlotLease { epoch, ..lease }).await
    }

    async fn open(&self, opening: Opening) -> Result<Charged, LimitsError> {
        let answer = if opening.epoch == LOCAL {
            Err(LimitsError::Unavailable {
                what: "the store was down when the session began".into(),
                cause: None,
            })
        } else {
            self.store.open(opening).await
        };
        match answer {
            Ok(charged) => {
                let mut state = self.state();
                state.backlog.entry(opening.claim, opening.epoch, opening.at);
                state
                    .backlog
                    .learn(opening.claim.user, &charged.usage, opening.at);
                Ok(charged)
            }
            Err(error @ LimitsError::Unavailable { .. }) => {
                self.mark_down(&error);
                self.refuse_new()?;
                let mut state = self.state();
                Rules::admit(&state.backlog.usage(opening.claim.user, opening.at))?;
                Ok(state.backlog.begin(opening))
            }
            Err(error) => Err(error),
        }
    }

    async fn charge(&self, charge: Charge) -> Result<Charged, LimitsError> {
        let session = charge.claim.session;
        {
            let mut state = self.state();
            match state.backlog.running.get(&session) {
                Some(running) if running.lost => return Err(LimitsError::LeaseLost { session }),
                // After what waits already, never before it.
                Some(running) if running.owes() => return Ok(state.backlog.keep(charge, false)),
                _ => {}
            }
        }
        let epoch = self.epoch(session, charge.epoch);
        match self.store.charge(Charge { epoch, ..charge }).await {
            Ok(charged) => {
                let mut state = self.state();
                state.backlog.note(&charge);
                state.backlog.learn(charge.claim.user, &charged.usage, charge.at);
                Ok(charged)
            }
            Err(error @ LimitsError::Unavailable { .. }) => {
                self.mark_down(&error);
                Ok(self.state().backlog.keep(charge, true))
            }
            Err(error) => Err(error),
        }
    }

    async fn close(&self, closing: Closing) -> Result<Closed, LimitsError> {
        let session = closing.claim.session;
        {
            let mut state = self.state();
            if state
                .backlog
                .running
                .get(&session)
                .is_some_and(backlog::Running::owes)
            {
                return Ok(state.backlog.end(closing));
            }
        }
        let epoch = self.epoch(session, closing.epoch);
        match self.store.close(Closing { epoch, ..closing }).await {
            Err(error @ LimitsError::Unavailable { .. }) => {
                self.mark_down(&error);
                Ok(self.state().backlog.end(closing))
            }
            answer => answer,
        }
    }

    async fn recover(&self, now: UtcMillis) -> Result<Recovery, LimitsError> {
        self.flush().await?;
        let since = self.state().down.map(|down| down.elapsed());
        if since.is_some_and(|since| since < self.grace) {
            return Ok(Recovery::default());
        }
        let recovery = self.store.recover(now).await.inspect_err(|error| {
            if error.is_unavailable() {
                self.mark_down(error);
            }
        })?;
        self.state().down = None;
        Ok(recovery)
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
}
