//! WAV and AIFF chunks. A recorder that was killed leaves lengths of zero (or of "until further notice") in the
//! header; the sound is all there, so the lengths are mended in what the demuxer sees.

use super::{Ending, Refusal, bytes_at};
use crate::file::source::{Patch, Source};

/// Data lengths from here on stand for "unknown": SoX writes 0x7ffff000 and up, ffmpeg 0xffffffff.
const UNKNOWN_FROM: u64 = 0x7fff_f000;
/// More chunks than any file has.
const MAX_CHUNKS: usize = 100_000;

pub(super) fn check(source: &mut Source) -> Result<Ending, Refusal> {
    let little = bytes_at::<4>(source, 0)? == Some(*b"RIFF");
    let number = |bytes: [u8; 4]| {
        u64::from(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let total = source.len();
    let (mut at, mut block) = (12, 1);
    for _ in 0..MAX_CHUNKS {
        let (Some(id), Some(size)) = (bytes_at::<4>(source, at)?, bytes_at::<4>(source, at + 4)?) else {
            return Ok(Ending::Whole);
        };
        let (size, body) = (number(size), at + 8);
        let end = body + size;
        match &id {
            b"data" if little => {
                mend_lengths(source, body, size, block)?;
                return Ok(Ending::Whole);
            }
            b"fmt " if little && end <= total => {
                block =
                    bytes_at::<2>(source, body + 12)?.map_or(1, |bytes| u64::from(u16::from_le_bytes(bytes)));
            }
            // The sound may be cut off; the chunks around it hold little.
            b"SSND" => {}
            b"LIST" if end <= total => check_list(source, body, end)?,
            _ if end > total => {
                let name = String::from_utf8_lossy(&id).trim().to_owned();
                return Err(Refusal::Truncated(format!(
                    "its \"{name}\" chunk at byte {at} is incomplete"
                )));
            }
            _ => {}
        }
        at = end + (size & 1);
    }
    Err(Refusal::Limit {
        what: "a number of chunks",
        value: MAX_CHUNKS as u64 + 1,
        limit: MAX_CHUNKS as u64,
    })
}

/// The entries of a LIST chunk must lie inside it.
fn check_list(source: &mut Source, body: u64, end: u64) -> Result<(), Refusal> {
    let mut at = body + 4;
    for _ in 0..MAX_CHUNKS {
        if at + 8 > end {
            return Ok(());
        }
        let Some(size) = bytes_at::<4>(source, at + 4)? else {
            return Ok(());
        };
        let size = u64::from(u32::from_le_bytes(size));
        if at + 8 + size > end {
            return Err(Refusal::Corrupt(format!(
                "an entry at byte {at} is longer than the list around it"
            )));
        }
        at += 8 + size + (size & 1);
    }
    Err(Refusal::Limit {
        what: "a number of list entries",
        value: MAX_CHUNKS as u64 + 1,
        limit: MAX_CHUNKS as u64,
    })
}

/// A data length of 0, or one of those that streaming writers put for "unknown", becomes what is there.
fn mend_lengths(source: &mut Source, body: u64, size: u64, block: u64) -> Result<(), Refusal> {
    let present = source.len() - body;
    let mut size = size;
    if (size == 0 || size >= UNKNOWN_FROM) && present > 0 && present != size {
        size = present.min(u64::from(u32::MAX) - 1);
        source.mend(Patch {
            at: body - 4,
            bytes: (size as u32).to_le_bytes(),
        });
    }
    if size > present {
        // Half a block decodes to noise.
        source.cut_to(body + present - present % block.max(1));
    }
    let riff_size = bytes_at::<4>(source, 4)?.map_or(0, u32::from_le_bytes);
    if u64::from(riff_size) + 8 < body + size {
        source.mend(Patch {
            at: 4,
            bytes: u32::MAX.to_le_bytes(),
        });
    }
    Ok(())
}
