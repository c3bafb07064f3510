//! File and Opus decoding, resampling, voice activity and endpointing: bytes in, utterances out.
//!
//! Everything is synchronous, streaming and bounded, and works in 16 kHz mono; nothing here knows tokio or Discord.
//!
//! - [`mod@file`]: recordings of any common format, decoded piece by piece.
//! - [`opus`]: packets from the network, one decoder a speaker, with concealment of what is lost.
//! - [`decimate`]: 48 kHz stereo as Discord's clients and sound cards give it, to 16 kHz mono, by a filter of its own.
//! - [`resample`]: any sample rate to any other, for streams.
//! - [`vad`]: how likely a short window holds speech; [`endpoint`]: where utterances begin and end.
//! - [`listener`]: both, with pre-roll and buffers from a [`pool`]: one speaker's sound in, utterances out.
//! - [`marks`]: where speech really ends, for measurements; [`position`]: places in a stream.
//! - [`wav`]: what is spoken, written to disk.
//! - [`frame`]: the 20 ms that everything downstream works in.
//! - [`error`]: the one error type of this crate.

pub mod decimate;
pub mod endpoint;
pub mod error;
pub mod file;
pub mod frame;
mod lanes;
pub mod listener;
pub mod marks;
pub mod opus;
pub mod pool;
pub mod position;
pub mod resample;
pub mod vad;
pub mod wav;

pub use error::AudioError;
pub use frame::{FRAME_SAMPLES, Frame, Framer, SAMPLE_RATE};
