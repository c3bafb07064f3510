//! The ladder's promises, one by one and under random load.

use proptest::prelude::*;

use super::*;

const LOOK: Duration = Duration::from_millis(250);

const PRESSED: Signal = Signal {
    wait: Duration::from_secs(1),
    depth: 0.0,
    busy: 0.0,
    unseated: 0,
};
const CALM_SIGNAL: Signal = Signal {
    wait: Duration::ZERO,
    depth: 0.0,
    busy: 0.0,
    unseated: 0,
};
/// Neither too much nor little: everything stays as it is.
const BETWEEN: Signal = Signal {
    wait: Duration::ZERO,
    depth: 2.0,
    busy: 0.7,
    unseated: 0,
};

struct Run {
    ladder: Ladder,
    now: Moment,
    changes: Vec<(Moment, Change)>,
}

impl Run {
    fn new(smaller_model: bool) -> Self {
        let config = LadderConfig {
            smaller_model,
            ..LadderConfig::default()
        };
        Self {
            ladder: Ladder::new(config),
            now: Moment::ZERO,
            changes: Vec::new(),
        }
    }

    fn look(&mut self, signal: Signal) {
        self.now = self.now.after(LOOK);
        if let Some(change) = self.ladder.step(self.now, signal) {
            self.changes.push((self.now, change));
        }
    }

    fn looks(&mut self, signal: Signal, time: Duration) {
        for _ in 0..time.as_millis() / LOOK.as_millis() {
            self.look(signal);
        }
    }
}

fn climbed(change: Change) -> bool {
    change.to > change.from
}

#[test]
fn it_climbs_rung_by_rung_and_comes_back_the_same_way() {
    let mut run = Run::new(true);
    run.looks(PRESSED, Duration::from_secs(20));
    assert_eq!(run.ladder.level(), Level::Refusing);
    run.looks(CALM_SIGNAL, Duration::from_mins(2));
    let went: Vec<Level> = run.changes.iter().map(|(_, change)| change.to).collect();
    let up = Level::ALL[1..].iter();
    let down = Level::ALL[..4].iter().rev();
    assert_eq!(went, up.chain(down).copied().collect::<Vec<_>>());
}

#[test]
fn without_a_smaller_model_its_rung_is_left_out() {
    let mut run = Run::new(false);
    run.looks(PRESSED, Duration::from_secs(20));
    run.looks(CALM_SIGNAL, Duration::from_mins(2));
    assert!(
        run.changes
            .iter()
            .all(|(_, change)| change.to != Level::SmallerModel)
    );
    assert_eq!(run.ladder.level(), Level::Full);
}

#[test]
fn each_signal_alone_is_enough() {
    let one = |signal: Signal| {
        let mut run = Run::new(true);
        run.look(signal);
        run.ladder.level()
    };
    assert_eq!(one(CALM_SIGNAL), Level::Full);
    assert_eq!(one(BETWEEN), Level::Full);
    let waits = Signal {
        wait: Duration::from_millis(600),
        ..CALM_SIGNAL
    };
    let deep = Signal {
        depth: 3.0,
        ..CALM_SIGNAL
    };
    let busy = Signal {
        busy: 0.95,
        ..CALM_SIGNAL
    };
    let crowded = Signal {
        unseated: 1,
        ..CALM_SIGNAL
    };
    for signal in [waits, deep, busy, crowded] {
        assert_eq!(one(signal), Level::FewerPartials, "{signal:?}");
    }
}

#[test]
fn between_too_much_and_little_everything_stays() {
    let mut run = Run::new(true);
    run.looks(PRESSED, Duration::from_secs(3));
    let level = run.ladder.level();
    assert_ne!(level, Level::Full);
    run.looks(BETWEEN, Duration::from_mins(10));
    assert_eq!(run.ladder.level(), level);
}

#[test]
fn a_relapse_makes_the_next_step_down_slower() {
    let mut run = Run::new(true);
    run.looks(PRESSED, Duration::from_secs(20));
    // Calm until the first step down; then the load is back at once, again and again.
    let mut downs = Vec::new();
    for _ in 0..4 {
        let begun = run.now;
        let changes = run.changes.len();
        while run.changes.len() == changes {
            run.look(CALM_SIGNAL);
        }
        downs.push(run.now.since(begun).as_secs());
        run.looks(PRESSED, Duration::from_secs(5));
        assert_eq!(run.ladder.level(), Level::Refusing);
    }
    assert!(
        downs.is_sorted() && downs[2] > downs[1] && downs[1] > downs[0],
        "{downs:?}"
    );
    assert!(downs[3] <= 15 * u64::from(MOST_PATIENCE), "{downs:?}");
    // Once the load has gone for good, a slow step is followed by quicker ones.
    run.changes.clear();
    run.looks(CALM_SIGNAL, Duration::from_secs(166));
    assert_eq!(run.ladder.level(), Level::Full);
    let times: Vec<u64> = run.changes.iter().map(|(at, _)| at.as_millis()).collect();
    let pauses: Vec<u64> = times.windows(2).map(|two| (two[1] - two[0]) / 1000).collect();
    assert_eq!(pauses, [60, 30, 15][..pauses.len()].to_vec(), "{times:?}");
}

fn any_signal() -> impl Strategy<Value = Signal> {
    prop_oneof![
        3 => Just(PRESSED),
        3 => Just(CALM_SIGNAL),
        1 => Just(BETWEEN),
        1 => (0_u64..2000, 0.0..6.0_f32, 0.0..1.0_f32, 0_usize..3).prop_map(|(wait, depth, busy, unseated)| Signal {
            wait: Duration::from_millis(wait), depth, busy, unseated,
        }),
    ]
}

proptest! {
    #[test]
    fn it_moves_one_rung_at_a_time_and_holds_each(
        smaller in any::<bool>(),
        load in prop::collection::vec((any_signal(), 1_u32..120), 1..40),
    ) {
        let mut run = Run::new(smaller);
        for (signal, looks) in load {
            for _ in 0..looks {
                run.look(signal);
            }
        }
        let config = LadderConfig::default();
        for two in run.changes.windows(2) {
            let ((before, first), (after, second)) = (two[0], two[1]);
            prop_assert_eq!(first.to, second.from);
            let least = if climbed(second) { config.rise } else { config.fall };
            prop_assert!(after.since(before) >= least, "{:?} {:?}", two[0], two[1]);
        }
        for (_, change) in &run.changes {
            let apart = change.to.number().abs_diff(change.from.number());
            prop_assert!(apart == 1 || (!smaller && apart == 2));
        }
    }

    #[test]
    fn nothing_stays_given_up_when_nobody_talks(
        smaller in any::<bool>(),
        load in prop::collection::vec((any_signal(), 1_u32..120), 1..40),
    ) {
        let mut run = Run::new(smaller);
        for (signal, looks) in load {
            for _ in 0..looks {
                run.look(signal);
            }
        }
        // Every rung at the most patience.
        run.looks(CALM_SIGNAL, LadderConfig::default().fall * MOST_PATIENCE * 4 + Duration::from_secs(1));
        prop_assert_eq!(run.ladder.level(), Level::Full);
    }

    #[test]
    fn it_reaches_the_top_under_load_in_four_holds(smaller in any::<bool>()) {
        let mut run = Run::new(smaller);
        run.looks(PRESSED, LadderConfig::default().rise * 4);
        prop_assert_eq!(run.ladder.level(), Level::Refusing);
    }
}
