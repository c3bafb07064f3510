//! Every format, rate and number of channels comes out as the same tone.

use std::io::Cursor;
use std::time::Duration;

use goobster_audio::AudioError;
use goobster_audio::file::{AudioFile, Length};

use crate::making::*;

/// File, container, codec, channels, rate, seconds as decoded.
const FORMATS: &[(&str, &str, &str, usize, u32, f64)] = &[
    ("chained.opus", "Ogg", "opus", 2, 48_000, 2.0),
    ("speech.flac", "FLAC", "flac", 1, 16_000, 0.38),
    ("speech.mp3", "MP3", "mp3", 1, 16_000, 1.5),
    ("speech.opus", "Ogg", "opus", 1, 16_000, 1.5),
    ("tone-16k-mono.aac", "AAC", "aac", 1, 16_000, 1.088),
    ("tone-192k-mono.flac", "FLAC", "flac", 1, 192_000, 0.05),
    ("tone-22k-mono.ogg", "Ogg", "vorbis", 1, 22_050, 1.0),
    ("tone-24bit.wav", "WAV", "pcm_s24le", 2, 8_000, 0.3),
    ("tone-44k-5.1.ogg", "Ogg", "vorbis", 6, 44_100, 0.5),
    ("tone-44k-alac.m4a", "MP4", "alac", 1, 44_100, 0.18),
    ("tone-44k-mono-untagged.mp3", "MP3", "mp3", 1, 44_100, 1.045),
    ("tone-44k-mono.aiff", "AIFF", "pcm_s16be", 1, 44_100, 0.1),
    ("tone-44k-stereo.flac", "FLAC", "flac", 2, 44_100, 0.12),
    ("tone-44k-stereo.m4a", "MP4", "aac", 2, 44_100, 1.045),
    ("tone-44k-stereo.mp3", "MP3", "mp3", 2, 44_100, 1.0),
    ("tone-48k-7.1.flac", "FLAC", "flac", 8, 48_000, 0.1),
    ("tone-48k-stereo.ogg", "Ogg", "vorbis", 2, 48_000, 1.0),
    ("tone-5.1.opus", "Ogg", "opus", 6, 48_000, 0.2),
    ("tone-7.1.opus", "Ogg", "opus", 8, 48_000, 0.2),
    ("tone-8k-mono.mp3", "MP3", "mp3", 1, 8_000, 1.0),
    ("tone-96k-24bit.flac", "FLAC", "flac", 1, 96_000, 0.05),
    ("tone-aac.mkv", "Matroska", "aac", 1, 44_100, 1.045),
    ("tone-alaw.wav", "WAV", "pcm_alaw", 1, 8_000, 1.0),
    ("tone-faststart.m4a", "MP4", "aac", 2, 44_100, 1.045),
    ("tone-flac.mkv", "Matroska", "flac", 1, 16_000, 0.3),
    ("tone-float.wav", "WAV", "pcm_f32le", 1, 8_000, 0.4),
    ("tone-fragmented.mp4", "MP4", "aac", 2, 44_100, 1.045),
    ("tone-ima.wav", "WAV", "adpcm_ima_wav", 1, 16_000, 1.02),
    ("tone-mono.opus", "Ogg", "opus", 1, 16_000, 1.0),
    ("tone-mp3.mkv", "Matroska", "mp3", 1, 44_100, 1.045),
    ("tone-ms.wav", "WAV", "adpcm_ms", 1, 16_000, 1.018),
    ("tone-mulaw.wav", "WAV", "pcm_mulaw", 1, 8_000, 1.0),
    ("tone-opus.mp4", "MP4", "opus", 1, 48_000, 1.0135),
    ("tone-opus.webm", "Matroska", "opus", 2, 48_000, 1.0135),
    ("tone-pcm.mkv", "Matroska", "pcm_s16le", 1, 8_000, 0.5),
    ("tone-stereo.opus", "Ogg", "opus", 2, 48_000, 1.0),
    ("tone-vorbis.mkv", "Matroska", "vorbis", 2, 44_100, 1.0),
];

