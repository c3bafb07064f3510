//! Comments and pictures (in FLAC and Ogg), whose lengths a demuxer allocates before it reads.

use super::{Ending, Refusal, bytes_at};
use crate::file::pages::{HEADER_LEN, Next, PageHeader, PageReader, TAIL};
use crate::file::source::{Patch, Source};

/// FLAC metadata blocks are read up to this many; there are seven kinds.
const MAX_BLOCKS: usize = 128;
/// The bit that marks the last metadata block of a FLAC file, and the kinds of block (RFC 9639, section 8.1).
const LAST_BLOCK: u8 = 0x80;
const STREAM_INFO: u8 = 0;
const PADDING: u8 = 1;
const COMMENTS: u8 = 4;
const PICTURE: u8 = 6;
/// Streams side by side whose headers are checked.
const MAX_STREAMS: usize = 16;
/// Header packets after the first: two in Vorbis, one in Opus, as many as it likes in FLAC.
const MAX_HEADER_PACKETS: usize = 8;
/// The pages looked at for the headers of one stream.
const HEADER_PAGES: usize = 600;

/// FLAC: of the metadata blocks that follow the four-byte mark, only the first says anything about the sound. The
/// others are shown to the demuxer as padding, which it skips.
pub(super) fn check_flac(source: &mut Source) -> Result<Ending, Refusal> {
    let mut at = 4;
    for _ in 0..MAX_BLOCKS {
        let Some([kind, a, b, c]) = bytes_at::<4>(source, at)? else {
            return Ok(Ending::Whole);
        };
        let last = kind & LAST_BLOCK;
        if kind & !LAST_BLOCK != STREAM_INFO {
            source.mend(Patch {
                at,
                bytes: [last | PADDING, a, b, c],
            });
        }
        if last != 0 {
            return Ok(Ending::Whole);
        }
        at += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
    }
    Err(Refusal::Limit {
        what: "a number of FLAC blocks",
        value: MAX_BLOCKS as u64 + 1,
        limit: MAX_BLOCKS as u64,
    })
}

/// Ogg: the header packets of each stream that begins the file.
pub(super) fn check_ogg(source: &mut Source) -> Result<Ending, Refusal> {
    let mut firsts = Vec::new();
    let mut pages = PageReader::new(&mut *source)?;
    while let Next::Page(page) = pages.next()? {
        if !page.header.first || firsts.len() >= MAX_STREAMS {
            break;
        }
        firsts.push(page);
    }
    for first in &firsts {
        let Some(check) = first.packets.first().and_then(|packet| header_check(packet)) else {
            continue;
        };
        let mut pages = PageReader::new(&mut *source)?;
        pages.follow(&first.header);
        let mut packets = 0;
        for _ in 0..HEADER_PAGES {
            let Next::Page(page) = pages.next()? else { break };
            if page.header.first {
                continue;
            }
            for packet in page.packets.iter().take(MAX_HEADER_PACKETS - packets) {
                packets += 1;
                check(packet)?;
            }
            if packets >= MAX_HEADER_PACKETS {
                break;
            }
        }
    }
    // RFC 3533 wants the last page marked.
    let tail_at = source.len().saturating_sub(TAIL as u64);
    let tail = source.peek(tail_at, TAIL)?;
    let last = tail.windows(HEADER_LEN).rev().find_map(PageHeader::parse);
    Ok(if last.is_none_or(|page| page.last) {
        Ending::Whole
    } else {
        Ending::Cut
    })
}

/// Checks a header packet of one codec.
type CheckHeader = fn(&[u8]) -> Result<(), Refusal>;

