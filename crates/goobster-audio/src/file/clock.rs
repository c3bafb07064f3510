//! Where the packets of a track stand in time, and what is missing between them.

use std::time::Duration;

use symphonia::core::codecs::CodecParameters;

use super::decode::MAX_GAP;

/// A first packet that is later than this sets the origin of time instead of being preceded by silence.
const MAX_LEAD: Duration = Duration::from_mins(1);

/// Where the chosen track's packets stand in time.
pub(super) struct TrackClock {
    pub(super) id: u32,
    pub(super) params: CodecParameters,
    /// The rate of the sound given out, in Hz; 0 until known.
    pub(super) rate: u32,
    /// Samples given out at that rate.
    pub(super) given: u64,
    /// The time stamp that counts as 0, in samples.
    pub(super) origin: Option<u64>,
}

impl TrackClock {
    pub(super) fn time(&self) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(self.given as f64 / f64::from(self.rate))
    }

    /// The rate as it turns out while decoding (HE-AAC, or a container that was wrong).
    pub(super) fn set_rate(&mut self, rate: u32) {
        if self.rate != rate {
            let scale = |n: u64, from: u32| {
                if from == 0 {
                    n
                } else {
                    (n as f64 * f64::from(rate) / f64::from(from)) as u64
                }
            };
            self.given = scale(self.given, self.rate);
            self.origin = self.origin.map(|origin| scale(origin, self.rate));
            self.rate = rate;
        }
    }

    /// A span in the track's time base, in samples.
    pub(super) fn in_samples(&self, span: u64) -> u64 {
        match self.params.time_base {
            Some(base) if base.denom > 0 => {
                let scaled = u128::from(span) * u128::from(base.numer) * u128::from(self.rate);
                u64::try_from(scaled / u128::from(base.denom)).unwrap_or(u64::MAX)
            }
            _ => span,
        }
    }

    /// The samples missing before a packet with this time stamp; `None` when it follows directly.
    pub(super) fn gap_before(&mut self, ts: u64) -> Option<u64> {
        if self.rate == 0 {
            return None;
        }
        let rate = u64::from(self.rate);
        let at = self.in_samples(ts);
        let origin = *self
            .origin
            .get_or_insert(if self.given > 0 || at > MAX_LEAD.as_secs() * rate {
                at.saturating_sub(self.given)
            } else {
                0
            });
        let missing = at.checked_sub(origin)?.checked_sub(self.given)?;
        // Containers that count milliseconds are off by one or two, and muxers by a packet.
        let counts_samples = self
            .params
            .time_base
            .is_some_and(|base| u64::from(base.denom) == rate);
        let tolerance = if counts_samples {
            rate / 100
        } else {
            rate * 6 / 100
        };
        (missing > tolerance && missing <= MAX_GAP.as_secs() * rate).then_some(missing)
    }
}
