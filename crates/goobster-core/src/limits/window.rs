//! How usage is counted over time: the policy trait, and the fixed window, which is the default.

use serde::{Deserialize, Serialize};

use super::Millis;
use crate::time::UtcMillis;

/// A way to count usage over time. Policies are pure: the state is the caller's, the time is passed in.
///
/// Every policy keeps these promises, which the property tests check against naive models:
/// - every charged millisecond counts in some window, and none counts twice;
/// - a clock that steps back never lowers the usage, and never locks a member out for longer than two windows.
pub trait WindowPolicy {
    /// What is kept for each member.
    type State;

    /// Counts `delta` of voice time that ended at `at`.
    fn charge(&self, state: &mut Self::State, at: UtcMillis, delta: Millis);

    /// Puts a state right for `now`: forgets what no longer counts, and follows a clock that was set back by more than
    /// a window.
    fn settle(&self, state: &mut Self::State, now: UtcMillis);

    /// What counts at `now`, every millisecond of it (not capped at any limit).
    fn used(&self, state: &Self::State, now: UtcMillis) -> Millis;

    /// When the usage next falls without anything being done; `None` when nothing counts.
    fn resets_at(&self, state: &Self::State, now: UtcMillis) -> Option<UtcMillis>;
}

/// The fixed window: it starts at the member's first charge, and usage falls to zero as a whole when it ends.
///
/// A charge that spans the window's end is split there: the part behind the end starts the next window, at that end.
/// The window is half open, `start <= t < start + length`. What was used before the window's start (a second session's
/// tick that began earlier) counts in the window: never lost, at most one tick too much.
///
/// ```
/// use goobster_core::limits::{FixedState, FixedWindow, Millis, WindowPolicy};
/// use goobster_core::time::UtcMillis;
///
/// let window = FixedWindow::new(Millis::from_hours(1));
/// let mut state = FixedState::default();
/// window.charge(&mut state, UtcMillis::new(10_000), Millis::from_secs(10)); // 0 s .. 10 s: the window starts at 0
/// window.charge(&mut state, UtcMillis::new(3_603_000), Millis::from_secs(5)); // 3 s of it lie behind the end
/// assert_eq!(window.used(&state, UtcMillis::new(3_603_000)), Millis::from_secs(3));
/// assert_eq!(window.resets_at(&state, UtcMillis::new(3_603_000)), Some(UtcMillis::new(7_200_000)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedWindow {
    length: i64,
}

/// A member's fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FixedState {
    /// Where the window starts; `None` before the first charge.
    pub start: Option<UtcMillis>,
    /// What was used since.
    pub used: Millis,
}

impl FixedWindow {
    /// A window of that length; a length of zero is taken as one millisecond.
    pub const fn new(length: Millis) -> Self {
        let length = length.get_i64();
        Self {
            length: if length < 1 { 1 } else { length },
        }
    }
}

impl WindowPolicy for FixedWindow {
    type State = FixedState;

    fn charge(&self, state: &mut FixedState, at: UtcMillis, delta: Millis) {
        if delta.is_zero() {
            return;
        }
        self.settle(state, at);
        let from = at.get().saturating_sub(delta.get_i64());
        let Some(start) = state.start else {
            return self.begin(state, from, delta);
        };
        let end = start.get().saturating_add(self.length);
        if from >= end {
            self.begin(state, from, delta);
        } else if at.get() > end {
            self.begin(state, end, Millis::new(at.get().abs_diff(end)));
        } else {
            state.used = state.used.saturating_add(delta);
        }
    }

    fn settle(&self, state: &mut FixedState, now: UtcMillis) {
        if let Some(start) = state.start
            && now.get().saturating_add(self.length) < start.get()
        {
            state.start = Some(now);
        }
    }

    fn used(&self, state: &FixedState, now: UtcMillis) -> Millis {
        match self.resets_at(state, now) {
            Some(_) => state.used,
            None => Millis::ZERO,
        }
    }

    fn resets_at(&self, state: &FixedState, now: UtcMillis) -> Option<UtcMillis> {
        let end = state.start?.get().saturating_add(self.length);
        (now.get() < end).then_some(UtcMillis::new(end))
    }
}

