//! Moments that are passed in, never read from a clock here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A monotonic moment: milliseconds since an origin of the caller's choice (process start, stream start).
///
/// Moments of different origins must not be mixed; each state machine has one origin for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// The origin itself.
    pub const ZERO: Self = Self(0);
    /// Later than every moment that will be seen: "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// A moment `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Seconds since the origin, for people and JSON.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The time from `earlier` to here; zero when `earlier` is later (a clock that stepped back is clamped).
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved later; saturates at [`Moment::NEVER`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// This moment moved earlier; saturates at the origin.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

/// Wall-clock time: milliseconds since the Unix epoch, UTC. Only for what people read and what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMillis(i64);

impl UtcMillis {
    /// Wraps milliseconds since the Unix epoch.
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This time moved later; saturates.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_is_clamped() {
        assert_eq!(
            Moment::from_millis(5).since(Moment::from_millis(9)),
            Duration::ZERO
        );
        assert_eq!(UtcMillis::new(5).since(UtcMillis::new(9)), Duration::ZERO);
    }

    #[test]
    fn moving_saturates() {
        assert_eq!(Moment::NEVER.after(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(
            Moment::from_millis(3).before(Duration::from_secs(1)),
            Moment::ZERO
        );
        assert_eq!(
            UtcMillis::new(i64::MAX).after(Duration::MAX),
            UtcMillis::new(i64::MAX)
        );
    }
}
