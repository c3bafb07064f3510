//! Runs one kernel so many times, for counting its instructions: `kernels decimate|silero|opus TIMES [WEIGHTS]`.
//!
//! `cargo xtask instructions` runs it twice under valgrind, so that what happens before the kernel cancels out. The data
//! are the same on every machine.

use std::error::Error;
use std::f64::consts::TAU;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use goobster_audio::decimate::Decimator;
use goobster_audio::opus::SpeechDecoder;
use goobster_audio::vad::{SileroDetector, SileroWeights, VoiceDetector};
use opus2::{Application, Bitrate, Channels, Encoder};

/// Packets and frames are made once and used again and again.
const DIFFERENT: usize = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, times, rest @ ..] = arguments.as_slice() else {
        return Err("usage: kernels decimate|silero|opus TIMES [WEIGHTS]".into());
    };
    let times = times.parse()?;
    match (kernel.as_str(), rest) {
        ("decimate", []) => decimate(times),
        ("opus", []) => opus(times),
        ("silero", [weights]) => silero(times, Path::new(weights)),
        _ => Err(format!("there is no kernel {kernel} with these arguments").into()),
    }
}

/// A gliding tone with overtones, from sample `from` on.
fn voice(from: usize, samples: usize, rate: f64) -> impl Iterator<Item = f64> {
    (from..from + samples).map(move |n| {
        let t = n as f64 / rate;
        let phase = TAU * 140.0 * t - 40.0 / 0.7 * (TAU * 0.7 * t).cos();
        (1..6)
            .map(|k| (phase * f64::from(k)).sin() / f64::from(k))
            .sum::<f64>()
            * 0.2
    })
}

/// A frame of 20 ms at 48 kHz, both sides alike.
fn stereo(frame: usize) -> Vec<i16> {
    voice(frame * 960, 960, 48_000.0)
        .flat_map(|sample| [(sample * 32_000.0) as i16; 2])
        .collect()
}

fn decimate(times: usize) -> Result<(), Box<dyn Error>> {
    let frames: Vec<_> = (0..DIFFERENT).map(stereo).collect();
    let mut decimator = Decimator::new();
    let mut out = Vec::with_capacity(320);
    for frame in frames.iter().cycle().take(times) {
        out.clear();
        decimator.process(frame, &mut out)?;
        black_box(&out);
    }
    Ok(())
}

fn silero(times: usize, weights: &Path) -> Result<(), Box<dyn Error>> {
    let mut detector = SileroDetector::new(Arc::new(SileroWeights::load(weights)?));
    let window: Vec<f32> = voice(0, 512, 16_000.0).map(|sample| sample as f32).collect();
    for _ in 0..times {
        black_box(detector.probability(black_box(&window)));
    }
    Ok(())
}

fn opus(times: usize) -> Result<(), Box<dyn Error>> {
    let mut encoder = Encoder::new(48_000, Channels::Stereo, Application::Audio)?;
    encoder.set_bitrate(Bitrate::Bits(64_000))?;
    let packets: Vec<Vec<u8>> = (0..DIFFERENT)
        .map(|frame| encoder.encode_vec(&stereo(frame), 1275))
        .collect::<Result<_, _>>()?;
    let mut decoder = SpeechDecoder::new()?;
    for packet in packets.iter().cycle().take(times) {
        black_box(decoder.decode(packet)?);
    }
    Ok(())
}
