//! What a decode left unheard at the end of a clip (pure).
//!
//! Whisper sometimes ends its text in a pause, with sentences still to come: its last timestamp then lies well before the end of
//! the sound. The reference goes on from there with another window; so do we, when what is left is as loud as speech.

use std::time::Duration;

use goobster_core::ports::SPEECH_RATE;

/// A frame of 20 ms, in samples.
const FRAME: usize = SPEECH_RATE as usize / 50;
/// Less than this is no sentence: a second.
const SHORTEST: usize = SPEECH_RATE as usize;
/// So many frames must be loud: half a second of speech.
const LOUD: usize = 25;
/// Loud is, in power, this part of the mean of what was heard (-13 dB).
const PART: f32 = 0.05;

/// The first sample that should be decoded again, when the words end at `until` but speech seems to go on.
pub(super) fn unheard(audio: &[f32], until: Duration) -> Option<usize> {
    let from = (until.as_secs_f64() * f64::from(SPEECH_RATE)) as usize;
    if from == 0 || audio.len().saturating_sub(from) < SHORTEST {
        return None;
    }
    let (heard, rest) = audio.split_at(from);
    let threshold = power(heard) * PART;
    let loud = rest.chunks_exact(FRAME).filter(|frame| power(frame) > threshold);
    (threshold > 0.0 && loud.count() >= LOUD).then_some(from)
}

/// Mean of the squares.
fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a tone, each with its amplitude.
    fn sound(parts: &[(f32, f32)]) -> Vec<f32> {
        let part = |(seconds, size): &(f32, f32)| {
            let (count, size) = ((seconds * SPEECH_RATE as f32) as usize, *size);
            (0..count).map(move |n| size * (n as f32 * 0.3).sin())
        };
        parts.iter().flat_map(part).collect()
    }

    #[test]
    fn speech_after_the_last_word_is_decoded_again() {
        let audio = sound(&[(6.0, 0.3), (0.5, 0.0), (2.0, 0.2)]);
        assert_eq!(unheard(&audio, Duration::from_secs(6)), Some(96_000));
        assert_eq!(
            unheard(&audio, Duration::from_secs(8)),
            None,
            "half a second is left"
        );
        assert_eq!(unheard(&audio, Duration::from_mins(1)), None, "beyond the end");
    }

    #[test]
    fn silence_and_murmur_are_not() {
        let until = Duration::from_secs(6);
        for rest in [0.0, 0.03] {
            assert_eq!(unheard(&sound(&[(6.0, 0.3), (3.0, rest)]), until), None, "{rest}");
        }
        assert_eq!(
            unheard(&sound(&[(6.0, 0.3), (2.0, 0.0), (0.3, 0.3), (1.0, 0.0)]), until),
            None
        );
        assert_eq!(
            unheard(&sound(&[(6.0, 0.0), (3.0, 0.3)]), Duration::ZERO),
            None,
            "nothing was heard at all"
        );
    }
}
