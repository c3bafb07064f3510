//! Where speech ends in a recording, found beforehand from its energy alone: the mark that latencies are counted from.
//!
//! Never by a voice detector, which would mark its own homework. The rule, for clean recordings: frames of 20 ms; the
//! floor is the level that a tenth of the frames do not exceed, the top the level that a twentieth exceed. A frame is
//! voiced when it lies 12 dB above the floor and within 30 dB of the top (in a recording without silence: within 15 dB
//! of the top). The last voiced frame with a voiced neighbour is the end: a single loud frame is a click.

use std::ops::Range;

/// Samples a frame: 20 ms at 16 kHz.
pub const MARK_FRAME: usize = 320;

/// Above the floor, in dB: more than a steady noise's 20 ms energies spread.
const ABOVE_FLOOR_DB: f32 = 12.0;
/// Below the top at most, in dB: the range of conversational vowels and their decay.
const BELOW_TOP_DB: f32 = 30.0;
/// The threshold stays at least this far below the top, so that a recording without silence is voiced.
const CLEAR_OF_TOP_DB: f32 = 15.0;
/// Nothing quieter counts, in dB below full scale.
const SILENCE_DB: f32 = -80.0;
/// The feedback of a first-order high-pass at about 80 Hz: mains hum and rumble are not voice.
const RUMBLE_POLE: f32 = 0.969;

/// Collects the energy of a recording, frame by frame.
#[derive(Debug, Default)]
pub struct Marker {
    levels_db: Vec<f32>,
    last_in: f32,
    last_out: f32,
    energy: f32,
    energy_above_rumble: f32,
    filled: usize,
}

/// The voiced frames of a recording.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    voiced: Vec<bool>,
    threshold_db: f32,
}

impl Marker {
    /// Takes in 16 kHz mono samples.
    pub fn push(&mut self, samples: &[f32]) {
        for sample in samples {
            self.last_out = RUMBLE_POLE * (self.last_out + sample - self.last_in);
            self.last_in = *sample;
            self.energy += sample * sample;
            self.energy_above_rumble += self.last_out * self.last_out;
            self.filled += 1;
            if self.filled == MARK_FRAME {
                // The filter rings for a moment after a loud sound, where the recording itself is silent already.
                let power = self.energy.min(self.energy_above_rumble) / MARK_FRAME as f32;
                self.levels_db.push(10.0 * power.max(1e-12).log10());
                (self.energy, self.energy_above_rumble, self.filled) = (0.0, 0.0, 0);
            }
        }
    }

    /// Decides which frames are voiced.
    pub fn finish(self) -> Marks {
        let mut sorted = self.levels_db.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied();
        let (Some(floor), Some(top)) = (at(10), at(95)) else {
            return Marks::default();
        };
        let threshold_db = (floor + ABOVE_FLOOR_DB)
            .max(top - BELOW_TOP_DB)
            .min(top - CLEAR_OF_TOP_DB)
            .max(SILENCE_DB);
        let loud: Vec<bool> = self
            .levels_db
            .iter()
            .map(|level| *level >= threshold_db)
            .collect();
        let neighbour = |i: usize| loud.get(i + 1) == Some(&true) || (i > 0 && loud[i - 1]);
        Marks {
            voiced: (0..loud.len()).map(|i| loud[i] && neighbour(i)).collect(),
            threshold_db,
        }
    }
}

impl Marks {
    /// Marks a clean recording of 16 kHz mono speech.
    pub fn of(sound: &[f32]) -> Self {
        let mut marker = Marker::default();
        marker.push(sound);
        marker.finish()
    }

    /// A frame is voiced from this level on, in dB.
    pub fn threshold_db(&self) -> f32 {
        self.threshold_db
    }

    /// The samples of the first voiced frame; `None` for a recording without voice.
    pub fn first(&self) -> Option<Range<usize>> {
        self.voiced.iter().position(|v| *v).map(frame)
    }

