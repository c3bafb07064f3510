//! Laced Matroska blocks: several frames in one block, whose sizes stand in front of them (RFC 9559, section 10.3).

use super::Refusal;
use super::matroska::variable;
use crate::file::source::{Patch, Source};

/// The two bits of a block's flags that tell its lacing.
const LACING: u8 = 0b110;
const XIPH: u8 = 0b010;
const EBML: u8 = 0b110;
/// Sizes are looked for within this many bytes: 255 frames of 32 kB each need that many in Xiph's notation.
const MAX_SIZES: u64 = 1 << 15;

/// Checks the block at `body..end`. When its frames' sizes do not fit in it, it is made to hold one frame, which will not
/// decode: so it costs itself only. Tells whether that was done.
pub(super) fn mend(source: &mut Source, body: u64, end: u64) -> Result<bool, Refusal> {
    let start = source.peek(body, 12)?;
    let track = start
        .first()
        .map_or(8, |first| first.leading_zeros() as usize + 1);
    // The track's number, a time of two bytes, the flags.
    let flags_at = track + 2;
    let Some(flags) = start.get(flags_at) else {
        return Ok(false);
    };
    let lacing = flags & LACING;
    if !matches!(lacing, XIPH | EBML) || body + flags_at as u64 >= end {
        return Ok(false);
    }
    let after = body + flags_at as u64 + 1;
    let sizes = source.peek(after, (end.saturating_sub(after)).min(MAX_SIZES) as usize)?;
    let fits = sizes.split_first().and_then(|(frames, sizes)| {
        let (total, used) = if lacing == XIPH {
            xiph(sizes, *frames)?
        } else {
            ebml(sizes, *frames)?
        };
        let room = end.saturating_sub(after + 1 + used as u64);
        (total <= room).then_some(())
    });
    if fits.is_none()
        && let Some([a, b, c]) = start.get(flags_at - 3..flags_at).and_then(|b| b.first_chunk())
    {
        source.mend(Patch {
            at: body + flags_at as u64 - 3,
            bytes: [*a, *b, *c, flags & !LACING],
        });
        return Ok(true);
    }
    Ok(false)
}

/// The sum of the sizes of `frames` frames in Xiph's notation, and how many bytes they take.
fn xiph(bytes: &[u8], frames: u8) -> Option<(u64, usize)> {
    let (mut total, mut used) = (0, 0);
    for _ in 0..frames {
        loop {
            let byte = *bytes.get(used)?;
            used += 1;
            total += u64::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    Some((total, used))
}

/// The same in EBML's notation: the first size, then each one's difference from the one before.
fn ebml(bytes: &[u8], frames: u8) -> Option<(u64, usize)> {
    let (mut total, mut used, mut last) = (0_u64, 0, 0_i64);
    for frame in 0..frames {
        let rest = bytes.get(used..)?;
        let (raw, len) = variable(rest, 8)?;
        let bits = 7 * len;
        let value = i64::try_from(raw & ((1 << bits) - 1)).ok()?;
        last = if frame == 0 {
            value
        } else {
            last.checked_add(value - ((1 << (bits - 1)) - 1))?
        };
        total = total.checked_add(u64::try_from(last).ok()?)?;
        used += len;
    }
    Some((total, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xiph_sizes_are_summed() {
        assert_eq!(xiph(&[255, 255, 1, 0, 255, 0, 9], 3), Some((511 + 255, 6)));
        assert_eq!(xiph(&[255, 255], 1), None);
        assert_eq!(xiph(&[], 0), Some((0, 0)));
    }

    #[test]
    fn ebml_sizes_are_summed() {
        // RFC 9559's example: 800, then -300, so 500.
        assert_eq!(ebml(&[0x43, 0x20, 0x5e, 0xd3], 2), Some((1300, 4)));
        // The second frame would have a size below nothing.
        assert_eq!(ebml(&[0x81, 0x80], 2), None);
        assert_eq!(ebml(&[0x00; 9], 1), None);
    }
}
