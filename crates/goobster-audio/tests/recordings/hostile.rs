//! Bytes made to harm: no panic gets out, nothing hangs, and no size is believed.

use std::time::{Duration, Instant};

use goobster_audio::AudioError;
use proptest::prelude::*;

use crate::making::*;
use crate::watching::largest_allocation;

/// No fixture is longer than 20 kB, so none may take anything near this: the longest packet that is accepted, 30 s of
/// eight channels, takes 184 MB.
const MOST_BYTES: usize = 192 << 20;
/// A hang, or work that grows with the square of the input; not a measure of speed.
const MOST_TIME: Duration = Duration::from_secs(20);

fn survive(bytes: Vec<u8>) {
    let begun = Instant::now();
    let largest = largest_allocation(|| {
        let _ = drain(bytes);
    });
    assert!(begun.elapsed() < MOST_TIME, "took {:?}", begun.elapsed());
    assert!(largest < MOST_BYTES, "asked for {largest} bytes at once");
}

const MARKS: &[&[u8]] = &[
    b"RIFF\xff\xff\xff\xffWAVEfmt ",
    b"FORM\xff\xff\xff\xffAIFFCOMM",
    b"fLaC\x00\x00\x00\x22",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x02",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis",
    b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\0\0\x10\0moov",
    b"\x1a\x45\xdf\xa3\x8f\x42\x82\x84webm\x42\x87\x81\x02\x18\x53\x80\x67",
    b"\xff\xfb\x90\x64",
    b"\xff\xf1\x50\x80",
    b"ID3\x04\0\0\0\0\0\x05",
];

proptest! {
    #[test]
    fn any_bytes(mark in 0..MARKS.len(), tail in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let mut bytes = MARKS[mark].to_vec();
        bytes.extend_from_slice(&tail);
        survive(bytes);
    }

    #[test]
    fn changed_recordings(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
        early in any::<bool>(),
    ) {
        let names = fixtures();
        let mut bytes = fixture(&names[which.index(names.len())]);
        for (at, value) in changes {
            // Headers are where sizes are claimed.
            let range = if early { bytes.len().min(600) } else { bytes.len() };
            let at = at.index(range);
            bytes[at] = value;
        }
        survive(bytes);
    }

    #[test]
    fn sizes_of_all_ones(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), width in 1usize..9) {
        let names = fixtures();
        let mut bytes = fixture(&names[which.index(names.len())]);
        let at = at.index(bytes.len() - width);
        bytes[at..at + width].fill(0xff);
        survive(bytes);
    }

    #[test]
    fn shuffled_recordings(
        which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
        len in 1usize..2_000, to in any::<prop::sample::Index>(),
    ) {
        let names = fixtures();
        let mut bytes = fixture(&names[which.index(names.len())]);
        let from = cut.index(bytes.len());
        let piece: Vec<u8> = bytes.drain(from..(from + len).min(bytes.len())).collect();
        let to = to.index(bytes.len() + 1);
        bytes.splice(to..to, piece);
        survive(bytes);
    }
}

#[test]
fn tags_that_claim_gigabytes_cost_nothing_and_hide_no_sound() {
    let plain = fixture("speech.flac");
    let whole = decode(plain.clone()).unwrap().0;
    // A picture and comments that lie, right after the block that describes the sound.
    let info_end = 4 + 4 + 34;
    let mut tagged = plain[..info_end].to_vec();
    tagged.extend_from_slice(b"\x06\0\0\x08\0\0\0\x03\x7f\0\0\0");
    tagged.extend_from_slice(b"\x04\0\0\x0c\xff\xff\xff\x7f\0\0\0\0lies");
    tagged.extend_from_slice(&plain[info_end..]);
    let mut decoded = Vec::new();
    let largest = largest_allocation(|| decoded = decode(tagged.clone()).unwrap().0);
    assert_eq!(decoded, whole);
    assert!(largest < 4 << 20, "{largest}");
    // Formats are only looked for where they were checked: not behind a byte of junk.
    let mut hidden = vec![1];
    hidden.extend_from_slice(&tagged);
    assert!(matches!(decode(hidden), Err(AudioError::NotAudio { .. })));
}

#[test]
fn tags_in_front_do_not_matter() {
    for name in [
        "speech.flac",
        "tone-faststart.m4a",
        "tone-mono.opus",
        "tone-mulaw.wav",
        "tone-opus.webm",
        "speech.mp3",
    ] {
        let plain = fixture(name);
        let mut tagged = b"ID3\x04\0\0\0\0\x02\x01".to_vec();
        tagged.extend(std::iter::repeat_n(b'f', 257));
        tagged.extend_from_slice(b"ID3\x03\0\0\0\0\0\x04fLaC");
        tagged.extend_from_slice(&plain);
        assert_eq!(decode(tagged).unwrap(), decode(plain).unwrap(), "{name}");
    }
}

#[test]
fn tables_larger_than_their_box_are_refused() {
    let mut bytes = fixture("tone-faststart.m4a");
    for table in [b"stts", b"stsc", b"stco"] {
        let at = bytes.windows(4).position(|window| window == table).unwrap();
        let saved = bytes[at + 8..at + 12].to_vec();
        bytes[at + 8..at + 12].fill(0x7f);
        assert!(matches!(decode(bytes.clone()), Err(AudioError::Limit { .. })));
        bytes[at + 8..at + 12].copy_from_slice(&saved);
    }
    assert!(decode(bytes).is_ok());
}

#[test]
fn a_matroska_block_of_petabytes_is_refused() {
    let mut bytes = fixture("tone-vorbis.mkv");
    // The codec's private data: identifier 0x63a2, then a size of eight bytes near the largest.
    let at = bytes
        .windows(2)
        .position(|window| window == [0x63, 0xa2])
        .unwrap();
    bytes[at + 2..at + 10].copy_from_slice(&[0x01, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]);
    assert!(matches!(decode(bytes), Err(AudioError::Limit { .. })));
}

#[test]
fn an_encrypted_matroska_track_is_recognised() {
    let mut bytes = fixture("tone-opus.webm");
    // A track's name-like element (its language, 0x22b59c) makes room for an encoding of the encrypting kind.
    let at = bytes.windows(3).position(|window| window == [0x22, 0xb5, 0x9c]);
    let at = at.expect("ffmpeg writes a language");
    let room = 4 + usize::from(bytes[at + 3] & 0x7f);
    let encoding: &[u8] = &[0x6d, 0x80, 0x84, 0x50, 0x35, 0x81, 0x00];
    assert!(room >= encoding.len(), "{room}");
    bytes[at..at + encoding.len()].copy_from_slice(encoding);
    // Void for the rest.
    bytes[at + encoding.len()..at + room].fill(0);
    if room > encoding.len() + 1 {
        bytes[at + encoding.len()] = 0xec;
        bytes[at + encoding.len() + 1] = 0x80 | (room - encoding.len() - 2) as u8;
    }
    assert!(matches!(decode(bytes), Err(AudioError::Encrypted { .. })));
}

#[test]
fn a_file_of_false_page_starts_is_read_quickly() {
    let mut bytes = OpusStream::new().encode(&tone(48_000, 440.0, 9_600));
    let mut page = b"OggS\0\0".to_vec();
    page.extend_from_slice(&[0; 20]);
    page.push(255);
    for _ in 0..40_000 {
        bytes.extend_from_slice(&page);
    }
    survive(bytes);
}
