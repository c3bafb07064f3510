//! A gap between two sounds that are both known: the end of what was continued into it becomes what leads into the next packet.
//!
//! libopus continues the sound before a loss and knows nothing of what follows. Whoever hears a packet later can do better: a
//! consonant that begins in the gap is in the packet after it. So that packet is continued backwards, by its pitch where it
//! has one and mirrored where not, and the two are faded into each other.

/// The longest and the shortest period of a voice, in samples at 16 kHz: 75 to 500 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 32..=213;
/// From this normalised correlation on a sound is voiced.
const VOICED: f32 = 0.5;

/// Fades `gap`, which continues what came before it, into what leads to `next`.
pub(super) fn lead_over(gap: &mut [f32], next: &[f32]) {
    let length = gap.len();
    if length == 0 || next.is_empty() {
        return;
    }
    let period = period(next);
    let backward = |at: usize| -> f32 {
        // How far before the first sample of `next`.
        let before = length - at;
        match period {
            Some(period) => next[(period - before % period) % period],
            None => next.get(before - 1).copied().unwrap_or_else(|| next[next.len() - 1]),
        }
    };
    let (mut together, mut ours, mut theirs) = (0.0_f32, 1e-9_f32, 1e-9_f32);
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
        let norm = (way * way + (1.0 - way) * (1.0 - way) + 2.0 * alike * way * (1.0 - way)).sqrt();
        *sample = (*sample * (1.0 - way) + backward(at) * way) / norm;
    }
}

/// The period of a voiced sound.
fn period(sound: &[f32]) -> Option<usize> {
    let best = PERIODS
        .filter(|period| period * 3 / 2 <= sound.len())
        .map(|period| {
            let (early, late) = (&sound[..sound.len() - period], &sound[period..]);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let power = dot(early, early) * dot(late, late);
            (dot(early, late) / (power.sqrt() + 1e-9), period)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= VOICED).then_some(best.1)
}
