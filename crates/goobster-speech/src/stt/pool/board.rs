//! What waits and what runs: the state that callers, workers and the watchdog share, under one lock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use goobster_core::ports::{RecogniseError, RecogniseRequest};
use goobster_core::time::Moment;
use tokio::sync::oneshot;

use super::{Answer, Engine, PoolStats, Stop};
use crate::stt::scheduler::{Effect, JobId, Limits, Scheduler};

/// A decode that waits for a worker.
pub(super) struct Task {
    pub(super) request: RecogniseRequest,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) stop: Stop,
}

/// A decode that a worker has.
pub(super) struct Underway {
    pub(super) stop: Stop,
    /// Whom to answer; taken when its worker is given up.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
    /// How long it had run when it was found to hang.
    pub(super) hangs: Option<Duration>,
}

pub(super) struct Board {
    pub(super) scheduler: Scheduler,
    pub(super) tasks: HashMap<JobId, Task>,
    pub(super) ready: VecDeque<JobId>,
    /// What runs; the request itself is with its worker.
    pub(super) running: HashMap<JobId, Underway>,
    /// Decodes whose thread was given up and replaced: it ends when it comes back.
    pub(super) replaced: HashSet<JobId>,
    /// Decodes whose thread hangs and has no replacement.
    pub(super) lost: HashSet<JobId>,
    pub(super) stats: PoolStats,
    pub(super) closed: bool,
    pub(super) threads: usize,
    pub(super) limits: Limits,
}

impl Board {
    fn new(limits: Limits) -> Self {
        Self {
            scheduler: Scheduler::new(limits),
            tasks: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            replaced: HashSet::new(),
            lost: HashSet::new(),
            stats: PoolStats::default(),
            closed: false,
            threads: 0,
            limits,
        }
    }

    /// Decodes that can run at once.
    pub(super) fn workers(&self) -> usize {
        self.limits.workers.max(1)
    }

    /// Whether every worker hangs.
    pub(super) fn is_down(&self) -> bool {
        self.lost.len() >= self.workers()
    }

    /// Nothing is decoded any more; what runs is called off.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.tasks.clear();
        self.ready.clear();
        self.running
            .values()
            .for_each(|underway| underway.stop.pool.raise());
    }

    /// Waiting decodes whose caller has raised the flag leave the queue.
    pub(super) fn forget_unwanted(&mut self) {
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
    pub(super) fn end(&mut self, id: JobId, why: RecogniseError) {
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        match why {
            RecogniseError::Overloaded { .. } => self.stats.overloaded += 1,
            RecogniseError::Aborted => self.stats.aborted += 1,
            _ => self.stats.failed += 1,
        }
        // A caller that is gone needs no answer.
        let _ = task.answer.send(Err(why));
    }
}

/// Nothing can be decoded.
pub(super) fn down() -> RecogniseError {
    RecogniseError::Engine {
        what: "every decoding thread hangs".to_owned(),
        cause: None,
    }
}

/// What the threads share.
pub(super) struct Shared<E> {
    pub(super) engine: E,
    board: Mutex<Board>,
    /// Something became ready, or the pool closed.
    pub(super) work: Condvar,
    /// A thread ended, or something runs that may become overdue.
    pub(super) watch: Condvar,
    origin: Instant,
}

impl<E: Engine> Shared<E> {
    pub(super) fn new(engine: E, limits: Limits) -> Self {
        Self {
            engine,
            board: Mutex::new(Board::new(limits)),
            work: Condvar::new(),
            watch: Condvar::new(),
            origin: Instant::now(),
        }
    }

    pub(super) fn spawn(shared: &Arc<Self>, name: String, run: fn(&Arc<Self>)) -> Result<(), RecogniseError> {
        let own = Arc::clone(shared);
        shared.lock().threads += 1;
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            run(&own);
            own.lock().threads -= 1;
            own.watch.notify_all();
        });
        match spawned {
            Ok(_) => Ok(()),
            Err(cause) => {
                shared.lock().threads -= 1;
                Err(RecogniseError::Engine {
                    what: "starting a decoding thread".into(),
                    cause: Some(cause.into()),
                })
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Board> {
        // The board is changed by total functions only: it is whole even after a panic elsewhere.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Moment {
        Moment::from_millis(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn apply(&self, board: &mut Board, effects: &[Effect]) {
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
}
