//! A session's life as a pure state machine: `step(now, event)` changes the state and says what is to be done.
//!
//! ```text
//! Reserved -> Connecting -> Active -> Closing -> Closed
//! ```
//!
//! It reads no clock, spawns nothing and waits for nothing: the supervisor does what the [`Effect`]s say and reports
//! back with [`Event`]s. Events that make no sense in a phase (a second end, a late answer) change nothing, which is
//! what makes every order of them safe.

mod idle;
mod lease;
#[cfg(test)]
mod model;

use std::collections::VecDeque;
use std::time::Duration;

use self::idle::{IdleWatch, Quiet};
use self::lease::LeaseWatch;
use super::CloseReason;
use super::config::SessionConfig;
use super::resources::Replaceable;
use crate::limits::{Charge, Charged, LimitsConfig, Meter, MeterNotice, Millis, SlotLease};
use crate::time::{Moment, UtcMillis};

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It holds a place; nothing is open yet.
    Reserved,
    /// The call and the parts are being opened.
    Connecting,
    /// It runs, and is charged.
    Active,
    /// It is being taken down, for this reason; the place is still held.
    Closing(CloseReason),
    /// Nothing of it is left, for this reason.
    Closed(CloseReason),
}

impl Phase {
    /// One word, for people and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Connecting => "connecting",
            Self::Active => "active",
            Self::Closing(_) => "closing",
            Self::Closed(_) => "closed",
        }
    }

    /// Whether it has neither ended nor begun to.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Reserved | Self::Connecting | Self::Active)
    }
}

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The supervisor is ready to open the parts.
    Begin,
    /// Everything is open and the ledger knows the session.
    Opened(Charged),
    /// Something could not be opened, retries included.
    OpenFailed,
    /// Somebody or something ends it.
    End(CloseReason),
    /// The time that [`Machine::next_wake`] named has come (or any other).
    Wake {
        /// When somebody last spoke.
        heard: Moment,
        /// The same moment as wall-clock time, for the charge.
        at: UtcMillis,
    },
    /// The ledger answered the charge that is under way.
    Charged(Charged),
    /// The ledger did not answer the charge that is under way; it will be sent again unchanged.
    ChargeFailed {
        /// Now, as wall-clock time.
        at: UtcMillis,
    },
    /// The lease on the place was renewed.
    Renewed {
        /// When it was asked for, from which it counts.
        asked: Moment,
        /// For this long; `None`: for ever.
        good_for: Option<Duration>,
    },
    /// The lease could not be renewed this time.
    RenewFailed,
    /// A part failed inside the running session.
    Fault(Replaceable),
    /// Every cleanup step has run.
    TornDown,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Open the call and the parts.
    Open,
    /// The session runs: start its work.
    Run,
    /// Send a charge to the ledger.
    Charge(Charge),
    /// Renew the lease on the place.
    Renew,
    /// Tell the user that the session ends for lack of speech.
    WarnIdle {
        /// How soon.
        left: Duration,
    },
    /// Tell the user that their voice time runs out.
    WarnLimit {
        /// How soon.
        left: Duration,
    },
    /// Replace a part inside the running session.
    Reset(Replaceable),
    /// Take it down: stop what is under way, settle the last charges, run every cleanup step.
    TearDown(CloseReason),
    /// Forget it: it is closed.
    Forget(CloseReason),
}

/// The state of one session.
#[derive(Debug, Clone)]
pub struct Machine {
    phase: Phase,
    now: Moment,
    limits: LimitsConfig,
    claim: SlotLease,
    start_by: Moment,
    active: Option<(Moment, Option<Moment>)>,
    closing_since: Option<Moment>,
    idle: IdleWatch,
    lease: LeaseWatch,
    meter: Option<Meter>,
    sent: Option<Charge>,
    charged: Millis,
    resets: VecDeque<Moment>,
    max_resets: usize,
    reset_window: Duration,
}

/// What is left to charge once a session closes.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// The meter, which still covers everything that was not answered.
    pub meter: Meter,
    /// When the session stopped being active.
    pub until: Moment,
}

impl Machine {
    /// A session that was given the place `lease` at `now`.
    pub fn new(now: Moment, config: &SessionConfig, limits: &LimitsConfig, lease: SlotLease) -> Self {
        Self {
            phase: Phase::Reserved,
            now,
            limits: *limits,
            claim: lease,
            start_by: now.after(config.start_timeout),
            active: None,
            closing_since: None,
            idle: IdleWatch::new(
                now,
                config.session_timeout,
                config.idle_warning,
                config.monitor_interval,
            ),
            lease: LeaseWatch::new(now, lease.good_for),
            meter: None,
            sent: None,
            charged: Millis::ZERO,
            resets: VecDeque::new(),
            max_resets: config.max_resets,
            reset_window: config.reset_window,
        }
    }

