//! The machine against a model of its promises: random lives of starts, speech, ticks, ends, faults, crashes of the
//! store, clocks that step back and windows that turn.

use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;
use crate::ids::{GuildId, UserId};
use crate::invariant;
use crate::limits::{Books, Closing, Opening, SlotClaim};
use crate::session::{Epoch, SessionId};

const BEGAN: i64 = 1_800_000_000_000;
const CLAIM: SlotClaim = SlotClaim {
    session: SessionId::new(1),
    user: UserId::new(2),
    guild: GuildId::new(3),
};
const LEASE: SlotLease = SlotLease {
    claim: CLAIM,
    epoch: Epoch::new(1),
    good_for: None,
};

fn limits() -> LimitsConfig {
    LimitsConfig {
        voice: Millis::from_mins(8),
        window: Millis::from_mins(15),
        forget_after: Millis::from_hours(1),
        ..LimitsConfig::default()
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Move {
    Begin,
    Opened,
    OpenFailed,
    /// Time passes; the machine is woken whenever it asked for it.
    Pass(u64),
    /// The clock steps back by so many milliseconds, for one event.
    StepBack(u64),
    Speak,
    End,
    Fault,
    /// The store answers (or not) from now on.
    Store(bool),
    TornDown,
}

/// The reference knows only which moves there are; the promises are checked on the life itself after each of them.
#[derive(Debug, Clone)]
struct Anything;

impl ReferenceStateMachine for Anything {
    type State = Self;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Move> {
        prop_oneof![
            4 => Just(Move::Begin),
            4 => Just(Move::Opened),
            1 => Just(Move::OpenFailed),
            10 => (1_u64..400_000).prop_map(Move::Pass),
            4 => (1_u64..20).prop_map(Move::Pass),
            2 => (1_u64..1_000_000).prop_map(Move::StepBack),
            8 => Just(Move::Speak),
            1 => Just(Move::End),
            2 => Just(Move::Fault),
            2 => any::<bool>().prop_map(Move::Store),
            2 => Just(Move::TornDown),
        ]
        .boxed()
    }

    fn apply(state: Self, _: &Move) -> Self {
        state
    }
}

struct Life {
    machine: Machine,
    books: Books,
    now: Moment,
    heard: Moment,
    /// Since when the store answers; `None` while it does not.
    answers: Option<Moment>,
    /// Voice that the books were told.
    told: Millis,
    warned_idle: Option<Moment>,
    tear_downs: usize,
    forgotten: usize,
    resets: usize,
    closed_in_books: bool,
}

impl Life {
    fn at(&self) -> UtcMillis {
        UtcMillis::new(BEGAN).after(self.now.since(Moment::ZERO))
    }

    fn feed(&mut self, event: Event) {
        let before = self.machine.phase();
        let effects = self.machine.step(self.now, event);
        let after = self.machine.phase();
        assert!(
            rank(after) >= rank(before),
            "{before:?} went back to {after:?} by {event:?}"
        );
        if let (Phase::Closing(reason) | Phase::Closed(reason), Phase::Closed(still)) = (before, after) {
            assert_eq!(reason, still, "a reason never changes");
        }
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Charge(charge) => {
                // An unanswered charge may have arrived all the same.
                let charged = self.books.charge(charge).unwrap();
                if charged.applied {
                    self.told = self.told.saturating_add(charge.delta);
                }
                let at = self.at();
                self.feed(if self.answers.is_some() {
                    Event::Charged(charged)
                } else {
                    Event::ChargeFailed { at }
                });
            }
            Effect::WarnIdle { left } => {
                assert!(left <= Duration::from_mins(1));
                assert_ne!(
                    self.warned_idle.replace(self.heard),
                    Some(self.heard),
                    "warned twice for one quiet"
                );
            }
            Effect::WarnLimit { left } => assert!(left <= limits().warn_before.as_duration()),
            Effect::TearDown(reason) => {
                self.tear_downs += 1;
                if reason == CloseReason::IdleTimeout {
                    let quiet = self.now.since(self.heard);
                    assert!(quiet >= Duration::from_mins(5), "timed out after {quiet:?}");
                }
                self.settle(reason);
            }
            Effect::Forget(_) => self.forgotten += 1,
            Effect::Reset(_) => self.resets += 1,
            Effect::Open | Effect::Run | Effect::Renew => {}
        }
    }

    /// What the cleanup does with the last charges.
    fn settle(&mut self, reason: CloseReason) {
        let Some(Unsettled { mut meter, until }) = self.machine.unsettled() else {
            return;
        };
        let at = self.at();
        while meter.has_uncharged(until) {
            let charge = meter.charge(until, at);
            let charged = self.books.charge(charge).unwrap();
            if charged.applied {
                self.told = self.told.saturating_add(charge.delta);
            }
            meter.answered(&charged);
        }
        let closing = Closing {
            claim: CLAIM,
            epoch: LEASE.epoch,
            at,
            reason,
        };
        let closed = self.books.close(closing).unwrap();
        assert!(closed.first && !self.closed_in_books, "one close record");
        self.closed_in_books = true;
        let active = self.machine.active_for(self.now);
        invariant::settled_exactly(CLAIM.session, active, closed.record.charged).unwrap();
        assert_eq!(self.told, active);
    }

    /// Lets time pass as the supervisor does: to each wake the machine asks for.
    fn pass(&mut self, millis: u64) {
        let end = self.now.after(Duration::from_millis(millis));
        let mut wakes = 0_u64;
        while self.machine.next_wake() <= end {
            self.now = self.now.max(self.machine.next_wake());
            let (heard, at) = (self.heard, self.at());
            self.feed(Event::Wake { heard, at });
            wakes += 1;
            assert!(
                wakes <= millis / 500 + 60,
                "{wakes} wakes in {millis} ms: it spins"
            );
        }
        self.now = end;
    }
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Reserved => 0,
        Phase::Connecting => 1,
        Phase::Active => 2,
        Phase::Closing(_) => 3,
        Phase::Closed(_) => 4,
    }
}

