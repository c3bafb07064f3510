//! How many threads a decode gets: as many as pay, found out while decoding.
//!
//! ggml's threads wait for each other by spinning, hundreds of times a decode. With a core for each they nearly halve the
//! time; when something else wants one of the cores (a game, a voice, another process) each wait lasts as long as the
//! scheduler pleases, and two threads can take ten times as long as one. No fixed number is right, so the cost of both
//! choices is remembered and the cheaper one taken. The other is tried again now and then: one thread, whose trial may
//! keep somebody waiting for twice as long, only when all threads have become slower than they were.
//!
//! Decodes that run at once share the cores: together they never have more threads than there are cores, or they would wait
//! for each other like that, and each take as long as all of them one after the other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Seconds an encoder frame beyond which a decode is suspiciously slow, and one thread is tried at once: a window of 768
/// frames would take more than 1.2 s.
const SUSPICIOUS: f32 = 0.0016;
/// How much the newest decode counts in the remembered cost.
const NEWEST: f32 = 0.4;
/// Decodes after which the choice that was not taken may be tried again: what disturbed it may be gone.
const TRY_AGAIN: u32 = 24;
/// All threads have become slower when they cost this much more than at their best.
const SLOWER: f32 = 1.3;
/// A choice must have been this much cheaper to be taken over the one in use.
const CLEARLY: f32 = 0.9;

/// One thread, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    One,
    All,
}

/// What both choices cost. Pure: the durations are passed in.
#[derive(Debug, Clone, Copy)]
struct Costs {
    one: Option<f32>,
    all: Option<f32>,
    /// The lowest that all threads have cost.
    best: f32,
    chosen: Choice,
    since_try: u32,
}

impl Costs {
    const NEW: Self = Self {
        one: None,
        all: None,
        best: f32::INFINITY,
        chosen: Choice::All,
        since_try: 0,
    };

    /// The choice for the next decode. `hurried`: somebody waits for the result, so nothing is tried out.
    fn choose(&mut self, hurried: bool) -> Choice {
        let other = match self.chosen {
            Choice::One => Choice::All,
            Choice::All => Choice::One,
        };
        let suspicious =
            self.of(other).is_none() && self.of(self.chosen).is_some_and(|cost| cost > SUSPICIOUS);
        let worth_a_try = match self.chosen {
            Choice::One => true,
            Choice::All => self.all.is_some_and(|cost| cost > self.best * SLOWER),
        };
        if suspicious || (!hurried && worth_a_try && self.since_try >= TRY_AGAIN) {
            self.since_try = 0;
            return other;
        }
        self.since_try = self.since_try.saturating_add(1);
        self.chosen
    }

    /// Remembers what a decode cost, in seconds an encoder frame.
    fn record(&mut self, choice: Choice, cost: f32) {
        let slot = match choice {
            Choice::One => &mut self.one,
            Choice::All => &mut self.all,
        };
        *slot = Some(slot.map_or(cost, |old| old + NEWEST * (cost - old)));
        if choice == Choice::All {
            self.best = self.best.min(cost);
        }
        if let (Some(one), Some(all)) = (self.one, self.all) {
            match self.chosen {
                Choice::All if one < all * CLEARLY => self.chosen = Choice::One,
                Choice::One if all < one * CLEARLY => self.chosen = Choice::All,
                _ => {}
            }
        }
    }

    fn of(&self, choice: Choice) -> Option<f32> {
        match choice {
            Choice::One => self.one,
            Choice::All => self.all,
        }
    }
}

/// The threads at most of a decode beside others, so that all together have no more than there are cores.
fn share(all: usize, cores: usize, beside: usize) -> usize {
    (cores / (beside + 1)).clamp(1, all)
}

/// Chooses the number of threads of each decode.
#[derive(Debug)]
pub(super) struct Threads {
    all: usize,
    cores: usize,
    costs: Mutex<Costs>,
}