#[test]
fn every_format_is_decoded_whole_and_undamaged() {
    let listed: Vec<&str> = FORMATS.iter().map(|format| format.0).collect();
    assert_eq!(listed, fixtures());
    for (name, container, codec, channels, rate, seconds) in FORMATS {
        let mut file = AudioFile::open(fixture_path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let samples = file.read_all(1 << 20).unwrap();
        let info = file.info();
        assert_eq!(
            (info.container, info.codec.as_str(), info.channels, info.rate),
            (*container, *codec, *channels, *rate),
            "{name}"
        );
        assert!(file.damage().is_none(), "{name}: {}", file.damage());
        let got = samples.len() as f64 / 16_000.0;
        assert!((got - seconds).abs() < 0.006, "{name}: {got} s");
        if name.starts_with("tone") {
            let middle = &samples[samples.len() / 5..samples.len() * 4 / 5];
            let purity = purity(middle, 440.0);
            assert!(purity > 0.92, "{name}: purity {purity:.3}");
            let loud = rms(middle);
            assert!((0.07..0.45).contains(&loud), "{name}: level {loud:.3}");
        }
        assert!(
            (f64::from(file.progress()) - 1.0).abs() < 0.11,
            "{name}: progress {}",
            file.progress()
        );
        assert!((file.position().as_secs_f64() - got).abs() < 1e-6);
        if let Length::Exact(length) = file.length() {
            assert!(
                (length.as_secs_f64() - got).abs() < 0.04,
                "{name}: {length:?} against {got}"
            );
        }
    }
}

#[test]
fn the_same_speech_in_three_codecs_lines_up() {
    // Delay and padding are compensated, so the codecs agree in time to within 2 ms.
    let mp3 = decode(fixture("speech.mp3")).unwrap().0;
    let opus = decode(fixture("speech.opus")).unwrap().0;
    let flac = decode(fixture("speech.flac")).unwrap().0;
    for (name, other) in [("mp3", &mp3), ("opus", &opus)] {
        let window = 1_000..5_000;
        let best = (-200i64..=200)
            .map(|shift| {
                let shifted = &other[(1_000 + shift) as usize..(5_000 + shift) as usize];
                let dot: f64 = flac[window.clone()]
                    .iter()
                    .zip(shifted)
                    .map(|(a, b)| f64::from(a * b))
                    .sum();
                (dot / (rms(&flac[window.clone()]) * rms(shifted) * 4_000.0), shift)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        assert!(best.0 > 0.8 && best.1.abs() <= 32, "{name}: {best:?}");
    }
}

#[test]
fn wav_of_any_rate_width_and_channels() {
    for rate in [
        8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000,
    ] {
        for channels in 1..=8u16 {
            let bits = [8, 16, 24, 32][usize::from(channels) % 4];
            let frames = rate as usize / 5;
            let interleaved: Vec<f32> = tone(rate, 440.0, frames)
                .into_iter()
                .flat_map(|sample| std::iter::repeat_n(sample, usize::from(channels)))
                .collect();
            let (samples, damage) = decode(wav(rate, channels, bits, &interleaved)).unwrap();
            let name = format!("{rate} Hz, {channels} channels, {bits} bits");
            assert!(damage.is_none(), "{name}: {damage}");
            assert_eq!(samples.len(), 3_200, "{name}");
            assert!(purity(&samples[600..2_600], 440.0) > 0.99, "{name}");
            assert!(
                (rms(&samples[600..2_600]) - 0.3535).abs() < 0.02,
                "{name}: {}",
                rms(&samples)
            );
        }
    }
}

#[test]
fn a_wrong_name_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("tone-44k-stereo.mp3", "a.wav"),
        ("tone-mono.opus", "b.mp3"),
        ("tone-alaw.wav", "c.txt"),
        ("tone-aac.mkv", "d"),
    ] {
        let path = folder.path().join(to);
        std::fs::copy(fixture_path(from), &path).unwrap();
        assert!(
            AudioFile::open(&path).unwrap().read_all(1 << 20).unwrap().len() > 7_000,
            "{to}"
        );
    }
}

fn error_of(bytes: &[u8]) -> AudioError {
    let error = AudioFile::from_reader(Cursor::new(bytes.to_vec()), "case").unwrap_err();
    assert!(error.is_bad_input());
    assert!(error.to_string().contains("case"), "{error}");
    error
}

#[test]
fn each_unusable_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let missing = AudioFile::open(folder.path().join("none.wav")).unwrap_err();
    assert!(matches!(missing, AudioError::Missing { .. }), "{missing}");
    assert!(matches!(
        AudioFile::open(folder.path()).unwrap_err(),
        AudioError::NotAFile { .. }
    ));
    assert!(matches!(error_of(b""), AudioError::Empty { .. }));
    assert!(matches!(
        error_of(&wav(16_000, 1, 16, &[])),
        AudioError::NoSamples { .. }
    ));
    assert!(matches!(error_of(&[0; 5_000]), AudioError::NotAudio { .. }));
    assert!(matches!(
        error_of(b"%PDF-1.7 and so on"),
        AudioError::NotAudio { .. }
    ));
    assert!(matches!(
        error_of("Grüße, a letter".as_bytes()),
        AudioError::NotAudio { .. }
    ));
    assert!(matches!(
        error_of(b"#!AMR\n12345"),
        AudioError::Unsupported { .. }
    ));
    assert!(matches!(
        error_of(&wav(16_000, 16, 16, &[0.1; 1_600])),
        AudioError::TooManyChannels { channels: 16, .. }
    ));
    assert!(matches!(
        error_of(&wav(4_000, 1, 16, &[0.1; 1_600])),
        AudioError::SampleRate { rate: 4_000, .. }
    ));
    assert!(matches!(
        error_of(&wav(384_000, 1, 16, &[0.1; 1_600])),
        AudioError::SampleRate { rate: 384_000, .. }
    ));
    let encrypted = error_of(&fixture("encrypted.mp4"));
    assert!(
        matches!(&encrypted, AudioError::Encrypted { scheme, .. } if scheme.contains("cenc")),
        "{encrypted}"
    );
    assert!(matches!(
        error_of(b"Salted__and then noise"),
        AudioError::Encrypted { .. }
    ));
    let mut noise = vec![0u8; 50_000];
    let mut state = 1u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    assert!(matches!(error_of(&noise), AudioError::NotAudio { .. }));
}

