//! Damage costs what it hits and nothing else.

use std::io::{self, Cursor, Read, Seek};

use goobster_audio::AudioError;
use goobster_audio::file::AudioFile;

use crate::making::*;

#[test]
fn a_file_that_is_cut_off_gives_what_comes_before_the_cut() {
    // Those whose index stands at the end (as in most MP4 files) hold nothing usable once cut.
    let needs_its_end = ["tone-44k-stereo.m4a", "tone-44k-alac.m4a", "tone-opus.mp4"];
    for name in fixtures() {
        let bytes = fixture(&name);
        let (whole, _) = decode(bytes.clone()).unwrap();
        for percent in [60, 75, 90, 97] {
            let cut = bytes.len() * percent / 100;
            let label = format!("{name} cut to {percent} %");
            let (samples, damage) = match decode(bytes[..cut].to_vec()) {
                Ok(decoded) => decoded,
                Err(error) => {
                    assert!(
                        matches!(error, AudioError::Truncated { .. } | AudioError::NoSamples { .. }),
                        "{label}: {error}"
                    );
                    continue;
                }
            };
            assert!(!needs_its_end.contains(&name.as_str()), "{label}");
            assert!(
                samples.len() <= whole.len() + 400,
                "{label}: {} of {}",
                samples.len(),
                whole.len()
            );
            // The last decoded packet overlaps what is missing, and the resampler rings at the edge.
            let same = samples.len().min(whole.len()).saturating_sub(1_600);
            let differing = samples[..same]
                .iter()
                .zip(&whole)
                .filter(|(a, b)| (*a - *b).abs() > 1e-4)
                .count();
            assert_eq!(differing, 0, "{label}");
            // Without a length in the header, no one can tell: untagged MP3, bare AAC. A file of silence at the end
            // or of tags may lose only those.
            let tells = !name.contains("16k-mono") && !name.contains("untagged");
            if tells && samples.len() + 1_600 < whole.len() {
                assert!(damage.truncated_at.is_some(), "{label}: {damage}");
            }
        }
    }
}

#[test]
fn every_cut_of_an_ogg_opus_file_keeps_its_whole_packets() {
    let stream = OpusStream::new().encode(&tone(48_000, 440.0, 48_000));
    let whole = decode(stream.clone()).unwrap().0;
    let mut last = 0;
    for cut in (page_starts(&stream)[2] + 100..stream.len()).step_by(97) {
        let (samples, damage) = match decode(stream[..cut].to_vec()) {
            Ok(decoded) => decoded,
            Err(AudioError::NoSamples { .. } | AudioError::Truncated { .. }) => continue,
            Err(error) => panic!("{cut}: {error}"),
        };
        assert_eq!(samples, whole[..samples.len()], "{cut}");
        assert!(
            samples.len() >= last && damage.truncated_at.is_some(),
            "{cut}: {damage}"
        );
        last = samples.len();
    }
    assert!(last >= whole.len() - 640);
}

#[test]
fn a_lost_opus_page_becomes_silence_of_its_length() {
    let stream = OpusStream::new().encode(&tone(48_000, 440.0, 48_000));
    let whole = decode(stream.clone()).unwrap().0;
    let pages = page_starts(&stream);
    // Pages 0 and 1 are headers; page 5 holds packets 15 to 19.
    let (lost, next) = (pages[5], pages[6]);
    let mut without = stream[..lost].to_vec();
    without.extend_from_slice(&stream[next..]);
    let (samples, damage) = decode(without).unwrap();
    assert_eq!(samples.len(), whole.len());
    let gap = 15 * 320 - 104..20 * 320 - 104;
    assert_eq!(samples[..gap.start], whole[..gap.start]);
    assert!(samples[gap.clone()].iter().all(|s| s.abs() < 1e-9));
    // The decoder needs a few packets to find the waveform again.
    assert!(purity(&samples[gap.end + 640..], 440.0) > 0.95);
    assert_eq!(damage.skipped, 1, "{damage}");
    assert!((damage.filled.as_secs_f64() - 0.1).abs() < 1e-3, "{damage}");
    assert!((damage.first_at.unwrap().as_secs_f64() - gap.start as f64 / 16_000.0).abs() < 1e-3);
    assert!(damage.truncated_at.is_none());
}

#[test]
fn a_changed_byte_in_an_opus_page_does_not_cost_the_page() {
    let stream = OpusStream {
        packets_a_page: 50,
        ..OpusStream::new()
    }
    .encode(&tone(48_000, 440.0, 48_000));
    let whole = decode(stream.clone()).unwrap().0;
    let page = page_starts(&stream)[2];
    let mut broken = stream.clone();
    let middle = page + (stream.len() - page) / 2;
    broken[middle] ^= 0x55;
    let (samples, damage) = decode(broken).unwrap();
    assert_eq!(samples.len(), whole.len());
    assert_eq!(damage.skipped, 1, "{damage}");
    let first = samples
        .iter()
        .zip(&whole)
        .position(|(a, b)| (a - b).abs() > 1e-6)
        .unwrap();
    assert!((first as f64 / whole.len() as f64 - 0.5).abs() < 0.15, "{first}");
    assert!(purity(&samples[first + 1_600..], 440.0) > 0.95);
}

