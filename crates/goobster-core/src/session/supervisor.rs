//! The supervisor of one session: a loop that feeds its state machine and does what the machine says. It owns the
//! tear-down; the session's own work runs in tasks of their own, which it can outlive.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::cleanup::{self, Demise};
use super::core::Core;
use super::errands::{Errands, Kind, Outcome};
use super::error::StartError;
use super::events::SessionEvent;
use super::machine::{Effect, Event, Machine, Phase};
use super::manager::NewSession;
use super::quarantine::Stuck;
use super::resources::{Notice, PartError, Replaceable, SessionParts, StopCause};
use super::session::Session;
use super::teardown::run::{panic_words, run_step};
use super::{CloseReason, opening, telemetry};
use crate::limits::{Charge, Charged, LimitsError};
use crate::ports::PortFuture;
use crate::time::Moment;

/// How many notices to the user may be under way at once; more are dropped, since the channel does not take them.
const MOST_NOTICES: usize = 4;
/// How long one notice may take.
const NOTICE_TIME: Duration = Duration::from_secs(5);

/// Everything is open.
pub(super) struct Opened {
    pub(super) charged: Charged,
    /// When the place was confirmed, and for how long.
    pub(super) confirmed: (Moment, Option<Duration>),
    pub(super) work: Option<PortFuture<'static, Result<(), PartError>>>,
}

/// Who waits for the start.
type Answer = oneshot::Sender<Result<Arc<Session>, StartError>>;

/// One session's whole life.
pub(super) async fn live(core: Arc<Core>, new: NewSession, answer: Answer) {
    // Boxed, here and below, so that the many sessions that only run do not carry the state of their start and end.
    match Box::pin(opening::admit(&core, &new)).await {
        Ok(session) => {
            let guard = Guard {
                core: Arc::clone(&core),
                session: Arc::clone(&session),
                armed: true,
            };
            let machine = Machine::new(core.clock.now(), &core.config, &core.limits, session.lease);
            let parts = new.parts;
            let errands = Errands::default();
            let failure = None;
            let supervisor = Box::new(Supervisor {
                core,
                session,
                parts,
                machine,
                errands,
                answer: Some(answer),
                failure,
                work: None,
            });
            supervisor.run(guard).await;
        }
        Err(error) => {
            let (user, guild) = (new.admitted.user, new.admitted.guild);
            match &error {
                StartError::Refused(refusal) => core.events.emit(SessionEvent::Refused {
                    user,
                    guild,
                    refusal: refusal.clone(),
                }),
                StartError::Failed { what, cause } => core.events.emit(SessionEvent::NotStarted {
                    user,
                    guild,
                    what,
                    cause: Arc::clone(cause),
                }),
                StartError::CalledOff(_) => {}
            }
            let _ = answer.send(Err(error));
        }
    }
}

struct Supervisor {
    core: Arc<Core>,
    session: Arc<Session>,
    parts: Arc<dyn SessionParts>,
    machine: Machine,
    errands: Errands,
    answer: Option<Answer>,
    /// Why the start failed, for whoever waits for it.
    failure: Option<StartError>,
    /// The session's work, made and not started yet.
    work: Option<PortFuture<'static, Result<(), PartError>>>,
}

