//! The sound of a game without voices: an engine, steps, shots alone and in bursts, now and then an explosion.

use std::f64::consts::TAU;

use super::{Dice, RATE, at_level, silence};

/// Game sound at an RMS level; the seed chooses when what happens.
pub fn game(seconds: f64, db: f64, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let mut sound = silence(seconds);
    engine(&mut sound, &mut dice);
    let mut at = 0.0;
    while at < seconds {
        step(&mut sound, at, &mut dice);
        at += 0.38 + 0.06 * dice.unit();
    }
    at = dice.unit();
    while at < seconds {
        // One shot in two is the first of a burst, ten a second.
        let shots = if dice.unit() < 0.5 { 1 } else { 3 + dice.below(6) };
        for shot in 0..shots {
            bang(&mut sound, at + 0.1 * shot as f64, 25.0, 0.5, 0.9, &mut dice);
        }
        if dice.unit() < 0.12 {
            bang(&mut sound, at + 0.6, 3.5, 0.06, 1.6, &mut dice);
        }
        at += 0.1 * shots as f64 + 0.3 + 2.2 * dice.unit();
    }
    at_level(sound, db)
}

/// Harmonics of a firing frequency of 55 to 120 Hz that rises and falls as someone drives, and the noise of its exhaust.
fn engine(sound: &mut [f32], dice: &mut Dice) {
    let (mut phase, mut pitch, mut wanted, mut noise) = (0.0, 70.0, 70.0, 0.0);
    for (n, slot) in sound.iter_mut().enumerate() {
        if n % 16_000 == 0 {
            wanted = 55.0 + 65.0 * dice.unit();
        }
        pitch += (wanted - pitch) / (0.8 * RATE);
        phase = (phase + pitch / RATE).fract();
        let tone: f64 = (1..=14)
            .map(|k| (TAU * phase * f64::from(k)).sin() / f64::from(k).powf(0.8))
            .sum();
        noise += 0.1 * (dice.signed() - noise);
        // It fires unevenly: every second stroke is stronger.
        let beat = 1.0 + 0.3 * (TAU * phase / 2.0).sin();
        *slot += (0.07 * tone * beat + 0.12 * noise) as f32;
    }
}

/// A heel and a sole on gravel.
fn step(sound: &mut [f32], at: f64, dice: &mut Dice) {
    let loudness = 0.12 + 0.08 * dice.unit();
    for (delay, part) in [(0.0, 1.0), (0.07, 0.6)] {
        bang(sound, at + delay, 70.0, 0.35, loudness * part, dice);
    }
}

/// Noise that decays by `decay` e-folds a second through a low-pass of one pole, over a thump.
fn bang(sound: &mut [f32], at: f64, decay: f64, pole: f64, loudness: f64, dice: &mut Dice) {
    let start = (at.max(0.0) * RATE) as usize;
    let length = (6.0 / decay * RATE) as usize;
    let mut smooth = 0.0;
    for (n, slot) in sound.iter_mut().skip(start).take(length).enumerate() {
        let t = n as f64 / RATE;
        smooth += pole * (dice.signed() - smooth);
        let thump = 0.4 * (TAU * 60.0 * t).sin();
        // Full scale within a millisecond: a bang begins at once.
        let envelope = (t / 0.001).min(1.0) * (-decay * t).exp();
        *slot += (loudness * envelope * (smooth / pole.sqrt() + thump)) as f32;
    }
}
