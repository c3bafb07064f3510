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
use network::{Memory, Network, Pass, Scratch, Together};
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
        let mut window = SileroWindow::new(self, samples);
        judge_one(&mut window);
        window.probability
    }

    fn reset(&mut self) {
        self.stream.input = [0.0; INPUT];
        self.stream.memory = Memory::default();
    }
}

impl Stream {
    /// Takes a window in, with what it sees again of the one before.
    fn fill(&mut self, samples: &[f32]) {
        let input = &mut self.input;
        input.copy_within(WINDOW..WINDOW + CONTEXT, 0);
        for (slot, sample) in input[CONTEXT..].iter_mut().zip(samples) {
            *slot = sane(*sample);
        }
        let (heard, mirrored) = input.split_at_mut(CONTEXT + WINDOW);
        // Reflected about the last sample, which is not repeated.
        for (slot, sample) in mirrored.iter_mut().zip(heard.iter().rev().skip(1)) {
            *slot = *sample;
        }
    }
}

/// The next window of one of several speakers.
#[derive(Debug)]
pub struct SileroWindow<'a> {
    detector: &'a mut SileroDetector,
    samples: &'a [f32],
    probability: f32,
}

impl<'a> SileroWindow<'a> {
    /// A window to be judged; as for [`VoiceDetector::probability`], one of another length than [`WINDOW`] gives 0.
    pub fn new(detector: &'a mut SileroDetector, samples: &'a [f32]) -> Self {
        debug_assert!(
            samples.len() == WINDOW,
            "a window has {WINDOW} samples, this has {}",
            samples.len()
        );
        Self {
            detector,
            samples,
            probability: 0.0,
        }
    }

    /// The probability that it holds speech; 0 before it was judged.
    pub fn probability(&self) -> f32 {
        self.probability
    }
}

/// Judges windows of several speakers, each equal to the last bit to what [`VoiceDetector::probability`] would have
/// given. The weights are read once for four of them, which takes a quarter less time. Allocates nothing.
pub fn judge_together(windows: &mut [SileroWindow<'_>]) {
    let (fours, rest) = windows.as_chunks_mut::<4>();
    fours.iter_mut().for_each(judge::<4>);
    let (twos, rest) = rest.as_chunks_mut::<2>();
    twos.iter_mut().for_each(judge::<2>);
    rest.iter_mut().for_each(judge_one);
}

fn judge_one(window: &mut SileroWindow<'_>) {
    judge(std::array::from_mut(window));
}

fn judge<const N: usize>(windows: &mut [SileroWindow<'_>; N])
where
    Network: Together<N> + Together<1>,
{
    let (weights, engine) = (
        Arc::clone(&windows[0].detector.weights),
        windows[0].detector.engine,
    );
    let alike = |w: &SileroWindow<'_>| {
        w.samples.len() == WINDOW && w.detector.engine == engine && Arc::ptr_eq(&w.detector.weights, &weights)
    };
    if !windows.iter().all(alike) {
        if N > 1 {
            windows.iter_mut().for_each(judge_one);
        }
        return;
    }
    for window in &mut *windows {
        window.detector.stream.fill(window.samples);
    }
    let passes = windows.each_mut().map(|window| {
        let Stream {
            input,
            memory,
            scratch,
        } = &mut *window.detector.stream;
        Pass {
            input,
            memory,
            scratch,
        }
    });
    let probabilities = match engine {
        Engine::Portable => <Network as Together<N>>::portable(&weights, passes),
        #[cfg(target_arch = "x86_64")]
        Engine::Avx2 => <Network as Together<N>>::avx2(&weights, passes),
    };
    for (window, probability) in windows.iter_mut().zip(probabilities) {
        window.probability = probability;
    }
}

#[cfg(test)]
mod tests;
