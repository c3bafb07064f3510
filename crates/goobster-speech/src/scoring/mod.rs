//! Scoring recognised text against a transcript: both are normalised after the rules of Whisper's English normaliser,
//! then compared word by word.

mod normalise;
mod numbers;
mod spelling;
mod wer;

pub use normalise::normalise_english;
pub use wer::{WordErrors, word_errors};
