//! Speech-to-text and text-to-speech adapters behind the ports of goobster-core.

pub mod scoring;
pub mod stt;

pub mod normalise;
pub mod tts;
