//! The machine against a model of its promises: random lives of several sessions on one ledger and one book of places,
//! with starts, speech, ticks, ends, faults, charges that are lost or only their answers, processes that die and recover,
//! clocks that step and windows that turn.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;
use crate::ids::{GuildId, UserId};
use crate::invariant;
use crate::limits::{Books, Closing, LimitsError, NodeId, Opening, SlotBook, SlotClaim};
use crate::session::{Epoch, SessionId};

const BEGAN: i64 = 1_800_000_000_000;
/// Who may ask for a session; the first two are one member's.
const USERS: [u64; 3] = [1, 1, 2];
const NODE: NodeId = NodeId::new(0);

fn limits() -> LimitsConfig {
    LimitsConfig {
        voice: Millis::from_mins(8),
        window: Millis::from_mins(15),
        forget_after: Millis::from_hours(1),
        per_user: 2,
        per_guild: 2,
        total: 2,
        ..LimitsConfig::default()
    }
}

/// What the store does with a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Answers,
    /// The charge arrives, its answer does not.
    LosesAnswers,
    /// The charge does not arrive.
    LosesCharges,
}

/// What may happen next; the number says in whose session.
#[derive(Debug, Clone, Copy)]
enum Move {
    Ask(usize),
    Begin(usize),
    Opened(usize),
    OpenFailed(usize),
    /// Time passes; the machines are woken whenever they asked for it.
    Pass(u64),
    /// The monotonic clock steps back by so many milliseconds, for one event.
    StepBack(u64),
    /// The wall clock is set, by so many milliseconds.
    SetWall(i64),
    Speak(usize),
    End(usize),
    Fault(usize),
    Store(Store),
    TornDown(usize),
    /// The process dies, and the next one recovers the ledger.
    Crash,
}

/// The reference knows only which moves there are; the promises are checked on the lives themselves after each of them.
#[derive(Debug, Clone)]
struct Anything;

impl ReferenceStateMachine for Anything {
    type State = Self;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Move> {
        let who = || 0..USERS.len();
        let stores = [Store::Answers, Store::LosesAnswers, Store::LosesCharges];
        prop_oneof![
            6 => who().prop_map(Move::Ask),
            6 => who().prop_map(Move::Begin),
            6 => who().prop_map(Move::Opened),
            1 => who().prop_map(Move::OpenFailed),
            10 => (1_u64..400_000).prop_map(Move::Pass),
            4 => (1_u64..20).prop_map(Move::Pass),
            2 => (1_u64..1_000_000).prop_map(Move::StepBack),
            1 => (-4_000_000_i64..4_000_000).prop_map(Move::SetWall),
            8 => who().prop_map(Move::Speak),
            1 => who().prop_map(Move::End),
            2 => who().prop_map(Move::Fault),
            2 => proptest::sample::select(stores.to_vec()).prop_map(Move::Store),
            2 => who().prop_map(Move::TornDown),
            1 => Just(Move::Crash),
        ]
        .boxed()
    }

    fn apply(state: Self, _: &Move) -> Self {
        state
    }
}

/// One session.
struct Life {
    machine: Machine,
    lease: SlotLease,
    born: Moment,
    heard: Moment,
    opened: bool,
    /// Voice that the books were told.
    told: Millis,
    warned_idle: Option<Moment>,
    /// When it began to close.
    closing: Option<Moment>,
    tear_downs: usize,
    forgotten: usize,
    resets: usize,
    closed_in_books: bool,
}

/// A process, its sessions and its stores.
struct Process {
    books: Books,
    slots: SlotBook,
    now: Moment,
    /// By how much the wall clock is off.
    wall: i64,
    store: Store,
    /// Since when the store answers.
    answers: Moment,
    next_id: u64,
    lives: BTreeMap<usize, Life>,
}

impl Process {
    fn at(&self) -> UtcMillis {
        UtcMillis::new(BEGAN + self.wall).after(self.now.since(Moment::ZERO))
    }