impl Threads {
    /// At most `all` threads a decode.
    pub(super) fn up_to(all: usize) -> Self {
        Self {
            all: all.max(1),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            costs: Mutex::new(Costs::NEW),
        }
    }

    /// The threads for the next decode; `hurried` when somebody waits for it, `beside` others run now.
    pub(super) fn choose(&self, hurried: bool, beside: usize) -> usize {
        let share = share(self.all, self.cores, beside);
        if share == 1 || beside > 0 {
            return share;
        }
        match self
            .costs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .choose(hurried)
        {
            Choice::One => 1,
            Choice::All => self.all,
        }
    }

    /// Takes in how long a decode of `frames` encoder frames took with `threads`.
    pub(super) fn record(&self, threads: usize, frames: u32, took: Duration) {
        let choice = if threads == 1 { Choice::One } else { Choice::All };
        let cost = took.as_secs_f32() / frames.max(1) as f32;
        self.costs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(choice, cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `decodes` with these costs (one thread, all threads); what is chosen then.
    fn settle(costs: &mut Costs, decodes: u32, one: f32, all: f32) -> Choice {
        for number in 0..decodes {
            let choice = costs.choose(number % 3 == 0);
            costs.record(choice, if choice == Choice::One { one } else { all });
        }
        costs.chosen
    }

    #[test]
    fn idle_cores_are_used() {
        assert_eq!(settle(&mut { Costs::NEW }, 200, 0.0010, 0.0006), Choice::All);
    }

    #[test]
    fn disturbed_cores_are_given_up_after_one_decode() {
        let mut costs = Costs::NEW;
        assert_eq!(costs.choose(true), Choice::All);
        costs.record(Choice::All, 0.009);
        assert_eq!(costs.choose(true), Choice::One, "even when somebody waits");
        costs.record(Choice::One, 0.0010);
        assert_eq!(costs.choose(true), Choice::One);
    }

    #[test]
    fn what_changed_is_noticed() {
        let mut costs = Costs::NEW;
        assert_eq!(settle(&mut costs, 100, 0.0010, 0.0080), Choice::One);
        assert_eq!(settle(&mut costs, 400, 0.0010, 0.0006), Choice::All);
        assert_eq!(settle(&mut costs, 100, 0.0010, 0.0080), Choice::One);
    }

    #[test]
    fn cores_that_stay_as_fast_as_ever_are_not_doubted() {
        let mut costs = Costs::NEW;
        for number in 0..500 {
            assert_eq!(costs.choose(false), Choice::All);
            costs.record(Choice::All, if number % 2 == 0 { 0.0006 } else { 0.0007 });
        }
        costs.record(Choice::All, 0.0014);
        assert_eq!(costs.choose(true), Choice::All, "somebody waits");
        assert_eq!(costs.choose(false), Choice::One);
    }

    #[test]
    fn nothing_is_tried_out_while_somebody_waits() {
        let mut costs = Costs::NEW;
        for _ in 0..100 {
            assert_eq!(costs.choose(true), Choice::All);
            costs.record(Choice::All, 0.0006);
        }
    }

    #[test]
    fn decodes_at_once_share_the_cores() {
        assert_eq!(share(4, 8, 0), 4);
        assert_eq!(share(4, 8, 1), 4);
        assert_eq!(share(4, 8, 2), 2);
        assert_eq!(share(2, 2, 0), 2);
        assert_eq!(share(2, 2, 1), 1, "two at once have a core each");
        assert_eq!(share(2, 2, 9), 1);
        for beside in 0..20 {
            for cores in 1..32 {
                let each = share(4, cores, beside);
                assert!(each == 1 || each * (beside + 1) <= cores);
            }
        }
    }

    #[test]
    fn a_single_core_has_no_choice() {
        let threads = Threads::up_to(0);
        threads.record(1, 768, Duration::from_secs(9));
        assert_eq!(threads.choose(false, 0), 1);
    }
}
