//! Sounds that are not speech, made the same on every machine: what a voice detector must not fall for.
//!
//! 16 kHz mono in `-1.0..=1.0`. Levels are RMS in dB relative to full scale (a full-scale square wave is 0 dB).

mod game;

use std::f64::consts::TAU;
use std::iter::repeat_n;

pub use game::game;

/// Samples a second.
const RATE: f64 = 16_000.0;

/// A small linear congruential generator: the sequence is part of the test, so it must never change.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        dice.unit();
        dice
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in `-1.0..1.0`.
    pub fn signed(&mut self) -> f64 {
        self.unit() * 2.0 - 1.0
    }

    /// A number below `n`; 0 for an `n` of 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

/// The RMS level in dB; -120 for silence.
pub fn level_db(sound: &[f32]) -> f64 {
    let power = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len().max(1) as f64;
    10.0 * power.max(1e-12).log10()
}

/// The level while someone speaks: of the 20 ms frames within 30 dB of the loudest, as speech levels are measured.
pub fn active_level_db(speech: &[f32]) -> f64 {
    let levels: Vec<f64> = speech.chunks(320).map(level_db).collect();
    let loudest = levels.iter().copied().fold(f64::MIN, f64::max);
    let active: Vec<f64> = levels
        .iter()
        .filter(|l| **l > loudest - 30.0)
        .map(|l| 10.0_f64.powf(l / 10.0))
        .collect();
    10.0 * (active.iter().sum::<f64>() / active.len().max(1) as f64)
        .max(1e-12)
        .log10()
}

/// `sound` brought to an RMS level; what goes beyond full scale is clipped.
pub fn at_level(mut sound: Vec<f32>, db: f64) -> Vec<f32> {
    let gain = 10.0_f64.powf((db - level_db(&sound)) / 20.0) as f32;
    for sample in &mut sound {
        *sample = (*sample * gain).clamp(-1.0, 1.0);
    }
    sound
}

/// `speech` over `background`, its active level `snr_db` above the background's; as long as the speech, the background
/// repeated when it is shorter. The speech keeps its level.
pub fn mixed(speech: &[f32], background: &[f32], snr_db: f64) -> Vec<f32> {
    let gain = 10.0_f64.powf((active_level_db(speech) - snr_db - level_db(background)) / 20.0) as f32;
    let background = background.iter().cycle();
    speech
        .iter()
        .zip(background)
        .map(|(s, b)| (s + b * gain).clamp(-1.0, 1.0))
        .collect()
}

/// Digital silence.
pub fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; (seconds * RATE) as usize]
}

/// White noise, uniformly distributed.
pub fn white_noise(seconds: f64, db: f64, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    // A uniform distribution over -1..1 has an RMS of 1/sqrt(3).
    let amplitude = 10.0_f64.powf(db / 20.0) * 3.0_f64.sqrt();
    (0..(seconds * RATE) as usize)
        .map(|_| (dice.signed() * amplitude).clamp(-1.0, 1.0) as f32)
        .collect()
}

/// Tones that go on and off, for parts of ten seconds each: 220 Hz to 3 kHz, 60 ms to 1 s, on for a fifth to four
/// fifths of the time, some of them chirps between two pitches (alarms, dial tones, notification sounds).
pub fn pulsed_tones(seconds: f64, db: f64) -> Vec<f32> {
    const FREQUENCIES: [(f64, f64); 8] = [
        (440.0, 440.0),
        (1000.0, 1000.0),
        (220.0, 220.0),
        (600.0, 1200.0),
        (3000.0, 3000.0),
        (350.0, 440.0),
        (150.0, 300.0),
        (2000.0, 900.0),
    ];
    const PERIODS: [(f64, f64); 5] = [(0.4, 0.5), (0.06, 0.5), (1.0, 0.3), (0.25, 0.8), (0.16, 0.2)];
    let mut phase = 0.0;
    let sound = (0..(seconds * RATE) as usize)
        .map(|n| {
            let part = n / (10 * RATE as usize);
            let (from, to) = FREQUENCIES[part % FREQUENCIES.len()];
            let (period, duty) = PERIODS[(part / FREQUENCIES.len() + part) % PERIODS.len()];
            let within = (n as f64 / RATE) % period;
            let on = period * duty;
            phase += (from + (to - from) * (within / on).min(1.0)) / RATE;
            // Ramps of 5 ms: the tone is meant, not clicks at its ends.
            let envelope = (within / 0.005).min((on - within) / 0.005).clamp(0.0, 1.0);
            ((TAU * phase).sin() * envelope) as f32
        })
        .collect();
    at_level(sound, db)
}

/// Samples of one period of a note, from which it is read.
const TABLE: usize = 1024;

/// A note: partials that fall off with their number, an attack and a decay.
struct Note {
    frequency: f64,
    start: usize,
    seconds: f64,
    loudness: f64,
    partials: u32,
    vibrato: f64,
}

impl Note {
    /// One period of the note, with one more sample for interpolation.
    fn period(&self) -> [f32; TABLE + 1] {
        let highest = ((7500.0 / self.frequency) as u32).max(1);
        std::array::from_fn(|n| {
            let phase = TAU * n as f64 / TABLE as f64;
            (1..=self.partials.min(highest))
                .map(|k| (phase * f64::from(k)).sin() / f64::from(k).powf(1.3))
                .sum::<f64>() as f32
        })
    }