    fn ask(&mut self, who: usize) {
        if self.lives.contains_key(&who) {
            return;
        }
        self.next_id += 1;
        let (session, user) = (SessionId::new(self.next_id), UserId::new(USERS[who]));
        let guild = GuildId::new(3);
        let claim = SlotClaim { session, user, guild };
        let config = SessionConfig::default();
        let hold = config.start_timeout + config.cleanup_delay;
        match self.slots.reserve(NODE, claim, hold, self.now) {
            Ok(lease) => {
                let life = Life {
                    machine: Machine::new(self.now, &config, &limits(), lease),
                    lease,
                    born: self.now,
                    heard: self.now,
                    opened: false,
                    told: Millis::ZERO,
                    warned_idle: None,
                    closing: None,
                    tear_downs: 0,
                    forgotten: 0,
                    resets: 0,
                    closed_in_books: false,
                };
                self.lives.insert(who, life);
            }
            Err(LimitsError::Refused(_)) => {
                assert_eq!(
                    self.lives.len(),
                    limits().total as usize,
                    "refused with room left"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn feed(&mut self, who: usize, event: Event) {
        let Some(mut life) = self.lives.remove(&who) else {
            return;
        };
        life.feed(self, event);
        if life.forgotten == 0 {
            self.lives.insert(who, life);
            return;
        }
        life.check(self);
        // Given back last; a reservation that was never confirmed may have run out.
        let held = self.slots.release(life.lease, self.now);
        assert!(held || !life.opened, "an active session's place was lost");
    }

    fn opened(&mut self, who: usize) {
        let at = self.at();
        let Some(life) = self.lives.get_mut(&who) else {
            return;
        };
        if life.machine.phase() != Phase::Connecting || self.store != Store::Answers {
            return;
        }
        life.lease = self.slots.keep(life.lease, self.now).unwrap();
        let SlotLease { claim, epoch, .. } = life.lease;
        match self.books.open(Opening { claim, epoch, at }) {
            Ok(charged) => {
                (life.heard, life.opened) = (self.now, true);
                self.feed(who, Event::Opened(charged));
            }
            Err(_) => self.feed(who, Event::OpenFailed),
        }
    }

    /// Lets time pass as the supervisors do: to each wake a machine asks for, and to the end of each cleanup.
    fn pass(&mut self, millis: u64) {
        let end = self.now.after(Duration::from_millis(millis));
        let delay = SessionConfig::default().cleanup_delay;
        let mut wakes = 0_u64;
        loop {
            let due = |life: &Life| {
                life.closing
                    .map_or(life.machine.next_wake(), |since| since.after(delay))
            };
            let next = self.lives.iter().map(|(&who, life)| (due(life), who)).min();
            let Some((wake, who)) = next.filter(|(wake, _)| *wake <= end) else {
                break;
            };
            self.now = self.now.max(wake);
            let (heard, at) = (self.lives[&who].heard, self.at());
            let event = if self.lives[&who].closing.is_some() {
                Event::TornDown
            } else {
                Event::Wake { heard, at }
            };
            self.feed(who, event);
            wakes += 1;
            assert!(
                wakes <= 3 * (millis / 500 + 60),
                "{wakes} wakes in {millis} ms: it spins"
            );
        }
        self.now = end;
    }

    fn step_back(&mut self, millis: u64) {
        let back = self.now.before(Duration::from_millis(millis));
        let at = self.at();
        for who in 0..USERS.len() {
            let Some(mut life) = self.lives.remove(&who) else {
                continue;
            };
            let (phase, active) = (life.machine.phase(), life.machine.active_for(self.now));
            let heard = life.heard;
            // Whatever the clock says, nothing is charged twice and nothing ends.
            let effects = life.machine.step(back, Event::Wake { heard, at });
            assert_eq!(
                life.machine.phase(),
                phase,
                "a clock that steps back ends nothing"
            );
            assert_eq!(life.machine.active_for(self.now), active);
            for effect in effects {
                life.perform(self, effect);
            }
            self.lives.insert(who, life);
        }
    }

    /// The process dies with all its sessions; the next one finds the ledger, and no place taken.
    fn crash(&mut self) {
        let dead = std::mem::take(&mut self.lives);
        self.slots = SlotBook::new(&limits(), Epoch::new(1), None);
        let recovery = self.books.recover(|_| false);
        let open = |life: &&Life| life.opened && !life.closed_in_books;
        assert_eq!(recovery.crashed.len(), dead.values().filter(open).count());
        for life in dead.values().filter(open) {
            let claim = life.lease.claim;
            let mut records = recovery.crashed.iter().filter(|record| record.claim == claim);
            let record = records.next().unwrap();
            assert!(records.next().is_none(), "one close record");
            assert_eq!((record.reason, record.charged), (CloseReason::Crashed, life.told));
            assert!(life.told <= life.machine.active_for(self.now));
        }
        assert_eq!(self.books.open_sessions().len(), 0, "no ghost is left");
    }
}

impl Life {
    fn feed(&mut self, process: &mut Process, event: Event) {
        let before = self.machine.phase();
        let effects = self.machine.step(process.now, event);
        let after = self.machine.phase();
        assert!(
            rank(after) >= rank(before),
            "{before:?} went back to {after:?} by {event:?}"
        );
        if let (Phase::Closing(reason) | Phase::Closed(reason), Phase::Closed(still)) = (before, after) {
            assert_eq!(reason, still, "a reason never changes");
        }
        for effect in effects {
            self.perform(process, effect);
        }
    }

    /// Tells the books of a charge.
    fn tell(&mut self, process: &Process, charge: Charge) -> Charged {
        let charged = process.books.charge(charge).unwrap();
        if charged.applied {
            self.told = self.told.saturating_add(charge.delta);
        }
        charged
    }

    fn perform(&mut self, process: &mut Process, effect: Effect) {
        match effect {
            Effect::Charge(charge) => {
                let at = process.at();
                let failed = Event::ChargeFailed { at };
                let event = match process.store {
                    Store::Answers => Event::Charged(self.tell(process, charge)),
                    Store::LosesAnswers => {
                        self.tell(process, charge);
                        failed
                    }
                    Store::LosesCharges => failed,
                };
                self.feed(process, event);
            }
            Effect::WarnIdle { left } => {
                assert!(left <= Duration::from_mins(1));
                let warned = self.warned_idle.replace(self.heard);
                assert_ne!(warned, Some(self.heard), "warned twice for one quiet");
            }
            Effect::WarnLimit { left } => assert!(left <= limits().warn_before.as_duration()),
            Effect::TearDown(reason) => {
                self.tear_downs += 1;
                self.closing = Some(process.now);
                if reason == CloseReason::IdleTimeout {
                    let quiet = process.now.since(self.heard);
                    assert!(quiet >= Duration::from_mins(5), "timed out after {quiet:?}");
                }
                self.settle(process, reason);
            }
            Effect::Forget(_) => self.forgotten += 1,
            Effect::Reset(_) => self.resets += 1,
            Effect::Open | Effect::Run | Effect::Renew => {}
        }
    }

    /// What the cleanup does with the last charges.
    fn settle(&mut self, process: &Process, reason: CloseReason) {
        let Some(Unsettled { mut meter, until }) = self.machine.unsettled() else {
            return;
        };
        let at = process.at();
        while meter.has_uncharged(until) {
            let charged = self.tell(process, meter.charge(until, at));
            meter.answered(&charged);
        }
        let SlotLease { claim, epoch, .. } = self.lease;
        let closing = Closing {
            claim,
            epoch,
            at,
            reason,
        };
        let closed = process.books.close(closing).unwrap();
        assert!(closed.first && !self.closed_in_books, "one close record");
        self.closed_in_books = true;
        let active = self.machine.active_for(process.now);
        invariant::settled_exactly(claim.session, active, closed.record.charged).unwrap();
        assert_eq!(self.told, active);
    }

    fn check(&self, process: &Process) {
        let (phase, now) = (self.machine.phase(), process.now);
        let ended = usize::from(!phase.is_live());
        assert_eq!(self.tear_downs, ended, "torn down exactly once: {phase:?}");
        assert_eq!(self.forgotten, usize::from(matches!(phase, Phase::Closed(_))));
        let session = self.lease.claim.session;
        let active = self.machine.active_for(now);
        // What piled up while the store did not answer is sent within two ticks of its return.
        let slack = Millis::new(limits().tick.get() * 2);
        let caught_up = process.store == Store::Answers && now.since(process.answers) >= slack.as_duration();
        if phase == Phase::Active && caught_up && self.machine.sent().is_none() {
            invariant::charged_within_a_tick(session, active, self.told, slack).unwrap();
        }
        assert!(self.told <= active, "never charged more than was used");
        if phase == Phase::Active {
            let quiet = now.since(self.heard.max(self.machine.active_since().unwrap()));
            assert!(
                quiet < Duration::from_mins(5),
                "quiet for {quiet:?} and still there"
            );
        }
        if matches!(phase, Phase::Reserved | Phase::Connecting) {
            let by = self.born.after(SessionConfig::default().start_timeout);
            assert!(now < by, "{phase:?} for ever");
        }
        // Three resets a window; a life of this length sees few windows.
        let windows = now.since(self.born).as_secs() / 600;
        assert!(self.resets as u64 <= 3 + 3 * windows);
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

struct MachinesKeepTheirPromises;

impl StateMachineTest for MachinesKeepTheirPromises {
    type SystemUnderTest = Process;
    type Reference = Anything;

    fn init_test(_: &Anything) -> Process {
        Process {
            books: Books::new(&limits()),
            slots: SlotBook::new(&limits(), Epoch::new(1), None),
            now: Moment::ZERO,
            wall: 0,
            store: Store::Answers,
            answers: Moment::ZERO,
            next_id: 0,
            lives: BTreeMap::new(),
        }
    }

    fn apply(mut process: Process, _: &Anything, transition: Move) -> Process {
        match transition {
            Move::Ask(who) => process.ask(who),
            Move::Begin(who) => process.feed(who, Event::Begin),
            Move::Opened(who) => process.opened(who),
            Move::OpenFailed(who) => process.feed(who, Event::OpenFailed),
            Move::Pass(millis) => process.pass(millis),
            Move::StepBack(millis) => process.step_back(millis),
            Move::SetWall(millis) => process.wall = millis,
            Move::Speak(who) => {
                if let Some(life) = process.lives.get_mut(&who) {
                    life.heard = process.now;
                }
            }
            Move::End(who) => process.feed(who, Event::End(CloseReason::EndedByOwner)),
            Move::Fault(who) => process.feed(who, Event::Fault(Replaceable::Recognition)),
            Move::Store(store) => {
                if process.store != Store::Answers {
                    process.answers = process.now;
                }
                process.store = store;
            }
            Move::TornDown(who) => process.feed(who, Event::TornDown),
            Move::Crash => process.crash(),
        }
        // A place is held by whoever is not closed, and by nobody else.
        let held = process.slots.held(process.now).total() as usize;
        invariant::slots_match(held, process.lives.len(), 0).unwrap();
        process
    }

    fn check_invariants(process: &Process, _: &Anything) {
        process.lives.values().for_each(|life| life.check(process));
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn the_machines_keep_their_promises(sequential 1..80 => MachinesKeepTheirPromises);
}
