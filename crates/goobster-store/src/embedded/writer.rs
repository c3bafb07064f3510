//! The one writer thread: takes what callers ask, a batch at a time, and answers when the batch is on disk.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Books, Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, LimitsConfig, LimitsError,
    Opening, Recovery, SlotBook, SlotClaim, Swept,
};
use goobster_core::session::{Epoch, SessionId};
use goobster_core::time::{Moment, UtcMillis};
use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::file::{Place, from_redb};
use super::tables;

/// At most so many operations share a commit.
const BATCH: usize = 1024;
/// After a failed commit the file is opened again, at most this often.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

pub(super) type Reply<T> = oneshot::Sender<Result<T, LimitsError>>;

/// What callers ask of the writer.
#[derive(Debug)]
pub(super) enum Job {
    Open(Opening, Reply<Charged>),
    Charge(Charge, Reply<Charged>),
    Close(Closing, Reply<Closed>),
    /// A session's record, once it is on disk.
    Record(SlotClaim, Reply<Option<CloseRecord>>),
    Recover(Reply<Recovery>),
    Sweep(UtcMillis, Reply<Swept>),
    Forget(UserId, Forget, UtcMillis, Reply<Forgotten>),
    /// Commit what waits, close the file, and end.
    Stop(oneshot::Sender<()>),
}

/// An answer that waits for its commit. Called with the error if the commit failed.
type Pending = Box<dyn FnOnce(Option<LimitsError>) + Send>;

/// What the writer shares with the handles: the books for reading, and the places.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: LimitsConfig,
    pub(super) books: RwLock<Arc<Books>>,
    pub(super) slots: Mutex<SlotBook>,
    pub(super) generation: Epoch,
    pub(super) origin: tokio::time::Instant,
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    pub(super) fn books(&self) -> Arc<Books> {
        Arc::clone(&self.books.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Rows that a batch touched.
#[derive(Debug, Default)]
struct Touched {
    users: HashSet<UserId>,
    sessions: HashSet<SessionId>,
}

/// The writer's own state.
pub(super) struct Writer {
    pub(super) place: Place,
    /// `None` after a failed commit, until the file was opened again.
    pub(super) db: Option<Database>,
    pub(super) shared: Arc<Shared>,
    pub(super) linger: Duration,
    pub(super) tried: Option<Instant>,
}

impl Writer {
    /// Runs until the handles are gone or a stop is asked for.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut stopped = None;
        while stopped.is_none()
            && let Some(first) = jobs.blocking_recv()
        {
            // Others tick at the same time: a short wait lets them share the commit.
            if !matches!(first, Job::Stop(_)) {
                std::thread::sleep(self.linger);
            }
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            stopped = self.batch(batch);
        }
        drop(self);
        if let Some(done) = stopped {
            // Nobody waits any more: fine.
            let _ = done.send(());
        }
    }

    fn batch(&mut self, batch: Vec<Job>) -> Option<oneshot::Sender<()>> {
        let down = self.ensure_open().err();
        let books = self.shared.books();
        let (mut touched, mut pending, mut stop) = (Touched::default(), Vec::new(), None);
        for job in batch {
            match (job, &down) {
                (Job::Stop(done), _) => stop = Some(done),
                (job, None) => pending.push(apply(&self.shared, &books, job, &mut touched)),
                (job, Some(error)) => refuse(job, error),
            }
        }
        let failed = match &self.db {
            Some(db) if !touched.is_empty() => write(db, &books, &touched).err(),
            _ => None,
        };
        if let Some(error) = &failed {
            tracing::error!(%error, "the store of limits cannot be written; running sessions go on under local limits");
            // What is in memory was never written: forget it, and read what was when the disk is back.
            self.db = None;
            self.tried = Some(Instant::now());
        }
        for answer in pending {
            answer(failed.as_ref().map(|error| down_error(&error.to_string())));
        }
        stop
    }

    fn ensure_open(&mut self) -> Result<(), LimitsError> {
        if self.db.is_some() {
            return Ok(());
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < REOPEN_EVERY) {
            return Err(down_error("its last commit failed"));
        }
        self.tried = Some(Instant::now());
        let (db, contents) = self.place.reopen(self.shared.generation)?;
        let books = Arc::new(load(&self.shared.config, contents));
        *self.shared.books.write().unwrap_or_else(PoisonError::into_inner) = books;
        self.db = Some(db);
        tracing::info!("the store of limits can be written again");
        Ok(())
    }
}

impl Touched {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.sessions.is_empty()
    }
}

