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
use super::{CloseReason, SessionId, telemetry};
use crate::ids::GuildId;
use crate::invariant;
use crate::limits::{Closing, LimitsError, Millis, SlotLease, Slots};
use crate::ports::PortFuture;
use crate::time::Moment;

/// How long tasks that were called off may take to be gone.
pub(super) const GRACE: Duration = Duration::from_millis(20);

/// The longest that giving the place back may take, tries included, when the steps left much time.
const MOST_RELEASE: Duration = Duration::from_secs(2);

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
    // First of all nothing new may come in; then everything under way is told to end.
    session.shut();
    session.stopping.cancel();
    let _ = measure(session);
    // What is under way at the store must not overtake the close record.
    errands.call_off(GRACE, &core.quarantine).await;
    // The last charges run beside the steps, so that a slow store costs no time of theirs.
    let (settled, mut progress) = watch::channel(Settled::default());
    let settling = core.tasks.spawn(settle(
        Arc::clone(core),
        Arc::clone(session),
        reason,
        unsettled,
        settled,
    ));

    let mut steps = stop_parts(core, session, reason).await;
    // What the steps left of the cleanup's time is the store's; half the removal's own budget is for giving the place back.
    let release = core.config.steps.of(Step::Removal) / 2;
    let end = began.after(core.config.cleanup_delay);
    let patience = end.since(core.clock.now()).saturating_sub(release);
    let late = tokio::time::timeout(patience, progress.wait_for(|settled| settled.finished))
        .await
        .is_err();
    let settled = *progress.borrow();
    if late {
        settling.abort();
    }
    let total = charged.saturating_add(settled.charged);
    if metered && total < active {
        let amount = active.saturating_sub(total);
        core.events.emit(SessionEvent::ChargeLost {
            session: session.id,
            amount,
        });
    }
    let within = end.since(core.clock.now()).clamp(release / 2, MOST_RELEASE);
    let work = Arc::new(ReleaseWork {
        slots: Arc::clone(&core.slots),
        lease: session.lease,
    });
    steps.push(run(core, session.id, Step::Removal, within, work).await);

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
            steps.push(run(core, session.id, step, core.config.steps.of(step), work).await);
        }
        if step == Step::Connection
            && let Some(line) = core.registry.leave_call(session)
        {
            steps.extend(hang_up(core, session.id, session.guild, &line, reason).await);
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
    session: SessionId,
    step: Step,
    budget: Duration,
    work: Arc<dyn StepWork>,
) -> StepReport {
    let told = |attempt, cause| {
        core.events.emit(SessionEvent::CleanupError {
            session,
            step,
            attempt,
            cause,
        });
    };
    let report = run_step(core.steps(), step, budget, work, told).await;
    if report.end == StepEnd::Abandoned {
        tracing::error!(%session, %step, "cleanup step failed even by force: something may leak");
    }
    report
}

/// What a step consists of for this session; `None` when there is nothing to do.
fn work_of(session: &Session, step: Step, cause: StopCause) -> Option<Arc<dyn StepWork>> {
    let kind = PartKind::ALL.into_iter().find(|kind| kind.step() == step)?;
    let part = session.take_part(kind)?;
    Some(Arc::new(PartWork { part, cause }))
}

/// Destroys the connection of a call whose last session ended while a request held on to it that was then refused.
/// There is no session whose events could tell of a failure, so that the log does.
pub(super) async fn hang_up_unclaimed(core: &Core, guild: GuildId, line: &Arc<Line>) {
    if let Some(connection) = line.take() {
        let work = Arc::new(PartWork {
            part: connection,
            cause: StopCause::Closing(CloseReason::NeverStarted),
        });
        let told = |attempt, cause: super::teardown::AttemptFault| {
            tracing::warn!(%guild, attempt, ?cause, "an unclaimed call could not be left");
        };
        let budget = core.config.steps.of(Step::Connection);
        run_step(core.steps(), Step::Connection, budget, work, told).await;
    }
    core.registry.remove_call(guild, line);
}

/// Destroys the connection of a call that this session was the last of.
async fn hang_up(
    core: &Arc<Core>,
    session: SessionId,
    guild: GuildId,
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
    core.registry.remove_call(guild, line);
    report
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

/// Sends the last charges and the close record, again and again until each is answered. It is aborted when the time
/// is up.
async fn settle(
    core: Arc<Core>,
    session: Arc<Session>,
    reason: CloseReason,
    unsettled: Option<Unsettled>,
    progress: watch::Sender<Settled>,
) {
    let at = core.wall.utc();
    let lease = session.lease;
    let mut taken = true;
    if let Some(Unsettled { mut meter, until }) = unsettled {
        while taken && meter.has_uncharged(until) {
            let charge = meter.charge(until, at);
            taken = until_answered(&core, "the last charge", || core.ledger.charge(charge))
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
        match until_answered(&core, "the close record", || core.ledger.close(closing)).await {
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
