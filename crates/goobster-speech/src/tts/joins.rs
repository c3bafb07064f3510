//! How pieces of speech are put together: no clicks, natural pauses, a level that never clips.

use super::pieces::Pause;

/// Quieter than this (-50 dB of full scale) at the edges of a piece is silence.
const SILENCE: f32 = 0.003;
/// The fade at both edges, in milliseconds: short enough to keep a plosive, long enough to be no click.
const FADE_MS: usize = 4;
/// What is kept before the first and after the last audible sample, in milliseconds, so that soft consonants live.
const MARGIN_MS: usize = 30;
/// No sample is louder (-0.9 dB of full scale): room for a resampler's overshoot.
const PEAK: f32 = 0.9;

/// Makes a rendered piece ready to be played after the piece before it.
///
/// Silence at its edges is cut (the first sample that is heard comes sooner), both edges are faded, a piece that would
/// clip is turned down, samples that are not finite become silence, and the pause that its punctuation asks for follows
/// (also after the last piece: the next sentence of a reply comes as a text of its own). `rate` is in hertz. A piece of
/// silence gives nothing.
pub(super) fn finish(mut samples: Vec<f32>, rate: u32, pause: Pause) -> Vec<f32> {
    let ms = |ms: usize| rate as usize * ms / 1000;
    for sample in &mut samples {
        if !sample.is_finite() {
            *sample = 0.0;
        }
    }
    let audible = |sample: &f32| sample.abs() > SILENCE;
    let (Some(first), Some(end)) = (
        samples.iter().position(audible),
        samples.iter().rposition(audible),
    ) else {
        return Vec::new();
    };
    let end = (end + 1 + ms(MARGIN_MS)).min(samples.len());
    samples.truncate(end);
    samples.drain(..first.saturating_sub(ms(MARGIN_MS)));

    let peak = samples
        .iter()
        .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak > PEAK { PEAK / peak } else { 1.0 };
    let fade = ms(FADE_MS).min(samples.len() / 2).max(1);
    let len = samples.len();
    for (i, sample) in samples.iter_mut().enumerate() {
        let edge = i.min(len - 1 - i);
        let ramp = if edge < fade {
            edge as f32 / fade as f32
        } else {
            1.0
        };
        *sample *= gain * ramp;
    }
    samples.resize(len + ms(pause.millis()), 0.0);
    samples
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn silence_at_the_edges_is_cut_and_the_pause_added() {
        let mut samples = vec![0.0; 8000];
        samples.extend((0..4000).map(|i| (i as f32 * 0.2).sin() * 0.4));
        samples.extend(vec![0.0; 8000]);
        let done = finish(samples, 16_000, Pause::Sentence);
        let pause = 16 * Pause::Sentence.millis();
        assert!(
            (4000 + pause..=4000 + pause + 2 * 16 * 30).contains(&done.len()),
            "{}",
            done.len()
        );
        assert!(done.iter().position(|s| s.abs() > 0.05).unwrap() < 16 * 40);
    }

    #[test]
    fn a_piece_of_silence_is_nothing() {
        assert!(finish(vec![0.0; 100], 16_000, Pause::Clause).is_empty());
        assert!(finish(Vec::new(), 16_000, Pause::Clause).is_empty());
    }

    proptest! {
        #[test]
        fn edges_are_quiet_and_nothing_clips(
            samples in prop::collection::vec(prop_oneof![9 => -3.0_f32..3.0, 1 => Just(f32::NAN)], 0..4000),
        ) {
            let done = finish(samples, 22_050, Pause::Clause);
            prop_assert!(done.iter().all(|s| s.is_finite() && s.abs() <= PEAK + 1e-6));
            if let (Some(first), Some(end)) = (done.first(), done.last()) {
                prop_assert!(first.abs() < 1e-6 && end.abs() < 1e-6);
            }
        }
    }
}
