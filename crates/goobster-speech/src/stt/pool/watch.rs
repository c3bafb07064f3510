//! The watchdog: decodes that take too long are called off, and the threads of those that hang all the same are given up.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use goobster_core::ports::RecogniseError;

use super::Engine;
use super::board::{Board, Shared, down};
use crate::stt::scheduler::JobId;

/// How often it looks while something runs.
const LOOK: Duration = Duration::from_millis(100);

impl<E: Engine> Shared<E> {
    /// Looks now and then for decodes that hang, and for waiting ones whose caller raised the flag.
    pub(super) fn keep_watch(self: &Arc<Self>) {
        let mut board = self.lock();
        while !board.closed {
            board = if board.scheduler.running() == 0 {
                self.watch.wait(board).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.watch
                    .wait_timeout(board, LOOK)
                    .map_or_else(|e| e.into_inner().0, |(board, _)| board)
            };
            let replacements = self.look(&mut board);
            drop(board);
            for id in replacements {
                self.replace(id);
            }
            board = self.lock();
        }
    }

    /// Calls off and gives up; those whose thread is to be replaced.
    fn look(&self, board: &mut Board) -> Vec<JobId> {
        board.forget_unwanted();
        let mut effects = Vec::new();
        for (id, ran) in board.scheduler.overdue(self.now(), &mut effects) {
            board.stats.overdue += 1;
            if let Some(underway) = board.running.get_mut(&id) {
                underway.hangs = Some(ran);
            }
            tracing::error!(?id, ?ran, "a speech decode takes too long; it was asked to stop");
        }
        self.apply(board, &effects);
        let mut replacements = Vec::new();
        for id in board.scheduler.hanging(self.now()) {
            let Some(underway) = board.running.get_mut(&id) else {
                continue;
            };
            if let Some(answer) = underway.answer.take() {
                let what = "a decode would not stop and was given up".to_owned();
                let _ = answer.send(Err(RecogniseError::Engine { what, cause: None }));
            }
            board.stats.failed += 1;
            board.stats.abandoned += 1;
            if board.replaced.len() < board.limits.replacements {
                board.replaced.insert(id);
                replacements.push(id);
                continue;
            }
            tracing::error!(?id, "a decoding thread hangs and has no replacement");
            Self::lose(board, id);
        }
        replacements
    }

    /// Another thread takes the place of the one that hangs.
    fn replace(self: &Arc<Self>, id: JobId) {
        let spawned = Self::spawn(self, "stt-again".to_owned(), Self::work);
        let mut board = self.lock();
        if let Err(error) = spawned {
            tracing::error!(%error, ?id, "a decoding thread hangs and could not be replaced");
            if board.replaced.remove(&id) {
                Self::lose(&mut board, id);
            }
            return;
        }
        tracing::error!(?id, "a decoding thread hangs; another has taken its place");
        board.running.remove(&id);
        let mut effects = Vec::new();
        board.scheduler.finished(self.now(), id, &mut effects);
        self.apply(&mut board, &effects);
    }

    /// A place is lost until its thread comes back. When it was the last one, nothing waits any more.
    fn lose(board: &mut Board, id: JobId) {
        board.lost.insert(id);
        if board.is_down() {
            tracing::error!("speech recognition is down: every decoding thread hangs");
            for waiting in board.scheduler.give_up_waiting() {
                board.end(waiting, down());
            }
        }
    }
}
