//! The scheduler's promises, one by one and under random events.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    workers: 1,
    waiting: 4,
    waiting_finals: 100,
    overdue: Duration::from_secs(10),
    grace: Duration::from_secs(5),
    replacements: 2,
};

fn job(source: u64, class: DecodeClass) -> Job {
    Job {
        source,
        class,
        audio: Duration::from_secs(3),
    }
}

/// Runs a scheduler and remembers every effect.
struct Run {
    scheduler: Scheduler,
    now: Moment,
    log: Vec<Effect>,
}

impl Run {
    fn new(limits: Limits) -> Self {
        Self {
            scheduler: Scheduler::new(limits),
            now: Moment::ZERO,
            log: Vec::new(),
        }
    }

    fn submit(&mut self, source: u64, class: DecodeClass) -> JobId {
        self.try_submit(source, class).unwrap()
    }

    fn try_submit(&mut self, source: u64, class: DecodeClass) -> Result<JobId, Full> {
        self.scheduler.submit(self.now, job(source, class), &mut self.log)
    }

    fn finish(&mut self, id: JobId) {
        self.scheduler.finished(self.now, id, &mut self.log);
    }

    fn last_started(&self) -> Option<JobId> {
        self.log.iter().rev().find_map(|effect| match effect {
            Effect::Start(id) => Some(*id),
            _ => None,
        })
    }

