//! What callers ask: of the store while it answers, and of what is remembered here while it is down.

use std::time::Duration;

use goobster_core::limits::{
    Charge, Charged, Closed, Closing, Ledger, LimitsError, NodeId, Opening, Recovery, Refusal, Rules,
    SlotClaim, SlotLease, Slots,
};
use goobster_core::time::UtcMillis;
use tokio::time::Instant;

use super::{Inner, LOCAL, WhenDown, backlog};

/// So many sessions at most may wait to be written before new ones are refused whatever the policy.
const MOST_WAITING: usize = 4096;

impl<S: Slots + Ledger> Inner<S> {
    pub(super) async fn reserve(&self, claim: SlotClaim, hold: Duration) -> Result<SlotLease, LimitsError> {
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
    pub(super) async fn keep(&self, lease: SlotLease, new: bool) -> Result<SlotLease, LimitsError> {
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

    pub(super) async fn release(&self, lease: SlotLease) -> Result<bool, LimitsError> {
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

    pub(super) async fn open(&self, opening: Opening) -> Result<Charged, LimitsError> {
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
                self.mark_up();
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

    pub(super) async fn charge(&self, charge: Charge) -> Result<Charged, LimitsError> {
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
                self.mark_up();
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

    pub(super) async fn close(&self, closing: Closing) -> Result<Closed, LimitsError> {
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

    /// Nobody is taken for crashed before the store has answered for a while: see [`Resilient::GRACE`](super::Resilient).
    pub(super) async fn recover(&self, now: UtcMillis) -> Result<Recovery, LimitsError> {
        self.flush().await?;
        self.probe().await?;
        if self.state().watch.steady(Instant::now()) < self.grace {
            return Ok(Recovery::default());
        }
        let recovery = self.store.recover(now).await.inspect_err(|error| {
            if error.is_unavailable() {
                self.mark_down(error);
            }
        })?;
        self.mark_up();
        Ok(recovery)
    }
}
