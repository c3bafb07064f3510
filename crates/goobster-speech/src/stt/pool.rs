//! The threads that decode: a thin shell around the [`scheduler`](super::scheduler).
//!
//! Decoding is minutes of pure computation for the caller's runtime, so it has OS threads of its own. A worker counts as
//! taken until the engine really returns, even when the caller is gone: an inference cannot be killed, only asked to
//! stop. Each worker owns one engine state, made when first needed and thrown away after a panic.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use goobster_core::ports::{AbortFlag, RecogniseError, RecogniseRequest, Recognition, SPEECH_RATE};
use goobster_core::time::Moment;
use tokio::sync::oneshot;

use super::scheduler::{Effect, Full, Job, JobId, Limits, Scheduler};

type Answer = Result<Recognition, RecogniseError>;

/// What does the decoding. Calls come from worker threads, one at a time a state.
pub(crate) trait Engine: Send + Sync + 'static {
    /// What a worker keeps between decodes.
    type State: Send;

    /// Makes a worker's state; slow, large.
    fn make_state(&self) -> Result<Self::State, RecogniseError>;

    /// Decodes. Must return soon after `stop` says so, with [`RecogniseError::Aborted`].
    fn decode(&self, state: &mut Self::State, request: &RecogniseRequest, stop: &Stop) -> Answer;
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
}

struct Task {
    request: RecogniseRequest,
    answer: oneshot::Sender<Answer>,
    stop: Stop,
}

struct Underway {
    stop: Stop,
    /// How long it had run when it was found to hang.
    hangs: Option<Duration>,
}

struct Board {
    scheduler: Scheduler,
    tasks: HashMap<JobId, Task>,
    ready: VecDeque<JobId>,
    /// What runs; the task itself is with its worker.
    running: HashMap<JobId, Underway>,
    stats: PoolStats,
    closed: bool,
    threads: usize,
}

struct Shared<E> {
    engine: E,
    board: Mutex<Board>,
    /// Something became ready, or the pool closed.
    work: Condvar,
    /// A thread ended, or something runs that may become overdue.
    watch: Condvar,
    origin: Instant,
}

/// A fixed number of decoding threads behind a scheduler.
pub(crate) struct DecodePool<E: Engine> {
    shared: Arc<Shared<E>>,
}

impl<E: Engine> DecodePool<E> {
    /// Starts the threads.
    pub(crate) fn new(engine: E, limits: Limits) -> Result<Self, RecogniseError> {
        let board = Board {
            scheduler: Scheduler::new(limits),
            tasks: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            stats: PoolStats::default(),
            closed: false,
            threads: 0,
        };
        let shared = Arc::new(Shared {
            engine,
            board: Mutex::new(board),
            work: Condvar::new(),
            watch: Condvar::new(),
            origin: Instant::now(),
        });
        let pool = Self { shared };
        for number in 0..limits.workers.max(1) {
            pool.spawn(format!("stt-{number}"), Shared::work)?;
        }
        pool.spawn("stt-watch".to_owned(), Shared::keep_watch)?;
        Ok(pool)
    }

    fn spawn(&self, name: String, run: fn(&Shared<E>)) -> Result<(), RecogniseError> {
        let shared = Arc::clone(&self.shared);
        shared.lock().threads += 1;
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            run(&shared);
            shared.lock().threads -= 1;
            shared.watch.notify_all();
        });
        match spawned {
            Ok(_) => Ok(()),
            Err(cause) => {
                self.shared.lock().threads -= 1;
                Err(RecogniseError::Engine {
                    what: "starting a decoding thread".into(),
                    cause: Some(cause.into()),
                })
            }
        }
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
        board.closed = true;
        board.tasks.clear();
        board.ready.clear();
        board
            .running
            .values()
            .for_each(|underway| underway.stop.pool.raise());
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