/// How to check the headers of the codec whose first packet this is; `None` for codecs without any here.
fn header_check(first: &[u8]) -> Option<CheckHeader> {
    if first.starts_with(b"\x01vorbis") {
        Some(|packet| packet.strip_prefix(b"\x03vorbis").map_or(Ok(()), check_comments))
    } else if first.starts_with(b"OpusHead") {
        Some(|packet| packet.strip_prefix(b"OpusTags").map_or(Ok(()), check_comments))
    } else if first.starts_with(b"\x7fFLAC") {
        // A metadata block a packet; frames begin with 0xff.
        Some(|packet| match packet.split_at_checked(4) {
            Some((head, block)) if head[0] & !LAST_BLOCK == COMMENTS => check_comments(block),
            Some((head, block)) if head[0] & !LAST_BLOCK == PICTURE => check_picture(block),
            _ => Ok(()),
        })
    } else {
        None
    }
}

/// A picture block (RFC 9639, section 8.8): its media type, description and data must fit.
fn check_picture(block: &[u8]) -> Result<(), Refusal> {
    let mut rest = block.get(4..).unwrap_or_default();
    // Between description and data stand four numbers.
    for skip in [0, 16, 0] {
        let Some((len, after)) = rest.split_first_chunk() else {
            return Ok(());
        };
        let len = u32::from_be_bytes(*len) as usize;
        if len > after.len() {
            return Err(Refusal::Corrupt(
                "a picture in its header is longer than the header".to_owned(),
            ));
        }
        rest = after[len..].get(skip..).unwrap_or_default();
    }
    Ok(())
}

/// The bytes of a base64 text (RFC 4648) as far as it is one.
fn base64(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for symbol in text {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// A vendor string, a count, and so many strings: each length must fit what is left (Vorbis I, section 5.2.1).
fn check_comments(block: &[u8]) -> Result<(), Refusal> {
    let (count, mut rest) = take_text(block)
        .and_then(|(_, rest)| rest.split_first_chunk())
        .map(|(count, rest)| (u32::from_le_bytes(*count), rest))
        .ok_or_else(too_long)?;
    for _ in 0..count {
        let (text, after) = take_text(rest).ok_or_else(too_long)?;
        if let Some((key, picture)) = text.split_at_checked(PICTURE_KEY.len())
            && key.eq_ignore_ascii_case(PICTURE_KEY)
        {
            check_picture(&base64(picture))?;
        }
        rest = after;
    }
    Ok(())
}

/// The comment that holds a picture block in base64.
const PICTURE_KEY: &[u8] = b"METADATA_BLOCK_PICTURE=";

/// A length and so many bytes, and what follows.
fn take_text(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = block.split_first_chunk()?;
    after.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn too_long() -> Refusal {
    Refusal::Corrupt("a comment in its header is longer than the header".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_fit() {
        assert!(check_comments(b"\x02\0\0\0hi\x01\0\0\0\x03\0\0\0a=b").is_ok());
        assert!(check_comments(b"\x02\0\0\0hi\0\0\0\0").is_ok());
        assert!(check_comments(b"\x02\0\0\0hi\x01\0\0\0\xff\xff\xff\xffa=b").is_err());
        assert!(check_comments(b"\xff\xff\xff\xffhi").is_err());
        // A count that is not borne out ends with the bytes, not after four billion turns.
        assert!(check_comments(b"\0\0\0\0\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn pictures_must_fit_wherever_they_are() {
        let mut picture = b"\0\0\0\x03\0\0\0\x09image/png\0\0\0\x01x".to_vec();
        picture.extend_from_slice(&[0; 16]);
        picture.extend_from_slice(b"\0\0\0\x02ab");
        assert!(check_picture(&picture).is_ok());
        for at in [4, 17, 38] {
            let mut lies = picture.clone();
            lies[at] = 0x7f;
            assert!(check_picture(&lies).is_err(), "{at}");
        }
        // In a comment: a media type of 0x7f000000 bytes.
        let text = b"metadata_block_picture=AAAAA38AAAA=";
        let mut block = b"\0\0\0\0\x01\0\0\0".to_vec();
        block.extend_from_slice(&(text.len() as u32).to_le_bytes());
        block.extend_from_slice(text);
        assert!(check_comments(&block).is_err());
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text.as_bytes()), bytes.as_bytes());
        }
    }
}
