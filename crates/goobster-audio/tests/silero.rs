//! The hand-written Silero against ONNX Runtime 1.32 running `silero_vad.onnx` of release 6.2.3, whose answers are in
//! `data/`: they must agree within 1e-5 in every window.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.

mod common;

use goobster_audio::vad::{SileroDetector, VoiceDetector};

/// Voice-like sound from additions and multiplications alone, so that every machine makes the same samples: pulses
/// through four resonators, in syllables and words, and hiss.
fn voice_like(samples: usize) -> Vec<f32> {
    const RESONATORS: [(f64, f64, f64); 4] = [
        (1.86, -0.94, 0.12),
        (1.62, -0.93, 0.1),
        (0.85, -0.90, 0.08),
        (-0.45, -0.85, 0.05),
    ];
    let mut seed = 12_345_u32;
    let mut phase = 0.0_f64;
    let mut memory = [[0.0_f64; 2]; 4];
    (0..samples)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed >> 8) / 16_777_216.0 - 0.5;
            let step = i / 160;
            let (syllable, word) = (step % 40, step % 120);
            let voiced = syllable < 26 && word < 90;
            phase += (100 + (step * 7) % 45) as f64 / 16_000.0;
            let mut pulse = 0.0;
            if phase >= 1.0 {
                phase -= 1.0;
                pulse = if voiced { 1.0 } else { 0.0 };
            }
            let hiss = if (26..32).contains(&syllable) && word < 90 {
                noise * 0.05
            } else {
                0.0
            };
            let x = pulse * 0.5 + noise * 0.002 + hiss;
            let mut y = 0.0;
            for ((a, b, gain), m) in RESONATORS.iter().zip(&mut memory) {
                let v = x + a * m[0] + b * m[1];
                *m = [v, m[0]];
                y += v * gain;
            }
            y.clamp(-1.0, 1.0) as f32
        })
        .collect()
}

fn compare(sound: &[f32], expected: &str) {
    let mut detector = SileroDetector::new(common::silero_weights());
    let expected: Vec<f32> = expected.lines().map(|line| line.parse().unwrap()).collect();
    let windows = sound.chunks_exact(detector.window());
    assert_eq!(windows.len(), expected.len());
    let mut largest = 0.0_f32;
    for (window, expected) in windows.zip(&expected) {
        largest = largest.max((detector.probability(window) - expected).abs());
    }
    assert!(largest < 1e-5, "the largest difference is {largest}");
}

#[test]
fn a_synthetic_voice_is_judged_as_onnx_runtime_judges_it() {
    compare(&voice_like(100 * 512), include_str!("data/silero-synthetic.txt"));
}

#[test]
fn real_speech_is_judged_as_onnx_runtime_judges_it() {
    compare(&common::clip("jfk.wav"), include_str!("data/silero-jfk.txt"));
}
