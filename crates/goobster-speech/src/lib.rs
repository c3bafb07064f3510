//! Speech-to-text and text-to-speech adapters behind the ports of goobster-core.

#[cfg(fuzzing)]
pub mod fuzzing;
pub mod scoring;
pub mod stt;

pub mod normalise;
pub mod tts;
