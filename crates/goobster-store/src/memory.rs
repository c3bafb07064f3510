//! The store in memory: for tests, for demonstrations, and for operators who do not mind that a restart forgets.
//!
//! Several [`MemoryStore`]s may share one memory as different processes share one Redis; leases and fencing then behave
//! alike, which makes it the model that the other stores are tested against.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Books, Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsConfig,
    LimitsError, NodeId, Opening, Recovery, SlotBook, SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::Epoch;
use goobster_core::time::{Moment, UtcMillis};
use tokio::time::Instant;

/// What the nodes share.
#[derive(Debug)]
struct Shared {
    books: Books,
    slots: Mutex<SlotBook>,
    origin: Instant,
}

/// A store in memory. Clones are the same process; [`MemoryStore::another_node`] is another one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), goobster_core::limits::LimitsError> {
/// use std::time::Duration;
///
/// use goobster_core::ids::{GuildId, UserId};
/// use goobster_core::limits::{Charge, Closing, Ledger, LimitsConfig, Millis, Opening, SlotClaim, Slots};
/// use goobster_core::session::{ChargeSeq, CloseReason, SessionId};
/// use goobster_core::time::UtcMillis;
/// use goobster_store::MemoryStore;
///
/// let store = MemoryStore::new(&LimitsConfig::default())?;
/// let claim = SlotClaim { session: SessionId::new(1), user: UserId::new(2), guild: GuildId::new(3) };
/// let began = UtcMillis::new(1_800_000_000_000);
///
/// let lease = store.reserve(claim, Duration::from_secs(10)).await?;
/// let lease = store.confirm(lease).await?;
/// store.open(Opening { claim, epoch: lease.epoch, at: began }).await?;
///
/// let at = began.after(Duration::from_secs(5));
/// let charge = Charge { claim, epoch: lease.epoch, seq: ChargeSeq::new(1), delta: Millis::from_secs(5), at };
/// store.charge(charge).await?;
/// store.charge(charge).await?; // a replay changes nothing
/// assert_eq!(store.usage(claim.user, at).await?.used, Millis::from_secs(5));
///
/// let closing = Closing { claim, epoch: lease.epoch, at, reason: CloseReason::EndedByOwner };
/// assert_eq!(store.close(closing).await?.record.charged, Millis::from_secs(5));
/// store.release(lease).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    node: NodeId,
}

impl MemoryStore {
    /// An empty store for one process: confirmed places last until they are released.
    ///
    /// # Errors
    /// [`LimitsError::Configuration`].
    pub fn new(config: &LimitsConfig) -> Result<Self, LimitsError> {
        Self::with_lease(config, None)
    }

    /// An empty store that several nodes may share: places last for `lease` without being renewed.
    ///
    /// # Errors
    /// [`LimitsError::Configuration`].
    pub fn with_lease(config: &LimitsConfig, lease: Option<Duration>) -> Result<Self, LimitsError> {
        config.validate()?;
        let slots = Mutex::new(SlotBook::new(config, Epoch::new(1), lease));
        let shared = Shared {
            books: Books::new(config),
            slots,
            origin: Instant::now(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            node: NodeId::new(0),
        })
    }

    /// The same store, as another process sees it.
    #[must_use]
    pub fn another_node(&self, node: NodeId) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            node,
        }
    }

    fn slots(&self) -> (MutexGuard<'_, SlotBook>, Moment) {
        let now = Moment::ZERO.after(self.shared.origin.elapsed());
        (
            self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }

    fn check_epoch(&self, claim: SlotClaim, epoch: Epoch) -> Result<(), LimitsError> {
        self.slots().0.check_epoch(claim.guild, epoch)
    }
}

/// An answer that is there already.
fn ready<'a, T: Send + 'a>(answer: T) -> PortFuture<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Slots for MemoryStore {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        let (mut slots, now) = self.slots();
        ready(slots.reserve(self.node, claim, hold, now))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.renew(lease)
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        let (mut slots, now) = self.slots();
        ready(slots.keep(lease, now))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        let (mut slots, now) = self.slots();
        ready(Ok(slots.release(lease, now)))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        let (mut slots, now) = self.slots();
        ready(Ok(slots.held(now)))
    }
}

impl Ledger for MemoryStore {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        ready(Ok(self.shared.books.usage(user, now)))
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        ready(
            self.check_epoch(opening.claim, opening.epoch)
                .and_then(|()| self.shared.books.open(opening)),
        )
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        ready(
            self.check_epoch(charge.claim, charge.epoch)
                .and_then(|()| self.shared.books.charge(charge)),
        )
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        let books = &self.shared.books;
        ready(books.closed(closing.claim).and_then(|known| {
            if known.is_none() {
                self.check_epoch(closing.claim, closing.epoch)?;
            }
            books.close(closing)
        }))
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        ready(self.shared.books.closed(claim))
    }

    fn recover(&self, _now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        let (mut slots, now) = self.slots();
        ready(Ok(self
            .shared
            .books
            .recover(|row| slots.holds(row.claim.session, now))))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        let (users, records) = self.shared.books.sweep(now);
        ready(Ok(Swept {
            users: users.len(),
            records: records.len(),
        }))
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        ready(Ok(self.shared.books.forget(user, when, now).0))
    }
}
