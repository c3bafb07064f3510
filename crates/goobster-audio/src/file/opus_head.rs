//! The identification header of an Opus stream (RFC 7845, section 5.1), and a decoder made from it.
//!
//! Ogg, Matroska and MP4 all carry this header, so all of them decode through here.

use opus2::MSDecoder;

use super::downmix::Downmix;
use crate::error::AudioError;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::opus::{MAX_PACKET_SAMPLES, SpeechDecoder, packet_samples, tame};

/// What the header says about the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpusHead {
    /// Output channels, 1 to 8.
    pub(super) channels: usize,
    /// 48 kHz samples to drop at the start.
    pub(super) pre_skip: u16,
    /// The rate of the original recording in Hz, for information; 0 when not given.
    pub(super) original_rate: u32,
    /// Gain in 1/256 dB.
    gain: i16,
    layout: Layout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Layout {
    /// One Opus stream, mono or stereo, mixed to mono by libopus.
    Single,
    /// Several Opus streams, whose channels are mixed here.
    Multi {
        family: u8,
        streams: u8,
        coupled: u8,
        mapping: Vec<u8>,
    },
}

impl OpusHead {
    /// The mark at the start of the header.
    pub(super) const MAGIC: &'static [u8] = b"OpusHead";

    /// Reads the header; the error says which rule it breaks.
    pub(super) fn parse(header: &[u8]) -> Result<Self, String> {
        let Some(
            [
                version,
                channels,
                skip_lo,
                skip_hi,
                r0,
                r1,
                r2,
                r3,
                gain_lo,
                gain_hi,
                family,
            ],
        ) = header.strip_prefix(Self::MAGIC).and_then(<[u8]>::first_chunk)
        else {
            return Err("the Opus header is cut short".to_owned());
        };
        // The upper four bits are the major version; a minor version is compatible.
        if version >> 4 != 0 {
            return Err(format!("Opus header version {version} is unknown"));
        }
        let count = usize::from(*channels);
        let layout = match (family, count) {
            (_, 0) => return Err("an Opus stream of 0 channels".to_owned()),
            (0, 1 | 2) => Layout::Single,
            (0, n) => return Err(format!("Opus mapping family 0 with {n} channels")),
            (1, 1..=8) | (255, _) => Self::parse_mapping(*family, count, header)?,
            (1, n) => return Err(format!("Opus mapping family 1 with {n} channels")),
            (other, _) => return Err(format!("Opus channel mapping family {other}")),
        };
        Ok(Self {
            channels: count,
            pre_skip: u16::from_le_bytes([*skip_lo, *skip_hi]),
            original_rate: u32::from_le_bytes([*r0, *r1, *r2, *r3]),
            gain: i16::from_le_bytes([*gain_lo, *gain_hi]),
            layout,
        })
    }

    fn parse_mapping(family: u8, channels: usize, header: &[u8]) -> Result<Layout, String> {
        let table = header
            .get(19..21 + channels)
            .ok_or("the Opus channel mapping is cut short")?;
        let (streams, coupled, mapping) = (table[0], table[1], &table[2..]);
        let decoded = u16::from(streams) + u16::from(coupled);
        if streams == 0 || coupled > streams || decoded > 255 {
            return Err(format!(
                "an Opus mapping of {streams} streams with {coupled} pairs"
            ));
        }
        // 255 means a silent channel.
        if mapping
            .iter()
            .any(|index| *index != 255 && u16::from(*index) >= decoded)
        {
            return Err("an Opus channel mapping that points beyond its streams".to_owned());
        }
        Ok(Layout::Multi {
            family,
            streams,
            coupled,
            mapping: mapping.to_vec(),
        })
    }
}

/// Opus packets of one stream in, 16 kHz mono out.
pub(super) struct OpusToMono(Kind);

enum Kind {
    Single(SpeechDecoder),
    Multi {
        inner: MSDecoder,
        downmix: Downmix,
        pcm: Vec<f32>,
    },
}

impl OpusToMono {
    /// A decoder for the stream; `Ok(None)` when it has more channels than can be mixed.
    pub(super) fn new(head: &OpusHead) -> Result<Option<Self>, AudioError> {
        match &head.layout {
            Layout::Single => {
                let mut decoder = SpeechDecoder::new()?;
                decoder.set_gain(head.gain)?;
                Ok(Some(Self(Kind::Single(decoder))))
            }
            Layout::Multi {
                family,
                streams,
                coupled,
                mapping,
            } => {
                let downmix = if *family == 1 {
                    Downmix::vorbis_order
                } else {
                    Downmix::even
                }(mapping.len());
                let Some(downmix) = downmix else { return Ok(None) };
                let fail = |source| AudioError::Opus {
                    action: "make a multistream decoder",
                    source,
                };
                let mut inner = MSDecoder::new(SAMPLE_RATE, *streams, *coupled, mapping).map_err(fail)?;
                inner.set_gain(i32::from(head.gain)).map_err(fail)?;
                let pcm = vec![0.0; MAX_PACKET_SAMPLES * mapping.len()];
                Ok(Some(Self(Kind::Multi { inner, downmix, pcm })))
            }
        }
    }

