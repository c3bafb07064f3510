//! The cleanup of one session: every step in order, whatever becomes of the one before, the place given back last.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::call::Line;
use super::core::Core;
use super::errands::Errands;
use super::events::SessionEvent;
use super::machine::{Phase, Unsettled};
use super::quarantine::Stuck;
use super::resources::{Part, PartError, PartKind, StopCause};
use super::session::{ClosedSession, Session};
use super::supervisor::measure;
use super::teardown::run::{StepWork, run_step};
use super::teardown::{Step, StepEnd, StepReport};
use super::{CloseReason, telemetry};
use crate::ids::GuildId;
use crate::invariant;
use crate::limits::{Closing, LimitsError, Millis, SlotLease, Slots};
use crate::ports::PortFuture;
use crate::time::Moment;

/// How long tasks that were called off may take to be gone.
pub(super) const GRACE: Duration = Duration::from_millis(20);
/// What is kept of the cleanup delay for timers, which may each be a millisecond late.
const TIMERS: Duration = Duration::from_millis(10);
/// What the cleanup needs besides its steps.
pub(super) const OVERHEAD: Duration = GRACE.saturating_add(TIMERS);

/// Why and when a session ends, and what is not charged yet.
pub(super) struct Demise {
    pub(super) reason: CloseReason,
    pub(super) began: Moment,
    pub(super) unsettled: Option<Unsettled>,
    pub(super) charged: Millis,
    pub(super) active: Millis,
}

/// Takes a session down.
pub(super) async fn clean_up(
    core: &Arc<Core>,
    session: &Arc<Session>,
    demise: Demise,
    errands: &mut Errands,
) {
    let Demise {
        reason,
        began,
        unsettled,
        charged,
        active,
    } = demise;
    let metered = unsettled.is_some();
    // First of all everything under way is told to end. What it makes until it is gone is stopped by the steps; then
    // nothing new may come in.
    session.stopping.cancel();
    let _ = measure(session);
    errands.call_off(GRACE, &core.quarantine).await;
    session.shut();
    // The last charges run beside the steps, so that a slow store costs no time of theirs. Not before the errands are
    // gone: a start that is still opening the session in the ledger must not come after its close record.
    let (settled, mut progress) = watch::channel(Settled::default());
    core.tasks.spawn(settle_in_time(
        Arc::clone(core),
        Arc::clone(session),
        reason,
        unsettled,
        settled,
    ));

    let mut steps = stop_parts(core, session, reason).await;
    // What the steps left of the cleanup delay is the store's: three quarters for the last charges, the rest for the
    // place. What is not answered then is gone on with behind the session.
    let end = began.after(core.config.cleanup_delay).before(TIMERS);
    let least = core.config.steps.of(Step::Removal) / 2;
    let left = || end.since(core.clock.now());
    let settling = progress.wait_for(|settled| settled.finished);
    let _ = tokio::time::timeout((left() * 3 / 4).max(least), settling).await;
    let settled = *progress.borrow();
    let total = charged.saturating_add(settled.charged);
    if total < active {
        let amount = active.saturating_sub(total);
        core.events.emit(SessionEvent::ChargeLost {
            session: session.id,
            amount,
        });
    }
    let work = Arc::new(ReleaseWork {
        slots: Arc::clone(&core.slots),
        lease: session.lease,
    });
    let removal = run(core, session, Step::Removal, left().max(least), work).await;
    if removal.end != StepEnd::Done {
        core.tasks
            .spawn(release_late(Arc::clone(core), Arc::clone(session)));
    }
    steps.push(removal);

    let now = core.clock.now();
    let took = now.since(began);
    check(
        core,
        session,
        took,
        (active, total),
        metered && settled.finished && settled.taken,
    );
    let forced = steps.iter().any(|report| report.end != StepEnd::Done);
    core.events.emit(SessionEvent::Cleaned {
        session: session.id,
        took,
        steps: steps.into(),
        forced,
    });
    session.show_charged(total);
    let closed = ClosedSession {
        id: session.id,
        owner: session.owner,
        guild: session.guild,
        reason,
        started_at: session.started_at,
        closed_at: core.wall.utc(),
        active,
        charged: total,
        cleanup: took,
        forced,
    };
    session.show(Phase::Closed(reason), now);
    forget(core, session, closed);
}

