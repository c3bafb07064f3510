//! How a step's budget is spent: attempts, back-off, and a reserve for force. Pure arithmetic on moments.

use std::time::Duration;

use super::Step;
use crate::time::Moment;

/// What each step may take, retries and force included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepBudgets([Duration; Step::ALL.len()]);

impl Default for StepBudgets {
    fn default() -> Self {
        Self([1500, 500, 500, 1750, 350, 50, 100].map(Duration::from_millis))
    }
}

impl StepBudgets {
    /// The budget of one step.
    pub const fn of(&self, step: Step) -> Duration {
        self.0[step as usize]
    }

    /// The same budgets but for one step.
    #[must_use]
    pub const fn with(mut self, step: Step, budget: Duration) -> Self {
        self.0[step as usize] = budget;
        self
    }

    /// What all of them take at most.
    pub fn total(&self) -> Duration {
        self.0
            .iter()
            .fold(Duration::ZERO, |sum, &budget| sum.saturating_add(budget))
    }
}

/// What to do next for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try (again), for at most this long.
    Try(Duration),
    /// Wait this long before the next attempt.
    BackOff(Duration),
    /// Force it, for at most this long.
    Force(Duration),
    /// Give up: the budget is spent.
    GiveUp,
}

/// Decides what to try within a budget.
///
/// A quarter of the budget is kept for force. An attempt may use two thirds of what is left before that, the last
/// attempt all of it, so that a slow but honest stop is not cut short and a quick error leaves time for its retries.
#[derive(Debug, Clone)]
pub struct Attempts {
    force_at: Moment,
    end: Moment,
    tried: u32,
    backed_off: bool,
    forced: bool,
}

impl Attempts {
    /// How often a step is tried before it is forced.
    pub const MOST: u32 = 3;
    /// The first pause; it doubles with each retry.
    const BACK_OFF: Duration = Duration::from_millis(20);

    /// A step that begins at `now` and has `budget`.
    pub fn new(now: Moment, budget: Duration) -> Self {
        let end = now.after(budget);
        Self {
            force_at: end.before(budget / 4),
            end,
            tried: 0,
            backed_off: true,
            forced: false,
        }
    }

    /// What to do at `now`, when what was done before did not succeed.
    pub fn next(&mut self, now: Moment) -> Next {
        const LEAST: Duration = Duration::from_millis(1);
        let left = self.force_at.since(now);
        if self.tried < Self::MOST && left >= LEAST {
            let pause = Self::BACK_OFF * 2_u32.pow(self.tried.saturating_sub(1));
            if !self.backed_off && pause + LEAST <= left {
                self.backed_off = true;
                return Next::BackOff(pause);
            }
            if self.backed_off {
                self.backed_off = false;
                self.tried += 1;
                return Next::Try(if self.tried == Self::MOST {
                    left
                } else {
                    (left * 2 / 3).max(LEAST)
                });
            }
        }
        let left = self.end.since(now);
        if !self.forced && left >= LEAST {
            self.forced = true;
            return Next::Force(left);
        }
        Next::GiveUp
    }

    /// How often it was tried.
    pub fn tried(&self) -> u32 {
        self.tried
    }

    /// Whether it was forced.
    pub fn forced(&self) -> bool {
        self.forced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instant_errors_use_every_attempt_and_then_force() {
        let mut attempts = Attempts::new(Moment::ZERO, Duration::from_millis(500));
        let mut now = Moment::ZERO;
        let mut done = Vec::new();
        loop {
            let next = attempts.next(now);
            done.push(next);
            match next {
                Next::BackOff(pause) => now = now.after(pause),
                Next::GiveUp => break,
                Next::Try(_) | Next::Force(_) => {}
            }
        }
        let ms = Duration::from_millis;
        let expected = [
            Next::Try(ms(250)),
            Next::BackOff(ms(20)),
            Next::Try(ms(355) * 2 / 3),
            Next::BackOff(ms(40)),
            Next::Try(ms(315)),
            Next::Force(ms(440)),
            Next::GiveUp,
        ];
        assert_eq!(done, expected);
    }

    #[test]
    fn force_always_has_its_quarter() {
        let mut attempts = Attempts::new(Moment::ZERO, Duration::from_millis(400));
        let mut now = Moment::ZERO;
        loop {
            match attempts.next(now) {
                Next::Try(span) | Next::BackOff(span) => now = now.after(span),
                Next::Force(span) => {
                    assert!(span >= Duration::from_millis(100), "{span:?}");
                    break;
                }
                Next::GiveUp => panic!("never forced"),
            }
        }
    }

    proptest! {
        /// Whatever each attempt takes of its time, a step ends within its budget, is tried at most three times and
        /// forced at most once.
        #[test]
        fn a_step_never_takes_more_than_its_budget(
            budget in 1_u64..100_000,
            start in 0_u64..1_000_000,
            used in prop::collection::vec(0.0_f64..=1.0, 8),
        ) {
            let begin = Moment::from_millis(start);
            let end = begin.after(Duration::from_millis(budget));
            let mut attempts = Attempts::new(begin, Duration::from_millis(budget));
            let (mut now, mut forces, mut acts) = (begin, 0, 0);
            for share in used.into_iter().cycle() {
                let (span, waits_in_full) = match attempts.next(now) {
                    Next::Try(span) => (span, false),
                    Next::BackOff(span) => (span, true),
                    Next::Force(span) => { forces += 1; (span, false) }
                    Next::GiveUp => break,
                };
                prop_assert!(now.after(span) <= end, "{now} + {span:?} > {end}");
                now = now.after(if waits_in_full { span } else { span.mul_f64(share) });
                acts += 1;
                prop_assert!(acts <= 7);
            }
            prop_assert!(attempts.tried() <= Attempts::MOST);
            prop_assert_eq!(forces, u32::from(attempts.forced()));
            prop_assert!(forces == 1 || now == end, "gave up with time left and no force");
        }
    }
}
