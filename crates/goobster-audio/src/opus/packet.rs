//! What an Opus packet says about itself (RFC 6716, section 3), read before it is decoded.

use crate::error::AudioError;
use crate::frame::SAMPLE_RATE;

/// No packet is longer: 48 frames of at most 1275 bytes, each with up to two bytes of length, and the header.
pub const MAX_PACKET_BYTES: usize = 48 * 1277 + 2;

/// How many 16 kHz samples a packet decodes to (40 to 1920), or why it is no Opus packet.
///
/// An empty packet is refused: to libopus it would mean "lost", which only the caller can know.
pub fn packet_samples(packet: &[u8]) -> Result<usize, AudioError> {
    let bytes = packet.len();
    let invalid = |reason| Err(AudioError::OpusPacket { bytes, reason });
    let Some((toc, rest)) = packet.split_first() else {
        return invalid("it is empty");
    };
    if bytes > MAX_PACKET_BYTES {
        return invalid("it is longer than 48 frames can be");
    }
    let frames = match toc & 0b11 {
        0 => 1,
        1 if rest.len().is_multiple_of(2) => 2,
        1 => return invalid("two equal frames cannot share an odd number of bytes"),
        2 => 2,
        _ => match rest.first() {
            None => return invalid("its frame count is missing"),
            Some(count) if count.trailing_zeros() >= 6 => return invalid("it counts zero frames"),
            Some(count) => usize::from(count & 0x3f),
        },
    };
    let samples = frames * frame_samples(*toc);
    if samples > super::MAX_PACKET_SAMPLES {
        return invalid("it is longer than 120 ms");
    }
    Ok(samples)
}

/// Whether a packet carries a copy of the sound right before it (in-band FEC): SILK's flag for that (RFC 6716, section
/// 4.2.3). CELT has no such copies.
pub fn carries_predecessor(packet: &[u8]) -> bool {
    let (Some(toc), Some(first)) = (packet.first(), first_frame_byte(packet)) else {
        return false;
    };
    let config = toc >> 3;
    let twenties = match config {
        0..=11 => [1, 1, 2, 3][usize::from(config & 3)],
        12..=15 => 1,
        _ => return false,
    };
    // A flag of voice activity for each 20 ms, then the flag of the copy; the same again for the side channel.
    let middle = first >> (7 - twenties) & 1;
    let side = if toc & 0b100 == 0 {
        0
    } else {
        first >> (6 - 2 * twenties) & 1
    };
    middle | side == 1
}

/// The first byte of a packet's first frame; `None` when that frame has none (RFC 6716, section 3.2).
fn first_frame_byte(packet: &[u8]) -> Option<u8> {
    let (toc, rest) = packet.split_first()?;
    let sized = |rest: &[u8]| match rest {
        [1..=251, first, ..] | [252..=255, _, first, ..] => Some(*first),
        _ => None,
    };
    match toc & 0b11 {
        0 | 1 => rest.first().copied(),
        2 => sized(rest),
        _ => {
            let (count, mut rest) = rest.split_first()?;
            if count & 0x40 != 0 {
                // The length of the padding, which stands at the end: bytes of 255 and one that is less.
                let more = rest.iter().take_while(|byte| **byte == 255).count();
                rest = rest.get(more + 1..)?;
            }
            if count & 0x80 == 0 {
                rest.first().copied()
            } else {
                sized(rest)
            }
        }
    }
}

/// Samples at 16 kHz in one frame of a packet that begins with `toc` (RFC 6716, table 2).
fn frame_samples(toc: u8) -> usize {
    let config = toc >> 3;
    let rate = SAMPLE_RATE as usize;
    match config {
        // SILK: 10, 20, 40, 60 ms.
        0..=11 => [rate / 100, rate / 50, rate / 25, rate * 3 / 50][usize::from(config & 3)],
        // Hybrid: 10, 20 ms.
        12..=15 => [rate / 100, rate / 50][usize::from(config & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => (rate / 400) << (config & 3),
    }
}

/// Turns libopus' refusal of a packet into this crate's error.
pub(super) fn refused(bytes: usize, error: &opus2::Error) -> AudioError {
    AudioError::OpusPacket {
        bytes,
        reason: error.description(),
    }
}