impl FixedWindow {
    /// Starts a window at `from` with `delta` used from there on; a `delta` longer than windows fills whole ones, and
    /// only what reaches into the last one counts.
    fn begin(self, state: &mut FixedState, from: i64, delta: Millis) {
        let length = self.length.unsigned_abs();
        let whole = (delta.get() - 1) / length;
        let start = from.saturating_add_unsigned(whole.saturating_mul(length));
        *state = FixedState {
            start: Some(UtcMillis::new(start)),
            used: Millis::new(delta.get() - whole.saturating_mul(length)),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::new(millis)
    }

    #[test]
    fn a_window_starts_at_the_first_charge_and_resets_as_a_whole() {
        let window = FixedWindow::new(Millis::from_hours(1));
        let mut state = FixedState::default();
        assert_eq!(window.resets_at(&state, at(0)), None);
        window.charge(&mut state, at(1_000_500), Millis::new(500));
        assert_eq!(
            window.resets_at(&state, at(1_000_500)),
            Some(at(1_000_000 + HOUR))
        );
        assert_eq!(window.used(&state, at(1_000_000 + HOUR - 1)), Millis::new(500));
        assert_eq!(window.used(&state, at(1_000_000 + HOUR)), Millis::ZERO);
    }

    #[test]
    fn a_clock_set_back_a_year_neither_frees_nor_locks_out() {
        let window = FixedWindow::new(Millis::from_hours(1));
        let mut state = FixedState::default();
        let year = 365 * 24 * HOUR;
        window.charge(&mut state, at(year), Millis::new(900));
        window.settle(&mut state, at(5_000));
        assert_eq!(
            window.used(&state, at(5_000)),
            Millis::new(900),
            "nothing is freed"
        );
        assert_eq!(
            window.used(&state, at(5_000 + HOUR)),
            Millis::ZERO,
            "and nobody waits a year"
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        let window = FixedWindow::new(Millis::from_hours(1));
        for (time, delta) in [
            (i64::MAX, u64::MAX),
            (i64::MIN, u64::MAX),
            (i64::MIN, 1),
            (i64::MAX, 1),
        ] {
            let mut state = FixedState::default();
            window.charge(&mut state, at(time), Millis::new(delta));
            window.charge(&mut state, at(-time.saturating_add(1)), Millis::new(delta));
            window.charge(&mut state, at(time), Millis::new(delta));
            window.used(&state, at(time));
        }
    }

    /// The naive model: walks over every charged millisecond.
    fn by_milliseconds(length: i64, charges: &[(i64, u64)]) -> Option<(i64, u64)> {
        let mut window: Option<(i64, u64)> = None;
        for &(end, delta) in charges {
            for ms in end - delta as i64..end {
                window = Some(match window {
                    Some((start, used)) if ms < start + length => (start, used + 1),
                    // A window that this very charge runs out of ends in the middle of speech: the next one follows on.
                    _ => (ms, 1),
                });
            }
        }
        window
    }

    proptest! {
        #[test]
        fn agrees_with_counting_every_millisecond(
            length in 1_i64..200,
            steps in prop::collection::vec((0_i64..150, 0_u64..300), 1..40),
        ) {
            let window = FixedWindow::new(Millis::new(length as u64));
            let (mut state, mut now, mut charges) = (FixedState::default(), 10_000, Vec::new());
            for (pause, delta) in steps {
                now += pause;
                charges.push((now, delta));
                window.charge(&mut state, at(now), Millis::new(delta));
                let naive = by_milliseconds(length, &charges);
                prop_assert_eq!(state.start.map(|s| (s.get(), state.used.get())), naive);
            }
        }

        #[test]
        fn a_split_charge_equals_its_parts(
            length in 10_u64..200, first in 1_u64..100, pause in 0_i64..100, a in 1_u64..300, b in 1_u64..300,
        ) {
            let window = FixedWindow::new(Millis::new(length));
            let mut whole = FixedState::default();
            window.charge(&mut whole, at(1_000), Millis::new(first));
            let mut parts = whole;
            let from = 1_000 + pause;
            let (middle, end) = (from + a as i64, from + (a + b) as i64);
            window.charge(&mut whole, at(end), Millis::new(a + b));
            window.charge(&mut parts, at(middle), Millis::new(a));
            window.charge(&mut parts, at(end), Millis::new(b));
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn steps_back_never_lower_the_usage(
            length in 100_u64..1_000,
            steps in prop::collection::vec((0_i64..50, 0_i64..2_000, 1_u64..20), 1..30),
        ) {
            let window = FixedWindow::new(Millis::new(length));
            let (mut state, mut now) = (FixedState::default(), 1_000_000);
            window.charge(&mut state, at(now), Millis::new(1));
            for (forward, back, delta) in steps {
                now += forward;
                window.settle(&mut state, at(now));
                let before = window.used(&state, at(now));
                let stepped = at(now - back);
                window.settle(&mut state, stepped);
                prop_assert!(window.used(&state, stepped) >= before);
                window.charge(&mut state, stepped, Millis::new(delta));
                prop_assert!(window.used(&state, stepped) >= before, "a charge behind a step back counts");
                let resets = window.resets_at(&state, stepped).unwrap();
                prop_assert!(resets.since(stepped).as_millis() as u64 <= 2 * length, "locked out too long");
                now = stepped.get();
            }
        }
    }
}
