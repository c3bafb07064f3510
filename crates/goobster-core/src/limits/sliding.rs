//! The sliding window: what was used in the last window's length, at every moment. No bursts at an edge.
//!
//! Exact to the millisecond would mean a log of every charge. Usage is kept in buckets of a sixtieth of the window
//! instead (a minute of an hour), at most 62 of them a member, and a bucket counts until the whole of it has left the
//! window. So at most one sixtieth of a window is counted too long, and never anything too short: no stretch of the
//! window's length ever holds more than the limit.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Millis, WindowPolicy};
use crate::time::UtcMillis;

/// The sliding window's arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    length: i64,
    grain: i64,
}

/// A stretch of time with what was used in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Which one: it covers `index * grain .. (index + 1) * grain` milliseconds UTC.
    pub index: i64,
    /// What was used in it.
    pub used: Millis,
}

/// A member's sliding window: the buckets that hold something, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlidingState {
    /// Ordered by index, without gaps being stored.
    pub buckets: VecDeque<Bucket>,
}

impl SlidingWindow {
    /// Buckets in a window.
    pub const BUCKETS: i64 = 60;

    /// A window of that length; a length of zero is taken as one millisecond.
    pub const fn new(length: Millis) -> Self {
        let length = if length.get_i64() < 1 { 1 } else { length.get_i64() };
        Self {
            length,
            grain: (length - 1) / Self::BUCKETS + 1,
        }
    }

    /// How long a bucket is, in milliseconds.
    pub const fn grain(self) -> i64 {
        self.grain
    }

    fn index(self, time: i64) -> i64 {
        time.div_euclid(self.grain)
    }

    /// When a bucket stops counting.
    fn leaves(self, index: i64) -> i64 {
        index
            .saturating_add(1)
            .saturating_mul(self.grain)
            .saturating_add(self.length)
    }

    fn add(state: &mut SlidingState, index: i64, used: u64) {
        let place = state.buckets.partition_point(|bucket| bucket.index < index);
        match state.buckets.get_mut(place) {
            Some(bucket) if bucket.index == index => {
                bucket.used = bucket.used.saturating_add(Millis::new(used));
            }
            _ => state.buckets.insert(
                place,
                Bucket {
                    index,
                    used: Millis::new(used),
                },
            ),
        }
    }
}

impl WindowPolicy for SlidingWindow {
    type State = SlidingState;

    fn charge(&self, state: &mut SlidingState, at: UtcMillis, delta: Millis) {
        if delta.is_zero() {
            return;
        }
        self.settle(state, at);
        let newest = state.buckets.back().map_or(i64::MIN, |bucket| bucket.index);
        let mut end = at.get();
        if self.index(end.saturating_sub(1)) < newest {
            // The clock stepped back, or a second session's tick comes late: it counts with the newest.
            return Self::add(state, newest, delta.get());
        }
        // Of a charge longer than the window only the last window's length can ever count.
        let reach = self.length.saturating_add(self.grain);
        let from = end.saturating_sub(delta.get_i64()).max(end.saturating_sub(reach));
        while end > from {
            let index = self.index(end - 1);
            let begin = index.saturating_mul(self.grain).max(from);
            Self::add(state, index, end.abs_diff(begin));
            end = begin;
        }
        self.settle(state, at);
    }

    fn settle(&self, state: &mut SlidingState, now: UtcMillis) {
        if let Some(newest) = state.buckets.back()
            && newest.index.saturating_mul(self.grain) > now.get().saturating_add(self.length)
        {
            // The clock was set back by more than a window: everything moves with it, or it would count for ever.
            let shift = newest.index.saturating_sub(self.index(now.get()));
            for bucket in &mut state.buckets {
                bucket.index = bucket.index.saturating_sub(shift);
            }
        }
        while state
            .buckets
            .front()
            .is_some_and(|oldest| self.leaves(oldest.index) <= now.get())
        {
            state.buckets.pop_front();
        }
    }

    fn used(&self, state: &SlidingState, now: UtcMillis) -> Millis {
        state
            .buckets
            .iter()
            .filter(|bucket| self.leaves(bucket.index) > now.get())
            .fold(Millis::ZERO, |sum, bucket| sum.saturating_add(bucket.used))
    }

