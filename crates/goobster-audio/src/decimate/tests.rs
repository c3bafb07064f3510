//! The response as measured, from the impulse response and from sines; streams cut anywhere; both engines.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::design::{PASS_END, STOP_START};
use super::*;

const RATE: f64 = 48_000.0;

fn run(mut decimator: Decimator, stereo: &[i16]) -> Vec<f32> {
    let mut out = Vec::new();
    decimator.process(stereo, &mut out).unwrap();
    out
}

/// The taps as they are used: the filter answers impulses at all three places before an output.
fn impulse_response() -> Vec<f64> {
    const AMPLITUDE: i16 = 16_384;
    let mut taps = vec![0.0; TAPS];
    for place in 0..FACTOR {
        let mut stereo = vec![0; 2 * 960];
        let at = 240 + place;
        stereo[2 * at] = AMPLITUDE;
        stereo[2 * at + 1] = AMPLITUDE;
        for (n, sample) in run(Decimator::new(), &stereo).into_iter().enumerate() {
            // Output n ends with frame 3 n + 2.
            if let Some(tap) = (FACTOR * n + FACTOR - 1)
                .checked_sub(at)
                .and_then(|i| taps.get_mut(i))
            {
                *tap = f64::from(sample) * 32_768.0 / f64::from(AMPLITUDE);
            } else {
                assert!(sample.abs() < 1e-12, "output {n} of an impulse at {at}");
            }
        }
    }
    taps
}

fn response_db(taps: &[f64], hz: f64) -> f64 {
    let (re, im) = taps.iter().enumerate().fold((0.0, 0.0), |(re, im), (n, tap)| {
        let angle = TAU * hz / RATE * n as f64;
        (re + tap * angle.cos(), im - tap * angle.sin())
    });
    20.0 * re.hypot(im).max(1e-12).log10()
}

#[test]
fn the_response_is_flat_to_seven_kilohertz_and_nothing_from_eight_point_one() {
    let taps = impulse_response();
    let pass: Vec<f64> = (0..=1400)
        .map(|i| response_db(&taps, PASS_END * f64::from(i) / 1400.0))
        .collect();
    let top = pass.iter().copied().fold(f64::MIN, f64::max);
    let bottom = pass.iter().copied().fold(f64::MAX, f64::min);
    assert!(top - bottom <= 0.01, "ripple {} dB", top - bottom);
    assert!(top.abs() < 0.01 && bottom.abs() < 0.01, "{bottom} to {top} dB");
    let leak = (0..=6000)
        .map(|i| {
            response_db(
                &taps,
                STOP_START + (RATE / 2.0 - STOP_START) * f64::from(i) / 6000.0,
            )
        })
        .fold(f64::MIN, f64::max);
    assert!(leak <= -98.0, "{leak} dB come through");
}

#[test]
fn the_phase_is_linear_and_the_delay_two_and_a_quarter_milliseconds() {
    let taps = impulse_response();
    for n in 0..TAPS / 2 {
        assert!((taps[n] - taps[TAPS - 1 - n]).abs() < 1e-7, "tap {n}");
    }
    let (moment, sum) = taps
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(moment, sum), (n, tap)| {
            (moment + n as f64 * tap, sum + tap)
        });
    let delay = moment / sum / RATE;
    assert!((delay - Decimator::LATENCY).abs() < 1e-6, "{delay}");
    assert!(delay <= 0.002_5);
}

/// A sine of almost full scale, left and right alike.
fn sine(hz: f64, frames: usize) -> Vec<i16> {
    (0..frames)
        .flat_map(|n| {
            let sample = (32_000.0 * (TAU * hz * n as f64 / RATE).sin()).round() as i16;
            [sample; 2]
        })
        .collect()
}