    fn play(&self, into: &mut [f32]) {
        let samples = (self.seconds * RATE) as usize;
        let period = self.period();
        let mut phase = 0.0;
        let decay = (-1.5 / self.seconds / RATE).exp();
        let mut loudness = self.loudness;
        for (n, slot) in into.iter_mut().skip(self.start).take(samples).enumerate() {
            let t = n as f64 / RATE;
            let bend = if self.vibrato > 0.0 {
                self.vibrato * (TAU * 5.5 * t).sin()
            } else {
                0.0
            };
            phase = (phase + self.frequency * (1.0 + bend) / RATE).fract();
            loudness *= decay;
            let envelope = (t / 0.02).min(1.0) * ((self.seconds - t) / 0.03).min(1.0);
            let place = phase * TABLE as f64;
            let (before, part) = (place as usize, place.fract() as f32);
            let tone = period[before] * (1.0 - part) + period[before + 1] * part;
            *slot += tone * (envelope * loudness) as f32;
        }
    }
}

/// Music without a voice: chords, a bass, a melody with vibrato, drums; 112 beats a minute, in bars of four chords
/// whose order, melody and rhythm the seed chooses.
pub fn music(seconds: f64, db: f64, seed: u64) -> Vec<f32> {
    const CHORDS: [[i32; 3]; 6] = [
        [0, 4, 7],
        [9, 12, 16],
        [5, 9, 12],
        [7, 11, 14],
        [2, 5, 9],
        [4, 7, 11],
    ];
    const SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
    let pitch = |semitones: i32| 261.63 * 2.0_f64.powf(f64::from(semitones) / 12.0);
    let mut dice = Dice::new(seed);
    let mut sound = silence(seconds);
    let beat = 60.0 / 112.0;
    let mut note = |semitones: i32, at: f64, seconds: f64, loudness: f64, partials: u32, vibrato: f64| {
        let start = (at * RATE) as usize;
        Note {
            frequency: pitch(semitones),
            start,
            seconds,
            loudness,
            partials,
            vibrato,
        }
        .play(&mut sound);
    };
    let bars = (seconds / (4.0 * beat)).ceil() as usize;
    for bar in 0..bars {
        let at = bar as f64 * 4.0 * beat;
        let chord = CHORDS[dice.below(CHORDS.len())];
        for tone in chord {
            note(tone, at, 3.9 * beat, 0.25, 8, 0.0);
        }
        for step in [0.0, 1.5, 2.0, 3.0] {
            note(chord[0] - 24, at + step * beat, 0.9 * beat, 0.5, 5, 0.0);
        }
        let mut step = 0.0;
        while step < 4.0 {
            let length = [0.5, 0.5, 1.0, 1.5][dice.below(4)];
            if dice.unit() < 0.85 {
                let octave = 12 * dice.below(2) as i32;
                note(
                    SCALE[dice.below(7)] + octave,
                    at + step * beat,
                    length * beat,
                    0.45,
                    12,
                    0.006,
                );
            }
            step += length;
        }
    }
    for step in 0..(seconds / (beat / 2.0)) as usize {
        let start = (step as f64 * beat / 2.0 * RATE) as usize;
        drum(&mut sound, start, step, &mut dice);
    }
    at_level(sound, db)
}

/// A kick on every other beat, a snare between them, a hi-hat on every half beat.
fn drum(sound: &mut [f32], start: usize, step: usize, dice: &mut Dice) {
    let mut last = 0.0;
    for (n, slot) in sound.iter_mut().skip(start).take(3200).enumerate() {
        let t = n as f64 / RATE;
        let noise = dice.signed();
        let bright = noise - last; // a high-pass: the difference of neighbours
        last = noise;
        let mut hit = 0.12 * bright * (-60.0 * t).exp();
        match step % 4 {
            0 => hit += 0.9 * (TAU * (50.0 * t + 4.0 * (1.0 - (-30.0 * t).exp()))).sin() * (-18.0 * t).exp(),
            2 => hit += 0.35 * noise * (-25.0 * t).exp() + 0.2 * (TAU * 190.0 * t).sin() * (-20.0 * t).exp(),
            _ => {}
        }
        *slot += hit as f32;
    }
}

/// `clip` again and again with `pause` seconds of silence before each, until `seconds` are full.
pub fn repeated(clip: &[f32], pause: f64, seconds: f64) -> Vec<f32> {
    let total = (seconds * RATE) as usize;
    let mut sound = Vec::with_capacity(total);
    while sound.len() < total && !clip.is_empty() {
        sound.extend(repeat_n(0.0, (pause * RATE) as usize));
        sound.extend_from_slice(clip);
    }
    sound.truncate(total);
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_its_length_and_level_and_is_the_same_each_time() {
        for (name, make) in [
            ("noise", (|| white_noise(20.0, -30.0, 1)) as fn() -> Vec<f32>),
            ("tones", || pulsed_tones(20.0, -30.0)),
            ("music", || music(20.0, -30.0, 1)),
            ("game", || game(20.0, -30.0, 1)),
        ] {
            let sound = make();
            assert_eq!(sound.len(), 320_000, "{name}");
            assert!(
                (level_db(&sound) + 30.0).abs() < 0.1,
                "{name}: {} dB",
                level_db(&sound)
            );
            assert_eq!(sound, make(), "{name}");
        }
        assert_ne!(music(5.0, -30.0, 1), music(5.0, -30.0, 2));
    }

    #[test]
    fn a_mixture_has_the_ratio_asked_for() {
        let speech = repeated(&white_noise(1.0, -20.0, 3), 1.0, 10.0);
        assert!(
            (active_level_db(&speech) + 20.0).abs() < 0.1,
            "pauses do not count"
        );
        let mixture = mixed(&speech, &white_noise(3.0, -50.0, 4), 10.0);
        let background: Vec<f32> = mixture.iter().zip(&speech).map(|(m, s)| m - s).collect();
        assert!(
            (level_db(&background) + 30.0).abs() < 0.2,
            "{}",
            level_db(&background)
        );
    }
}