/// Every step but the removal, in order.
async fn stop_parts(core: &Arc<Core>, session: &Session, reason: CloseReason) -> Vec<StepReport> {
    let mut steps = Vec::with_capacity(Step::ALL.len());
    for step in Step::ALL {
        if let Some(work) = work_of(session, step, StopCause::Closing(reason)) {
            steps.push(run(core, session, step, core.config.steps.of(step), work).await);
        }
        if step == Step::Connection
            && let Some(line) = core.registry.leave_call(session)
        {
            steps.extend(hang_up(core, session, &line, reason).await);
        }
    }
    steps
}

/// The session leaves the table, and whoever waits for its end is told.
fn forget(core: &Core, session: &Session, closed: ClosedSession) {
    if core
        .registry
        .forget(session, closed.clone(), core.config.closed_kept)
    {
        core.events.emit(SessionEvent::Closed {
            session: session.id,
            user: session.owner,
            reason: closed.reason,
            active: closed.active,
            charged: closed.charged,
            memory_bytes: session.memory_peak(),
        });
    } else {
        telemetry::violation(
            invariant::Invariant::OneCloseRecord.label(),
            "a session was forgotten twice",
        );
    }
    let _ = session.closed.set(closed);
}

/// The invariants that a closing session can check about itself.
fn check(core: &Core, session: &Session, took: Duration, (active, charged): (Millis, Millis), settled: bool) {
    let mut found = Vec::new();
    if settled {
        found.extend(invariant::settled_exactly(session.id, active, charged).err());
    }
    found.extend(invariant::closed_within(session.id, took, core.config.cleanup_delay).err());
    for violation in found {
        telemetry::violation(violation.invariant.label(), &violation.to_string());
        // A machine under load may run late; a wrong sum is a bug wherever it is seen.
        debug_assert!(
            violation.invariant == invariant::Invariant::ClosingWithinBudget,
            "{violation}"
        );
    }
}

async fn run(
    core: &Arc<Core>,
    session: &Session,
    step: Step,
    budget: Duration,
    work: Arc<dyn StepWork>,
) -> StepReport {
    let told = |attempt, cause| {
        core.events.emit(SessionEvent::CleanupError {
            session: session.id,
            step,
            attempt,
            cause,
        });
    };
    let report = run_step(core.steps(), step, budget, work, told).await;
    if report.end == StepEnd::Abandoned {
        tracing::error!(session = %session.id, %step, "cleanup step failed even by force: something may leak");
    }
    report
}

/// What a step consists of for this session; `None` when there is nothing to do.
fn work_of(session: &Session, step: Step, cause: StopCause) -> Option<Arc<dyn StepWork>> {
    let kind = PartKind::ALL.into_iter().find(|kind| kind.step() == step)?;
    let part = session.take_part(kind)?;
    Some(Arc::new(PartWork { part, cause }))
}

/// Destroys the connection of a call that this session was the last of.
async fn hang_up(
    core: &Arc<Core>,
    session: &Session,
    line: &Arc<Line>,
    reason: CloseReason,
) -> Option<StepReport> {
    let report = match line.take() {
        Some(connection) => {
            let work = Arc::new(PartWork {
                part: connection,
                cause: StopCause::Closing(reason),
            });
            Some(
                run(
                    core,
                    session,
                    Step::Connection,
                    core.config.steps.of(Step::Connection),
                    work,
                )
                .await,
            )
        }
        None => None,
    };
    core.registry.remove_call(session.guild, line);
    report
}

/// Destroys the connection of a call that a request was the last on, which then got no place. There is no session to
/// tell of it: what fails is counted and logged.
pub(super) async fn hang_up_for_nobody(core: &Arc<Core>, guild: GuildId, line: &Arc<Line>) {
    if let Some(part) = line.take() {
        let cause = StopCause::Closing(CloseReason::NeverStarted);
        stop_outside(core, Step::Connection, Arc::new(PartWork { part, cause })).await;
    }
    core.registry.remove_call(guild, line);
}

/// Stops something that belongs to no session, or to one that may have told its last.
pub(super) async fn stop_outside(core: &Core, step: Step, work: Arc<dyn StepWork>) {
    let told = |attempt, cause| telemetry::cleanup_error(step, attempt, &cause);
    let report = run_step(core.steps(), step, core.config.steps.of(step), work, told).await;
    telemetry::cleanup_end(&report);
    if report.end == StepEnd::Abandoned {
        tracing::error!(%step, "cleanup step failed even by force: something may leak");
    }
}

/// Stops one part.
pub(super) struct PartWork<P: Part + ?Sized> {
    pub(super) part: Arc<P>,
    pub(super) cause: StopCause,
}