impl Board {
    /// Waiting decodes whose caller has raised the flag leave the queue.
    fn forget_unwanted(&mut self) {
        let ready = &self.ready;
        let unwanted: Vec<JobId> = self
            .tasks
            .iter()
            .filter(|(id, task)| task.stop.is_raised() && !ready.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in unwanted {
            self.scheduler.cancelled(id, &mut Vec::new());
            self.end(id, RecogniseError::Aborted);
        }
    }

    /// A waiting decode ends without having run.
    fn end(&mut self, id: JobId, why: RecogniseError) {
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        match why {
            RecogniseError::Overloaded { .. } => self.stats.overloaded += 1,
            _ => self.stats.aborted += 1,
        }
        // A caller that is gone needs no answer.
        let _ = task.answer.send(Err(why));
    }
}

impl<E: Engine> Shared<E> {
    fn lock(&self) -> MutexGuard<'_, Board> {
        // The board is changed by total functions only: it is whole even after a panic elsewhere.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::from_millis(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn apply(&self, board: &mut Board, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::Start(id) => {
                    board.ready.push_back(id);
                    self.work.notify_one();
                    self.watch.notify_all();
                }
                Effect::CallOff(id) => {
                    if let Some(underway) = board.running.get(&id) {
                        underway.stop.pool.raise();
                    } else if let Some(task) = board.tasks.get(&id) {
                        // Started, but no worker has fetched it yet.
                        task.stop.pool.raise();
                    }
                }
                Effect::Supersede(id) => board.end(id, RecogniseError::Aborted),
                Effect::Displace(id) => {
                    let waiting = board.scheduler.waiting();
                    board.end(id, RecogniseError::Overloaded { waiting });
                }
            }
        }
    }

    /// A worker's life.
    fn work(&self) {
        let mut state = None;
        while let Some((id, task)) = self.fetch() {
            if let Some(Task {
                request,
                answer,
                stop,
            }) = task
            {
                let mut outcome = self.run(&mut state, &request, &stop);
                let mut board = self.lock();
                let hung = board.running.get(&id).and_then(|underway| underway.hangs);
                if let (Err(RecogniseError::Aborted), Some(ran)) = (&outcome, hung) {
                    // To its caller a hang is a failure: nobody wished it away.
                    let what = format!("a decode was given up after {:.1} s", ran.as_secs_f64());
                    outcome = Err(RecogniseError::Engine { what, cause: None });
                }
                match &outcome {
                    Ok(_) => board.stats.completed += 1,
                    Err(RecogniseError::Aborted) => board.stats.aborted += 1,
                    Err(_) => board.stats.failed += 1,
                }
                drop(board);
                let _ = answer.send(outcome);
            }
            let mut board = self.lock();
            board.running.remove(&id);
            let mut effects = Vec::new();
            board.forget_unwanted();
            board.scheduler.finished(self.now(), id, &mut effects);
            self.apply(&mut board, &effects);
        }
    }

    /// Waits for a decode; `None` when the pool has closed. The task is missing when its caller has gone meanwhile.
    fn fetch(&self) -> Option<(JobId, Option<Task>)> {
        let mut board = self.lock();
        loop {
            if board.closed {
                return None;
            }
            if let Some(id) = board.ready.pop_front() {
                let task = board.tasks.remove(&id);
                if let Some(task) = &task {
                    board.running.insert(
                        id,
                        Underway {
                            stop: task.stop.clone(),
                            hangs: None,
                        },
                    );
                }
                return Some((id, task));
            }
            board = self.work.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, slot: &mut Option<E::State>, request: &RecogniseRequest, stop: &Stop) -> Answer {
        if stop.is_raised() {
            return Err(RecogniseError::Aborted);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let state = match slot {
                Some(state) => state,
                None => slot.insert(self.engine.make_state()?),
            };
            self.engine.decode(state, request, stop)
        }));
        outcome.unwrap_or_else(|panic| {
            // Whatever the state was in the middle of, it is not used again.
            *slot = None;
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            tracing::error!(what, "a speech decode panicked");
            Err(RecogniseError::Engine {
                what: format!("decoding panicked: {what}"),
                cause: None,
            })
        })
    }

    /// Looks now and then for decodes that hang, and for waiting ones whose caller raised the flag.
    fn keep_watch(&self) {
        let pause = Duration::from_millis(100);
        let mut board = self.lock();
        while !board.closed {
            board = if board.scheduler.running() == 0 {
                self.watch.wait(board).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.watch
                    .wait_timeout(board, pause)
                    .map_or_else(|e| e.into_inner().0, |(board, _)| board)
            };
            board.forget_unwanted();
            let mut effects = Vec::new();
            for (id, ran) in board.scheduler.overdue(self.now(), &mut effects) {
                board.stats.overdue += 1;
                if let Some(underway) = board.running.get_mut(&id) {
                    underway.hangs = Some(ran);
                }
                tracing::error!(?id, ?ran, "a speech decode hangs; it was asked to stop");
            }
            self.apply(&mut board, &effects);
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
