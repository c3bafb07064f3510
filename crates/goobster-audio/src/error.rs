//! The one error type of this crate: what was wrong, where, and what to do about it.
//!
//! Every message is written for the person who typed the command, so it can be printed as it is. `place` is the
//! path as the caller gave it, or the name given to a reader.

use std::io;
use std::time::Duration;

/// What can go wrong between bytes and utterances.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// There is no file at the given path.
    #[error("{place}: no such file; check the spelling and the folder")]
    Missing {
        /// The path as given.
        place: String,
    },
    /// The path names a folder, a pipe or a device: nothing that can be read twice, as finding out what is in it takes.
    #[error("{place}: this is {what}, not a recording; {remedy}")]
    NotAFile {
        /// The path as given.
        place: String,
        /// What it is.
        what: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// Reading failed for a reason outside the data: permissions, a failing disk, a connection.
    #[error("{place}: reading failed at byte {offset}: {source}")]
    Read {
        /// The path as given.
        place: String,
        /// How far reading had come, in bytes.
        offset: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// Writing failed: permissions, a full disk.
    #[error("{place}: cannot write: {source}; check that the folder exists, may be written, and has space")]
    Write {
        /// The path as given.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has no bytes at all.
    #[error("{place}: the file is empty (0 bytes); was the recording or the download interrupted?")]
    Empty {
        /// The path as given.
        place: String,
    },
    /// The bytes are something else than a recording.
    #[error("{place}: not an audio file: {looks_like}; give a wav, flac, mp3, ogg, opus, m4a or mkv file")]
    NotAudio {
        /// The path as given.
        place: String,
        /// What the bytes look like instead.
        looks_like: String,
    },
    /// A well-formed audio file that holds no sample.
    #[error("{place}: the {container} file is well formed but holds no sound (zero length); record it again")]
    NoSamples {
        /// The path as given.
        place: String,
        /// The container's name.
        container: String,
    },
    /// The file ends before its sound begins; a file cut later is decoded up to the cut and only warned about.
    #[error("{place}: cut off at byte {length}, before any sound: {detail}; copy or download it again")]
    Truncated {
        /// The path as given.
        place: String,
        /// The length of the file in bytes.
        length: u64,
        /// What is missing.
        detail: String,
    },
    /// The sound is there but locked.
    #[error("{place}: the audio is encrypted ({scheme}) and cannot be read; export an unprotected copy")]
    Encrypted {
        /// The path as given.
        place: String,
        /// How it is encrypted, as far as the file says.
        scheme: String,
    },
    /// A container or codec that nothing here decodes.
    #[error("{place}: {what} is not supported; convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`")]
    Unsupported {
        /// The path as given.
        place: String,
        /// The container, codec or feature.
        what: String,
    },
    /// More channels than a mix to mono is defined for.
    #[error("{place}: {channels} channels, at most {max} are supported; mix the file down first")]
    TooManyChannels {
        /// The path as given.
        place: String,
        /// The number of channels in the file.
        channels: usize,
        /// The most that is supported.
        max: usize,
    },
    /// A sample rate outside what recordings use.
    #[error("{place}: a sample rate of {rate} Hz; 8000 to 192000 Hz are supported; resample the file first")]
    SampleRate {
        /// The path as given, or the part that was asked.
        place: String,
        /// The rate found, in Hz.
        rate: u32,
    },
    /// The data is damaged so badly that nothing of it could be decoded.
    #[error("{place}: damaged: {detail} (at {at:.1?}); nothing could be decoded, try another copy")]
    Corrupt {
        /// The path as given.
        place: String,
        /// What was found.
        detail: String,
        /// The time in the recording.
        at: Duration,
    },
    /// The data asks for more memory than any honest file needs.
    #[error("{place}: damaged or hostile: {what} of {value} exceeds the limit of {limit}")]
    Limit {
        /// The path as given.
        place: String,
        /// What is too large.
        what: &'static str,
        /// The size asked for.
        value: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// A packet that is no valid Opus (RFC 6716, section 3).
    #[error("an Opus packet of {bytes} bytes is invalid: {reason}; treat it as lost")]
    OpusPacket {
        /// The packet's length.
        bytes: usize,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// libopus refused something other than a packet.
    #[error("libopus failed to {action}: {source}")]
    Opus {
        /// What was asked of it.
        action: &'static str,
        /// What it answered.
        source: opus2::Error,
    },
    /// A conversion of sample rates that cannot be done.
    #[error("cannot resample {channels} channels from {from} Hz to {to} Hz: {detail}")]
    Resample {
        /// The input rate in Hz.
        from: u32,
        /// The output rate in Hz.
        to: u32,
        /// The number of channels.
        channels: usize,
        /// Why not.
        detail: String,
    },
}

impl AudioError {
    /// Whether the data given by the user is at fault, rather than the machine or the program.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Opus { .. } | Self::Resample { .. } => false,
            Self::Missing { .. }
            | Self::NotAFile { .. }
            | Self::Read { .. }
            | Self::Empty { .. }
            | Self::NotAudio { .. }
            | Self::NoSamples { .. }
            | Self::Truncated { .. }
            | Self::Encrypted { .. }
            | Self::Unsupported { .. }
            | Self::TooManyChannels { .. }
            | Self::SampleRate { .. }
            | Self::Corrupt { .. }
            | Self::Limit { .. }
            | Self::OpusPacket { .. } => true,
        }
    }
}
