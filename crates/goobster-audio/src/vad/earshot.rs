//! The small detector: the `earshot` crate, its weights inside the program.

use earshot::Detector;

use super::{VoiceDetector, sane};

/// Samples a window: 16 ms.
const WINDOW: usize = 256;

/// Voice activity by `earshot`: pure Rust, no model file, about 8 µs for each window of 16 ms.
///
/// It hears music as speech; where that matters, use [`SileroDetector`](super::SileroDetector).
pub struct EarshotDetector {
    detector: Box<Detector>,
}

impl EarshotDetector {
    /// A detector that has heard nothing yet.
    pub fn new() -> Self {
        Self {
            detector: Detector::default_boxed(),
        }
    }
}

impl Default for EarshotDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for EarshotDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EarshotDetector")
    }
}

impl VoiceDetector for EarshotDetector {
    fn window(&self) -> usize {
        WINDOW
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        let Ok(samples) = <&[f32; WINDOW]>::try_from(samples) else {
            debug_assert!(false, "a window has {WINDOW} samples, this has {}", samples.len());
            return 0.0;
        };
        let probability = self.detector.predict_f32(&samples.map(sane));
        if probability.is_finite() {
            probability.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    fn reset(&mut self) {
        self.detector.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_not_speech_and_bad_samples_are_survived() {
        let mut detector = EarshotDetector::new();
        for _ in 0..100 {
            assert!(detector.probability(&[0.0; WINDOW]) < 0.4);
        }
        for bad in [f32::NAN, f32::INFINITY, -1e30] {
            assert!((0.0..=1.0).contains(&detector.probability(&[bad; WINDOW])));
        }
        detector.reset();
        assert!(detector.probability(&[0.0; WINDOW]) < 0.4);
    }
}
