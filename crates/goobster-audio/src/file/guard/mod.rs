//! Sizes that a file claims, checked before a demuxer believes them.
//!
//! The demuxers allocate what a header asks for and find out afterwards that the bytes are not there. A failed
//! allocation ends the process and cannot be contained, so the structures that carry such sizes are walked here
//! first: MP4 boxes, Matroska elements, RIFF chunks, Vorbis comments and codebooks. The same walk sees whether the
//! sound is encrypted, which no demuxer here would notice: it would decode noise.

mod codec;
mod comments;
mod lacing;
mod matroska;
mod mp4;
mod riff;

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use super::sniff::Container;
use super::source::Source;
use crate::error::AudioError;

pub(super) use codec::check_codec;

/// Why a file is turned away.
#[derive(Debug)]
enum Refusal {
    Io(io::Error),
    Corrupt(String),
    Truncated(String),
    Encrypted(String),
    Unsupported(String),
    Limit {
        what: &'static str,
        value: u64,
        limit: u64,
    },
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether a file ends where its structure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should, or nothing tells.
    Whole,
    /// Before it should.
    Cut,
}

/// Walks the structure of a container. What is merely cut off passes, mended such that the demuxer gives what is there.
pub(super) fn check_structure(
    place: &str,
    source: &mut Source,
    container: Container,
) -> Result<Ending, AudioError> {
    let checked = match container {
        Container::Mp4 => mp4::check(source),
        Container::Matroska => matroska::check(source),
        Container::Wav | Container::Aiff => riff::check(source),
        Container::Flac => comments::check_flac(source),
        Container::Ogg => comments::check_ogg(source),
        Container::Mpeg | Container::Adts | Container::OggOpus | Container::Unknown => Ok(Ending::Whole),
    };
    checked.map_err(|refusal| refuse(place.to_owned(), source.len(), refusal))
}

fn refuse(place: String, length: u64, refusal: Refusal) -> AudioError {
    match refusal {
        Refusal::Io(source) => AudioError::Read {
            place,
            offset: 0,
            source,
        },
        Refusal::Corrupt(detail) => AudioError::Corrupt {
            place,
            detail,
            at: Duration::ZERO,
        },
        Refusal::Truncated(detail) => AudioError::Truncated {
            place,
            length,
            detail,
        },
        Refusal::Encrypted(scheme) => AudioError::Encrypted { place, scheme },
        Refusal::Unsupported(what) => AudioError::Unsupported { place, what },
        Refusal::Limit { what, value, limit } => AudioError::Limit {
            place,
            what,
            value,
            limit,
        },
    }
}

/// Up to `N` bytes at `at`; `None` when the file ends before.
fn bytes_at<const N: usize>(source: &mut Source, at: u64) -> io::Result<Option<[u8; N]>> {
    if at.saturating_add(N as u64) > source.len() {
        return Ok(None);
    }
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = [0; N];
    match source.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}
