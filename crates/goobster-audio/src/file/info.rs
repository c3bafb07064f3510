//! What is known about a recording: its format, its length, and what of it was damaged.

use std::fmt;
use std::time::Duration;

/// How a recording was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// The container, as people call it: `WAV`, `MP4`, `Ogg`.
    pub container: &'static str,
    /// The codec's short name: `flac`, `aac`, `opus`.
    pub codec: String,
    /// Channels before the mix to mono; 0 when the first packet has yet to tell.
    pub channels: usize,
    /// The sample rate in Hz before conversion; 0 when the first packet has yet to tell.
    pub rate: u32,
}

/// How long a recording is, as far as its headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The headers give it.
    Exact(Duration),
    /// Derived from the bit rate or the like; good enough for a progress bar.
    Estimated(Duration),
    /// Nothing tells.
    Unknown,
}

impl Length {
    /// The length, exact or not.
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Exact(length) | Self::Estimated(length) => Some(length),
            Self::Unknown => None,
        }
    }
}

/// What of a recording could not be decoded. Sound before and after is not affected, and times stay right: silence
/// stands where something is missing and its length is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Packets (or pages, or stretches of bytes) that were skipped.
    pub skipped: u64,
    /// Where the first of them stood.
    pub first_at: Option<Duration>,
    /// The silence put in their place.
    pub filled: Duration,
    /// Where the file ends although it promised more.
    pub truncated_at: Option<Duration>,
    /// The length it promised, if it did.
    pub promised: Option<Duration>,
}

impl Damage {
    /// Whether everything was decoded.
    pub const fn is_none(&self) -> bool {
        self.skipped == 0 && self.truncated_at.is_none()
    }

    pub(crate) fn skip(&mut self, at: Duration) {
        self.skipped += 1;
        self.first_at.get_or_insert(at);
    }

    pub(crate) fn cut(&mut self, at: Duration, promised: Option<Duration>) {
        self.truncated_at.get_or_insert(at);
        self.promised = self.promised.or(promised);
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("no damage");
        }
        if self.skipped > 0 {
            let first = self.first_at.unwrap_or_default().as_secs_f64();
            write!(
                f,
                "{} damaged part(s) skipped, the first at {first:.1} s",
                self.skipped
            )?;
            if !self.filled.is_zero() {
                write!(f, " ({:.1} s replaced by silence)", self.filled.as_secs_f64())?;
            }
        }
        if let Some(at) = self.truncated_at {
            let separator = if self.skipped > 0 { "; " } else { "" };
            write!(f, "{separator}the file is cut off at {:.1} s", at.as_secs_f64())?;
            if let Some(promised) = self.promised {
                write!(f, " of {:.1} s", promised.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_reads_like_a_sentence() {
        let mut damage = Damage::default();
        assert_eq!(damage.to_string(), "no damage");
        damage.skip(Duration::from_millis(1_500));
        damage.skip(Duration::from_secs(9));
        damage.filled = Duration::from_millis(200);
        damage.cut(Duration::from_secs(20), Some(Duration::from_mins(1)));
        assert_eq!(
            damage.to_string(),
            "2 damaged part(s) skipped, the first at 1.5 s (0.2 s replaced by silence); \
             the file is cut off at 20.0 s of 60.0 s"
        );
        assert!(!damage.is_none());
    }
}
