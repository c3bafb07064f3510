//! Tones as Opus, and the pitch of what was heard: each speaker has a pitch, so that a mixed-up voice is found out.

use std::f64::consts::TAU;

use opus2::{Application, Channels, Decoder, Encoder};

const RATE: u32 = 48_000;
/// Samples of 20 ms.
const FRAME: usize = 960;

/// A tone as frames of 20 ms of Opus.
pub(crate) fn tone(hertz: f64, seconds: f64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(RATE, Channels::Stereo, Application::Audio).unwrap();
    let frames = (seconds * 50.0).round() as usize;
    let sample = |n: usize| (f64::sin(TAU * hertz * n as f64 / f64::from(RATE)) * 12_000.0) as i16;
    (0..frames)
        .map(|f| {
            let pcm: Vec<i16> = (f * FRAME..(f + 1) * FRAME)
                .flat_map(|n| [sample(n); 2])
                .collect();
            encoder.encode_vec(&pcm, 1_400).unwrap()
        })
        .collect()
}

/// The pitch of frames of Opus, by how often the wave crosses zero upwards; the first frames are left out, as codecs fade in.
pub(crate) fn pitch(frames: &[Vec<u8>]) -> f64 {
    let mut decoder = Decoder::new(RATE, Channels::Mono).unwrap();
    let mut pcm = Vec::new();
    for frame in frames {
        let mut samples = vec![0_i16; 5_760];
        let length = decoder.decode(frame, &mut samples, false).unwrap();
        pcm.extend_from_slice(&samples[..length]);
    }
    let pcm = pcm.get(4 * FRAME..).unwrap_or_default();
    // Silence at the end does not count.
    let loud = pcm
        .iter()
        .rposition(|s| s.unsigned_abs() > 2_000)
        .map_or(0, |n| n + 1);
    let crossings = pcm[..loud].windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
    crossings as f64 * f64::from(RATE) / loud.max(1) as f64
}

/// Frames in DCA1, the container that songbird plays without decoding.
pub(crate) fn dca(frames: &[Vec<u8>]) -> Vec<u8> {
    let head = r#"{"dca":{"version":1,"tool":{"name":"t","version":"1","url":"","author":""}},"opus":{"mode":"audio","sample_rate":48000,"frame_size":960,"abr":null,"vbr":true,"channels":2},"info":null,"origin":null,"extra":null}"#;
    let mut bytes = b"DCA1".to_vec();
    bytes.extend((head.len() as i32).to_le_bytes());
    bytes.extend(head.as_bytes());
    for frame in frames {
        bytes.extend((frame.len() as i16).to_le_bytes());
        bytes.extend(frame);
    }
    bytes
}

#[test]
fn the_pitch_of_a_tone_is_found() {
    let found = pitch(&tone(440.0, 1.0));
    assert!((found - 440.0).abs() < 8.0, "{found}");
}
