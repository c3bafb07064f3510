//! Every way here from 48 kHz stereo `i16` to 16 kHz mono `f32`, behind one trait, a 20 ms frame at a time.
//!
//! The peers take mono `f32`: the mean of both channels is made for them first, as whoever uses them would.

mod library;
mod soxr;
mod speexdsp;

use goobster_audio::decimate::Decimator;
use rubato::{FftFixedInOut, Resampler as _};

pub use soxr::Soxr;
pub use speexdsp::Speexdsp;

/// Stereo frames in 20 ms.
pub const FRAME: usize = 960;

/// One of them.
pub trait ToSpeech {
    /// Takes 20 ms of interleaved stereo and appends what is ready.
    fn frame(&mut self, stereo: &[i16], out: &mut Vec<f32>);
}

/// Ours.
impl ToSpeech for Decimator {
    fn frame(&mut self, stereo: &[i16], out: &mut Vec<f32>) {
        if let Err(error) = self.process(stereo, out) {
            unreachable!("a frame is whole: {error}");
        }
    }
}

/// The mean of both channels, written over `mono`.
pub fn mix(stereo: &[i16], mono: &mut [f32]) {
    for ([left, right], to) in stereo.as_chunks::<2>().0.iter().zip(mono) {
        *to = (i32::from(*left) + i32::from(*right)) as f32 * (1.0 / 65_536.0);
    }
}

/// rubato's FFT, a frame at a time.
pub struct Rubato {
    fft: FftFixedInOut<f32>,
    mono: [Vec<f32>; 1],
    out: [Vec<f32>; 1],
}

impl Rubato {
    /// One that has heard nothing.
    ///
    /// # Errors
    /// rubato's, in words.
    pub fn new() -> Result<Self, String> {
        Ok(Self {
            fft: FftFixedInOut::new(48_000, 16_000, FRAME, 1).map_err(|e| e.to_string())?,
            mono: [vec![0.0; FRAME]],
            out: [vec![0.0; FRAME / 3]],
        })
    }
}

impl ToSpeech for Rubato {
    fn frame(&mut self, stereo: &[i16], out: &mut Vec<f32>) {
        mix(stereo, &mut self.mono[0]);
        if let Err(error) = self.fft.process_into_buffer(&self.mono, &mut self.out, None) {
            unreachable!("buffers have their sizes: {error}");
        }
        out.extend_from_slice(&self.out[0]);
    }
}
