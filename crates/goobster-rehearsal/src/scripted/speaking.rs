//! Speaking without a model: a syllable is a swell of a tone, so that speech can be told from silence and one text from another.

use std::f32::consts::TAU;

/// Samples a second.
const RATE: u32 = 24_000;
/// A syllable's length in samples: 0.16 s.
const SYLLABLE: usize = RATE as usize * 16 / 100;
/// Syllables spoken at most: a quarter of a minute.
const MOST: usize = 94;

/// A text as a WAV, 24 kHz mono, 16 bits.
pub(super) fn wav(text: &str) -> Vec<u8> {
    let samples = samples(text);
    let bytes = u32::try_from(samples.len() * 2).unwrap_or(0);
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend(2_u16.to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    wav
}

fn samples(text: &str) -> Vec<i16> {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).collect::<Vec<_>>();
    let syllables = letters.chunks(3).take(MOST);
    syllables
        .flat_map(|syllable| {
            let number = syllable
                .iter()
                .fold(0_u32, |n, c| n.wrapping_mul(31).wrapping_add(u32::from(*c)));
            let hertz = 150.0 + (number % 200) as f32;
            (0..SYLLABLE).map(move |n| {
                let swell = (std::f32::consts::PI * n as f32 / SYLLABLE as f32).sin();
                (swell * (TAU * hertz * n as f32 / RATE as f32).sin() * 9_000.0) as i16
            })
        })
        .collect()
}