#[test]
fn a_bad_opus_packet_costs_only_itself() {
    let stream = OpusStream::new();
    let mut encoder = opus2::Encoder::new(48_000, opus2::Channels::Mono, opus2::Application::Audio).unwrap();
    let mut packets: Vec<Vec<u8>> = tone(48_000, 440.0, 48_000)
        .chunks(960)
        .map(|frame| encoder.encode_vec_float(frame, 4000).unwrap())
        .collect();
    let whole = decode(stream.wrap(&packets)).unwrap().0;
    // A frame count of zero.
    packets[20] = vec![0x7b, 0x00, 0x12];
    let (samples, damage) = decode(stream.wrap(&packets)).unwrap();
    assert_eq!(samples.len(), whole.len());
    assert_eq!(samples[..20 * 320 - 104], whole[..20 * 320 - 104]);
    assert!(samples[20 * 320 - 104..21 * 320 - 104].iter().all(|s| *s == 0.0));
    assert_eq!(damage.skipped, 1);
}

#[test]
fn junk_in_the_middle_keeps_the_time_line() {
    // A burst of noise over 2 % of the file, in formats whose packets carry checksums or positions.
    for name in [
        "speech.mp3",
        "tone-44k-stereo.mp3",
        "tone-faststart.m4a",
        "tone-stereo.opus",
    ] {
        let mut bytes = fixture(name);
        let (whole, _) = decode(bytes.clone()).unwrap();
        let at = bytes.len() * 7 / 10;
        for (n, byte) in bytes[at..].iter_mut().take(60).enumerate() {
            *byte = (n * 151 + 43) as u8;
        }
        let (samples, _) = decode(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let off = samples.len() as f64 - whole.len() as f64;
        // One MP3 frame may vanish without a trace: MP3 has no positions.
        assert!(off.abs() <= 1_200.0, "{name}: {off} samples");
        let same = whole.len() / 3;
        let differing = samples[..same]
            .iter()
            .zip(&whole)
            .filter(|(a, b)| (*a - *b).abs() > 1e-4)
            .count();
        assert_eq!(differing, 0, "{name}");
    }
}

#[test]
fn a_recorder_that_was_killed_loses_nothing() {
    let sound = tone(16_000, 440.0, 16_000);
    let whole = wav(16_000, 1, 16, &sound);
    let data_len = whole.len() - 32_000 - 4;
    for (riff, data) in [
        (0u32, 0u32),
        (0, u32::MAX),
        (u32::MAX, u32::MAX),
        (36, 0),
        (0x7fff_ffff, 0x7fff_ffff),
    ] {
        let mut bytes = whole.clone();
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[data_len..data_len + 4].copy_from_slice(&data.to_le_bytes());
        let (samples, damage) = decode(bytes).unwrap_or_else(|e| panic!("{riff:x} {data:x}: {e}"));
        assert_eq!(samples.len(), 16_000, "{riff:x} {data:x}");
        assert!(damage.is_none(), "{riff:x} {data:x}: {damage}");
    }
}

#[test]
fn sound_before_a_failing_disk_is_handed_out_first() {
    let bytes = wav(16_000, 1, 16, &tone(16_000, 440.0, 160_000));
    let disk = Failing {
        inner: Cursor::new(bytes),
        good: 200_000,
    };
    let mut file = AudioFile::from_reader(disk, "disk.wav").unwrap();
    let (mut samples, mut block) = (0, Vec::new());
    let error = loop {
        match file.next_block(&mut block) {
            Ok(Some(at)) => samples += at.samples,
            Ok(None) => panic!("the error must be told"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AudioError::Read { .. }), "{error}");
    assert!(samples > 60_000, "{samples}");
    assert!(file.next_block(&mut block).unwrap().is_none());
}

/// Reads well up to a byte, and fails from there on.
struct Failing {
    inner: Cursor<Vec<u8>>,
    good: u64,
}

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.good.saturating_sub(self.inner.position()) as usize;
        if left == 0 {
            return Err(io::Error::other("the disk is failing"));
        }
        let n = left.min(buf.len());
        self.inner.read(&mut buf[..n])
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_packet_that_breaks_its_decoder_costs_only_itself() {
    let mut bytes = fixture("tone-ms.wav");
    let (whole, _) = decode(bytes.clone()).unwrap();
    // A block's step size beyond anything an encoder writes: the decoder multiplies until it overflows, which is a panic
    // where overflow is checked (as in tests) and noise where it is not.
    let data = bytes.windows(4).position(|window| window == b"data").unwrap() + 8;
    let block = data + 3 * 1_024;
    bytes[block + 1..block + 3].copy_from_slice(&0x7fff_u16.to_le_bytes());
    bytes[block + 7..block + 1_024].fill(0x77);
    let (samples, damage) = decode(bytes).unwrap();
    assert_eq!(samples.len(), whole.len());
    assert!(damage.truncated_at.is_none() && damage.skipped <= 1, "{damage}");
    assert_eq!(samples[..3_000], whole[..3_000]);
    // Blocks start afresh, so what follows is untouched but for the resampler's edge.
    assert!(purity(&samples[10_000..16_000], 440.0) > 0.95);
}
