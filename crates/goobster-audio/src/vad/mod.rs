//! Voice activity: how likely it is that a short window of sound holds speech.
//!
//! Two detectors share one trait. [`SileroDetector`] is the standard: it tells music and tones from speech.
//! [`EarshotDetector`] costs about the same and needs no model file, but takes music for speech. An energy gate is not
//! offered: in white noise 3 dB under the voice it calls every window speech. Figures are in `docs/hearing.md`.

mod earshot;
pub mod silero;

pub use self::earshot::EarshotDetector;
pub use self::silero::{SileroDetector, SileroWeights, WeightsError};

/// A streaming detector of speech in 16 kHz mono sound. One a speaker: it remembers what it heard.
pub trait VoiceDetector {
    /// The samples that each call of [`probability`](Self::probability) takes.
    fn window(&self) -> usize;

    /// The probability, `0.0..=1.0`, that the next window holds speech.
    ///
    /// `samples` holds exactly [`window`](Self::window) samples in `-1.0..=1.0`; a window of another length is not
    /// judged and gives 0. Samples that are not finite count as silence. Allocates nothing.
    fn probability(&mut self, samples: &[f32]) -> f32;

    /// Forgets everything heard, as at the start of a stream.
    fn reset(&mut self);
}

impl<D: VoiceDetector + ?Sized> VoiceDetector for Box<D> {
    fn window(&self) -> usize {
        (**self).window()
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        (**self).probability(samples)
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// A sample that no detector or recogniser can choke on: in `-1.0..=1.0`, and 0 for what is not finite.
pub(crate) fn sane(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}
