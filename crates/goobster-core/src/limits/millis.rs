//! Voice time as whole milliseconds: the only unit that limits count in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An amount of voice time in whole milliseconds. Arithmetic saturates: an amount never wraps and never goes below zero.
///
/// ```
/// use goobster_core::limits::Millis;
///
/// let left = Millis::from_mins(42).saturating_sub(Millis::from_secs(20));
/// assert_eq!(left.to_string(), "41 min 40 s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(u64);

impl Millis {
    /// None at all.
    pub const ZERO: Self = Self(0);
    /// The largest amount; stands for "more than anybody can use".
    pub const MAX: Self = Self(u64::MAX);

    /// Wraps a number of milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// A number of seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// A number of minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Self::from_secs(mins.saturating_mul(60))
    }

    /// A number of hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of milliseconds for arithmetic with UTC; saturates at `i64::MAX`.
    pub const fn get_i64(self) -> i64 {
        if self.0 > i64::MAX as u64 {
            i64::MAX
        } else {
            self.0 as i64
        }
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, at most [`Millis::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This amount as a span of time.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Duration> for Millis {
    /// Whole milliseconds, rounded down; saturates.
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        millis.as_duration()
    }
}

impl fmt::Display for Millis {
    /// Words for people, the two largest units: "2 h", "1 h 5 min", "42 min", "41 min 40 s", "15 s", "900 ms".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0 / 1000;
        let (hours, mins, rest) = (secs / 3600, secs / 60 % 60, secs % 60);
        match (hours, mins, rest) {
            (0, 0, 0) if self.0 > 0 => write!(f, "{} ms", self.0),
            (0, 0, s) => write!(f, "{s} s"),
            (0, m, 0) => write!(f, "{m} min"),
            (0, m, s) => write!(f, "{m} min {s} s"),
            (h, 0, _) => write!(f, "{h} h"),
            (h, m, _) => write!(f, "{h} h {m} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_like_a_person_would_say_them() {
        let said = |millis| Millis::new(millis).to_string();
        assert_eq!(said(0), "0 s");
        assert_eq!(said(900), "900 ms");
        assert_eq!(said(15_999), "15 s");
        assert_eq!(said(42 * 60_000), "42 min");
        assert_eq!(said(41 * 60_000 + 40_000), "41 min 40 s");
        assert_eq!(said(2 * 3_600_000), "2 h");
        assert_eq!(said(3_600_000 + 5 * 60_000 + 1), "1 h 5 min");
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Millis::ZERO.saturating_sub(Millis::new(1)), Millis::ZERO);
        assert_eq!(Millis::MAX.saturating_add(Millis::new(1)), Millis::MAX);
        assert_eq!(Millis::from(Duration::MAX), Millis::MAX);
        assert_eq!(Millis::MAX.get_i64(), i64::MAX);
    }
}