/// Books with what was stored.
pub(super) fn load(config: &LimitsConfig, contents: tables::Contents) -> Books {
    let books = Books::new(config);
    for (user, account) in contents.accounts {
        books.restore_account(user, account);
    }
    for row in contents.open {
        books.restore_open(row);
    }
    for record in contents.closed {
        books.restore_closed(record);
    }
    books
}

fn down_error(why: &str) -> LimitsError {
    LimitsError::Unavailable {
        what: format!("the store's file cannot be written: {why}"),
        cause: None,
    }
}

/// Sends the answer once it is durable. A caller that no longer waits is no error.
fn later<T: Send + 'static>(answer: Result<T, LimitsError>, reply: Reply<T>) -> Pending {
    Box::new(move |failed| drop(reply.send(failed.map_or(answer, Err))))
}

fn refuse(job: Job, error: &LimitsError) {
    let error = || down_error(&error.to_string());
    match job {
        Job::Open(_, reply) | Job::Charge(_, reply) => drop(reply.send(Err(error()))),
        Job::Close(_, reply) => drop(reply.send(Err(error()))),
        Job::Record(_, reply) => drop(reply.send(Err(error()))),
        Job::Recover(reply) => drop(reply.send(Err(error()))),
        Job::Sweep(_, reply) => drop(reply.send(Err(error()))),
        Job::Forget(_, _, _, reply) => drop(reply.send(Err(error()))),
        Job::Stop(_) => {}
    }
}

/// Does one job in memory and notes which rows changed.
fn apply(shared: &Shared, books: &Books, job: Job, touched: &mut Touched) -> Pending {
    match job {
        Job::Open(opening, reply) => {
            touched.users.insert(opening.claim.user);
            touched.sessions.insert(opening.claim.session);
            later(books.open(opening), reply)
        }
        Job::Charge(charge, reply) => {
            touched.users.insert(charge.claim.user);
            touched.sessions.insert(charge.claim.session);
            later(books.charge(charge), reply)
        }
        Job::Close(closing, reply) => {
            touched.sessions.insert(closing.claim.session);
            later(books.close(closing), reply)
        }
        Job::Record(claim, reply) => later(books.closed(claim), reply),
        Job::Recover(reply) => {
            let now = shared.now();
            let mut slots = shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let recovery =
                books.recover(|row| row.epoch == shared.generation && slots.holds(row.claim.session, now));
            touched
                .sessions
                .extend(recovery.crashed.iter().map(|record| record.claim.session));
            later(Ok(recovery), reply)
        }
        Job::Sweep(now, reply) => {
            let (users, records) = books.sweep(now);
            let swept = Swept {
                users: users.len(),
                records: records.len(),
            };
            touched.users.extend(users);
            touched.sessions.extend(records);
            later(Ok(swept), reply)
        }
        Job::Forget(user, when, now, reply) => {
            let (forgotten, records) = books.forget(user, when, now);
            touched.users.insert(user);
            touched.sessions.extend(records);
            later(Ok(forgotten), reply)
        }
        Job::Stop(_) => Box::new(|_| {}),
    }
}

/// Writes the touched rows as the books have them now, in one durable commit.
fn write(db: &Database, books: &Books, touched: &Touched) -> Result<(), LimitsError> {
    let written = (|| -> Result<(), redb::Error> {
        let txn = db.begin_write()?;
        for &user in &touched.users {
            tables::put_account(&txn, user, books.quotas().account(user).as_ref())?;
        }
        for &session in &touched.sessions {
            tables::put_open(&txn, session.get(), books.open_session(session).as_ref())?;
            tables::put_closed(&txn, session.get(), books.close_record(session).as_ref())?;
        }
        Ok(txn.commit()?)
    })();
    written.map_err(|error| from_redb("the store", error))
}
