//! Silero VAD v6 at 16 kHz as a hand-written forward pass: no ONNX Runtime, no allocation a window.
//!
//! The network takes 512 new samples with 64 of context, mirrored by 64 at the end: a Hann-windowed Fourier transform
//! (256 points, hop 128: four frames), four convolutions with rectifiers, an LSTM of 128 cells, one output with a sigmoid.
//! The transform is done as an FFT and the zero padding of the convolutions is left out; the rest follows the graph in
//! `silero_vad.onnx`. Only the arithmetic is our own: the weights are Silero's (MIT).

// Inlining carries the vector instructions into the one function compiled for them, and kernels read best by index.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

mod fourier;
mod network;
mod weights;

use std::sync::Arc;

use super::{VoiceDetector, sane};
use network::{Memory, Scratch};
pub use weights::{SileroWeights, WeightsError};

/// Samples a window: 32 ms.
pub const WINDOW: usize = 512;
/// Samples of the window before that each window sees again.
const CONTEXT: usize = 64;
/// Context, window, and the mirrored end.
const INPUT: usize = CONTEXT + WINDOW + CONTEXT;

/// Voice activity by Silero. The weights are shared, the state is about 20 kB a speaker.
pub struct SileroDetector {
    weights: Arc<SileroWeights>,
    engine: Engine,
    stream: Box<Stream>,
}

/// What one speaker needs: what the network remembers, and room to work.
struct Stream {
    input: [f32; INPUT],
    memory: Memory,
    scratch: Scratch,
}

/// Which arithmetic this machine runs; both agree to about a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Engine {
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self::Avx2;
        }
        Self::Portable
    }
}

impl SileroDetector {
    /// A detector that has heard nothing yet.
    pub fn new(weights: Arc<SileroWeights>) -> Self {
        Self::with_engine(weights, Engine::best())
    }

    fn with_engine(weights: Arc<SileroWeights>, engine: Engine) -> Self {
        let stream = Stream {
            input: [0.0; INPUT],
            memory: Memory::default(),
            scratch: Scratch::default(),
        };
        Self {
            weights,
            engine,
            stream: Box::new(stream),
        }
    }
}

impl std::fmt::Debug for SileroDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SileroDetector")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl VoiceDetector for SileroDetector {
    fn window(&self) -> usize {
        WINDOW
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        if samples.len() != WINDOW {
            debug_assert!(false, "a window has {WINDOW} samples, this has {}", samples.len());
            return 0.0;
        }
        let Stream {
            input,
            memory,
            scratch,
        } = &mut *self.stream;
        input.copy_within(WINDOW..WINDOW + CONTEXT, 0);
        for (slot, sample) in input[CONTEXT..].iter_mut().zip(samples) {
            *slot = sane(*sample);
        }
        let (heard, mirrored) = input.split_at_mut(CONTEXT + WINDOW);
        // Reflected about the last sample, which is not repeated.
        for (slot, sample) in mirrored.iter_mut().zip(heard.iter().rev().skip(1)) {
            *slot = *sample;
        }
        match self.engine {
            Engine::Portable => network::forward_portable(&self.weights, input, memory, scratch),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 => network::forward_avx2(&self.weights, input, memory, scratch),
        }
    }

    fn reset(&mut self) {
        self.stream.input = [0.0; INPUT];
        self.stream.memory = Memory::default();
    }
}

#[cfg(test)]
mod tests;
