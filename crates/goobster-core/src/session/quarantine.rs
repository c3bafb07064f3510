//! Work that cannot be stopped: a thread inside an inference cannot be aborted. It is kept here until it returns, with
//! the permit it holds, so that the session's place is free while the machine's capacity is still counted honestly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::task::TaskTracker;

use super::telemetry;
use crate::ports::PortFuture;

/// A piece of work that goes on after its session, and what it holds meanwhile.
pub struct Stuck {
    what: String,
    /// Whether it is a task of the session manager itself, which its tracker counts as well.
    own: bool,
    done: PortFuture<'static, ()>,
}

impl Stuck {
    /// Work that ends when `done` does; everything that `done` owns (a permit, a buffer's lease) is held until then.
    pub fn new(what: impl Into<String>, done: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            what: what.into(),
            own: false,
            done: Box::pin(done),
        }
    }

    /// A task that does not end although it was aborted.
    pub fn task<T: Send + 'static>(what: impl Into<String>, task: tokio::task::JoinHandle<T>) -> Self {
        Self::new(what, async move {
            let _ = task.await;
        })
    }

    /// The same for a task of the session manager.
    pub(super) fn own_task<T: Send + 'static>(what: String, task: tokio::task::JoinHandle<T>) -> Self {
        Self {
            own: true,
            ..Self::task(what, task)
        }
    }
}

impl fmt::Debug for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stuck")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

/// The stuck work of a whole process.
///
/// Its number is bounded: each inference needs a permit to begin and takes it along, and at
/// [`bound`](super::SessionConfig::quarantine_bound) pieces no new session is admitted.
#[derive(Debug)]
pub struct Quarantine {
    bound: usize,
    held: Mutex<Held>,
    watchers: TaskTracker,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    what: BTreeMap<u64, String>,
    own: BTreeSet<u64>,
}

impl Quarantine {
    /// An empty quarantine in which `bound` pieces close the door.
    pub fn new(bound: usize) -> Self {
        Self {
            bound,
            held: Mutex::default(),
            watchers: TaskTracker::new(),
        }
    }

    /// Takes stuck work in and holds it until it ends.
    pub fn admit(self: &Arc<Self>, stuck: Stuck) {
        let Stuck { what, own, done } = stuck;
        tracing::error!(%what, "work cannot be stopped and is in quarantine until it returns");
        let number = {
            let mut held = self.held();
            held.next += 1;
            let number = held.next;
            held.what.insert(number, what);
            if own {
                held.own.insert(number);
            }
            telemetry::quarantine(held.what.len());
            number
        };
        // The guard, not the end of the future: work that panics leaves the quarantine as well.
        let leave = Leave {
            quarantine: Arc::clone(self),
            number,
        };
        self.watchers.spawn(async move {
            let _leave = leave;
            done.await;
        });
    }

    /// How many pieces are stuck now.
    pub fn len(&self) -> usize {
        self.held().what.len()
    }

    /// How many of them are tasks of the session manager itself.
    pub(super) fn own_tasks(&self) -> usize {
        self.held().own.len()
    }

    /// Whether nothing is stuck.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is stuck, for `status`.
    pub fn list(&self) -> Vec<String> {
        self.held().what.values().cloned().collect()
    }

    /// Whether so much is stuck that nobody new may come in.
    pub fn is_full(&self) -> bool {
        self.len() >= self.bound
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a piece off the list when its work ends, however it ends.
struct Leave {
    quarantine: Arc<Quarantine>,
    number: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut held = self.quarantine.held();
        held.own.remove(&self.number);
        if let Some(what) = held.what.remove(&self.number) {
            tracing::warn!(%what, "stuck work returned and left the quarantine");
        }
        telemetry::quarantine(held.what.len());
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_stuck_inference_keeps_its_permit_until_it_returns() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
        let (returns, returned) = oneshot::channel::<()>();
        let quarantine = Arc::new(Quarantine::new(1));
        quarantine.admit(Stuck::new("a decode", async move {
            let _held = permit;
            let _ = returned.await;
        }));
        tokio::task::yield_now().await;
        assert!(quarantine.is_full());
        assert_eq!(quarantine.list(), ["a decode"]);
        assert_eq!(permits.available_permits(), 0);
        returns.send(()).unwrap();
        let _ = permits.acquire().await.unwrap();
        tokio::task::yield_now().await;
        assert!(quarantine.is_empty());
    }

    #[tokio::test]
    async fn stuck_work_that_panics_leaves_too() {
        let quarantine = Arc::new(Quarantine::new(1));
        quarantine.admit(Stuck::new("a decode", async { panic!("at last") }));
        while !quarantine.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
