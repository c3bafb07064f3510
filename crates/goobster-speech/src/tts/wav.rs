//! WAV bytes as speech engines answer with them: 16-bit PCM, sizes not to be trusted.

/// A decoded WAV.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wav {
    /// Samples a second, in hertz.
    pub(crate) rate: u32,
    /// Mono samples in `-1.0..=1.0`.
    pub(crate) samples: Vec<f32>,
}

/// The head of a WAV: what is needed to read the samples that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Samples a second, in hertz.
    pub(crate) rate: u32,
    /// Channels, 1 or 2.
    pub(crate) channels: u16,
    /// Where the samples begin, in bytes from the start.
    pub(crate) data_at: usize,
}

/// Reads the head. `Ok(None)` when there are too few bytes to tell yet (at most 4 KB are ever asked for).
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    const LONGEST: usize = 4096;
    if bytes.len() < 12 {
        return if b"RIFF".starts_with(&bytes[..bytes.len().min(4)]) {
            Ok(None)
        } else {
            Err(not_wav())
        };
    }
    if &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(not_wav());
    }
    let mut at = 12;
    let mut format = None;
    loop {
        if at > LONGEST {
            return Err("no samples follow within 4 KB".to_owned());
        }
        let Some(chunk) = bytes.get(at..at + 8) else {
            return Ok(None);
        };
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]) as usize;
        if &chunk[..4] == b"data" {
            let (rate, channels) = format.ok_or("the samples come before their format")?;
            return Ok(Some(Head {
                rate,
                channels,
                data_at: at + 8,
            }));
        }
        if &chunk[..4] == b"fmt " {
            let Some(fmt) = bytes.get(at + 8..at + 24) else {
                return Ok(None);
            };
            format = Some(read_format(fmt)?);
        }
        // Chunks are padded to an even length; one that claims more than LONGEST fails at the top.
        at = at.saturating_add(8).saturating_add(size.saturating_add(size & 1));
    }
}

fn read_format(fmt: &[u8]) -> Result<(u32, u16), String> {
    let word = |at: usize| u16::from_le_bytes([fmt[at], fmt[at + 1]]);
    let rate = u32::from_le_bytes([fmt[4], fmt[5], fmt[6], fmt[7]]);
    let (tag, channels, bits) = (word(0), word(2), word(14));
    if !matches!(tag, 1 | 0xfffe) || bits != 16 {
        return Err(format!("format {tag} with {bits} bits instead of 16-bit PCM"));
    }
    if !(1..=2).contains(&channels) || !(8_000..=96_000).contains(&rate) {
        return Err(format!("{channels} channels at {rate} Hz"));
    }
    Ok((rate, channels))
}

/// Reads a whole WAV. The size it states is ignored: programs that write to a pipe do not know it beforehand.
pub(crate) fn parse(bytes: &[u8]) -> Result<Wav, String> {
    let head = head(bytes)?.ok_or_else(|| "it ends within its head".to_owned())?;
    Ok(Wav {
        rate: head.rate,
        samples: samples(&bytes[head.data_at..], head.channels),
    })
}

/// Little-endian 16-bit samples, channels mixed to mono; an odd end is dropped.
pub(crate) fn samples(bytes: &[u8], channels: u16) -> Vec<f32> {
    let channels = usize::from(channels.max(1));
    bytes
        .chunks_exact(2 * channels)
        .map(|frame| {
            let sum: f32 = frame
                .chunks_exact(2)
                .map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])))
                .sum();
            sum / (32_768.0 * channels as f32)
        })
        .collect()
}

fn not_wav() -> String {
    "it does not begin as a WAV".to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A WAV of 16-bit samples.
    fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate * 2 * u32::from(channels)).to_le_bytes());
        bytes.extend((2 * channels).to_le_bytes());
        bytes.extend(16_u16.to_le_bytes());
        bytes.extend(b"data\xff\xff\xff\xff");
        bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_wav_with_an_untrue_size_is_read() {
        let parsed = parse(&wav(22_050, 1, &[0, 16_384, -32_768])).unwrap();
        assert_eq!(
            parsed,
            Wav {
                rate: 22_050,
                samples: vec![0.0, 0.5, -1.0]
            }
        );
        assert_eq!(parse(&wav(24_000, 2, &[16_384, 0])).unwrap().samples, vec![0.25]);
    }

    #[test]
    fn what_is_no_wav_is_refused() {
        for bytes in [
            &b""[..],
            b"RIFF",
            b"{\"error\": 1}",
            &wav(22_050, 9, &[]),
            &wav(1, 1, &[]),
            &wav(22_050, 1, &[])[..30],
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            let _ = parse(&bytes);
            let mut broken = wav(22_050, 1, &[1, 2, 3]);
            for (slot, byte) in broken[12..].iter_mut().skip(cut).zip(bytes) {
                *slot = byte;
            }
            let _ = parse(&broken);
        }
    }
}
