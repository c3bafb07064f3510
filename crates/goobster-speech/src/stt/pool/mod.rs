//! The threads that decode: a thin shell around the [`scheduler`](super::scheduler).
//!
//! Decoding is minutes of pure computation for the caller's runtime, so it has OS threads of its own. A worker counts as
//! taken until the engine really returns, even when the caller is gone: an inference cannot be killed, only asked to
//! stop. Each worker owns one engine state, made when first needed and thrown away after a panic.
//!
//! One that does not stop long after it was asked to hangs. Its caller is told, the thread is given up and another takes its
//! place, a few times; then the place is lost, and when all are, the recogniser says that it is down. A thread that comes back
//! after all makes the place good.
//!
//! - here: the front, for callers. `board`: what waits and what runs. `worker`: a worker's life. `watch`: the watchdog.

mod board;
mod watch;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use goobster_core::ports::{
    AbortFlag, RecogniseError, RecogniseRequest, RecogniserLoad, Recognition, SPEECH_RATE,
};
use tokio::sync::oneshot;

use self::board::{Shared, Task};
use super::scheduler::{Full, Job, JobId, Limits};

type Answer = Result<Recognition, RecogniseError>;

/// What does the decoding. Calls come from worker threads, one at a time a state.
pub(crate) trait Engine: Send + Sync + 'static {
    /// What a worker keeps between decodes.
    type State: Send;

    /// Makes a worker's state; slow, large.
    fn make_state(&self) -> Result<Self::State, RecogniseError>;

    /// Decodes. Must return soon after `stop` says so, with [`RecogniseError::Aborted`]. `beside` other decodes run now: those
    /// share the cores with this one.
    fn decode(
        &self,
        state: &mut Self::State,
        request: &RecogniseRequest,
        beside: usize,
        stop: &Stop,
    ) -> Answer;
}

/// Whether a decode is still wanted, by its caller and by the scheduler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    caller: AbortFlag,
    pool: AbortFlag,
}

impl Stop {
    pub(crate) fn is_raised(&self) -> bool {
        self.pool.is_raised() || self.caller.is_raised()
    }
}

/// What the pool has done so far, for logs, metrics and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Decodes that wait now.
    pub waiting: usize,
    /// Decodes that run now, those called off included until they return.
    pub running: usize,
    /// Decodes that gave a result.
    pub completed: u64,
    /// Decodes called off, superseded or cancelled.
    pub aborted: u64,
    /// Decodes refused or displaced because the queue was full.
    pub overloaded: u64,
    /// Decodes that failed.
    pub failed: u64,
    /// Decodes that ran past the limit.
    pub overdue: u64,
    /// Workers that were given up because their decode would not end.
    pub abandoned: u64,
}

/// A fixed number of decoding threads behind a scheduler.
pub(crate) struct DecodePool<E: Engine> {
    shared: Arc<Shared<E>>,
}

impl<E: Engine> DecodePool<E> {
    /// Starts the threads.
    pub(crate) fn new(engine: E, limits: Limits) -> Result<Self, RecogniseError> {
        let shared = Arc::new(Shared::new(engine, limits));
        let pool = Self { shared };
        for number in 0..limits.workers.max(1) {
            Shared::spawn(&pool.shared, format!("stt-{number}"), Shared::work)?;
        }
        Shared::spawn(&pool.shared, "stt-watch".to_owned(), Shared::keep_watch)?;
        Ok(pool)
    }

    pub(crate) fn engine(&self) -> &E {
        &self.shared.engine
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let board = self.shared.lock();
        PoolStats {
            waiting: board.scheduler.waiting(),
            running: board.scheduler.running(),
            ..board.stats
        }
    }

    /// How it does.
    pub(crate) fn load(&self) -> RecogniserLoad {
        let now = self.shared.now();
        let board = self.shared.lock();
        let (urgent, longest_wait) = board.scheduler.urgent(now);
        RecogniserLoad {
            workers: board.workers(),
            waiting: board.scheduler.waiting(),
            urgent,
            longest_wait,
            busy: board.scheduler.busy(now),
            abandoned: board.stats.abandoned,
            down: board.is_down(),
        }
    }

    /// Decodes; dropping the future calls the decode off.
    pub(crate) async fn decode(&self, request: RecogniseRequest) -> Answer {
        if request.abort.is_raised() {
            return Err(RecogniseError::Aborted);
        }
        let (id, answer) = self.submit(request)?;
        // Cancels when this future is dropped; harmless once the decode has ended.
        let _cancel = Cancel {
            shared: &*self.shared,
            id,
        };
        answer.await.unwrap_or(Err(RecogniseError::Aborted))
    }

    fn submit(
        &self,
        request: RecogniseRequest,
    ) -> Result<(JobId, oneshot::Receiver<Answer>), RecogniseError> {
        let job = Job {
            source: request.source,
            class: request.class,
            audio: Duration::from_secs_f64(request.audio.len() as f64 / f64::from(SPEECH_RATE)),
        };
        let mut board = self.shared.lock();
        if board.is_down() {
            return Err(board::down());
        }
        board.forget_unwanted();
        let mut effects = Vec::new();
        let id = match board.scheduler.submit(self.shared.now(), job, &mut effects) {
            Ok(id) => id,
            Err(Full(waiting)) => {
                board.stats.overloaded += 1;
                return Err(RecogniseError::Overloaded { waiting });
            }
        };
        let (answer, receiver) = oneshot::channel();
        let stop = Stop {
            caller: request.abort.clone(),
            pool: AbortFlag::new(),
        };
        board.tasks.insert(
            id,
            Task {
                request,
                answer,
                stop,
            },
        );
        self.shared.apply(&mut board, &effects);
        Ok((id, receiver))
    }
}

impl<E: Engine> Drop for DecodePool<E> {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        board.close();
        self.shared.work.notify_all();
        self.shared.watch.notify_all();
        // The engine must not compute while the process tears its globals down; a hung decode is not waited for.
        let patience = Duration::from_millis(500);
        let ended = self
            .shared
            .watch
            .wait_timeout_while(board, patience, |board| board.threads > 0);
        if ended.is_err() || ended.is_ok_and(|(_, waited)| waited.timed_out()) {
            tracing::warn!("a speech decode still runs while its recogniser is dropped");
        }
    }
}

/// Calls a decode off when its caller goes away.
struct Cancel<'a, E: Engine> {
    shared: &'a Shared<E>,
    id: JobId,
}

impl<E: Engine> Drop for Cancel<'_, E> {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        let mut effects = Vec::new();
        board.scheduler.cancelled(self.id, &mut effects);
        if board.tasks.remove(&self.id).is_some() {
            board.stats.aborted += 1;
        }
        self.shared.apply(&mut board, &effects);
    }
}

#[cfg(test)]
mod tests;