    fn resets_at(&self, state: &SlidingState, now: UtcMillis) -> Option<UtcMillis> {
        let leaving = state.buckets.iter().map(|bucket| self.leaves(bucket.index));
        leaving
            .filter(|&leaves| leaves > now.get())
            .min()
            .map(UtcMillis::new)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::new(millis)
    }

    #[test]
    fn there_is_no_burst_at_an_edge() {
        let window = SlidingWindow::new(Millis::from_hours(1));
        let mut state = SlidingState::default();
        window.charge(&mut state, at(3_590_000), Millis::from_mins(30));
        assert_eq!(
            window.used(&state, at(3_610_000)),
            Millis::from_mins(30),
            "a fixed window would have reset"
        );
    }

    #[test]
    fn buckets_are_bounded() {
        let window = SlidingWindow::new(Millis::from_hours(1));
        let mut state = SlidingState::default();
        for tick in 0..10_000 {
            window.charge(&mut state, at(1_000_000 + tick * 5_000), Millis::from_secs(5));
            assert!(state.buckets.len() <= 62, "{}", state.buckets.len());
        }
        window.charge(&mut state, at(i64::MAX), Millis::MAX);
        assert!(state.buckets.len() <= 62);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let window = SlidingWindow::new(Millis::from_hours(1));
        for (time, delta) in [
            (i64::MAX, u64::MAX),
            (i64::MIN, u64::MAX),
            (i64::MIN, 1),
            (i64::MAX, 1),
        ] {
            let mut state = SlidingState::default();
            window.charge(&mut state, at(time), Millis::new(delta));
            window.charge(&mut state, at(-time.saturating_add(1)), Millis::new(delta));
            window.charge(&mut state, at(time), Millis::new(delta));
            window.used(&state, at(time));
        }
    }

    proptest! {
        /// Against a log of every millisecond: never counts less than the log, and more only by one bucket's worth.
        #[test]
        fn agrees_with_a_log_of_every_millisecond(
            length in 60_i64..2_000,
            steps in prop::collection::vec((0_i64..400, 0_u64..300), 1..40),
        ) {
            let window = SlidingWindow::new(Millis::new(length as u64));
            let (mut state, mut now) = (SlidingState::default(), 100_000);
            let mut log: Vec<i64> = Vec::new();
            for (pause, delta) in steps {
                now += pause + delta as i64;
                window.charge(&mut state, at(now), Millis::new(delta));
                log.extend(now - delta as i64..now);
                for later in [0, length / 3, length - 1, length, length + 50] {
                    let t = now + later;
                    let counted = window.used(&state, at(t)).get();
                    let within = |span: i64| log.iter().filter(|&&ms| ms >= t - span).count() as u64;
                    prop_assert!(counted >= within(length), "{counted} < {}", within(length));
                    prop_assert!(counted <= within(length + window.grain()));
                }
            }
        }

        #[test]
        fn steps_back_never_lower_the_usage(
            length in 100_u64..1_000,
            steps in prop::collection::vec((0_i64..50, 0_i64..3_000, 1_u64..20), 1..30),
        ) {
            let window = SlidingWindow::new(Millis::new(length));
            let (mut state, mut now) = (SlidingState::default(), 1_000_000);
            window.charge(&mut state, at(now), Millis::new(1));
            for (forward, back, delta) in steps {
                now += forward;
                window.settle(&mut state, at(now));
                let before = window.used(&state, at(now));
                let stepped = at(now - back);
                window.settle(&mut state, stepped);
                prop_assert!(window.used(&state, stepped) >= before);
                window.charge(&mut state, stepped, Millis::new(delta));
                prop_assert!(window.used(&state, stepped) >= before.saturating_add(Millis::new(delta)));
                let gone = at(stepped.get() + 2 * length as i64 + 2 * window.grain());
                prop_assert_eq!(window.used(&state, gone), Millis::ZERO, "locked out too long");
                now = stepped.get();
            }
        }
    }
}
