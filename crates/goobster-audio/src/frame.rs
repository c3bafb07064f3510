//! The unit that everything downstream works in: 20 ms of 16 kHz mono sound.
//!
//! Whisper, the voice detectors and libopus' narrow output all take 16 kHz mono, and Discord sends 20 ms a packet,
//! so one frame is one packet and no stage has to regroup samples.

/// Samples a second throughout the listening path.
pub const SAMPLE_RATE: u32 = 16_000;
/// Milliseconds in a [`Frame`].
pub const FRAME_MILLIS: u64 = 20;
/// Samples in a [`Frame`].
pub const FRAME_SAMPLES: usize = 320;

/// 20 ms of 16 kHz mono sound; full scale is -1.0 to 1.0.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame([f32; FRAME_SAMPLES]);

impl Frame {
    /// A frame of digital silence.
    pub const SILENCE: Self = Self([0.0; FRAME_SAMPLES]);

    /// Wraps exactly 20 ms of samples.
    pub const fn new(samples: [f32; FRAME_SAMPLES]) -> Self {
        Self(samples)
    }

    /// Converts 16-bit samples; -32768 becomes exactly -1.0.
    pub fn from_i16(samples: &[i16; FRAME_SAMPLES]) -> Self {
        let mut frame = Self::SILENCE;
        for (to, from) in frame.0.iter_mut().zip(samples) {
            *to = f32::from(*from) / 32768.0;
        }
        frame
    }

    /// The samples.
    pub const fn samples(&self) -> &[f32; FRAME_SAMPLES] {
        &self.0
    }

    /// The level: root mean square, 0.0 to 1.0.
    pub fn rms(&self) -> f32 {
        (self.0.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32).sqrt()
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::SILENCE
    }
}

/// The time that a number of 16 kHz samples lasts, in milliseconds, rounded down.
pub const fn samples_to_millis(samples: u64) -> u64 {
    // Split so that no count of samples overflows.
    samples / SAMPLE_RATE as u64 * 1000 + samples % SAMPLE_RATE as u64 * 1000 / SAMPLE_RATE as u64
}

/// Cuts blocks of any length into frames, keeping the remainder for the next block. Allocates nothing.
#[derive(Debug, Default)]
pub struct Framer {
    partial: Frame,
    filled: usize,
}

impl Framer {
    /// A framer with no remainder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes `samples` (16 kHz mono) and calls `each` for every frame that is now complete, in order.
    pub fn push(&mut self, mut samples: &[f32], mut each: impl FnMut(&Frame)) {
        while !samples.is_empty() {
            let take = (FRAME_SAMPLES - self.filled).min(samples.len());
            let (now, later) = samples.split_at(take);
            self.partial.0[self.filled..self.filled + take].copy_from_slice(now);
            self.filled += take;
            samples = later;
            if self.filled == FRAME_SAMPLES {
                self.filled = 0;
                each(&self.partial);
            }
        }
    }

    /// The remainder, filled up with silence; `None` when nothing remains. The framer is empty afterwards.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.filled == 0 {
            return None;
        }
        self.partial.0[self.filled..].fill(0.0);
        self.filled = 0;
        Some(self.partial.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn full_scale_maps_to_one() {
        let mut raw = [0i16; FRAME_SAMPLES];
        raw[0] = i16::MIN;
        raw[1] = i16::MAX;
        let frame = Frame::from_i16(&raw);
        assert!((frame.samples()[0] + 1.0).abs() < f32::EPSILON);
        assert!((frame.samples()[1] - 32767.0 / 32768.0).abs() < f32::EPSILON);
    }

    #[test]
    fn milliseconds_do_not_overflow() {
        assert_eq!(samples_to_millis(16_000), 1000);
        assert_eq!(samples_to_millis(319), 19);
        assert_eq!(samples_to_millis(u64::MAX), u64::MAX / 16);
    }

    proptest! {
        #[test]
        fn framing_keeps_every_sample_in_order(lengths in prop::collection::vec(0usize..1000, 0..20)) {
            let total: usize = lengths.iter().sum();
            let all: Vec<f32> = (0..total).map(|n| n as f32).collect();
            let (mut framer, mut seen, mut at) = (Framer::new(), Vec::new(), 0);
            for length in lengths {
                framer.push(&all[at..at + length], |frame| seen.extend_from_slice(frame.samples()));
                at += length;
            }
            if let Some(last) = framer.finish() {
                seen.extend_from_slice(last.samples());
            }
            prop_assert_eq!(&seen[..total], &all[..]);
            prop_assert!(seen.len() - total < FRAME_SAMPLES);
            prop_assert!(seen[total..].iter().all(|s| *s == 0.0));
            prop_assert!(framer.finish().is_none());
        }
    }
}
