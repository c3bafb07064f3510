//! Which way from a packet to 16 kHz mono: libopus by itself, or 48 kHz stereo and our decimator. By word error rate, also
//! with strong sibilants that could fold down, and by spectrum.

use std::f64::consts::TAU;

use goobster_audio::decimate::Decimator;
use goobster_audio::opus::SpeechDecoder;
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_speech::stt::AudioContext;
use goobster_tests::signals::Dice;
use opus2::{Application, Channels, Decoder};

use crate::calls::{self, Client, FRAME, MUSIC, Spoken};
use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// The spectrum is measured where the codec itself adds least.
const CLEAR: Client = Client {
    name: "256 kb/s",
    bits: 256_000,
    application: Application::Audio,
    copies_for: None,
};
/// Sines through both, in Hz.
const SINES: [f64; 15] = [
    200.0, 1000.0, 4000.0, 6000.0, 7000.0, 7400.0, 7600.0, 7800.0, 8200.0, 8400.0, 8600.0, 9000.0, 10_000.0,
    12_000.0, 15_000.0,
];

/// From packets to 16 kHz mono.
type Way = fn(&[Vec<u8>]) -> anyhow::Result<Vec<f32>>;

const WAYS: [(&str, Way); 2] = [
    ("16 kHz mono by libopus", native),
    ("48 kHz stereo, decimated", decimated),
];

fn native(packets: &[Vec<u8>]) -> anyhow::Result<Vec<f32>> {
    let mut decoder = SpeechDecoder::new()?;
    let mut sound = Vec::new();
    for packet in packets {
        sound.extend_from_slice(decoder.decode(packet)?);
    }
    Ok(sound)
}

fn decimated(packets: &[Vec<u8>]) -> anyhow::Result<Vec<f32>> {
    let mut decoder = Decoder::new(48_000, Channels::Stereo)?;
    let (mut decimator, mut pcm) = (Decimator::new(), [0; 2 * FRAME]);
    let mut sound = Vec::new();
    for packet in packets {
        let frames = decoder.decode(packet, &mut pcm, false)?;
        decimator.process(&pcm[..2 * frames], &mut sound)?;
    }
    Ok(sound)
}

/// Compares the ways.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let words = words().await?;
    let spectrum = spectrum()?;
    let body = format!(
        "Word error rate of every recording through a call ({}), standard profile. The recordings end at 8 kHz; hiss: with \
         noise from 8 to 20 kHz added that follows the voice 10 dB below it, as in sharp sibilants.\n\n{}\n\n\
         What is left of a sine ({}, level out against level in):\n\n{}",
        MUSIC.name,
        table(["way", "as recorded", "with hiss"], words),
        CLEAR.name,
        table(["sine, Hz", WAYS[0].0, WAYS[1].0], spectrum)
    );
    report.section("Which decoder", &body)
}

async fn words() -> anyhow::Result<Vec<[String; 3]>> {
    let folder = tempfile::tempdir()?;
    let config = config(Profile::Standard);
    let engines = Engines::new(&config, false, quiet());
    let recogniser = engines.whisper(None, AudioContext::Trimmed)?;
    let recordings = calls::recordings(&engines)?;
    let mut rows = Vec::new();
    for (name, way) in WAYS {
        let mut shown = Vec::new();
        for hiss in [false, true] {
            progress(&format!("decode: {name}, hiss {hiss}"));
            let hear = |spoken: &Spoken| {
                let mut sound = spoken.sound.clone();
                if hiss {
                    add_hiss(&mut sound);
                }
                anyhow::Ok(way(&calls::encode(MUSIC, &sound)?)?)
            };
            let sounds: Vec<(&str, Vec<f32>)> = recordings
                .iter()
                .map(|spoken| Ok((spoken.transcript.as_str(), hear(spoken)?)))
                .collect::<anyhow::Result<_>>()?;
            let errors = calls::errors(&engines, &recogniser, folder.path(), &sounds).await?;
            shown.push(format!(
                "{} of {} words, {:.1} %",
                errors.0,
                errors.1,
                calls::percent(errors)
            ));
        }
        let [recorded, hissing] = <[String; 2]>::try_from(shown).unwrap_or_default();
        rows.push([name.to_owned(), recorded, hissing]);
    }
    Ok(rows)
}

/// Noise from about 8 kHz on, as loud as the voice was in the last 10 ms less 10 dB.
fn add_hiss(stereo: &mut [f32]) {
    let mut dice = Dice::new(1);
    let mut before = [0.0_f64; 4];
    let mut power = 0.0_f64;
    for frame in stereo.as_chunks_mut::<2>().0 {
        power += (f64::from(frame[0]).powi(2) - power) / 480.0;
        // A third difference: 18 dB an octave upwards, with a gain of 8 at the top.
        let noise = dice.signed();
        let high = noise - 3.0 * before[0] + 3.0 * before[1] - before[2];
        before.copy_within(0..3, 1);
        before[0] = noise;
        let hiss = (high / 2.6 * (0.1 * power).sqrt()) as f32;
        for sample in frame {
            *sample = (*sample + hiss).clamp(-1.0, 1.0);
        }
    }
}

fn spectrum() -> anyhow::Result<Vec<[String; 3]>> {
    SINES
        .iter()
        .map(|hz| {
            let sine: Vec<f32> = (0..48_000)
                .flat_map(|n| [(0.25 * (TAU * hz * f64::from(n) / 48_000.0).sin()) as f32; 2])
                .collect();
            let packets = calls::encode(CLEAR, &sine)?;
            let level = |way: Way| -> anyhow::Result<String> {
                let sound = way(&packets)?;
                // Settled, and before the end.
                let part = &sound[3200..15_000];
                let power = part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64;
                let db = 10.0 * (power / 0.031_25).max(1e-12).log10();
                Ok(format!("{db:.2} dB"))
            };
            Ok([format!("{hz:.0}"), level(WAYS[0].1)?, level(WAYS[1].1)?])
        })
        .collect()
}
