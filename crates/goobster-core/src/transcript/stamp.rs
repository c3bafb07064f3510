//! Times of day-long files: `01:02:03,004` and its relatives.

use std::fmt;

use crate::time::Moment;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampStyle {
    /// `01:02:03,004`
    SubRip,
    /// `01:02:03.004`
    WebVtt,
    /// `01:02:03`
    Seconds,
}

/// A moment as a caption file writes it. Hours have at least two digits and take more where they must.
#[derive(Debug, Clone, Copy)]
pub struct Stamp(pub Moment, pub StampStyle);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}")?;
        match self.1 {
            StampStyle::SubRip => write!(f, ",{:03}", millis % 1000),
            StampStyle::WebVtt => write!(f, ".{:03}", millis % 1000),
            StampStyle::Seconds => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_grow_past_two_digits() {
        for (millis, expected) in [
            (0, "00:00:00,000"),
            (59_999, "00:00:59,999"),
            (3_600_000, "01:00:00,000"),
            (359_999_999, "99:59:59,999"),
            (360_000_000 + 61_001, "100:01:01,001"),
        ] {
            assert_eq!(
                Stamp(Moment::from_millis(millis), StampStyle::SubRip).to_string(),
                expected
            );
        }
        assert_eq!(
            Stamp(Moment::from_millis(3_661_002), StampStyle::WebVtt).to_string(),
            "01:01:01.002"
        );
        assert_eq!(
            Stamp(Moment::from_millis(3_661_999), StampStyle::Seconds).to_string(),
            "01:01:01"
        );
    }
}