struct MachineKeepsItsPromises;

impl StateMachineTest for MachineKeepsItsPromises {
    type SystemUnderTest = Life;
    type Reference = Anything;

    fn init_test(_: &Anything) -> Life {
        let config = SessionConfig::default();
        Life {
            machine: Machine::new(Moment::ZERO, &config, &limits(), LEASE),
            books: Books::new(&limits()),
            now: Moment::ZERO,
            heard: Moment::ZERO,
            answers: Some(Moment::ZERO),
            told: Millis::ZERO,
            warned_idle: None,
            tear_downs: 0,
            forgotten: 0,
            resets: 0,
            closed_in_books: false,
        }
    }

    fn apply(mut life: Life, _: &Anything, transition: Move) -> Life {
        match transition {
            Move::Begin => life.feed(Event::Begin),
            Move::Opened => {
                if life.machine.phase() == Phase::Connecting {
                    let at = life.at();
                    if let Ok(charged) = life.books.open(Opening {
                        claim: CLAIM,
                        epoch: LEASE.epoch,
                        at,
                    }) {
                        life.heard = life.now;
                        life.feed(Event::Opened(charged));
                    }
                }
            }
            Move::OpenFailed => life.feed(Event::OpenFailed),
            Move::Pass(millis) => life.pass(millis),
            Move::StepBack(millis) => {
                let (now, heard, at) = (life.now, life.heard, life.at());
                life.now = now.before(Duration::from_millis(millis));
                let active = life.machine.active_for(now);
                // Whatever the clock says, nothing is charged twice and nothing ends.
                let phase = life.machine.phase();
                let effects = life.machine.step(life.now, Event::Wake { heard, at });
                assert!(phase == life.machine.phase() || !phase.is_live() || effects.len() <= 1);
                life.now = now;
                assert!(life.machine.active_for(now) >= active || !phase.is_live());
                for effect in effects {
                    life.perform(effect);
                }
            }
            Move::Speak => life.heard = life.now,
            Move::End => life.feed(Event::End(CloseReason::EndedByOwner)),
            Move::Fault => life.feed(Event::Fault(Replaceable::Recognition)),
            Move::Store(true) => {
                life.answers.get_or_insert(life.now);
            }
            Move::Store(false) => life.answers = None,
            Move::TornDown => life.feed(Event::TornDown),
        }
        life
    }

    fn check_invariants(life: &Life, _: &Anything) {
        let phase = life.machine.phase();
        let ended = !phase.is_live();
        assert_eq!(
            life.tear_downs,
            usize::from(ended),
            "torn down exactly once: {phase:?}"
        );
        assert_eq!(life.forgotten, usize::from(matches!(phase, Phase::Closed(_))));
        let active = life.machine.active_for(life.now);
        // What piled up while the store did not answer is sent within two ticks of its return.
        let slack = Millis::new(limits().tick.get() * 2);
        let caught_up = life
            .answers
            .is_some_and(|since| life.now.since(since) >= slack.as_duration());
        if phase == Phase::Active && caught_up && life.machine.sent().is_none() {
            invariant::charged_within_a_tick(CLAIM.session, active, life.told, slack).unwrap();
        }
        assert!(life.told <= active, "never charged more than was used");
        if phase == Phase::Active {
            let quiet = life
                .now
                .since(life.heard.max(life.machine.active_since().unwrap()));
            assert!(
                quiet < Duration::from_mins(5),
                "quiet for {quiet:?} and still there"
            );
        }
        if matches!(phase, Phase::Reserved | Phase::Connecting) {
            assert!(
                life.now < Moment::ZERO.after(SessionConfig::default().start_timeout),
                "{phase:?} for ever"
            );
        }
        // Three resets a window; a life of this length sees few windows.
        assert!(life.resets <= 3 + 3 * (life.now.as_millis() / 600_000) as usize);
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_keeps_its_promises(sequential 1..60 => MachineKeepsItsPromises);
}
