//! A gap between two sounds that are both known: what was continued into it is faded into what leads to the next packet.
//!
//! libopus continues the sound before a loss and knows nothing of what follows. Whoever hears a packet later can do better:
//! a consonant that begins in the gap goes on in the packet after it. So that packet is continued backwards, by its pitch
//! where it has one and mirrored where it has none. `goobster-eval loss` measures what that is worth in words.

/// The shortest and the longest period of a voice, in samples at 16 kHz: 500 to 75 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 32..=213;
/// From this normalised correlation on a sound is voiced.
const VOICED: f32 = 0.5;
/// Keeps divisions by the energy of silence finite.
const SILENCE: f32 = 1e-9;

/// Fades the end of `gap`, which continues what came before it, into what leads to `next`. A gap longer than `next` begins
/// to fade as long before its end as `next` lasts.
pub(super) fn lead_over(gap: &mut [f32], next: &[f32]) {
    let start = gap.len().saturating_sub(next.len());
    let gap = &mut gap[start..];
    let length = gap.len();
    if length == 0 {
        return;
    }
    let period = period(next);
    let backward = |at: usize| -> f32 {
        // How far before the first sample of `next`: 1 to `length`, which is at most the length of `next`.
        let before = length - at;
        match period {
            Some(period) => next[(period - before % period) % period],
            None => next[before - 1],
        }
    };
    let (mut together, mut ours, mut theirs) = (0.0_f32, SILENCE, SILENCE);
    for (at, sample) in gap.iter().enumerate() {
        let other = backward(at);
        together += sample * other;
        ours += sample * sample;
        theirs += other * other;
    }
    let alike = (together / (ours * theirs).sqrt()).clamp(0.0, 1.0);
    for (at, sample) in gap.iter_mut().enumerate() {
        let way = (at as f32 + 0.5) / length as f32;
        // Sounds that are alike keep their size in a linear fade, others in one of constant power.
        let size = (way * way + (1.0 - way) * (1.0 - way) + 2.0 * alike * way * (1.0 - way)).sqrt();
        *sample = (*sample * (1.0 - way) + backward(at) * way) / size;
    }
}

/// The period of a voiced sound, in samples.
fn period(sound: &[f32]) -> Option<usize> {
    let best = PERIODS
        .filter(|period| period * 3 / 2 <= sound.len())
        .map(|period| {
            let (early, late) = (&sound[..sound.len() - period], &sound[period..]);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let power = dot(early, early) * dot(late, late);
            (dot(early, late) / (power.sqrt() + SILENCE), period)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= VOICED).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A voice of 125 Hz with one overtone, `from` samples into it.
    fn voice(from: usize, samples: usize) -> Vec<f32> {
        (from..from + samples)
            .map(|n| {
                let phase = std::f32::consts::TAU * n as f32 / 128.0;
                0.3 * phase.sin() + 0.2 * (2.0 * phase).sin()
            })
            .collect()
    }

    fn worst(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_gap_in_a_steady_voice_is_filled_with_that_voice() {
        let (truth, next) = (voice(0, 320), voice(320, 320));
        assert_eq!(period(&next), Some(128));
        // What libopus continued fell silent half-way.
        let mut gap = truth.clone();
        gap[160..].fill(0.0);
        let silent = worst(&gap[240..], &truth[240..]);
        lead_over(&mut gap, &next);
        let led = worst(&gap[240..], &truth[240..]);
        assert!(led < 0.6 * silent, "{led} against {silent}");
        // And a gap that was right stays right.
        let mut gap = truth.clone();
        lead_over(&mut gap, &next);
        assert!(worst(&gap, &truth) < 1e-3);
    }

    #[test]
    fn a_gap_ends_where_a_noise_begins() {
        let mut seed = 1_u32;
        let next: Vec<f32> = (0..320)
            .map(|_| {
                // Numerical Recipes' linear congruential generator; its high bits.
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((seed >> 16) as u16) / 65_536.0 - 0.5
            })
            .collect();
        assert_eq!(period(&next), None);
        let mut gap = vec![0.0; 320];
        lead_over(&mut gap, &next);
        assert!((gap[319] - next[0]).abs() < 0.01);
        assert!(gap[..16].iter().all(|s| s.abs() < 0.05));
    }

    #[test]
    fn only_the_end_of_a_long_gap_is_touched() {
        let mut gap = vec![0.25; 960];
        lead_over(&mut gap, &voice(0, 320));
        assert!(gap[..640].iter().all(|s| (s - 0.25).abs() < f32::EPSILON));
        assert!((gap[959] - 0.25).abs() > 0.1);
    }

    proptest! {
        #[test]
        fn it_is_never_louder_than_both_together(
            mut gap in prop::collection::vec(-1.0_f32..1.0, 0..1920),
            next in prop::collection::vec(-1.0_f32..1.0, 0..1920),
        ) {
            let length = gap.len();
            lead_over(&mut gap, &next);
            prop_assert_eq!(gap.len(), length);
            prop_assert!(gap.iter().all(|s| s.abs() <= std::f32::consts::SQRT_2 + 1e-3));
        }
    }
}
