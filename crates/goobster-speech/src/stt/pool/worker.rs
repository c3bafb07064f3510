//! A worker's life: fetch a decode, run it, answer, and again, until the pool closes or the worker was given up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use goobster_core::ports::{RecogniseError, RecogniseRequest};

use super::board::{Shared, Task, Underway};
use super::{Answer, Engine, Stop};
use crate::stt::scheduler::JobId;

/// What a worker fetched.
struct Fetched {
    id: JobId,
    request: RecogniseRequest,
    stop: Stop,
    /// Decodes that run beside it.
    beside: usize,
}

impl<E: Engine> Shared<E> {
    /// A worker's life.
    pub(super) fn work(self: &Arc<Self>) {
        let mut state = None;
        while let Some((id, fetched)) = self.fetch() {
            if let Some(fetched) = fetched {
                let outcome = self.run(&mut state, &fetched);
                if !self.came_back(fetched.id, outcome) {
                    return;
                }
            }
            let mut board = self.lock();
            board.running.remove(&id);
            let mut effects = Vec::new();
            board.forget_unwanted();
            board.scheduler.finished(self.now(), id, &mut effects);
            self.apply(&mut board, &effects);
        }
    }

    /// A decode has ended: its caller is answered. Whether the worker still has its place.
    fn came_back(&self, id: JobId, mut outcome: Answer) -> bool {
        let mut board = self.lock();
        if board.replaced.remove(&id) {
            tracing::warn!(
                ?id,
                "a speech decode that was given up has ended; its thread ends"
            );
            return false;
        }
        if board.lost.remove(&id) {
            tracing::warn!(?id, "a decoding thread that was given up is back");
            return true;
        }
        let Some(underway) = board.running.get_mut(&id) else {
            return true;
        };
        if let (Err(RecogniseError::Aborted), Some(ran)) = (&outcome, underway.hangs) {
            // To its caller a hang is a failure: nobody wished it away.
            let what = format!("a decode was given up after {:.1} s", ran.as_secs_f64());
            outcome = Err(RecogniseError::Engine { what, cause: None });
        }
        let answer = underway.answer.take();
        match &outcome {
            Ok(_) => board.stats.completed += 1,
            Err(RecogniseError::Aborted) => board.stats.aborted += 1,
            Err(_) => board.stats.failed += 1,
        }
        drop(board);
        if let Some(answer) = answer {
            let _ = answer.send(outcome);
        }
        true
    }

    /// Waits for a decode; `None` when the pool has closed. The decode is missing when its caller has gone meanwhile.
    fn fetch(&self) -> Option<(JobId, Option<Fetched>)> {
        let mut board = self.lock();
        loop {
            if board.closed {
                return None;
            }
            if let Some(id) = board.ready.pop_front() {
                let beside = board.running.len();
                let fetched = board.tasks.remove(&id).map(
                    |Task {
                         request,
                         answer,
                         stop,
                     }| {
                        let underway = Underway {
                            stop: stop.clone(),
                            answer: Some(answer),
                            hangs: None,
                        };
                        board.running.insert(id, underway);
                        Fetched {
                            id,
                            request,
                            stop,
                            beside,
                        }
                    },
                );
                return Some((id, fetched));
            }
            board = self.work.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, slot: &mut Option<E::State>, fetched: &Fetched) -> Answer {
        if fetched.stop.is_raised() {
            return Err(RecogniseError::Aborted);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let state = match slot {
                Some(state) => state,
                None => slot.insert(self.engine.make_state()?),
            };
            self.engine
                .decode(state, &fetched.request, fetched.beside, &fetched.stop)
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
}
