//! Where speech ends in a recording, found beforehand from its energy alone: the mark that latencies are counted from.
//!
//! Never by a voice detector, which would mark its own homework. The rule, for clean recordings: frames of 20 ms; the
//! floor is the level that a tenth of the frames do not exceed, the top the level that a twentieth exceed. A frame is
//! voiced when it lies 12 dB above the floor and within 30 dB of the top (in a recording without silence: within 15 dB
//! of the top). The last voiced frame with a voiced neighbour is the end: a single loud frame is a click.

use std::ops::Range;

/// Samples a frame: 20 ms at 16 kHz.
pub const FRAME: usize = 320;

/// The voiced frames of a recording.
#[derive(Debug, Clone)]
pub struct VoicedFrames {
    voiced: Vec<bool>,
    /// A frame was voiced from this level on, in dB.
    pub threshold_db: f64,
}

impl VoicedFrames {
    /// Marks a clean recording of 16 kHz mono speech.
    pub fn mark(sound: &[f32]) -> Self {
        let levels: Vec<f64> = sound.chunks_exact(FRAME).map(frame_level_db).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            sorted
                .get((part * sorted.len() as f64) as usize)
                .copied()
                .unwrap_or(-120.0)
        };
        let (floor, top) = (at(0.1), at(0.95));
        let threshold_db = (floor + 12.0).max(top - 30.0).min(top - 15.0).max(-80.0);
        let loud: Vec<bool> = levels.iter().map(|level| *level >= threshold_db).collect();
        let neighbour = |i: usize| loud.get(i + 1) == Some(&true) || (i > 0 && loud[i - 1]);
        let voiced = (0..loud.len()).map(|i| loud[i] && neighbour(i)).collect();
        Self { voiced, threshold_db }
    }

    /// The samples of the first voiced frame; `None` for a recording without voice.
    pub fn first(&self) -> Option<Range<usize>> {
        self.voiced.iter().position(|v| *v).map(frame)
    }

    /// The samples of the last voiced frame: speech ends with it.
    pub fn last(&self) -> Option<Range<usize>> {
        self.voiced.iter().rposition(|v| *v).map(frame)
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
                        pauses.push(since * FRAME..index * FRAME);
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
        self.voiced.get(sample / FRAME) == Some(&true)
    }
}

fn frame(index: usize) -> Range<usize> {
    index * FRAME..(index + 1) * FRAME
}

/// The level of one frame, about its own mean: a direct current is not voice. A filter would smear one frame's sound
/// into the next and so move the mark.
fn frame_level_db(frame: &[f32]) -> f64 {
    let mean = frame.iter().sum::<f32>() / frame.len().max(1) as f32;
    let power = frame.iter().map(|s| f64::from(s - mean).powi(2)).sum::<f64>() / frame.len().max(1) as f64;
    10.0 * power.max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{silence, white_noise};

    fn sentence() -> Vec<f32> {
        let voice = |seconds, seed| white_noise(seconds, -20.0, seed);
        let mut sound = [
            silence(0.5),
            voice(1.0, 1),
            silence(0.4),
            voice(0.6, 2),
            silence(0.7),
        ]
        .concat();
        for (slot, hiss) in sound.iter_mut().zip(white_noise(3.2, -65.0, 3)) {
            *slot += hiss;
        }
        sound
    }

    #[test]
    fn the_last_voiced_frame_is_the_end_of_the_voice() {
        let marks = VoicedFrames::mark(&sentence());
        assert_eq!(marks.first(), Some(8000..8320));
        assert_eq!(marks.last(), Some(40_000 - 320..40_000));
        assert_eq!(marks.pauses(10), vec![24_000..30_400]);
    }

    #[test]
    fn a_click_after_the_voice_is_not_its_end() {
        let mut sound = sentence();
        for sample in &mut sound[46_000..46_050] {
            *sample = 0.8;
        }
        assert_eq!(VoicedFrames::mark(&sound).last(), Some(40_000 - 320..40_000));
    }

    #[test]
    fn silence_and_nothing_have_no_voice() {
        assert_eq!(VoicedFrames::mark(&silence(1.0)).last(), None);
        assert_eq!(VoicedFrames::mark(&[]).last(), None);
    }
}