    /// Takes one event in. A `now` earlier than the latest one seen is clamped to it.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        let now = self.now;
        let mut effects = Vec::new();
        match (self.phase, event) {
            (Phase::Reserved, Event::Begin) => {
                self.phase = Phase::Connecting;
                effects.push(Effect::Open);
            }
            (Phase::Connecting, Event::Opened(charged)) => self.open(now, charged, &mut effects),
            (Phase::Reserved | Phase::Connecting, Event::OpenFailed) => {
                self.close(CloseReason::StartFailed, &mut effects);
            }
            (Phase::Reserved, Event::Wake { .. }) if now >= self.start_by => {
                self.close(CloseReason::NeverStarted, &mut effects);
            }
            (Phase::Connecting, Event::Wake { .. }) if now >= self.start_by => {
                self.close(CloseReason::StartFailed, &mut effects);
            }
            (phase, Event::End(reason)) if phase.is_live() => self.close(reason, &mut effects),
            (Phase::Active, Event::Wake { heard, at }) => self.wake(now, heard, at, &mut effects),
            (Phase::Active, Event::Charged(charged)) => self.answered(&charged, &mut effects),
            (Phase::Active, Event::ChargeFailed { at }) => {
                self.sent = None;
                let notice = self.meter.as_mut().and_then(|meter| meter.unanswered(now, at));
                self.heed(notice, &mut effects);
            }
            (Phase::Connecting | Phase::Active, Event::Renewed { asked, good_for }) => {
                self.lease.renewed(asked.min(now), good_for);
            }
            (Phase::Active, Event::RenewFailed) => self.lease.failed(now),
            (Phase::Active, Event::Fault(what)) => self.fault(now, what, &mut effects),
            (Phase::Closing(reason), Event::TornDown) => {
                self.phase = Phase::Closed(reason);
                effects.push(Effect::Forget(reason));
            }
            _ => {}
        }
        effects
    }

    fn open(&mut self, now: Moment, charged: Charged, effects: &mut Vec<Effect>) {
        self.phase = Phase::Active;
        self.active = Some((now, None));
        self.idle.restart(now);
        let SlotLease { claim, epoch, .. } = self.claim;
        let meter = Meter::start(&self.limits, claim, epoch, now, &charged);
        effects.push(Effect::Run);
        let notice = meter.at_start();
        self.meter = Some(meter);
        self.heed(notice, effects);
    }

    fn wake(&mut self, now: Moment, heard: Moment, at: UtcMillis, effects: &mut Vec<Effect>) {
        if self.lease.lost(now) {
            return self.close(CloseReason::Fenced, effects);
        }
        match self.idle.look(now, heard) {
            Quiet::TimedOut => return self.close(CloseReason::IdleTimeout, effects),
            Quiet::Warn { left } => effects.push(Effect::WarnIdle { left }),
            Quiet::Fine => {}
        }
        if self.lease.due(now) {
            effects.push(Effect::Renew);
        }
        if let (Some(meter), None) = (&mut self.meter, self.sent)
            && now >= meter.due()
            && meter.has_uncharged(now)
        {
            let charge = meter.charge(now, at);
            self.sent = Some(charge);
            effects.push(Effect::Charge(charge));
        }
    }

    fn answered(&mut self, charged: &Charged, effects: &mut Vec<Effect>) {
        if let (Some(meter), Some(sent)) = (&mut self.meter, self.sent.take()) {
            self.charged = self.charged.saturating_add(sent.delta);
            let notice = meter.answered(charged);
            self.heed(notice, effects);
        }
    }

    fn heed(&mut self, notice: Option<MeterNotice>, effects: &mut Vec<Effect>) {
        match notice {
            Some(MeterNotice::Warn { left }) => {
                effects.push(Effect::WarnLimit {
                    left: left.as_duration(),
                });
            }
            Some(MeterNotice::LimitReached { .. }) => self.close(CloseReason::LimitReached, effects),
            None => {}
        }
    }

    fn fault(&mut self, now: Moment, what: Replaceable, effects: &mut Vec<Effect>) {
        while self
            .resets
            .front()
            .is_some_and(|&reset| now.since(reset) > self.reset_window)
        {
            self.resets.pop_front();
        }
        if self.resets.len() < self.max_resets {
            self.resets.push_back(now);
            effects.push(Effect::Reset(what));
        } else {
            self.close(CloseReason::Faulted, effects);
        }
    }

    fn close(&mut self, reason: CloseReason, effects: &mut Vec<Effect>) {
        if let Some((_, until)) = &mut self.active {
            *until = Some(self.now);
        }
        self.sent = None;
        self.closing_since = Some(self.now);
        self.phase = Phase::Closing(reason);
        effects.push(Effect::TearDown(reason));
    }

    /// What is left to charge, once the session closes; `None` before, and when it never was active.
    pub fn unsettled(&self) -> Option<Unsettled> {
        match (&self.meter, self.active) {
            (Some(meter), Some((_, Some(until)))) => Some(Unsettled {
                meter: meter.clone(),
                until,
            }),
            _ => None,
        }
    }

    /// When [`Event::Wake`] is due next; [`Moment::NEVER`] when nothing is.
    pub fn next_wake(&self) -> Moment {
        match self.phase {
            Phase::Reserved | Phase::Connecting => self.start_by,
            Phase::Active => {
                let charge = match (&self.meter, self.sent) {
                    // At least a millisecond of voice a charge.
                    (Some(meter), None) => meter.due().max(self.now.after(Duration::from_millis(1))),
                    _ => Moment::NEVER,
                };
                self.idle.wake().min(self.lease.wake()).min(charge)
            }
            Phase::Closing(_) | Phase::Closed(_) => Moment::NEVER,
        }
    }

    /// Where the session is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When it became active; `None` before.
    pub fn active_since(&self) -> Option<Moment> {
        self.active.map(|(from, _)| from)
    }

    /// How long it has been active, up to its end.
    pub fn active_for(&self, now: Moment) -> Millis {
        self.active.map_or(Millis::ZERO, |(from, until)| {
            Millis::from(until.unwrap_or(now.max(self.now)).since(from))
        })
    }

    /// What the ledger has answered for while it was active.
    pub fn charged(&self) -> Millis {
        self.charged
    }

    /// The charge that is under way.
    pub fn sent(&self) -> Option<Charge> {
        self.sent
    }

    /// How long it has been closing; `None` before it does.
    pub fn closing_for(&self, now: Moment) -> Option<Duration> {
        self.closing_since.map(|since| now.since(since))
    }
}