    /// Finishes whatever runs until nothing waits; gives the order of the starts.
    fn drain(&mut self) -> Vec<JobId> {
        let begun = self.log.len();
        while self.scheduler.running() > 0 {
            let id = self.last_started().unwrap();
            self.finish(id);
        }
        self.log[begun..]
            .iter()
            .filter_map(|effect| {
                if let Effect::Start(id) = effect {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect()
    }
}

use DecodeClass::{Final, Partial, Speculative};

#[test]
fn what_hangs_is_told_once_and_only_after_it_was_called_off() {
    let mut run = Run::new(LIMITS);
    let id = run.submit(1, Final);
    let mut at = |seconds: u64| {
        let now = Moment::from_millis(seconds * 1000);
        let overdue = run.scheduler.overdue(now, &mut Vec::new()).len();
        (overdue, run.scheduler.hanging(now))
    };
    assert_eq!(at(9), (0, vec![]));
    assert_eq!(at(11), (1, vec![]));
    assert_eq!(at(14), (0, vec![]));
    assert_eq!(at(16), (0, vec![id]));
    assert_eq!(at(60), (0, vec![]));
}

#[test]
fn waits_and_work_count_what_is_urgent_alone() {
    let mut run = Run::new(LIMITS);
    let first = run.submit(1, Partial);
    run.submit(2, Partial);
    run.now = Moment::from_millis(300);
    let last = run.submit(3, Final);
    let later = Moment::from_millis(1000);
    assert_eq!(
        run.scheduler.urgent(later),
        (1, Duration::from_millis(700)),
        "the partial that waits is not counted"
    );
    assert_eq!(run.scheduler.busy(later), Duration::ZERO);
    run.now = later;
    run.finish(first);
    assert_eq!(run.last_started(), Some(last));
    assert_eq!(
        run.scheduler.busy(Moment::from_millis(1400)),
        Duration::from_millis(400)
    );
    run.now = Moment::from_millis(1500);
    run.finish(last);
    assert_eq!(
        run.scheduler.busy(Moment::from_millis(9000)),
        Duration::from_millis(500)
    );
}

#[test]
fn classes_go_in_order_of_importance() {
    let mut run = Run::new(LIMITS);
    run.submit(9, Final);
    let partial = run.submit(1, Partial);
    let speculative = run.submit(2, Speculative);
    let last = run.submit(3, Final);
    assert_eq!(run.drain(), [last, speculative, partial]);
}

#[test]
fn a_newer_partial_replaces_the_waiting_one_and_lets_the_running_one_finish() {
    let mut run = Run::new(LIMITS);
    run.submit(1, Partial);
    let stale = run.submit(1, Partial);
    let newest = run.submit(1, Partial);
    assert!(run.log.contains(&Effect::Supersede(stale)));
    assert!(!run.log.iter().any(|effect| matches!(effect, Effect::CallOff(_))));
    assert_eq!(run.drain(), [newest]);
}

#[test]
fn a_final_calls_off_a_running_partial_of_anyone() {
    for source in [1, 2] {
        let mut run = Run::new(LIMITS);
        let partial = run.submit(1, Partial);
        let last = run.submit(source, Final);
        assert_eq!(run.log.last(), Some(&Effect::CallOff(partial)));
        // It keeps its worker until whisper really returns.
        assert_eq!((run.scheduler.running(), run.scheduler.waiting()), (1, 1));
        run.finish(partial);
        assert_eq!(run.last_started(), Some(last));
    }
}

#[test]
fn one_urgent_decode_calls_off_one_partial_only() {
    let mut run = Run::new(Limits { workers: 3, ..LIMITS });
    for source in 1..=3 {
        run.submit(source, Partial);
    }
    run.submit(9, Speculative);
    let called_off = |run: &Run| run.log.iter().filter(|e| matches!(e, Effect::CallOff(_))).count();
    assert_eq!(called_off(&run), 1);
    run.submit(8, Final);
    assert_eq!(called_off(&run), 2);
}

#[test]
fn a_final_never_calls_off_a_final_or_a_speculative() {
    let mut run = Run::new(LIMITS);
    run.submit(1, Speculative);
    run.submit(2, Final);
    assert!(!run.log.iter().any(|effect| matches!(effect, Effect::CallOff(_))));
}

#[test]
fn a_full_queue_refuses_partials_and_makes_room_for_finals() {
    let mut run = Run::new(LIMITS);
    run.submit(0, Final);
    let waiting: Vec<JobId> = (1..=4).map(|source| run.submit(source, Partial)).collect();
    assert_eq!(run.try_submit(5, Partial), Err(Full(4)));
    // Its own newer partial still replaces the older: the queue does not grow.
    run.submit(4, Partial);
    run.submit(6, Final);
    assert!(run.log.contains(&Effect::Displace(waiting[0])));
    assert_eq!(run.scheduler.waiting(), 4);
}

#[test]
fn a_final_is_taken_even_when_only_finals_wait() {
    let mut run = Run::new(LIMITS);
    let finals: Vec<JobId> = (0..20).map(|source| run.submit(source, Final)).collect();
    assert_eq!(run.try_submit(99, Speculative), Err(Full(19)));
    assert_eq!(run.drain(), finals[1..]);
}

#[test]
fn a_talkative_source_does_not_delay_a_quiet_one() {
    let mut run = Run::new(LIMITS);
    let mut talkative = vec![run.submit(1, Final)];
    talkative.extend((0..5).map(|_| run.submit(1, Final)));
    let quiet = run.submit(2, Final);
    let order = run.drain();
    assert_eq!(order[0], quiet);
    assert_eq!(order[1..], talkative[1..]);
}

#[test]
fn a_cancelled_decode_frees_its_place_or_is_called_off() {
    let mut run = Run::new(LIMITS);
    let running = run.submit(1, Final);
    let waiting = run.submit(2, Final);
    run.scheduler.cancelled(waiting, &mut run.log);
    run.scheduler.cancelled(running, &mut run.log);
    assert_eq!((run.scheduler.running(), run.scheduler.waiting()), (1, 0));
    assert_eq!(run.log.last(), Some(&Effect::CallOff(running)));
}

#[test]
fn an_overdue_decode_is_reported_once_and_called_off() {
    let mut run = Run::new(LIMITS);
    let id = run.submit(1, Final);
    assert!(
        run.scheduler
            .overdue(Moment::from_millis(10_000), &mut run.log)
            .is_empty()
    );
    let late = run.scheduler.overdue(Moment::from_millis(10_001), &mut run.log);
    assert_eq!(late, [(id, Duration::from_millis(10_001))]);
    assert_eq!(run.log.last(), Some(&Effect::CallOff(id)));
    assert!(
        run.scheduler
            .overdue(Moment::from_millis(60_000), &mut run.log)
            .is_empty()
    );
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(u64, u8, u16),
    Finish(u8),
    Cancel(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u64, 0..3_u8, 0..30_000_u16).prop_map(|(source, class, ms)| Step::Submit(source, class, ms)),
        3 => any::<u8>().prop_map(Step::Finish),
        1 => any::<u8>().prop_map(Step::Cancel),
        1 => any::<u16>().prop_map(Step::Wait),
    ]
}

/// What the pool would believe, from the effects alone.
#[derive(Default)]
struct Model {
    jobs: HashMap<JobId, Job>,
    waiting: Vec<JobId>,
    running: Vec<JobId>,
}

impl Model {
    fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Start(id) => {
                    let at = self
                        .waiting
                        .iter()
                        .position(|w| w == id)
                        .expect("only what waits can start");
                    self.waiting.remove(at);
                    self.running.push(*id);
                }
                Effect::CallOff(id) => assert!(self.running.contains(id), "only what runs can be called off"),
                Effect::Supersede(id) | Effect::Displace(id) => {
                    assert_ne!(self.jobs[id].class, Final, "a final is never dropped");
                    let at = self
                        .waiting
                        .iter()
                        .position(|w| w == id)
                        .expect("only what waits can be dropped");
                    self.waiting.remove(at);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn promises_hold_for_any_events(
        steps in proptest::collection::vec(step(), 1..200), workers in 1..4_usize, room in 0..6_usize,
    ) {
        let limits = Limits { workers, waiting: room, waiting_finals: 1000, overdue: Duration::from_secs(20), ..LIMITS };
        let mut scheduler = Scheduler::new(limits);
        let mut model = Model::default();
        let mut now = Moment::ZERO;
        for step in steps {
            let mut effects = Vec::new();
            match step {
                Step::Submit(source, class, ms) => {
                    let class = [Partial, Speculative, Final][usize::from(class)];
                    let job = Job { source, class, audio: Duration::from_millis(ms.into()) };
                    if let Ok(id) = scheduler.submit(now, job, &mut effects) {
 model.jobs.insert(id, job);
 model.waiting.push(id);
 } else {
 prop_assert_ne!(class, Final);
 }
                }
                Step::Finish(pick) if !model.running.is_empty() => {
                    let id = model.running.remove(usize::from(pick) % model.running.len());
                    scheduler.finished(now, id, &mut effects);
                }
                Step::Cancel(pick) if !model.waiting.is_empty() => {
                    let id = model.waiting.remove(usize::from(pick) % model.waiting.len());
                    scheduler.cancelled(id, &mut effects);
                }
                Step::Finish(_) | Step::Cancel(_) => {}
                Step::Wait(ms) => {
                    now = now.after(Duration::from_millis(ms.into()));
                    scheduler.overdue(now, &mut effects);
                }
            }
            model.apply(&effects);
            prop_assert_eq!(scheduler.waiting(), model.waiting.len());
            prop_assert_eq!(scheduler.running(), model.running.len());
            prop_assert!(model.running.len() <= workers);
            // No worker idles while something waits.
            prop_assert!(model.waiting.is_empty() || model.running.len() == workers);
            // Room is kept for all but finals, and a source has one partial waiting at most.
            let others = model.waiting.iter().filter(|id| model.jobs[id].class != Final).count();
            prop_assert!(others <= room);
            for source in 0..5 {
                let partials = model.waiting.iter()
                    .filter(|id| model.jobs[id].source == source && model.jobs[id].class == Partial).count();
                prop_assert!(partials <= 1);
            }
        }
        // Whatever was admitted and not dropped comes to run.
        let mut turns = 0;
        while let Some(id) = model.running.pop() {
            let mut effects = Vec::new();
            scheduler.finished(now, id, &mut effects);
            model.apply(&effects);
            turns += 1;
            prop_assert!(turns < 1000);
        }
        prop_assert!(model.waiting.is_empty());
    }
}