    /// The samples of the last voiced frame: speech ends with it.
    pub fn last(&self) -> Option<Range<usize>> {
        self.voiced.iter().rposition(|v| *v).map(frame)
    }

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

    /// Silences of at least `frames` frames between voiced ones, in samples.
    pub fn pauses(&self, frames: usize) -> Vec<Range<usize>> {
        let mut pauses = Vec::new();
        let mut silent_since: Option<usize> = None;
        let first = self.voiced.iter().position(|v| *v).unwrap_or(0);
        for (index, voiced) in self.voiced.iter().enumerate().skip(first) {
            match (voiced, silent_since) {
                (true, Some(since)) => {
                    if index - since >= frames {
                        pauses.push(since * MARK_FRAME..index * MARK_FRAME);
                    }
                    silent_since = None;
                }
                (false, None) => silent_since = Some(index),
                _ => {}
            }
        }
        pauses
    }

    /// Whether the frame that holds a sample is voiced.
    pub fn is_voiced(&self, sample: usize) -> bool {
        self.voiced.get(sample / MARK_FRAME) == Some(&true)
    }
}

fn frame(index: usize) -> Range<usize> {
    index * MARK_FRAME..(index + 1) * MARK_FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts of noise over a quiet hiss, as (begin, end) in milliseconds.
    fn recording(bursts: &[(usize, usize)], length_ms: usize, hiss: f32) -> Vec<f32> {
        let mut seed = 1_u32;
        (0..length_ms * 16)
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (seed >> 8) as f32 / (1 << 23) as f32 - 1.0;
                let on = bursts.iter().any(|(from, to)| (from * 16..to * 16).contains(&n));
                noise * if on { 0.2 } else { hiss }
            })
            .collect()
    }

    #[test]
    fn the_last_voiced_frame_is_the_end_of_the_voice() {
        let marks = Marks::of(&recording(&[(500, 1500), (1900, 2500)], 3200, 0.0005));
        assert_eq!(marks.first(), Some(8000..8320));
        assert_eq!(marks.last(), Some(40_000 - 320..40_000));
        assert_eq!(marks.pauses(10), vec![24_000..30_400]);
        assert!(marks.is_voiced(10_000) && !marks.is_voiced(100));
    }

    #[test]
    fn a_mark_can_be_asked_for_in_a_part_of_the_recording() {
        for hiss in [0.0, 0.0005, 0.01] {
            let marks = Marks::of(&recording(&[(500, 1500), (2500, 3000)], 5000, hiss));
            assert_eq!(marks.end_of_speech(0, 2000), Some(1500), "hiss {hiss}");
            assert_eq!(marks.end_of_speech(2000, 5000), Some(3000), "hiss {hiss}");
            assert_eq!(marks.end_of_speech(3200, 5000), None);
            assert_eq!(marks.end_of_speech(500, 100), None);
        }
    }

    #[test]
    fn a_click_after_the_voice_is_not_its_end() {
        let mut sound = recording(&[(500, 1500), (1900, 2500)], 3200, 0.0005);
        for sample in &mut sound[46_000..46_050] {
            *sample = 0.8;
        }
        assert_eq!(Marks::of(&sound).last(), Some(40_000 - 320..40_000));
    }

    #[test]
    fn silence_and_nothing_have_no_voice() {
        assert_eq!(Marks::of(&[0.0; 1600]).last(), None);
        assert_eq!(Marks::of(&[]).last(), None);
    }

    #[test]
    fn pieces_of_any_size_give_the_same_marks() {
        let sound = recording(&[(300, 900)], 1500, 0.001);
        let whole = Marks::of(&sound);
        for size in [1, 7, 320, 1000] {
            let mut marker = Marker::default();
            sound.chunks(size).for_each(|piece| marker.push(piece));
            assert_eq!(marker.finish().voiced, whole.voiced, "pieces of {size}");
        }
    }
}
