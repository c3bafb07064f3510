//! How much of Whisper's 30 s window a clip needs.
//!
//! Whisper pads every clip to 30 s and encodes all of it. Telling it to encode less (`audio_ctx`) makes a short clip
//! two to four times cheaper; fitting the window tightly makes the decoder loop, so a second is added and a good part of
//! the window is always kept. How much was measured on 150 clips (1,863 words: cuts of the recordings that set-up
//! fetches, and several of them in a row, at three speeds, with and without noise), decoded by base `q8_0`: against the full
//! window, 87 words differ with at least 768 frames, 89 with 640, 98 with 576, 102 with 512, 111 with 448, and nothing
//! loops. So finals keep 640, and partial captions, which the next one corrects, 448: the time goes with the frames.

use goobster_core::ports::SPEECH_RATE;

/// The whole window in encoder frames: 30 s of 20 ms.
pub(super) const FULL: u32 = 1500;
/// The least for what stays, in encoder frames (12.8 s).
pub(super) const LEAST: u32 = 640;
/// The least for a partial caption, in encoder frames (8.96 s).
pub(super) const LEAST_PARTIAL: u32 = 448;
/// Encoder frames a second.
const FRAMES_PER_SECOND: f64 = 50.0;
/// The longest clip, in samples: 30 s.
pub(super) const LONGEST_CLIP: usize = 30 * SPEECH_RATE as usize;
/// The shortest clip that Whisper hears well, in samples: 1.1 s. Shorter ones are padded with silence.
pub(super) const SHORTEST_CLIP: usize = SPEECH_RATE as usize * 11 / 10;

/// The encoder frames for a clip of so many samples: `clamp(ceil64((seconds + 1) * 50), least, 1500)`.
pub(super) fn trimmed(samples: usize, least: u32) -> u32 {
    let frames = (samples as f64 / f64::from(SPEECH_RATE) + 1.0) * FRAMES_PER_SECOND;
    let in_blocks = (frames / 64.0).ceil() * 64.0;
    in_blocks.clamp(f64::from(least), f64::from(FULL)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_lengths() {
        let frames = |seconds: f64| trimmed((seconds * 16_000.0) as usize, LEAST);
        assert_eq!(frames(0.0), 640);
        assert_eq!(frames(3.0), 640);
        assert_eq!(frames(11.8), 640);
        assert_eq!(frames(11.9), 704);
        assert_eq!(frames(14.36), 768);
        assert_eq!(frames(20.0), 1088);
        assert_eq!(frames(28.9), 1500);
        assert_eq!(frames(30.0), 1500);
    }

    proptest! {
        #[test]
        fn the_window_always_holds_the_clip(samples in 0..=LONGEST_CLIP, least in LEAST_PARTIAL..=FULL) {
            let frames = trimmed(samples, least);
            prop_assert!((least..=FULL).contains(&frames));
            prop_assert!(frames as usize * 320 >= samples);
        }

        #[test]
        fn a_longer_clip_never_gets_less(samples in 0..LONGEST_CLIP, more in 0..LONGEST_CLIP) {
            prop_assert!(trimmed(samples, LEAST) <= trimmed(samples + more, LEAST));
        }
    }
}
