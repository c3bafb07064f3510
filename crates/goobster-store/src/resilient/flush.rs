//! Writing what was kept: session by session, each in its order, and no session waits for another one's trouble.

use std::time::Duration;

use goobster_core::limits::{Charge, Closing, Ledger, LimitsError, Opening, SlotClaim, SlotLease, Slots};
use goobster_core::session::{Epoch, SessionId};

use super::Inner;

/// How long a place is held between taking and confirming it.
const HOLD: Duration = Duration::from_secs(30);

/// What a session owes next.
enum Next {
    Charge(Charge),
    Close(Closing),
    Nothing,
}

impl<S: Slots + Ledger> Inner<S> {
    pub(super) async fn flush(&self) -> Result<(), LimitsError> {
        let _one = self.flushing.lock().await;
        let sessions: Vec<SessionId> = {
            let state = self.state();
            let running = state.backlog.running.iter();
            running
                .filter(|(_, running)| running.owes())
                .map(|(&session, _)| session)
                .collect()
        };
        if sessions.is_empty() {
            return Ok(());
        }
        for session in sessions {
            match self.flush_session(session).await {
                Ok(()) => self.mark_up(),
                Err(error) if error.is_unavailable() => {
                    self.mark_down(&error);
                    return Err(error);
                }
                Err(error @ LimitsError::Corrupt { .. }) => self.wait_for_repair(session, &error),
                Err(error) => self.give_up(session, &error),
            }
        }
        if !self.state().backlog.owes() {
            tracing::info!("what was kept for the store of limits is written");
        }
        Ok(())
    }

    /// Writes what one session owes, in its order.
    async fn flush_session(&self, session: SessionId) -> Result<(), LimitsError> {
        let Some(running) = self.state().backlog.running.get(&session).cloned() else {
            return Ok(());
        };
        let claim = running.row.claim;
        let mut epoch = running.adopted.unwrap_or(running.row.epoch);
        let mut lost = None;
        if let Some(opening) = running.opening {
            epoch = self.enter(opening).await?;
        } else if running.closing.is_none() && running.sent.is_some() {
            // A session that has ended needs no place any more.
            lost = match self.hold_on(claim, epoch).await {
                Ok(_) => None,
                Err(error) if error.ends_session() => Some(error),
                Err(error) => return Err(error),
            };
        }
        // Without its place the session must end, but the ledger still takes what it used.
        loop {
            match self.next(session) {
                Next::Charge(charge) => {
                    let charged = self.store.charge(Charge { epoch, ..charge }).await?;
                    let mut state = self.state();
                    if let Some(running) = state.backlog.running.get_mut(&session) {
                        (running.sent, running.stuck) = (None, false);
                    }
                    state.backlog.learn(claim.user, &charged.usage, charge.at);
                }
                Next::Close(closing) => {
                    self.store.close(Closing { epoch, ..closing }).await?;
                    let lease = SlotLease {
                        claim,
                        epoch,
                        good_for: None,
                    };
                    self.store.release(lease).await?;
                    self.state().backlog.forget(claim);
                    return Ok(());
                }
                Next::Nothing => break,
            }
        }
        if let Some(error) = lost {
            tracing::warn!(%session, %error, "a session that ran on during the outage must end; what it used is written");
            if let Some(running) = self.state().backlog.running.get_mut(&session) {
                running.lost = true;
            }
        }
        Ok(())
    }

    /// What is written next. It must not change any more: it may arrive although nobody hears so.
    fn next(&self, session: SessionId) -> Next {
        let mut state = self.state();
        let Some(running) = state.backlog.running.get_mut(&session) else {
            return Next::Nothing;
        };
        if running.sent.is_none() {
            running.sent = running.unsent.take();
        }
        match (running.sent, running.closing) {
            (Some(charge), _) => Next::Charge(charge),
            (None, Some(closing)) => Next::Close(closing),
            (None, None) => Next::Nothing,
        }
    }

    /// Enters a session that began while the store was down, and returns the epoch it has there.
    async fn enter(&self, opening: Opening) -> Result<Epoch, LimitsError> {
        let claim = opening.claim;
        let lease = self.store.reserve(claim, HOLD).await?;
        let lease = self.store.confirm(lease).await?;
        let epoch = lease.epoch;
        if let Err(error) = self.store.open(Opening { epoch, ..opening }).await {
            if !error.is_unavailable() {
                // What cannot be given back now times out by itself.
                let _ = self.store.release(lease).await;
            }
            return Err(error);
        }
        if let Some(running) = self.state().backlog.running.get_mut(&claim.session) {
            (running.opening, running.adopted) = (None, Some(epoch));
        }
        Ok(epoch)
    }

    /// The place may have timed out while the store was away: it is taken again, if nobody took the guild over.
    pub(super) async fn hold_on(&self, claim: SlotClaim, epoch: Epoch) -> Result<SlotLease, LimitsError> {
        let lease = SlotLease {
            claim,
            epoch,
            good_for: None,
        };
        match self.store.renew(lease).await {
            Err(LimitsError::LeaseLost { .. }) => {
                let again = match self.store.reserve(claim, HOLD).await {
                    Err(LimitsError::Refused(refusal)) => {
                        tracing::warn!(session = %claim.session, %refusal, "its place is another one's by now");
                        return Err(LimitsError::LeaseLost {
                            session: claim.session,
                        });
                    }
                    again => again?,
                };
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

    /// The store's data on this session or its owner is damaged: what is owed is kept until somebody repairs it.
    fn wait_for_repair(&self, session: SessionId, error: &LimitsError) {
        let mut state = self.state();
        let running = state.backlog.running.get_mut(&session);
        if running.is_some_and(|running| !std::mem::replace(&mut running.stuck, true)) {
            tracing::error!(%session, %error, "what was kept of a session waits until the store's data is repaired");
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
}
