//! Where a seat's sound comes from: a recording, a microphone, a member of a voice channel.

use crate::cli::exit::Failure;

/// What a source does in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// There was sound.
    Frame,
    /// Nothing is played.
    Silence,
    /// Everything was played.
    Over,
}

/// One speaker's sound, asked for 50 times a second.
pub trait Source: Send {
    /// The name shown in captions.
    fn name(&self) -> &str;

    /// Adds what came since the last frame to `sound`: 16 kHz mono, full scale -1.0 to 1.0; 320 samples on the average,
    /// none while the network is late. `now` is the room's frame; `answered` says that the room is at rest: the next
    /// recording may begin once it is, and `pause` frames have passed.
    fn pull(&mut self, now: u64, answered: bool, pause: u64, sound: &mut Vec<f32>) -> Sound;

    /// The end of speech between two moments of the room in milliseconds, where it was marked beforehand.
    fn end_of_speech(&self, from_ms: u64, to_ms: u64) -> Option<u64> {
        let _ = (from_ms, to_ms);
        None
    }

    /// Whether Goobster's own voice comes back through it.
    fn hears_us(&self) -> bool {
        false
    }

    /// What went wrong, if anything; told once.
    fn take_failure(&mut self) -> Option<Failure> {
        None
    }

    /// What was damaged but played all the same; told once.
    fn take_notice(&mut self) -> Option<String> {
        None
    }
}
