//! Places in a stream, counted in samples: what voice activity, endpointing and captions agree on.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::frame::SAMPLE_RATE;

/// A place in a 16 kHz stream: samples since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(u64);

impl Position {
    /// The first sample.
    pub const START: Self = Self(0);

    /// The place before sample number `samples`.
    pub const fn new(samples: u64) -> Self {
        Self(samples)
    }

    /// Samples since the start of the stream.
    pub const fn samples(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start of the stream, rounded down.
    pub const fn millis(self) -> u64 {
        // Divided before multiplied, so that no stream is long enough to overflow.
        self.0 / SAMPLE_RATE as u64 * 1000 + self.0 % SAMPLE_RATE as u64 * 1000 / SAMPLE_RATE as u64
    }

    /// Seconds since the start of the stream.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(SAMPLE_RATE)
    }

    /// The time since the start of the stream.
    pub fn time(self) -> Duration {
        samples_to_time(self.0)
    }

    /// The samples from `earlier` to here; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Position {
    type Output = Self;

    /// Moves later by samples; saturates.
    fn add(self, samples: u64) -> Self {
        Self(self.0.saturating_add(samples))
    }
}

impl Sub<u64> for Position {
    type Output = Self;

    /// Moves earlier by samples; saturates at the start.
    fn sub(self, samples: u64) -> Self {
        Self(self.0.saturating_sub(samples))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.seconds())
    }
}

/// How long `samples` samples last at 16 kHz; exact, since a sample is 62.5 µs.
pub fn samples_to_time(samples: u64) -> Duration {
    let rate = u64::from(SAMPLE_RATE);
    Duration::new(samples / rate, (samples % rate * 1_000_000_000 / rate) as u32)
}

/// The samples that fit into `time` at 16 kHz, rounded down; saturates.
pub fn time_to_samples(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_time_convert_both_ways_without_drift() {
        for samples in [0, 1, 15_999, 16_000, 16_001, 3 * 3600 * 16_000 + 7] {
            assert_eq!(time_to_samples(samples_to_time(samples)), samples);
        }
        assert_eq!(Position::new(24_008).millis(), 1500);
        assert_eq!(time_to_samples(Duration::MAX), u64::MAX);
    }

    #[test]
    fn positions_saturate() {
        assert_eq!(Position::new(5) - 9, Position::START);
        assert_eq!(Position::new(u64::MAX) + 9, Position::new(u64::MAX));
        assert_eq!(Position::new(5).since(Position::new(9)), 0);
        assert_eq!(Position::new(u64::MAX).millis() / 1000, u64::MAX / 16_000);
    }
}
