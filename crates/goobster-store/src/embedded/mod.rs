//! The embedded store: one crash-safe file of this process's own, with the books in memory and one writer thread that
//! commits in groups.
//!
//! An answer means: it is on disk. So a crash loses at most what was not asked yet, which is a session's current tick,
//! and what was asked but not answered, which is one commit interval.

mod check;
mod file;
mod tables;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

pub use check::{CheckReport, RepairMode, RepairReport, check, repair};
pub(crate) use check::{keep_aside, read_whole, write_whole};
use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsConfig, LimitsError,
    NodeId, Opening, Recovery, SlotBook, SlotClaim, SlotLease, Slots, SlotsHeld, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::Epoch;
use goobster_core::time::{Moment, UtcMillis};
use redb::StorageBackend;
use tokio::sync::{mpsc, oneshot};

use self::file::{Place, SharedBackend};
pub(crate) use self::tables::Contents;
use self::writer::{Job, Reply, Shared, Writer};

/// How many operations may wait for the writer; more wait for a place.
const QUEUE: usize = 1024;
/// How long a caller waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// This process; a file has only one.
const NODE: NodeId = NodeId::new(0);

/// A store in one file.
///
/// Opening it begins a new generation: what an earlier process still tries to charge is fenced off. Call
/// [`recover`](Ledger::recover) next, which closes the sessions that the last process left open.
///
/// ```no_run
/// # async fn start() -> Result<(), goobster_core::limits::LimitsError> {
/// use goobster_core::limits::{Ledger, LimitsConfig};
/// use goobster_core::time::UtcMillis;
/// use goobster_store::EmbeddedStore;
///
/// let store = EmbeddedStore::open("goobster.redb", &LimitsConfig::default(), EmbeddedStore::COMMIT_INTERVAL).await?;
/// for record in store.recover(UtcMillis::new(1_800_000_000_000)).await?.crashed {
///     println!("session {} had run for {}", record.claim.session, record.charged);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

impl EmbeddedStore {
    /// How long the writer waits for others to share a commit, by default: 10 ms.
    pub const COMMIT_INTERVAL: Duration = Duration::from_millis(10);

    /// Opens a store's file, or creates it where there is none.
    ///
    /// # Errors
    /// [`LimitsError::Corrupt`] for a file that is damaged, half written, empty or no store at all: it is left as it is.
    /// [`LimitsError::Unavailable`] when another process has it open or the disk fails; [`LimitsError::Configuration`].
    pub async fn open(
        path: impl Into<PathBuf>,
        config: &LimitsConfig,
        commit_interval: Duration,
    ) -> Result<Self, LimitsError> {
        Self::start(Place::File(path.into()), config, commit_interval).await
    }

    /// Opens a store on a backend of the caller's, which a test uses to make the disk fail.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`].
    pub async fn open_backend(
        backend: Arc<dyn StorageBackend>,
        config: &LimitsConfig,
        commit_interval: Duration,
    ) -> Result<Self, LimitsError> {
        Self::start(Place::Backend(SharedBackend(backend)), config, commit_interval).await
    }

    async fn start(place: Place, config: &LimitsConfig, linger: Duration) -> Result<Self, LimitsError> {
        config.validate()?;
        let config = *config;
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let (opened, ready) = oneshot::channel();
        let thread = std::thread::Builder::new().name("goobster-store".into());
        let origin = tokio::time::Instant::now();
        thread
            .spawn(move || {
                let opening = place.open().and_then(|(db, contents)| {
                    let generation = tables::next_generation(&db, contents.generation)
                        .map_err(|error| file::from_redb("the store", error))?;
                    Ok((db, Epoch::new(generation), writer::load(&config, contents)))
                });
                match opening {
                    Err(error) => drop(opened.send(Err(error))),
                    Ok((db, generation, books)) => {
                        let slots = Mutex::new(SlotBook::new(&config, generation, None));
                        let books = RwLock::new(Arc::new(books));
                        let shared = Arc::new(Shared {
                            config,
                            books,
                            slots,
                            generation,
                            origin,
                        });
                        if opened.send(Ok(Arc::clone(&shared))).is_ok() {
                            Writer {
                                place,
                                db: Some(db),
                                shared,
                                linger,
                                tried: None,
                            }
                            .run(receiver);
                        }
                    }
                }
            })
            .map_err(|error| LimitsError::unavailable("starting the store's thread", error))?;
        let shared = ready
            .await
            .map_err(|error| LimitsError::unavailable("opening the store", error))??;
        Ok(Self { shared, jobs })
    }

    /// Commits what waits and closes the file; returns when it is closed. Without it the file closes a moment after
    /// the handle is dropped, and nothing that was answered is lost either way.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`] when the disk takes too long.
    pub async fn shut_down(self) -> Result<(), LimitsError> {
        let (done, closed) = oneshot::channel();
        let late = |error| LimitsError::unavailable("closing the store", error);
        // A writer that is gone has closed the file.
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            let _ = tokio::time::timeout(PATIENCE, closed).await.map_err(late)?;
        }
        Ok(())
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, LimitsError> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            if self.jobs.send(job(reply)).await.is_err() {
                return Err(LimitsError::Unavailable {
                    what: "the store was closed".into(),
                    cause: None,
                });
            }
            answer
                .await
                .map_err(|error| LimitsError::unavailable("the store's thread ended", error))?
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .unwrap_or_else(|late| Err(LimitsError::unavailable("the disk takes too long", late)))
    }

    fn slots(&self) -> (MutexGuard<'_, SlotBook>, Moment) {
        (
            self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner),
            self.shared.now(),
        )
    }

    fn check_epoch(&self, claim: SlotClaim, epoch: Epoch) -> Result<(), LimitsError> {
        self.slots().0.check_epoch(claim.guild, epoch)
    }
}

impl Slots for EmbeddedStore {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(async move {
            let (mut slots, now) = self.slots();
            slots.reserve(NODE, claim, hold, now)
        })
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        self.renew(lease)
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(async move {
            let (mut slots, now) = self.slots();
            slots.keep(lease, now)
        })
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        Box::pin(async move {
            let (mut slots, now) = self.slots();
            Ok(slots.release(lease, now))
        })
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        Box::pin(async move {
            let (mut slots, now) = self.slots();
            Ok(slots.held(now))
        })
    }
}

impl Ledger for EmbeddedStore {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        Box::pin(async move { Ok(self.shared.books().usage(user, now)) })
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(async move {
            self.check_epoch(opening.claim, opening.epoch)?;
            self.ask(|reply| Job::Open(opening, reply)).await
        })
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(async move {
            self.check_epoch(charge.claim, charge.epoch)?;
            self.ask(|reply| Job::Charge(charge, reply)).await
        })
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        Box::pin(async move {
            // A record may only be shown once it is on disk, so that even a known one goes through the writer.
            if self.shared.books().closed(closing.claim)?.is_none() {
                self.check_epoch(closing.claim, closing.epoch)?;
            }
            self.ask(|reply| Job::Close(closing, reply)).await
        })
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        // Through the writer, for the same reason as a close.
        Box::pin(self.ask(move |reply| Job::Record(claim, reply)))
    }

    fn recover(&self, _now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        Box::pin(self.ask(Job::Recover))
    }

    fn sweep(&self, now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        Box::pin(self.ask(move |reply| Job::Sweep(now, reply)))
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        Box::pin(self.ask(move |reply| Job::Forget(user, when, now, reply)))
    }
}