    /// Decodes one packet and appends it to `mono`.
    pub(super) fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), AudioError> {
        match &mut self.0 {
            Kind::Single(decoder) => mono.extend_from_slice(decoder.decode(packet)?),
            Kind::Multi { inner, downmix, pcm } => {
                // All streams of a packet have the same length, and the first one's header comes first.
                let samples = packet_samples_multi(packet)?;
                let channels = downmix.channels();
                let run = inner.decode_float(packet, &mut pcm[..samples * channels], false);
                let decoded = run.map_err(|e| AudioError::OpusPacket {
                    bytes: packet.len(),
                    reason: e.description(),
                })?;
                let pcm = &mut pcm[..decoded.min(samples) * channels];
                tame(pcm);
                downmix.apply(pcm, mono);
            }
        }
        Ok(())
    }
}

/// The length of a multistream packet in 16 kHz samples. Its first stream is self-delimited (RFC 6716, appendix B),
/// which moves the frames but not the header byte or the frame count that the length follows from.
fn packet_samples_multi(packet: &[u8]) -> Result<usize, AudioError> {
    let bytes = packet.len();
    let head = match packet {
        [] => {
            return Err(AudioError::OpusPacket {
                bytes,
                reason: "it is empty",
            });
        }
        // An even body for two equal frames, so that only the header is judged.
        [toc, ..] if toc & 3 == 1 => &[*toc, 0, 0][..],
        [toc, count, ..] if toc & 3 == 3 => &[*toc, *count][..],
        [toc, ..] => &[*toc][..],
    };
    packet_samples(head)
}

/// How long a packet lasts, in 48 kHz samples, whatever its layout; `None` when its header is invalid.
pub(super) fn packet_duration_48k(packet: &[u8]) -> Option<u64> {
    packet_samples_multi(packet)
        .ok()
        .map(|samples| samples as u64 * 3)
}

/// The length assumed for a packet whose own header is unreadable: what nearly every encoder uses.
pub(super) const USUAL_DURATION_48K: u64 = 3 * FRAME_SAMPLES as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(channels: u8, family: u8, tail: &[u8]) -> Vec<u8> {
        let mut bytes = OpusHead::MAGIC.to_vec();
        bytes.extend_from_slice(&[1, channels, 0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0, family]);
        bytes.extend_from_slice(tail);
        bytes
    }

    #[test]
    fn the_common_header_is_read() {
        let parsed = OpusHead::parse(&head(2, 0, &[])).unwrap();
        assert_eq!(
            (parsed.channels, parsed.pre_skip, parsed.original_rate),
            (2, 312, 48_000)
        );
        assert!(OpusToMono::new(&parsed).unwrap().is_some());
        let surround = OpusHead::parse(&head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5])).unwrap();
        assert!(OpusToMono::new(&surround).unwrap().is_some());
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (bytes, word) in [
            (b"OpusHead\x01".to_vec(), "cut short"),
            (head(0, 0, &[]), "0 channels"),
            (head(3, 0, &[]), "family 0"),
            (head(9, 1, &[]), "family 1"),
            (head(4, 3, &[]), "family 3"),
            (head(6, 1, &[4, 2, 0]), "mapping is cut short"),
            (head(2, 1, &[0, 0, 0, 1]), "0 streams"),
            (head(2, 1, &[1, 2, 0, 1]), "2 pairs"),
            (head(2, 1, &[1, 0, 0, 1]), "beyond"),
        ] {
            let error = OpusHead::parse(&bytes).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        let mut other_version = head(1, 0, &[]);
        other_version[8] = 0x10;
        assert!(OpusHead::parse(&other_version).unwrap_err().contains("version"));
    }

    #[test]
    fn too_many_discrete_channels_cannot_be_mixed() {
        let mut table = vec![12, 0];
        table.extend(0..12);
        let parsed = OpusHead::parse(&head(12, 255, &table)).unwrap();
        assert!(OpusToMono::new(&parsed).unwrap().is_none());
    }
}
