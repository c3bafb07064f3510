//! What a container's headers say of a recording, or why they say nothing.

use std::io;
use std::time::Duration;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::errors::Error;

use super::codec::Codec;
use super::info::{FileInfo, Length};
use super::sniff::Container;
use crate::error::AudioError;

/// How the chosen track is stored.
pub(super) fn describe(container: Container, params: &CodecParameters, decoder: &Codec) -> FileInfo {
    let container = container.name();
    let rate = params.sample_rate.unwrap_or(0);
    if let Codec::Opus { head, .. } = decoder {
        let rate = if head.original_rate > 0 {
            head.original_rate
        } else {
            rate
        };
        return FileInfo {
            container,
            codec: "opus".to_owned(),
            channels: head.channels,
            rate,
        };
    }
    let codec = symphonia::default::get_codecs().get_codec(params.codec);
    FileInfo {
        container,
        codec: codec.map_or("unknown", |codec| codec.short_name).to_owned(),
        channels: params.channels.map_or(0, Channels::count),
        rate,
    }
}

/// The length of the track, as far as it is told.
pub(super) fn claimed_length(container: Container, params: &CodecParameters) -> Length {
    let (Some(frames), Some(base)) = (params.n_frames, params.time_base) else {
        return Length::Unknown;
    };
    if base.numer == 0 || base.denom == 0 {
        return Length::Unknown;
    }
    let time = base.calc_time(frames);
    let Ok(length) = Duration::try_from_secs_f64(time.seconds as f64 + time.frac) else {
        return Length::Unknown;
    };
    if length.is_zero() {
        // Fragmented MP4 and live recordings.
        return Length::Unknown;
    }
    // Without a LAME tag (which gives the delay), the length of an MP3 is computed from its bit rate; that of bare AAC
    // always is.
    let estimated = container == Container::Adts || container == Container::Mpeg && params.delay.is_none();
    if estimated {
        Length::Estimated(length)
    } else {
        Length::Exact(length)
    }
}

/// Why a file could not be opened, in terms of the file.
pub(super) fn open_error(place: String, container: Container, length: u64, error: &Error) -> AudioError {
    let name = container.name();
    match error {
        Error::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
            let source = io::Error::new(e.kind(), e.to_string());
            AudioError::Read {
                place,
                offset: 0,
                source,
            }
        }
        Error::IoError(_) => AudioError::Truncated {
            place,
            length,
            detail: format!("the {name} header is incomplete"),
        },
        Error::Unsupported(what) if what.contains("moov") || what.contains("missing data") => {
            let detail =
                format!("the part of the {name} file that says where the sound is ({what}) is missing");
            AudioError::Truncated {
                place,
                length,
                detail,
            }
        }
        other => AudioError::Corrupt {
            place,
            detail: format!("{name}: {other}"),
            at: Duration::ZERO,
        },
    }
}
