//! Decoders of a track's packets: symphonia's, or libopus for Opus.

use std::time::Duration;

use symphonia::core::audio::{AudioBufferRef, Channels, SampleBuffer, SignalSpec};
use symphonia::core::codecs::{CODEC_TYPE_OPUS, CodecParameters, Decoder, DecoderOptions};
use symphonia::core::errors::Error;

use super::contain::contained;
use super::downmix::Downmix;
use super::guard;
use super::info::FileInfo;
use super::opus_head::{OpusHead, OpusToMono};
use crate::error::AudioError;
use crate::frame::SAMPLE_RATE;
use crate::resample::{MAX_CHANNELS, MAX_RATE, MIN_RATE};

/// The longest packet: 30 s at the highest rate. The largest that encoders make is 1.5 s.
pub(super) const MAX_PACKET_FRAMES: u64 = 30 * MAX_RATE as u64;

/// A decoder and what belongs to it.
pub(super) enum Codec {
    Symphonia(Box<dyn Decoder>),
    Opus {
        decoder: OpusToMono,
        head: OpusHead,
        skip: u64,
    },
}

/// What came of decoding one packet.
pub(super) enum Mixed {
    Done(u32),
    Bad,
    Refused(String),
    Channels(usize),
    Rate(u32),
}

/// Mixes a decoded buffer into `mono`, growing the conversion buffer when needed.
pub(super) fn mix(
    decoded: &AudioBufferRef<'_>,
    samples: &mut Option<SampleBuffer<f32>>,
    mono: &mut Vec<f32>,
    info: &mut FileInfo,
) -> Mixed {
    let SignalSpec { rate, channels } = *decoded.spec();
    if decoded.frames() == 0 {
        return if rate == 0 { Mixed::Bad } else { Mixed::Done(rate) };
    }
    if !(MIN_RATE..=MAX_RATE).contains(&rate) {
        return Mixed::Rate(rate);
    }
    let Some(downmix) = Downmix::placed(channels) else {
        return Mixed::Channels(channels.count());
    };
    let frames = decoded.capacity() as u64;
    if frames > MAX_PACKET_FRAMES {
        return Mixed::Bad;
    }
    info.channels = channels.count();
    info.rate = rate;
    let needed = decoded.capacity() * channels.count();
    if samples.as_ref().is_none_or(|buffer| buffer.capacity() < needed) {
        *samples = Some(SampleBuffer::new(frames, *decoded.spec()));
    }
    if let Some(buffer) = samples {
        buffer.copy_interleaved_ref(decoded.clone());
        downmix.apply(buffer.samples(), mono);
    }
    Mixed::Done(rate)
}

/// A decoder for the track and the rate of its output (0 when the first packet has to tell).
pub(super) fn make_decoder(place: &str, params: &CodecParameters) -> Result<(Codec, u32), AudioError> {
    let place = place.to_owned();
    if params.codec == CODEC_TYPE_OPUS {
        let header = params.extra_data.as_deref().unwrap_or_default();
        let head = parse_opus_head(header).map_err(|what| AudioError::Unsupported {
            place: place.clone(),
            what,
        })?;
        let channels = head.channels;
        let decoder = OpusToMono::new(&head)?;
        let decoder = decoder.ok_or(AudioError::TooManyChannels {
            place,
            channels,
            max: MAX_CHANNELS,
        })?;
        let skip = u64::from(head.pre_skip) / 3;
        return Ok((Codec::Opus { decoder, head, skip }, SAMPLE_RATE));
    }
    if let Some(channels) = params.channels.map(Channels::count)
        && channels > MAX_CHANNELS
    {
        return Err(AudioError::TooManyChannels {
            place,
            channels,
            max: MAX_CHANNELS,
        });
    }
    if let Some(rate) = params.sample_rate
        && !(MIN_RATE..=MAX_RATE).contains(&rate)
    {
        return Err(AudioError::SampleRate { place, rate });
    }
    guard::check_codec(&place, params)?;
    let codecs = symphonia::default::get_codecs();
    let mut params = params.clone();
    if params.max_frames_per_packet.is_none() {
        // The decoder of raw samples insists on knowing, and Matroska does not say; muxers write at most a second.
        params.with_max_frames_per_packet(u64::from(MAX_RATE));
    }
    match contained(|| codecs.make(&params, &DecoderOptions::default())) {
        Ok(Ok(decoder)) => Ok((Codec::Symphonia(decoder), params.sample_rate.unwrap_or(0))),
        Ok(Err(Error::Unsupported(_))) => {
            let name = codecs
                .get_codec(params.codec)
                .map_or("this codec", |codec| codec.long_name);
            Err(AudioError::Unsupported {
                place,
                what: name.to_owned(),
            })
        }
        Ok(Err(error)) => Err(AudioError::Corrupt {
            place,
            detail: error.to_string(),
            at: Duration::ZERO,
        }),
        Err(_) => {
            let detail = "its codec's setup contradicts itself".to_owned();
            Err(AudioError::Corrupt {
                place,
                detail,
                at: Duration::ZERO,
            })
        }
    }
}

/// The header as Ogg and Matroska have it; MP4 stores the same fields in big-endian order.
fn parse_opus_head(header: &[u8]) -> Result<OpusHead, String> {
    let mut header = header.to_vec();
    // MP4's box has version 0 where Ogg's header has 1.
    if let Some([version, _, a, b, r @ ..]) = header.get_mut(8..16)
        && *version == 0
        && let [r0, r1, r2, r3] = r
    {
        *version = 1;
        std::mem::swap(a, b);
        (*r0, *r1, *r2, *r3) = (*r3, *r2, *r1, *r0);
        if let Some([g0, g1]) = header.get_mut(16..18) {
            std::mem::swap(g0, g1);
        }
    }
    OpusHead::parse(&header)
}
