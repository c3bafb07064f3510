//! Reading fixtures, and making files that no encoder would.

use std::f64::consts::TAU;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Once;

use goobster_audio::AudioError;
use goobster_audio::file::{AudioFile, Damage, panics_are_contained};
use ogg::{PacketWriteEndInfo, PacketWriter};

/// The folder of committed recordings.
pub(crate) fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A committed recording's bytes.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_path(name)).unwrap()
}

/// All of them, but for the one that is encrypted.
pub(crate) fn fixtures() -> Vec<String> {
    let entries = std::fs::read_dir(fixture_path("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "README.md" && name != "encrypted.mp4");
    names.sort();
    assert!(names.len() > 30);
    names
}

/// Twenty minutes: as far as hostile recordings are read, whose time stamps can ask for a day of silence.
const ENOUGH: u64 = 20 * 60 * 16_000;

/// Decodes without keeping anything, as far as is enough to know that it holds together.
pub(crate) fn drain(bytes: Vec<u8>) -> Result<(), AudioError> {
    read(bytes, ENOUGH, |block| {
        assert!(block.iter().all(|sample| sample.is_finite()));
    })
    .map(drop)
}

/// Everything that can be decoded, and what could not.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<(Vec<f32>, Damage), AudioError> {
    let mut all = Vec::new();
    let damage = read(bytes, u64::MAX, |block| all.extend_from_slice(block))?;
    Ok((all, damage))
}

/// Hands out each block, until there are more samples than `most`.
fn read(bytes: Vec<u8>, most: u64, mut each: impl FnMut(&[f32])) -> Result<Damage, AudioError> {
    keep_contained_panics_quiet();
    let mut file = AudioFile::from_reader(Cursor::new(bytes), "memory")?;
    let (mut block, mut expected) = (Vec::new(), 0);
    while let Some(at) = file.next_block(&mut block)? {
        assert_eq!(at.start, expected);
        assert_eq!(at.samples, block.len());
        expected += block.len() as u64;
        each(&block);
        if expected > most {
            return Ok(file.damage().clone());
        }
    }
    assert!(
        file.next_block(&mut block).unwrap().is_none(),
        "the end must stay the end"
    );
    Ok(file.damage().clone())
}

/// As a program does: what is contained is told in other words, and a backtrace takes a second to print.
fn keep_contained_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panics_are_contained() {
                loud(panic);
            }
        }));
    });
}

/// A sine of half scale.
pub(crate) fn tone(rate: u32, hz: f64, frames: usize) -> Vec<f32> {
    (0..frames)
        .map(|n| (0.5 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as f32)
        .collect()
}

/// The share of the energy that lies at `hz` (16 kHz), 0 to 1.
pub(crate) fn purity(samples: &[f32], hz: f64) -> f64 {
    let (mut re, mut im, mut total) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sample, phase) = (f64::from(*sample), TAU * hz * n as f64 / 16_000.0);
        re += sample * phase.cos();
        im += sample * phase.sin();
        total += sample * sample;
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * total.max(1e-12))
}

pub(crate) fn rms(samples: &[f32]) -> f64 {
    (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// An Ogg Opus stream made by hand: where pages end and what positions they claim is the test's business.
pub(crate) struct OpusStream {
    pub(crate) serial: u32,
    pub(crate) pre_skip: u16,
    /// Added to every position, as in a broadcast that was joined.
    pub(crate) first_granule: u64,
    /// The last position, if it is to cut off the padding.
    pub(crate) last_granule: Option<u64>,
    pub(crate) packets_a_page: usize,
}

impl OpusStream {
    pub(crate) fn new() -> Self {
        Self {
            serial: 7,
            pre_skip: 312,
            first_granule: 0,
            last_granule: None,
            packets_a_page: 5,
        }
    }

    /// Encodes `pcm` (48 kHz mono, a multiple of 960) in packets of 20 ms.
    pub(crate) fn encode(&self, pcm: &[f32]) -> Vec<u8> {
        let mut encoder =
            opus2::Encoder::new(48_000, opus2::Channels::Mono, opus2::Application::Audio).unwrap();
        encoder.set_bitrate(opus2::Bitrate::Bits(48_000)).unwrap();
        let packets: Vec<Vec<u8>> = pcm
            .chunks(960)
            .map(|frame| encoder.encode_vec_float(frame, 4000).unwrap())
            .collect();
        self.wrap(&packets)
    }

    /// Puts finished packets into pages.
    pub(crate) fn wrap(&self, packets: &[Vec<u8>]) -> Vec<u8> {
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&self.pre_skip.to_le_bytes());
        head.extend_from_slice(&48_000u32.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        let mut writer = PacketWriter::new(Vec::new());
        writer
            .write_packet(head, self.serial, PacketWriteEndInfo::EndPage, 0)
            .unwrap();
        let tags = b"OpusTags\x04\0\0\0test\0\0\0\0".to_vec();
        writer
            .write_packet(tags, self.serial, PacketWriteEndInfo::EndPage, 0)
            .unwrap();
        for (n, packet) in packets.iter().enumerate() {
            let mut granule = self.first_granule + 960 * (n as u64 + 1);
            let end = if n + 1 == packets.len() {
                granule = self.last_granule.unwrap_or(granule);
                PacketWriteEndInfo::EndStream
            } else if (n + 1).is_multiple_of(self.packets_a_page) {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            writer
                .write_packet(packet.clone(), self.serial, end, granule)
                .unwrap();
        }
        writer.into_inner()
    }
}

/// Where each Ogg page begins.
pub(crate) fn page_starts(ogg: &[u8]) -> Vec<usize> {
    (0..ogg.len().saturating_sub(4))
        .filter(|at| &ogg[*at..*at + 4] == b"OggS")
        .collect()
}

/// A WAV file's bytes.
pub(crate) fn wav(rate: u32, channels: u16, bits: u16, interleaved: &[f32]) -> Vec<u8> {
    let float = bits == 32;
    let sample_format = if float {
        hound::SampleFormat::Float
    } else {
        hound::SampleFormat::Int
    };
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in interleaved {
        if float {
            writer.write_sample(*sample).unwrap();
        } else {
            let scale = f64::from(1u32 << (bits - 1)) - 1.0;
            writer
                .write_sample((f64::from(*sample) * scale).round() as i32)
                .unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}