impl Supervisor {
    async fn run(mut self: Box<Self>, guard: Guard) {
        self.apply(Event::Begin);
        let reason = loop {
            if let Phase::Closing(reason) = self.machine.phase() {
                break reason;
            }
            let wake = self.core.clock.instant(self.machine.next_wake());
            tokio::select! {
                // In this order, so that a seed decides everything in a test.
                biased;
                () = self.session.bell.notified() => self.read_inbox(),
                (kind, ended) = self.errands.next() => self.came_back(kind, ended),
                () = tokio::time::sleep_until(wake) => {
                    let _ = measure(&self.session);
                    let event = Event::Wake { heard: self.session.activity().last(), at: self.core.wall.utc() };
                    self.apply(event);
                }
            }
        };
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Err(self.failure.take().unwrap_or(StartError::CalledOff(reason))));
        }
        Box::pin(self.tear_down(reason, guard)).await;
    }

    async fn tear_down(self: Box<Self>, reason: CloseReason, mut guard: Guard) {
        let Self {
            core,
            session,
            mut machine,
            mut errands,
            ..
        } = *self;
        let demise = Demise {
            reason,
            began: core.clock.now(),
            unsettled: machine.unsettled(),
            charged: machine.charged(),
            active: machine.active_for(core.clock.now()),
        };
        cleanup::clean_up(&core, &session, demise, &mut errands).await;
        machine.step(core.clock.now(), Event::TornDown);
        guard.armed = false;
    }

    fn read_inbox(&mut self) {
        let inbox = self.session.take_inbox();
        for (what, cause) in inbox.faults {
            self.fault(what, &cause);
        }
        if let Some(reason) = inbox.end {
            self.apply(Event::End(reason));
        }
    }

    fn fault(&mut self, what: Replaceable, cause: &Arc<str>) {
        if self.errands.count(Kind::Resetting(what)) > 0 {
            return;
        }
        let (session, cause) = (self.session.id, Arc::clone(cause));
        self.core.events.emit(SessionEvent::Fault {
            session,
            what: what.words(),
            cause,
        });
        self.apply(Event::Fault(what));
    }

    fn apply(&mut self, event: Event) {
        let now = self.core.clock.now();
        let effects = self.machine.step(now, event);
        self.session.show(self.machine.phase(), now);
        self.session.show_charged(self.machine.charged());
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let session = self.session.id;
        match effect {
            Effect::Open => {
                let opening = opening::open(
                    Arc::clone(&self.core),
                    Arc::clone(&self.session),
                    Arc::clone(&self.parts),
                );
                let errand = async move { Outcome::Opened(opening.await) };
                self.errands.spawn(&self.core.tasks, Kind::Opening, errand);
            }
            Effect::Run => {
                self.core.events.emit(SessionEvent::Active {
                    session,
                    user: self.session.owner,
                });
                if let Some(work) = self.work.take() {
                    self.errands.spawn(&self.core.tasks, Kind::Working, async {
                        Outcome::Worked(work.await)
                    });
                }
                if let Some(answer) = self.answer.take() {
                    let _ = answer.send(Ok(Arc::clone(&self.session)));
                }
            }
            Effect::Charge(charge) => self.charge(charge),
            Effect::Renew => {
                let (core, lease) = (Arc::clone(&self.core), self.session.lease);
                let asked = core.clock.now();
                let errand = async move {
                    let renewing = core.store("renewing a place", core.slots.renew(lease));
                    Outcome::Renewed(renewing.await.map(|lease| (asked, lease.good_for)))
                };
                self.errands.spawn(&self.core.tasks, Kind::Renewing, errand);
            }
            Effect::WarnIdle { left } => {
                self.core.events.emit(SessionEvent::IdleWarning { session, left });
                self.tell(Notice::IdleSoon(left));
            }
            Effect::WarnLimit { left } => {
                self.core
                    .events
                    .emit(SessionEvent::LimitWarning { session, left });
                self.tell(Notice::LimitSoon(left));
            }
            Effect::Reset(what) => self.reset(what),
            Effect::TearDown(reason) => {
                match reason {
                    CloseReason::IdleTimeout => self.core.events.emit(SessionEvent::TimedOut { session }),
                    CloseReason::LimitReached => {
                        self.core.events.emit(SessionEvent::LimitReached { session });
                    }
                    _ => {}
                }
                self.core.events.emit(SessionEvent::Closing { session, reason });
            }
            Effect::Forget(_) => {}
        }
    }

    fn charge(&mut self, charge: Charge) {
        let core = Arc::clone(&self.core);
        let errand =
            async move { Outcome::Charged(core.store("charging", core.ledger.charge(charge)).await) };
        self.errands
            .spawn(&self.core.tasks, Kind::Charging(charge.seq), errand);
    }

    fn tell(&mut self, notice: Notice) {
        if self.errands.count(Kind::Telling) >= MOST_NOTICES {
            tracing::warn!(session = %self.session.id, %notice, "the channel takes no notices: dropped");
            return;
        }
        let (session, parts) = (Arc::clone(&self.session), Arc::clone(&self.parts));
        let errand = async move {
            match tokio::time::timeout(NOTICE_TIME, parts.notify(&session, notice)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(session = %session.id, %notice, error = error.report(), "not told");
                }
                Err(_) => tracing::warn!(session = %session.id, %notice, "not told in time"),
            }
            Outcome::Told
        };
        self.errands.spawn(&self.core.tasks, Kind::Telling, errand);
    }

    /// Replaces a part inside the living session, or starts its work again.
    fn reset(&mut self, what: Replaceable) {
        self.tell(Notice::Recovering(what));
        let (core, session, parts) = (
            Arc::clone(&self.core),
            Arc::clone(&self.session),
            Arc::clone(&self.parts),
        );
        if let Some(kind) = what.part() {
            let errand = async move {
                if let Some(part) = session.part(kind) {
                    let step = kind.step();
                    let work = Arc::new(cleanup::PartWork {
                        part,
                        cause: StopCause::Reset,
                    });
                    let told = |attempt, cause| {
                        let session = session.id;
                        core.events.emit(SessionEvent::CleanupError {
                            session,
                            step,
                            attempt,
                            cause,
                        });
                    };
                    run_step(core.steps(), step, core.config.steps.of(step), work, told).await;
                }
                let within = core.config.start_timeout;
                Outcome::Reset(
                    match tokio::time::timeout(within, parts.make(kind, &session)).await {
                        Ok(Ok(part)) => {
                            if let Some(part) = part {
                                opening::put(&core, &session, kind, part);
                            }
                            Ok(())
                        }
                        Ok(Err(error)) => Err(error),
                        Err(_) => Err(PartError::new(format!("it could not be made within {within:?}"))),
                    },
                )
            };
            self.errands
                .spawn(&self.core.tasks, Kind::Resetting(what), errand);
        } else {
            // Somebody may report the work as failed while it still runs: a session never has two conversations.
            let old = self.errands.call_off_kind(Kind::Working);
            let errand = async move {
                for task in old {
                    gone(&core, task).await;
                }
                let Some(work) = parts.work(&session) else {
                    return Outcome::Worked(Ok(()));
                };
                core.events.emit(SessionEvent::Reset {
                    session: session.id,
                    what,
                });
                Outcome::Worked(work.await)
            };
            self.errands.spawn(&self.core.tasks, Kind::Working, errand);
        }
    }

    fn came_back(&mut self, kind: Kind, ended: Result<Outcome, JoinError>) {
        match ended {
            Ok(Outcome::Opened(Ok(opened))) => {
                self.work = opened.work;
                let (asked, good_for) = opened.confirmed;
                self.apply(Event::Renewed { asked, good_for });
                self.apply(Event::Opened(opened.charged));
            }
            Ok(Outcome::Opened(Err(error))) => {
                tracing::warn!(session = %self.session.id, %error, "session could not be started");
                self.failure = Some(error);
                self.apply(Event::OpenFailed);
            }
            Ok(Outcome::Charged(answer)) => self.charged(answer),
            Ok(Outcome::Renewed(Ok((asked, good_for)))) => self.apply(Event::Renewed { asked, good_for }),
            Ok(Outcome::Renewed(Err(error))) => self.store_failed(&error, Event::RenewFailed),
            // The conversation is over: its owner left, or said good-bye.
            Ok(Outcome::Worked(Ok(()))) => self.apply(Event::End(CloseReason::EndedByOwner)),
            Ok(Outcome::Worked(Err(error))) => self.fault(Replaceable::Work, &error.report().into()),
            Ok(Outcome::Reset(result)) => self.was_reset(kind, result.map_err(|error| error.report())),
            Ok(Outcome::Told) => {}
            Err(error) => self.panicked(kind, &panic_words(error)),
        }
    }

    fn charged(&mut self, answer: Result<Charged, LimitsError>) {
        match answer {
            Ok(charged) => {
                if let Some(sent) = self.machine.sent() {
                    telemetry::charged(&self.core.voice, sent.delta);
                }
                self.apply(Event::Charged(charged));
            }
            Err(error) => self.store_failed(
                &error,
                Event::ChargeFailed {
                    at: self.core.wall.utc(),
                },
            ),
        }
    }

    /// A store did not do what it was asked: the session goes on under what is known, unless its place is lost.
    fn store_failed(&mut self, error: &LimitsError, event: Event) {
        tracing::warn!(session = %self.session.id, %error, "the store of limits failed");
        if error.ends_session() {
            self.apply(Event::End(CloseReason::Fenced));
        } else {
            self.apply(event);
        }
    }

    fn was_reset(&mut self, kind: Kind, result: Result<(), String>) {
        let Kind::Resetting(what) = kind else { return };
        match result {
            Ok(()) => {
                self.core.events.emit(SessionEvent::Reset {
                    session: self.session.id,
                    what,
                });
                self.tell(Notice::Recovered(what));
            }
            Err(error) => self.fault(what, &error.into()),
        }
    }

    fn panicked(&mut self, kind: Kind, words: &str) {
        tracing::error!(session = %self.session.id, ?kind, words, "a task of a session panicked");
        match kind {
            Kind::Opening => {
                let cause = words.into();
                self.failure = Some(StartError::Failed {
                    what: "opening its parts",
                    cause,
                });
                self.apply(Event::OpenFailed);
            }
            Kind::Charging(_) => self.apply(Event::ChargeFailed {
                at: self.core.wall.utc(),
            }),
            Kind::Renewing => self.apply(Event::RenewFailed),
            Kind::Working => self.fault(Replaceable::Work, &format!("it panicked: {words}").into()),
            Kind::Resetting(_) => self.was_reset(kind, Err(format!("it panicked: {words}"))),
            Kind::Telling => {}
        }
    }
}

