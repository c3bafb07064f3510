//! Text-to-speech: engines behind core's `TextToSpeech` port.
//!
//! [`piper`] is the neural voice, [`espeak`] speaks every language, [`openai`] asks a server, [`host`] speaks through
//! the operator's own machine (its adapter needs the feature `host-voice`). [`Voices`] chooses among them; [`SpeechCache`] remembers.
//!
//! A text takes this way: normalised for speaking (`crate::normalise`), cut into pieces so that the first one is heard
//! early (`pieces`), rendered on the engine's thread (`render`), its edges made ready to be joined (`joins`).

mod cache;
mod chooser;
pub mod espeak;
mod failure;
pub mod host;
mod joins;
pub mod openai;
mod pieces;
pub mod piper;
mod render;
#[cfg(test)]
mod test_assets;
pub(crate) mod wav;

pub use cache::{CacheStats, SpeechCache};
pub use chooser::Voices;
