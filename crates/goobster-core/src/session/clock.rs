//! Where a shell takes its time from: tokio's clock for spans (so that tests can pause it), a wall clock for what is
//! stored and read by people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::time::{Moment, UtcMillis};

/// A source of wall-clock time.
pub trait WallClock: Send + Sync + 'static {
    /// The time now.
    fn utc(&self) -> UtcMillis;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn utc(&self) -> UtcMillis {
        // A clock set before 1970 reads as 1970; one far in the future saturates.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        UtcMillis::new(0).after(since)
    }
}

/// A wall clock that follows tokio's clock from a given time: it stands still and jumps with a paused runtime.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    began: Instant,
    utc: UtcMillis,
}

impl TokioClock {
    /// A clock that shows `utc` now.
    pub fn starting_at(utc: UtcMillis) -> Self {
        Self {
            began: Instant::now(),
            utc,
        }
    }
}

impl WallClock for TokioClock {
    fn utc(&self) -> UtcMillis {
        self.utc.after(self.began.elapsed())
    }
}

/// Tokio's clock as [`Moment`]s since an origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Monotonic(Instant);

impl Monotonic {
    /// A clock whose origin is now.
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Moment {
        Moment::ZERO.after(self.0.elapsed())
    }

    /// The instant of a moment; a moment that no clock will reach is a year away.
    pub(super) fn instant(self, moment: Moment) -> Instant {
        const YEAR: Duration = Duration::from_hours(366 * 24);
        let span = moment.since(Moment::ZERO);
        let now = self.0.elapsed();
        self.0 + span.min(now.saturating_add(YEAR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_clocks_follow_tokios() {
        let (monotonic, wall) = (Monotonic::new(), TokioClock::starting_at(UtcMillis::new(1_000)));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(monotonic.now(), Moment::from_millis(3_000));
        assert_eq!(wall.utc(), UtcMillis::new(4_000));
        assert_eq!(monotonic.instant(Moment::from_millis(3_000)), Instant::now());
        assert!(monotonic.instant(Moment::NEVER) > Instant::now() + Duration::from_hours(1));
    }

    #[test]
    fn the_system_clock_is_past_2026() {
        assert!(SystemClock.utc().get() > 1_767_225_600_000);
    }
}
