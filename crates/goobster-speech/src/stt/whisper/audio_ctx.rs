//! How much of Whisper's 30 s window a clip needs.
//!
//! Whisper pads every clip to 30 s and encodes all of it. Telling it to encode less (`audio_ctx`) makes a short clip
//! two to three times cheaper; fitting the window tightly makes the decoder loop, so a second is added and half the
//! window is always kept.

use goobster_core::ports::SPEECH_RATE;

/// The whole window in encoder frames: 30 s of 20 ms.
pub(super) const FULL: u32 = 1500;
/// The least that decodes reliably, in encoder frames (15.36 s).
pub(super) const LEAST: u32 = 768;
/// Encoder frames a second.
const FRAMES_PER_SECOND: f64 = 50.0;
/// The longest clip, in samples: 30 s.
pub(super) const LONGEST_CLIP: usize = 30 * SPEECH_RATE as usize;
/// The shortest clip that Whisper hears well, in samples: 1.1 s. Shorter ones are padded with silence.
pub(super) const SHORTEST_CLIP: usize = SPEECH_RATE as usize * 11 / 10;

/// The encoder frames for a clip of so many samples: `clamp(ceil64((seconds + 1) * 50), 768, 1500)`.
pub(super) fn trimmed(samples: usize) -> u32 {
    let frames = (samples as f64 / f64::from(SPEECH_RATE) + 1.0) * FRAMES_PER_SECOND;
    let in_blocks = (frames / 64.0).ceil() * 64.0;
    in_blocks.clamp(f64::from(LEAST), f64::from(FULL)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_lengths() {
        let frames = |seconds: f64| trimmed((seconds * 16_000.0) as usize);
        assert_eq!(frames(0.0), 768);
        assert_eq!(frames(3.0), 768);
        assert_eq!(frames(14.36), 768);
        assert_eq!(frames(14.4), 832);
        assert_eq!(frames(20.0), 1088);
        assert_eq!(frames(28.9), 1500);
        assert_eq!(frames(30.0), 1500);
    }

    proptest! {
        #[test]
        fn the_window_always_holds_the_clip(samples in 0..=LONGEST_CLIP) {
            let frames = trimmed(samples);
            prop_assert!((LEAST..=FULL).contains(&frames));
            prop_assert!(frames as usize * 320 >= samples);
        }

        #[test]
        fn a_longer_clip_never_gets_less(samples in 0..LONGEST_CLIP, more in 0..LONGEST_CLIP) {
            prop_assert!(trimmed(samples) <= trimmed(samples + more));
        }
    }
}