impl<P: Part + ?Sized> StepWork for PartWork<P> {
    fn attempt(self: Arc<Self>) -> PortFuture<'static, Result<(), PartError>> {
        Box::pin(async move { self.part.stop(self.cause).await })
    }

    fn force(self: Arc<Self>) -> PortFuture<'static, Result<Vec<Stuck>, PartError>> {
        Box::pin(async move { self.part.force().await })
    }
}

/// Gives the place back.
struct ReleaseWork {
    slots: Arc<dyn Slots>,
    lease: SlotLease,
}

impl StepWork for ReleaseWork {
    fn attempt(self: Arc<Self>) -> PortFuture<'static, Result<(), PartError>> {
        Box::pin(async move {
            let released = self.slots.release(self.lease).await;
            released
                .map(|_| ())
                .map_err(|error| PartError::caused("the place was not given back", error))
        })
    }

    /// Nothing is left to do here: a place that is not renewed frees itself.
    fn force(self: Arc<Self>) -> PortFuture<'static, Result<Vec<Stuck>, PartError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// How far the last charges are.
#[derive(Debug, Clone, Copy, Default)]
struct Settled {
    charged: Millis,
    /// Whether the ledger took every charge.
    taken: bool,
    finished: bool,
}

/// Settles a session, which may take longer than its cleanup: at most once more the cleanup delay. What is not written
/// then, recovery closes at its last tick.
async fn settle_in_time(
    core: Arc<Core>,
    session: Arc<Session>,
    reason: CloseReason,
    unsettled: Option<Unsettled>,
    progress: watch::Sender<Settled>,
) {
    let within = (core.config.cleanup_delay * 2).saturating_sub(GRACE);
    let settling = settle(&core, &session, reason, unsettled, &progress);
    let settled = tokio::time::timeout(within, settling).await.is_ok();
    let session = session.id;
    if !settled {
        tracing::error!(%session, "the store did not take the last charges and the close record");
    } else if progress.is_closed() {
        tracing::warn!(%session, "the last charges and the close record were written after the session was gone");
    }
}

/// Gives a place back whose session is gone, until the store answers. On one process no lease would free it.
async fn release_late(core: Arc<Core>, session: Arc<Session>) {
    let released = until_answered(&core, "giving a place back", || core.slots.release(session.lease));
    let released = tokio::time::timeout(core.config.cleanup_delay, released).await;
    match released {
        Ok(Ok(_)) => tracing::warn!(session = %session.id, "its place was given back after it was gone"),
        Ok(Err(error)) => tracing::error!(session = %session.id, %error, "its place was not given back"),
        Err(_) => tracing::error!(session = %session.id, "its place was not given back in time"),
    }
}

/// Sends the last charges and the close record, again and again until each is answered.
async fn settle(
    core: &Core,
    session: &Session,
    reason: CloseReason,
    unsettled: Option<Unsettled>,
    progress: &watch::Sender<Settled>,
) {
    let at = core.wall.utc();
    let lease = session.lease;
    let mut taken = true;
    if let Some(Unsettled { mut meter, until }) = unsettled {
        while taken && meter.has_uncharged(until) {
            let charge = meter.charge(until, at);
            taken = until_answered(core, "the last charge", || core.ledger.charge(charge))
                .await
                .is_ok_and(|charged| {
                    meter.answered(&charged);
                    telemetry::charged(&core.voice, charge.delta);
                    progress.send_modify(|settled| {
                        settled.charged = settled.charged.saturating_add(charge.delta);
                    });
                    true
                });
        }
    }
    if session.in_ledger.load(Ordering::Acquire) {
        let closing = Closing {
            claim: lease.claim,
            epoch: lease.epoch,
            at,
            reason,
        };
        match until_answered(core, "the close record", || core.ledger.close(closing)).await {
            // A start that was called off may not have reached the ledger.
            Ok(_) | Err(LimitsError::UnknownSession { .. }) => {}
            Err(error) => tracing::error!(session = %session.id, %error, "the close record was not written"),
        }
    }
    progress.send_modify(|settled| {
        settled.taken = taken;
        settled.finished = true;
    });
}

/// Asks a store until it answers anything but that it is unavailable.
async fn until_answered<T, F>(core: &Core, what: &'static str, call: impl Fn() -> F) -> Result<T, LimitsError>
where
    F: Future<Output = Result<T, LimitsError>>,
{
    loop {
        match core.store(what, call()).await {
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%error, "trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => return answer,
        }
    }
}
