// The ports of the limits for one process and no store: what the examples of `goobster_core::session` run on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Books, Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsConfig,
    LimitsError, NodeId, Opening, Recovery, SlotBook, SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::Epoch;
use goobster_core::time::{Moment, UtcMillis};

/// Places and ledger in memory.
pub(crate) struct Local {
    books: Books,
    slots: Mutex<SlotBook>,
    origin: tokio::time::Instant,
}

impl Local {
    /// Nothing is held, nothing was used.
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        Self {
            books: Books::new(limits),
            slots: Mutex::new(SlotBook::new(limits, Epoch::new(1), None)),
            origin: tokio::time::Instant::now(),
        }
    }

    fn slots<T>(&self, act: impl FnOnce(&mut SlotBook, Moment) -> T) -> T {
        let now = Moment::ZERO.after(self.origin.elapsed());
        act(
            &mut self.slots.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }
}

fn ready<'a, T: Send + 'a>(answer: T) -> PortFuture<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Slots for Local {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        ready(self.slots(|slots, now| slots.reserve(NodeId::new(0), claim, hold, now)))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.renew(lease)
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        ready(self.slots(|slots, now| slots.keep(lease, now)))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        ready(Ok(self.slots(|slots, now| slots.release(lease, now))))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        ready(Ok(self.slots(SlotBook::held)))
    }
}

impl Ledger for Local {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        ready(Ok(self.books.usage(user, now)))
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        ready(self.books.open(opening))
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        ready(self.books.charge(charge))
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        ready(self.books.close(closing))
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        ready(self.books.closed(claim))
    }

    fn recover(&self, _now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        ready(Ok(self.books.recover(|_| false)))
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        ready(Ok(self.books.forget(user, when, now).0))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        let (users, records) = self.books.sweep(now);
        ready(Ok(Swept {
            users: users.len(),
            records: records.len(),
        }))
    }
}
