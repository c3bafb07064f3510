//! From a voice's own rate to what Discord and loudspeakers play: 48 kHz stereo.

use super::Resampler;
use crate::error::AudioError;

/// The playback rate in Hz.
const PLAYBACK_RATE: u32 = 48_000;

/// Converts a mono voice (Piper speaks at 16 or 22.05 kHz, others at 24 kHz) to interleaved 48 kHz stereo, both
/// channels alike. The voice is resampled once, before it is doubled.
#[derive(Debug)]
pub struct PlaybackResampler {
    inner: Resampler,
    mono: Vec<f32>,
}

impl PlaybackResampler {
    /// A converter from mono at `from` Hz.
    pub fn new(from: u32) -> Result<Self, AudioError> {
        Ok(Self {
            inner: Resampler::new(from, PLAYBACK_RATE, 1)?,
            mono: Vec::new(),
        })
    }

    /// Takes mono samples and appends what is ready to `out` as left, right, left, right.
    pub fn process(&mut self, mono: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.mono.clear();
        self.inner.process(mono, &mut self.mono)?;
        self.double(out);
        Ok(())
    }

    /// Appends the rest of the stream; ready for the next one afterwards.
    pub fn flush(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.mono.clear();
        self.inner.flush(&mut self.mono)?;
        self.double(out);
        Ok(())
    }

    fn double(&self, out: &mut Vec<f32>) {
        out.reserve(self.mono.len() * 2);
        for sample in &self.mono {
            out.extend_from_slice(&[*sample, *sample]);
        }
    }
}
