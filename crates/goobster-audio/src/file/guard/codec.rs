//! What a codec's own setup asks for: Vorbis codebooks, ALAC frames, packets of raw samples.

use std::time::Duration;

use symphonia::core::codecs::{CODEC_TYPE_ALAC, CODEC_TYPE_VORBIS, CodecParameters};

use crate::error::AudioError;

/// Samples a channel in one packet. Encoders make at most 65,536 (FLAC); 2^20 is 22 s at 48 kHz.
const MAX_FRAMES: u64 = 1 << 20;
/// Values in all of a stream's codebooks together; libvorbis refuses a single codebook of more than 2^24.
const MAX_CODEBOOK_VALUES: u64 = 1 << 24;

/// Checks a track before a decoder is made for it.
pub(in crate::file) fn check_codec(place: &str, params: &CodecParameters) -> Result<(), AudioError> {
    let place = place.to_owned();
    let setup = params.extra_data.as_deref().unwrap_or_default();
    let frames = [params.max_frames_per_packet, params.frames_per_block]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(0);
    let frames = if params.codec == CODEC_TYPE_ALAC {
        frames.max(alac_frames(setup))
    } else {
        frames
    };
    if frames > MAX_FRAMES {
        return Err(AudioError::Limit {
            place,
            what: "a packet",
            value: frames,
            limit: MAX_FRAMES,
        });
    }
    if params.codec == CODEC_TYPE_VORBIS {
        let values = codebook_values(setup);
        if values > MAX_CODEBOOK_VALUES {
            let limit = MAX_CODEBOOK_VALUES;
            return Err(AudioError::Limit {
                place,
                what: "a Vorbis codebook",
                value: values,
                limit,
            });
        }
        if values == 0 {
            let detail = "its Vorbis setup has no codebook".to_owned();
            return Err(AudioError::Corrupt {
                place,
                detail,
                at: Duration::ZERO,
            });
        }
    }
    Ok(())
}

/// The frame length of an ALAC magic cookie, which may be wrapped in `frma` and `alac` boxes.
fn alac_frames(cookie: &[u8]) -> u64 {
    let mut cookie = cookie;
    for mark in [b"frma", b"alac"] {
        if cookie.get(4..8) == Some(mark) {
            cookie = cookie.get(12..).unwrap_or_default();
        }
    }
    cookie
        .first_chunk()
        .map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)))
}

/// Entries times dimensions over all codebooks of a setup header (Vorbis I, section 3.2.1), as far as it can be
/// read; the decoder reports the rest.
fn codebook_values(setup: &[u8]) -> u64 {
    // The setup header begins with its packet type and the codec's name.
    let Some(start) = setup.windows(7).position(|window| window == b"\x05vorbis") else {
        return 0;
    };
    let mut bits = Bits {
        bytes: &setup[start + 7..],
        at: 0,
    };
    let mut total = 0u64;
    let Some(count) = bits.read(8) else { return 0 };
    for _ in 0..=count {
        let Some(values) = read_codebook(&mut bits) else {
            break;
        };
        total = total.saturating_add(values);
        if total > MAX_CODEBOOK_VALUES {
            break;
        }
    }
    total
}

/// Reads one codebook and returns its size, even if it breaks off after its dimensions.
fn read_codebook(bits: &mut Bits<'_>) -> Option<u64> {
    if bits.read(24)? != 0x0056_4342 {
        return None;
    }
    let dimensions = bits.read(16)?;
    let entries = bits.read(24)?;
    let values = u64::from(dimensions).max(1) * u64::from(entries);
    if values <= MAX_CODEBOOK_VALUES {
        skip_codebook(bits, dimensions, entries);
    }
    Some(values)
}

fn skip_codebook(bits: &mut Bits<'_>, dimensions: u32, entries: u32) -> Option<()> {
    let ordered = bits.read(1)? == 1;
    if ordered {
        bits.read(5)?;
        let mut entry = 0;
        while entry < entries {
            let width = 32 - (entries - entry).leading_zeros();
            entry += bits.read(width)?;
        }
    } else {
        let sparse = bits.read(1)? == 1;
        for _ in 0..entries {
            if !sparse || bits.read(1)? == 1 {
                bits.read(5)?;
            }
        }
    }
    let lookup = bits.read(4)?;
    if lookup == 1 || lookup == 2 {
        bits.skip(64);
        let width = u64::from(bits.read(4)?) + 1;
        bits.read(1)?;
        let values = if lookup == 1 {
            lookup1_values(entries, dimensions)
        } else {
            u64::from(entries) * u64::from(dimensions)
        };
        bits.skip(values * width);
    }
    Some(())
}

/// The largest number whose power of `dimensions` is at most `entries` (Vorbis I, section 9.2.3).
fn lookup1_values(entries: u32, dimensions: u32) -> u64 {
    if dimensions == 0 {
        return 0;
    }
    let fits = |n: u64| {
        n.checked_pow(dimensions)
            .is_some_and(|power| power <= u64::from(entries))
    };
    let mut value = f64::from(entries).powf(1.0 / f64::from(dimensions)) as u64;
    // Floating point may be off by one either way.
    while fits(value + 1) {
        value += 1;
    }
    while value > 0 && !fits(value) {
        value -= 1;
    }
    value
}

/// Bits of a Vorbis packet, least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for n in 0..count {
            let byte = self.bytes.get(usize::try_from(self.at / 8).ok()?)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << n;
            self.at += 1;
        }
        Some(value)
    }

    fn skip(&mut self, count: u64) {
        self.at = self.at.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alac_cookie_is_found_in_its_wrappings() {
        let bare = [0, 0, 0x10, 0, 0, 16];
        assert_eq!(alac_frames(&bare), 4096);
        let mut wrapped = b"\0\0\0\x0cfrmaalac\0\0\0\x24alac\0\0\0\0".to_vec();
        wrapped.extend_from_slice(&bare);
        assert_eq!(alac_frames(&wrapped), 4096);
        assert_eq!(alac_frames(&[]), 0);
    }

    #[test]
    fn a_codebook_that_asks_for_terabytes_is_seen() {
        let mut setup = b"\x05vorbis\0BCV".to_vec();
        setup.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(codebook_values(&setup) > MAX_CODEBOOK_VALUES);
        assert_eq!(codebook_values(b"\x05vorbis\0BCV"), 0);
        assert_eq!(codebook_values(b"nothing"), 0);
    }

    #[test]
    fn lookup_values_follow_the_definition() {
        assert_eq!(lookup1_values(625, 4), 5);
        assert_eq!(lookup1_values(624, 4), 4);
        assert_eq!(lookup1_values(1 << 24, 1), 1 << 24);
        assert_eq!(lookup1_values(1, 65_535), 1);
        assert_eq!(lookup1_values(0, 3), 0);
    }
}
