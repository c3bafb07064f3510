//! Vorbis comments (in FLAC and Ogg), whose lengths a demuxer allocates before it reads.

use super::{Ending, Refusal, bytes_at};
use crate::file::pages::{HEADER_LEN, Next, PageHeader, PageReader, TAIL};
use crate::file::source::Source;

/// FLAC metadata blocks are read up to this many; there are seven kinds.
const MAX_BLOCKS: usize = 1_000;
/// The comment block of a FLAC file that is checked in full; pictures have blocks of their own.
const MAX_COMMENT_BYTES: usize = 1 << 24;
/// Streams side by side whose headers are checked.
const MAX_STREAMS: usize = 16;
/// Header packets after the first: two in Vorbis, one in Opus, as many as it likes in FLAC.
const MAX_HEADER_PACKETS: usize = 8;
/// The pages looked at for the headers of one stream.
const HEADER_PAGES: usize = 600;

/// FLAC: metadata blocks follow the four-byte mark.
pub(super) fn check_flac(source: &mut Source) -> Result<Ending, Refusal> {
    // A leading ID3 tag is skipped by the demuxer.
    let start = source.peek(0, 16)?;
    let mut at = crate::file::sniff::id3_len(&start).unwrap_or(0) + 4;
    for _ in 0..MAX_BLOCKS {
        let Some([kind, a, b, c]) = bytes_at::<4>(source, at)? else {
            return Ok(Ending::Whole);
        };
        let size = u64::from(u32::from_be_bytes([0, a, b, c]));
        if kind & 0x7f == 4 {
            let block = source.peek(
                at + 4,
                usize::try_from(size).unwrap_or(usize::MAX).min(MAX_COMMENT_BYTES),
            )?;
            check_comments(&block)?;
        }
        if kind & 0x80 != 0 {
            return Ok(Ending::Whole);
        }
        at += 4 + size;
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
        let Some(is_comment) = first.packets.first().and_then(|packet| comment_mark(packet)) else {
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
                if let Some(block) = is_comment(packet) {
                    check_comments(block)?;
                }
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

/// The comment block in a header packet, if it holds one.
type FindComments = fn(&[u8]) -> Option<&[u8]>;

/// How to find the comments of the codec whose first packet this is; `None` for codecs without any here.
fn comment_mark(first: &[u8]) -> Option<FindComments> {
    if first.starts_with(b"\x01vorbis") {
        Some(|packet| packet.strip_prefix(b"\x03vorbis"))
    } else if first.starts_with(b"OpusHead") {
        Some(|packet| packet.strip_prefix(b"OpusTags"))
    } else if first.starts_with(b"\x7fFLAC") {
        // A metadata block of type 4; frames begin with 0xff.
        Some(|packet| {
            packet
                .split_at_checked(4)
                .filter(|(head, _)| head[0] & 0x7f == 4)
                .map(|(_, block)| block)
        })
    } else {
        None
    }
}

/// A vendor string, a count, and so many strings: each length must fit what is left (Vorbis I, section 5.2.1).
fn check_comments(block: &[u8]) -> Result<(), Refusal> {
    let refused = || Refusal::Corrupt("a comment in its header is longer than the header".to_owned());
    let mut rest = block;
    let mut take = |skip_text: bool| -> Option<u32> {
        let (number, after) = rest.split_first_chunk()?;
        let number = u32::from_le_bytes(*number);
        rest = if skip_text {
            after.get(number as usize..)?
        } else {
            after
        };
        Some(number)
    };
    // A block that ends early is the demuxer's to report; a length beyond the end is refused.
    take(true).ok_or_else(refused)?;
    let count = take(false).ok_or_else(refused)?;
    for _ in 0..count {
        take(true).ok_or_else(refused)?;
    }
    Ok(())
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
}
