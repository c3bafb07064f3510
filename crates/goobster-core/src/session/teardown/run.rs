//! Carries out a step: each attempt is a task of its own, so that an error, a hang or a panic stays in it.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{AttemptFault, Attempts, Next, Step, StepEnd, StepReport};
use crate::ports::PortFuture;
use crate::session::clock::Monotonic;
use crate::session::quarantine::{Quarantine, Stuck};
use crate::session::resources::PartError;

/// How long an aborted task is waited for before it counts as stuck. An asynchronous task ends at its next await; only
/// one that blocks its thread outlives this.
const GRACE: Duration = Duration::from_millis(10);

/// What a step consists of.
pub(in crate::session) trait StepWork: Send + Sync + 'static {
    /// The orderly way; called again after a failure.
    fn attempt(self: Arc<Self>) -> PortFuture<'static, Result<(), PartError>>;
    /// The last resort; gives back what could not be stopped.
    fn force(self: Arc<Self>) -> PortFuture<'static, Result<Vec<Stuck>, PartError>>;
}

/// What steps run with.
#[derive(Debug, Clone, Copy)]
pub(in crate::session) struct StepContext<'a> {
    pub(in crate::session) clock: Monotonic,
    pub(in crate::session) tasks: &'a TaskTracker,
    pub(in crate::session) quarantine: &'a Arc<Quarantine>,
}

/// Runs a step to its end: done, forced or abandoned, within `budget`. `told` hears of each failed attempt.
pub(in crate::session) async fn run_step(
    context: StepContext<'_>,
    step: Step,
    budget: Duration,
    work: Arc<dyn StepWork>,
    mut told: impl FnMut(u32, AttemptFault),
) -> StepReport {
    let began = context.clock.now();
    let mut attempts = Attempts::new(began, budget);
    let end = loop {
        match attempts.next(context.clock.now()) {
            Next::BackOff(pause) => tokio::time::sleep(pause).await,
            Next::Try(within) => {
                let work = Arc::clone(&work);
                // The future is made inside the task: making it may panic too.
                let task = context.tasks.spawn(async move { work.attempt().await });
                match bounded(context, step, task, within).await {
                    Ok(()) => break StepEnd::Done,
                    Err(fault) => told(attempts.tried(), fault),
                }
            }
            Next::Force(within) => {
                let work = Arc::clone(&work);
                let task = context.tasks.spawn(async move { work.force().await });
                match bounded(context, step, task, within).await {
                    Ok(stuck) => {
                        for piece in stuck {
                            context.quarantine.admit(piece);
                        }
                        break StepEnd::Forced;
                    }
                    Err(fault) => told(attempts.tried() + 1, fault),
                }
            }
            Next::GiveUp => break StepEnd::Abandoned,
        }
    };
    StepReport {
        step,
        end,
        attempts: attempts.tried(),
        took: context.clock.now().since(began),
    }
}

/// Waits for a task for at most `within`; then aborts it and waits for it to be gone. One that does not go is put
/// into quarantine.
async fn bounded<T: Send + 'static>(
    context: StepContext<'_>,
    step: Step,
    task: JoinHandle<Result<T, PartError>>,
    within: Duration,
) -> Result<T, AttemptFault> {
    // A reset is itself called off when its session closes: the attempt it was waiting for must not outlive it.
    let mut task = AbortOnDropHandle::new(task);
    let limit = within.saturating_sub(GRACE).max(within / 2);
    let mut joined = tokio::time::timeout(limit, &mut task).await;
    if joined.is_err() {
        task.abort();
        joined = tokio::time::timeout(within.saturating_sub(limit), &mut task).await;
    }
    let Ok(joined) = joined else {
        context
            .quarantine
            .admit(Stuck::own_task(format!("cleanup step '{step}'"), task.detach()));
        return Err(AttemptFault::Hung(within));
    };
    match joined {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(AttemptFault::Failed(error.report().into())),
        Err(error) if error.is_cancelled() => Err(AttemptFault::Hung(limit)),
        Err(error) => Err(AttemptFault::Panicked(panic_words(error).into())),
    }
}

/// What a panic said.
pub(in crate::session) fn panic_words(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => payload_words(payload.as_ref()),
        Err(error) => error.to_string(),
    }
}

fn payload_words(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|&words| words.to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
