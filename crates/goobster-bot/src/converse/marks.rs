//! End-of-speech marks: where the voice of a recording really stops, found from its energy before anything is played.
//!
//! The detector is being measured, so it may not say when speech ended. A recording is marked beforehand: a 20 ms frame is
//! voiced when it is well above the recording's own noise floor and not far below its own speech level.

/// Samples of a 20 ms frame at 16 kHz.
pub const MARK_FRAME: usize = 320;

/// A voiced frame is at least this far above the noise floor, in dB. Twice the spread of a steady noise's 20 ms energies.
const ABOVE_FLOOR_DB: f32 = 12.0;

/// And at most this far below the speech level, in dB: the dynamic range of conversational vowels and their decay.
const BELOW_SPEECH_DB: f32 = 30.0;

/// Nothing quieter than this counts, in dB below full scale.
const SILENCE_DB: f32 = -60.0;

/// Collects the energy of a recording, frame by frame.
#[derive(Debug, Default)]
pub struct Marker {
    levels_db: Vec<f32>,
    partial: f32,
    filled: usize,
}

/// Which 20 ms frames of a recording are voiced.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    voiced: Vec<bool>,
}

impl Marker {
    /// Takes in 16 kHz mono samples.
    pub fn push(&mut self, samples: &[f32]) {
        for sample in samples {
            self.partial += sample * sample;
            self.filled += 1;
            if self.filled == MARK_FRAME {
                let power = self.partial / MARK_FRAME as f32;
                self.levels_db.push(10.0 * power.max(1e-12).log10());
                (self.partial, self.filled) = (0.0, 0);
            }
        }
    }

    /// Decides which frames are voiced.
    pub fn finish(self) -> Marks {
        let mut sorted = self.levels_db.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let percentile = |percent: usize| {
            sorted
                .get(sorted.len().saturating_sub(1) * percent / 100)
                .copied()
        };
        let (Some(floor), Some(speech)) = (percentile(10), percentile(95)) else {
            return Marks::default();
        };
        // A recording with hardly a pause has no floor to speak of: the speech level alone decides.
        let threshold = (floor + ABOVE_FLOOR_DB)
            .min(speech - 6.0)
            .max(speech - BELOW_SPEECH_DB)
            .max(SILENCE_DB);
        Marks {
            voiced: self.levels_db.iter().map(|level| *level >= threshold).collect(),
        }
    }
}

impl Marks {
    /// The end of the last voiced frame that begins in `from_ms..to_ms`, in milliseconds from the recording's start.
    pub fn end_of_speech(&self, from_ms: u64, to_ms: u64) -> Option<u64> {
        let frame = |ms: u64| {
            usize::try_from(ms / 20)
                .unwrap_or(usize::MAX)
                .min(self.voiced.len())
        };
        let (from, to) = (frame(from_ms), frame(to_ms));
        let last = self.voiced.get(from..to)?.iter().rposition(|voiced| *voiced)?;
        Some((from + last + 1) as u64 * 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tone bursts over a quiet hiss, as (begin, end) in milliseconds.
    fn recording(bursts: &[(u64, u64)], length_ms: u64, hiss: f32) -> Marks {
        let mut marker = Marker::default();
        let mut seed = 1_u32;
        for n in 0..length_ms * 16 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let on = bursts.iter().any(|(from, to)| (from * 16..to * 16).contains(&n));
            let tone = if on { 0.2 * (n as f32 * 0.1).sin() } else { 0.0 };
            marker.push(&[tone + hiss * noise]);
        }
        marker.finish()
    }

    #[test]
    fn the_mark_is_the_end_of_the_last_burst_in_the_range() {
        for hiss in [0.0, 0.0005, 0.01] {
            let marks = recording(&[(500, 1500), (2500, 3010)], 5000, hiss);
            assert_eq!(marks.end_of_speech(0, 2000), Some(1500), "hiss {hiss}");
            let second = marks.end_of_speech(2000, 5000).unwrap();
            assert!((3000..=3020).contains(&second), "{second}");
            assert_eq!(marks.end_of_speech(3200, 5000), None);
        }
    }

    #[test]
    fn silence_and_nothing_have_no_mark() {
        assert_eq!(recording(&[], 2000, 0.0).end_of_speech(0, 2000), None);
        assert_eq!(Marker::default().finish().end_of_speech(0, 2000), None);
        assert_eq!(recording(&[(0, 100)], 200, 0.0).end_of_speech(500, 100), None);
    }
}
