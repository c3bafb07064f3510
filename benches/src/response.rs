//! What a resampler from 48 to 16 kHz does to each frequency, measured from outside with sines and one impulse.

use std::f64::consts::TAU;

use serde_json::{Value, json};

use crate::resamplers::{FRAME, ToSpeech};

const RATE: f64 = 48_000.0;
/// Sines of `i16` at almost full scale.
const AMPLITUDE: f64 = 32_000.0;
/// Frames of 20 ms a sine lasts, and how many of them the resampler may take to settle.
const FRAMES: usize = 40;
const SETTLING: usize = 10;
/// The window with side lobes below -180 dB: seven terms of Blackman and Harris (Albrecht, 2001).
const WINDOW: [f64; 7] = [
    0.271_051_400_693_42,
    -0.433_297_939_234_48,
    0.218_122_999_543_11,
    -0.065_925_446_388_03,
    0.010_811_742_098_37,
    -0.000_776_584_825_22,
    0.000_013_887_217_35,
];

/// The figures of a resampler: ripple to 7 kHz, what is left of sines from 8.1 kHz, how late it is, and the whole curve.
pub fn measure<R: ToSpeech>(new: impl Fn() -> R) -> Value {
    let at = |hz: f64| gain_db(&mut new(), hz);
    let pass: Vec<(f64, f64)> = steps(100.0, 7_000.0, 70).map(|hz| (hz, at(hz))).collect();
    let between: Vec<(f64, f64)> = steps(7_050.0, 8_050.0, 20).map(|hz| (hz, at(hz))).collect();
    let stop: Vec<(f64, f64)> = steps(8_100.0, 8_600.0, 25)
        .chain(steps(8_700.0, 23_900.0, 76))
        .map(|hz| (hz, at(hz)))
        .collect();
    let highest = |part: &[(f64, f64)]| part.iter().map(|(_, db)| *db).fold(f64::MIN, f64::max);
    let lowest = pass.iter().map(|(_, db)| *db).fold(f64::MAX, f64::min);
    let response: Vec<(f64, f64)> = [&pass[..], &between, &stop]
        .concat()
        .into_iter()
        .map(|(hz, db)| (hz, rounded(db, 4)))
        .collect();
    json!({
        "ripple_db": rounded(highest(&pass) - lowest, 4),
        "alias_db": rounded(-highest(&stop), 1),
        "latency_ms": rounded(latency(&mut new()) * 1000.0, 2),
        "response": response,
    })
}

fn steps(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| (from + (to - from) * f64::from(i) / f64::from(count - 1)).round())
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (value * scale).round() / scale
}

/// What comes out at the frequency to which `hz` folds, in dB of what went in.
fn gain_db(resampler: &mut impl ToSpeech, hz: f64) -> f64 {
    let mut out = Vec::new();
    for frame in 0..FRAMES {
        let stereo: Vec<i16> = (frame * FRAME..(frame + 1) * FRAME)
            .flat_map(|n| [(AMPLITUDE * (TAU * hz * n as f64 / RATE).sin()).round() as i16; 2])
            .collect();
        resampler.frame(&stereo, &mut out);
    }
    let sound = &out[(SETTLING * FRAME / 3).min(out.len())..];
    let folded = hz - 16_000.0 * (hz / 16_000.0).round();
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let place = TAU * (n as f64 + 0.5) / sound.len() as f64;
        let w: f64 = WINDOW
            .iter()
            .zip(0_u32..)
            .map(|(a, k)| a * (place * f64::from(k)).cos())
            .sum();
        let angle = TAU * folded * n as f64 / 16_000.0;
        re += w * f64::from(*sample) * angle.cos();
        im += w * f64::from(*sample) * angle.sin();
        weight += w;
    }
    let amplitude = 2.0 * re.hypot(im) / weight * 32_768.0 / AMPLITUDE;
    20.0 * amplitude.max(1e-9).log10()
}

/// Seconds from an impulse going in to its middle coming out, beyond the 20 ms of the frames: the shift of the sound,
/// and what is held back.
fn latency(resampler: &mut impl ToSpeech) -> f64 {
    const AT: usize = 20 * FRAME + 300;
    let (mut out, mut held) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        let mut stereo = vec![0; 2 * FRAME];
        if let Some(at) = AT.checked_sub(frame * FRAME).filter(|at| *at < FRAME) {
            stereo[2 * at..2 * at + 2].fill(AMPLITUDE as i16);
        }
        resampler.frame(&stereo, &mut out);
        if frame >= SETTLING {
            held.push((frame + 1) as f64 * 0.02 - out.len() as f64 / 16_000.0);
        }
    }
    let energy = |s: &f32| f64::from(*s).powi(2);
    let total: f64 = out.iter().map(energy).sum();
    let middle: f64 = out
        .iter()
        .enumerate()
        .map(|(n, s)| n as f64 * energy(s))
        .sum::<f64>()
        / total;
    middle / 16_000.0 - AT as f64 / RATE + held.iter().sum::<f64>() / held.len() as f64
}
