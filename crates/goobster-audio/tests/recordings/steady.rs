//! Once warm, a speaker's packets and a voice's samples are converted without a single allocation.

use goobster_audio::opus::SpeechDecoder;
use goobster_audio::resample::{PlaybackResampler, Resampler};

use crate::making::*;
use crate::watching::allocations;

#[test]
fn decoding_a_speaker_allocates_nothing() {
    let mut encoder = opus2::Encoder::new(48_000, opus2::Channels::Stereo, opus2::Application::Voip).unwrap();
    let stereo: Vec<f32> = tone(48_000, 300.0, 48_000)
        .into_iter()
        .flat_map(|s| [s, s])
        .collect();
    let packets: Vec<Vec<u8>> = stereo
        .chunks(1_920)
        .map(|frame| encoder.encode_vec_float(frame, 1_275).unwrap())
        .collect();
    let mut decoder = SpeechDecoder::new().unwrap();
    let mut heard = 0;
    let count = allocations(|| {
        for (n, packet) in packets.iter().enumerate() {
            heard += match n % 5 {
                3 => decoder.conceal().unwrap().len(),
                4 => decoder.decode_fec(packet).unwrap().len(),
                _ => decoder.decode(packet).unwrap().len(),
            };
        }
    });
    assert_eq!((heard, count), (50 * 320, 0));
}

#[test]
fn resampling_allocates_nothing() {
    for (from, to, channels) in [(48_000, 16_000, 2), (44_100, 16_000, 1), (24_000, 48_000, 1)] {
        let mut resampler = Resampler::new(from, to, channels).unwrap();
        let sound = tone(from, 300.0, from as usize / 50 * channels);
        let mut out = Vec::with_capacity(1 << 16);
        let count = allocations(|| {
            for _ in 0..50 {
                out.clear();
                resampler.process(&sound, &mut out).unwrap();
            }
        });
        assert_eq!(count, 0, "{from} -> {to}");
    }
    let mut playback = PlaybackResampler::new(22_050).unwrap();
    let sound = tone(22_050, 300.0, 882);
    let mut out = Vec::with_capacity(1 << 16);
    playback.process(&sound, &mut out).unwrap();
    playback.process(&sound, &mut out).unwrap();
    let count = allocations(|| {
        for _ in 0..50 {
            out.clear();
            playback.process(&sound, &mut out).unwrap();
        }
    });
    assert_eq!(count, 0);
}