/// Waits until the session's work, which was called off, is gone; work that blocks its thread goes into quarantine.
async fn gone(core: &Core, mut task: AbortOnDropHandle<Outcome>) {
    if tokio::time::timeout(cleanup::GRACE, &mut task).await.is_err() {
        let what = format!("{:?} of a session", Kind::Working);
        core.quarantine.admit(Stuck::own_task(what, task.detach()));
    }
}

/// Looks at the memory a session holds. The parts answer, and a part that panics must not take its supervisor along.
pub(super) fn measure(session: &Session) -> usize {
    std::panic::catch_unwind(AssertUnwindSafe(|| session.memory_bytes())).unwrap_or(0)
}

/// Cleans up after a supervisor that did not get to: a panic in it must leave nothing behind either.
struct Guard {
    core: Arc<Core>,
    session: Arc<Session>,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        tracing::error!(session = %self.session.id, "a supervisor died: cleaning up after it");
        // Without a runtime the process is going down, and recovery closes the session at the next start.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (core, session) = (Arc::clone(&self.core), Arc::clone(&self.session));
            let tasks = core.tasks.clone();
            tasks.spawn_on(
                async move {
                    let now = core.clock.now();
                    let active = session
                        .active_since()
                        .map_or(Duration::ZERO, |since| now.since(since));
                    let demise = Demise {
                        reason: CloseReason::Faulted,
                        began: now,
                        unsettled: None,
                        charged: session.charged(),
                        active: active.into(),
                    };
                    session.show(Phase::Closing(CloseReason::Faulted), now);
                    cleanup::clean_up(&core, &session, demise, &mut Errands::default()).await;
                },
                &runtime,
            );
        }
    }
}
