//! 48 kHz stereo to 16 kHz mono, one pass from `i16` to `f32`: for sound that comes at 48 kHz whatever one asks for.
//!
//! A linear-phase filter of 216 taps, applied only where an output is wanted: flat within 0.01 dB to 7 kHz, at least
//! 95 dB down from 8.1 kHz (the noise floor of 16 bits), 2.24 ms late. The FFT of [`resample`](crate::resample) is
//! cleaner still, at twice the time and four times the delay, and takes any rate.

mod design;
mod kernel;

use std::sync::LazyLock;

use crate::error::AudioError;
use kernel::{Engine, PHASE_TAPS, Phases, Planes};

/// Frames in for each sample out.
const FACTOR: usize = 3;
/// The filter's length: a multiple of 72, so that each of the three phases is a whole number of vectors.
const TAPS: usize = 216;
/// Outputs made at once: 5 ms.
const BLOCK: usize = 80;
/// Blocks that wait at most: 20 ms, a frame.
const BLOCKS: usize = 4;
/// Samples of a plane before the first new one.
const HISTORY: usize = PHASE_TAPS - 1;
/// Samples of a plane: what was heard before, and 20 ms.
const PLANE: usize = HISTORY + BLOCKS * BLOCK;
/// Interleaved numbers that make one output.
const STEP: usize = 2 * FACTOR;

static PHASES: LazyLock<Phases> = LazyLock::new(|| {
    let taps = design::taps();
    // The planes hold left + right of 16 bits each: full scale is 65,536.
    std::array::from_fn(|p| std::array::from_fn(|k| (taps[FACTOR * k + p] / 65_536.0) as f32))
});

/// Converts a stream of 48 kHz stereo into 16 kHz mono, the mean of both channels.
///
/// One a stream, about 5 kB. Blocks of any length may come: what does not fill 5 ms waits for the next. Frames of 5, 10,
/// 20, 40 or 60 ms come out whole. Nothing is allocated once the output has grown to its working size.
#[derive(Debug, Clone)]
pub struct Decimator {
    engine: Engine,
    phases: &'static Phases,
    planes: Box<Planes>,
    /// New samples in each plane.
    filled: usize,
    /// Numbers that do not make a whole output yet.
    odd: [i16; STEP],
    odd_filled: usize,
}

impl Decimator {
    /// What goes in, in Hz.
    pub const FROM_RATE: u32 = 48_000;
    /// How late the output is, in seconds: half the filter.
    pub const LATENCY: f64 = (TAPS - 1) as f64 / 2.0 / Self::FROM_RATE as f64;

    /// A decimator that has heard nothing yet. The first of a process designs the filter, which takes milliseconds.
    pub fn new() -> Self {
        Self::with_engine(Engine::best())
    }

    /// A decimator that uses no vector instructions beyond those every machine of its kind has: for comparisons.
    #[doc(hidden)]
    pub fn portable() -> Self {
        Self::with_engine(Engine::Portable)
    }

    fn with_engine(engine: Engine) -> Self {
        Self {
            engine,
            phases: &PHASES,
            planes: Box::new([[0.0; PLANE]; FACTOR]),
            filled: 0,
            odd: [0; STEP],
            odd_filled: 0,
        }
    }

    /// Takes interleaved stereo (left, right) and appends what is ready to `out`: one sample for three frames, in
    /// `-1.0..=1.0` but for the filter's overshoot.
    ///
    /// # Errors
    /// When `stereo` holds an odd number of samples: it would end between left and right. Nothing is taken then.
    pub fn process(&mut self, stereo: &[i16], out: &mut Vec<f32>) -> Result<(), AudioError> {
        if !stereo.len().is_multiple_of(2) {
            return Err(AudioError::Resample {
                from: Self::FROM_RATE,
                to: crate::SAMPLE_RATE,
                channels: 2,
                detail: format!("{} samples are no whole number of frames", stereo.len()),
            });
        }
        let mut rest = stereo;
        if self.odd_filled > 0 {
            let taken = rest.len().min(STEP - self.odd_filled);
            let (now, later) = rest.split_at(taken);
            self.odd[self.odd_filled..self.odd_filled + taken].copy_from_slice(now);
            self.odd_filled += taken;
            rest = later;
            if self.odd_filled < STEP {
                return Ok(());
            }
            self.odd_filled = 0;
            let whole = self.odd;
            self.take(&whole, out);
        }
        let whole = rest.len() - rest.len() % STEP;
        let (whole, odd) = rest.split_at(whole);
        self.take(whole, out);
        self.odd[..odd.len()].copy_from_slice(odd);
        self.odd_filled = odd.len();
        Ok(())
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        *self.planes = [[0.0; PLANE]; FACTOR];
        self.filled = 0;
        self.odd_filled = 0;
    }

    /// Takes frames that make whole outputs.
    fn take(&mut self, mut stereo: &[i16], out: &mut Vec<f32>) {
        while !stereo.is_empty() {
            let taken = (stereo.len() / STEP).min(BLOCKS * BLOCK - self.filled);
            let (now, later) = stereo.split_at(taken * STEP);
            self.engine.split(now, &mut self.planes, HISTORY + self.filled);
            self.filled += taken;
            stereo = later;
            let blocks = self.filled / BLOCK;
            let start = out.len();
            out.resize(start + blocks * BLOCK, 0.0);
            for (b, block) in out[start..].as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                self.engine.filter(self.phases, &self.planes, b * BLOCK, block);
            }
            let done = blocks * BLOCK;
            if done > 0 {
                self.filled -= done;
                for plane in &mut *self.planes {
                    plane.copy_within(done..done + HISTORY + self.filled, 0);
                }
            }
        }
    }
}

impl Default for Decimator {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