/// Amplitude of what lies at `hz` in 16 kHz sound, under a window with side lobes below -90 dB (Blackman and Harris).
fn amplitude(sound: &[f32], hz: f64) -> f64 {
    let length = sound.len() as f64;
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        let t = TAU * n as f64 / length;
        let w = 0.358_75 - 0.488_29 * t.cos() + 0.141_28 * (2.0 * t).cos() - 0.011_68 * (3.0 * t).cos();
        let angle = TAU * hz * n as f64 / 16_000.0;
        re += w * f64::from(*sample) * angle.cos();
        im += w * f64::from(*sample) * angle.sin();
        weight += w;
    }
    2.0 * re.hypot(im) / weight
}

#[test]
fn sines_pass_to_seven_kilohertz_and_vanish_beyond_eight() {
    for hz in [50.0, 440.0, 1000.0, 3000.0, 5000.0, 6500.0, 7000.0] {
        let out = run(Decimator::new(), &sine(hz, 48_000));
        let db = 20.0 * (amplitude(&out[400..], hz) * 32_768.0 / 32_000.0).log10();
        assert!(db.abs() < 0.01, "{hz} Hz: {db} dB");
    }
    for hz in [8100.0, 8200.0, 9000.0, 12_000.0, 15_900.0, 17_000.0, 23_000.0] {
        let out = run(Decimator::new(), &sine(hz, 48_000));
        let folded = (hz - 16_000.0 * (hz / 16_000.0).round()).abs();
        let db = 20.0
            * (amplitude(&out[400..], folded) * 32_768.0 / 32_000.0)
                .max(1e-9)
                .log10();
        assert!(db < -95.0, "{hz} Hz: {db} dB");
    }
}

#[test]
fn both_channels_count_alike_and_full_scale_stays_full_scale() {
    for (left, right, expected) in [
        (i16::MIN, i16::MIN, -1.0),
        (16_384, 0, 0.25),
        (0, 16_384, 0.25),
        (500, -500, 0.0),
    ] {
        let stereo: Vec<i16> = [left, right].into_iter().cycle().take(4 * 1920).collect();
        let last = *run(Decimator::new(), &stereo).last().unwrap();
        assert!((last - expected).abs() < 1e-3, "{left} {right}: {last}");
    }
}

#[test]
fn half_a_frame_is_refused_and_changes_nothing() {
    let sound = sine(700.0, 1920);
    let (mut decimator, mut out) = (Decimator::new(), Vec::new());
    decimator.process(&sound[..1000], &mut out).unwrap();
    let error = decimator.process(&sound[..7], &mut out).unwrap_err().to_string();
    assert!(error.contains("7 samples"), "{error}");
    decimator.process(&sound[1000..], &mut out).unwrap();
    assert_eq!(out, run(Decimator::new(), &sound));
    decimator.reset();
    out.clear();
    decimator.process(&sound, &mut out).unwrap();
    assert_eq!(out, run(Decimator::new(), &sound));
}

fn stereo(frames: std::ops::Range<usize>) -> impl Strategy<Value = Vec<i16>> {
    frames.prop_flat_map(|frames| prop::collection::vec(any::<i16>(), 2 * frames))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_engines_agree(sound in stereo(960..4000)) {
        let (best, portable) = (run(Decimator::new(), &sound), run(Decimator::portable(), &sound));
        prop_assert_eq!(best.len(), portable.len());
        prop_assert_eq!(best.len(), sound.len() / 2 / FACTOR / BLOCK * BLOCK);
        for (a, b) in best.iter().zip(&portable) {
            prop_assert!((a - b).abs() <= 1e-6, "{} {}", a, b);
        }
    }

    #[test]
    fn however_a_stream_is_cut_the_same_comes_out(
        sound in stereo(500..3000),
        cuts in prop::collection::vec(1_usize..700, 1..12),
    ) {
        let whole = run(Decimator::new(), &sound);
        let (mut decimator, mut out, mut rest) = (Decimator::new(), Vec::new(), &sound[..]);
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((2 * cut).min(rest.len()));
            decimator.process(now, &mut out).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(out, whole);
    }
}
