//! What a session has under way besides its supervisor: each in a task of its own, so that none of them can hold the
//! supervisor up or take it down.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinError;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::ChargeSeq;
use super::error::StartError;
use super::quarantine::{Quarantine, Stuck};
use super::resources::{PartError, Replaceable};
use super::supervisor::Opened;
use crate::limits::{Charged, LimitsError};
use crate::time::Moment;

/// What an errand is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Opening,
    Charging(ChargeSeq),
    Renewing,
    Working,
    Resetting(Replaceable),
    Telling,
}

/// What came of it.
pub(super) enum Outcome {
    Opened(Result<Opened, StartError>),
    Charged(Result<Charged, LimitsError>),
    /// When it was asked for, and for how long it is good.
    Renewed(Result<(Moment, Option<Duration>), LimitsError>),
    Worked(Result<(), PartError>),
    Reset(Result<(), PartError>),
    Told,
}

/// A handful of tasks; dropped, it aborts them.
#[derive(Default)]
pub(super) struct Errands {
    tasks: Vec<(Kind, AbortOnDropHandle<Outcome>)>,
}

impl Errands {
    pub(super) fn spawn(
        &mut self,
        tracker: &TaskTracker,
        kind: Kind,
        errand: impl Future<Output = Outcome> + Send + 'static,
    ) {
        self.tasks
            .push((kind, AbortOnDropHandle::new(tracker.spawn(errand))));
    }

    /// How many of this kind are under way.
    pub(super) fn count(&self, wanted: Kind) -> usize {
        self.tasks.iter().filter(|(kind, _)| *kind == wanted).count()
    }

    /// Calls the errands of one kind off and gives them back, so that whoever takes their place can wait for them.
    pub(super) fn call_off_kind(&mut self, unwanted: Kind) -> Vec<AbortOnDropHandle<Outcome>> {
        let off = self.tasks.extract_if(.., |(kind, _)| *kind == unwanted);
        off.map(|(_, task)| task)
            .inspect(AbortOnDropHandle::abort)
            .collect()
    }

    /// The next one that ends; never, when there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> (Kind, Result<Outcome, JoinError>) {
        poll_fn(|context| {
            for index in 0..self.tasks.len() {
                if let Poll::Ready(ended) = Pin::new(&mut self.tasks[index].1).poll(context) {
                    let (kind, _) = self.tasks.swap_remove(index);
                    return Poll::Ready((kind, ended));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Calls everything off and waits until it is gone. What is not gone after `grace` cannot be stopped and goes into
    /// quarantine.
    pub(super) async fn call_off(&mut self, grace: Duration, quarantine: &std::sync::Arc<Quarantine>) {
        if self.tasks.is_empty() {
            return;
        }
        for (_, task) in &self.tasks {
            task.abort();
        }
        let gone = async {
            while !self.tasks.is_empty() {
                let _ = self.next().await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() {
            for (kind, task) in self.tasks.drain(..) {
                quarantine.admit(Stuck::own_task(format!("{kind:?} of a session"), task.detach()));
            }
        }
    }
}
