//! What every kind of recording is to the reader above: steps of mono sound on one time line.

use std::time::Duration;

use super::info::{Damage, FileInfo, Length};
use crate::error::AudioError;

/// Holes in the time stamps up to this long become silence; a longer one is a time stamp gone wrong.
pub(super) const MAX_GAP: Duration = Duration::from_mins(10);

/// One piece of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The buffer holds sound at this rate in Hz.
    Audio {
        /// In Hz.
        rate: u32,
    },
    /// So many samples of nothing, at this rate in Hz; the buffer is not used.
    Silence {
        /// How many.
        samples: u64,
        /// In Hz.
        rate: u32,
    },
    /// Nothing more comes.
    End,
}

/// A recording being decoded and mixed to mono at its own rate.
pub(super) trait Pcm: Send {
    /// Decodes the next piece into `mono`, replacing what it held. An error ends the recording.
    fn step(&mut self, mono: &mut Vec<f32>) -> Result<Step, AudioError>;
    /// How it is stored.
    fn info(&self) -> &FileInfo;
    /// How long it is said to be.
    fn length(&self) -> Length;
    /// What could not be decoded so far.
    fn damage(&self) -> &Damage;
}