#[test]
fn opus_positions_follow_rfc_7845() {
    let pcm = tone(48_000, 440.0, 48_000);
    let plain = decode(OpusStream::new().encode(&pcm)).unwrap();
    // 50 packets of 320 samples, less the pre-skip of 312 / 3.
    assert_eq!((plain.0.len(), plain.1.is_none()), (16_000 - 104, true));
    let trimmed = OpusStream {
        last_granule: Some(47_100),
        ..OpusStream::new()
    }
    .encode(&pcm);
    assert_eq!(decode(trimmed).unwrap().0, plain.0[..(47_100 - 312) / 3]);
    let joined = OpusStream {
        first_granule: 9_000_000,
        ..OpusStream::new()
    }
    .encode(&pcm);
    let (samples, damage) = decode(joined).unwrap();
    assert_eq!(samples, plain.0);
    assert!(damage.is_none(), "{damage}");
    let long_skip = OpusStream {
        pre_skip: 3_840,
        ..OpusStream::new()
    }
    .encode(&pcm);
    assert_eq!(decode(long_skip).unwrap().0, plain.0[1_280 - 104..]);
    let one_page = OpusStream {
        packets_a_page: 50,
        ..OpusStream::new()
    }
    .encode(&pcm);
    assert_eq!(decode(one_page).unwrap().0, plain.0);
}

#[test]
fn a_long_vorbis_stream_is_not_taken_for_its_comments() {
    // Sound packets begin with any byte, also with those that mark headers elsewhere.
    let mut stream = Vec::new();
    for name in ["tone-48k-stereo.ogg", "tone-22k-mono.ogg", "tone-44k-5.1.ogg"] {
        stream.extend(fixture(name));
    }
    let (samples, damage) = decode(stream).unwrap();
    // Three links of a chain, each at a rate of its own.
    assert!(
        (samples.len() as f64 / 16_000.0 - 2.5).abs() < 0.02,
        "{}",
        samples.len()
    );
    assert!(damage.is_none(), "{damage}");
}

#[test]
fn opus_lengths_are_known_beforehand() {
    let bytes = OpusStream {
        last_granule: Some(47_100),
        ..OpusStream::new()
    }
    .encode(&tone(48_000, 440.0, 48_000));
    let file = AudioFile::from_reader(Cursor::new(bytes), "opus").unwrap();
    assert_eq!(
        file.length(),
        Length::Exact(Duration::from_micros((47_100 - 312) * 1_000 / 48))
    );
    // What follows a chain's first stream is only known at its end.
    let mut chained = AudioFile::open(fixture_path("chained.opus")).unwrap();
    chained.read_all(1 << 20).unwrap();
    assert_eq!(chained.length(), Length::Unknown);
}

#[test]
fn an_hour_is_read_in_constant_memory() {
    // Streams from a reader that makes up its bytes: 16-bit stereo at 48 kHz, 691 MB that never exist at once.
    let largest = crate::watching::largest_allocation(|| {
        let mut file = AudioFile::from_reader(Endless::new(3_600), "long.wav").unwrap();
        let (mut block, mut samples) = (Vec::new(), 0u64);
        while let Some(at) = file.next_block(&mut block).unwrap() {
            samples += at.samples as u64;
            assert!(block.len() < 48_000);
        }
        assert_eq!(samples, 3_600 * 16_000);
    });
    assert!(largest < 1 << 20, "{largest} bytes at once");
}

/// A WAV file of so many seconds of silence, made up as it is read.
struct Endless {
    header: Vec<u8>,
    len: u64,
    at: u64,
}

impl Endless {
    fn new(seconds: u64) -> Self {
        let data = seconds * 48_000 * 4;
        let mut header = wav(48_000, 2, 16, &[0.0; 2]);
        header.truncate(header.len() - 4);
        let end = header.len();
        header[end - 4..].copy_from_slice(&(data as u32).to_le_bytes());
        header[4..8].copy_from_slice(&((data + 36) as u32).to_le_bytes());
        Self {
            len: header.len() as u64 + data,
            header,
            at: 0,
        }
    }
}

impl std::io::Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = (buf.len() as u64).min(self.len - self.at.min(self.len)) as usize;
        for (slot, at) in buf[..n].iter_mut().zip(self.at..) {
            *slot = self.header.get(at as usize).copied().unwrap_or(0);
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl std::io::Seek for Endless {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            std::io::SeekFrom::Start(at) => at,
            std::io::SeekFrom::End(back) => self.len.saturating_add_signed(back),
            std::io::SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}
