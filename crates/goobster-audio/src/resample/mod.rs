//! Sample-rate conversion, both directions, for streams of any length.
//!
//! A thin layer over rubato's FFT resampler, which measures flat to 7 kHz with more than 120 dB of alias rejection at
//! the cost of a hand-written filter. What this layer adds is what a stream needs: blocks of any size, a compensated
//! delay (sample 0 of the output is sample 0 of the input), and an exact length after [`Resampler::flush`].

mod playback;

use rubato::{FftFixedInOut, Resampler as _};

use crate::error::AudioError;

pub use playback::PlaybackResampler;

/// The lowest sample rate that is accepted, in Hz (telephony).
pub const MIN_RATE: u32 = 8_000;
/// The highest sample rate that is accepted, in Hz.
pub const MAX_RATE: u32 = 192_000;
/// The most channels that are accepted (7.1).
pub const MAX_CHANNELS: usize = 8;

/// FFT blocks a second that are aimed for: 20 ms of input a block keeps the delay at 10 ms and the filter steep.
/// Rates with a small common divisor need longer blocks, at most two seconds.
const BLOCKS_PER_SECOND: u32 = 50;

/// Converts interleaved sound from one sample rate to another.
///
/// No allocation happens in [`process`](Self::process) once the output vector has grown to its working size.
pub struct Resampler {
    from: u32,
    to: u32,
    channels: usize,
    /// `None` when the rates are equal: samples are passed on untouched.
    fft: Option<FftFixedInOut<f32>>,
    /// One block of input, planar; the first `filled` frames are valid.
    input: Vec<Vec<f32>>,
    filled: usize,
    /// One block of output, planar.
    output: Vec<Vec<f32>>,
    /// Output frames still to be dropped, so that the filter's delay does not shift the sound.
    skip: usize,
    frames_in: u64,
    frames_out: u64,
}

impl Resampler {
    /// A resampler from `from` Hz to `to` Hz ([`MIN_RATE`] to [`MAX_RATE`]) for 1 to [`MAX_CHANNELS`] channels.
    pub fn new(from: u32, to: u32, channels: usize) -> Result<Self, AudioError> {
        let refuse = |detail: String| AudioError::Resample {
            from,
            to,
            channels,
            detail,
        };
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(refuse(format!("1 to {MAX_CHANNELS} channels are supported")));
        }
        for rate in [from, to] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(refuse(format!(
                    "rates from {MIN_RATE} to {MAX_RATE} Hz are supported"
                )));
            }
        }
        let fft = if from == to {
            None
        } else {
            let fft = FftFixedInOut::new(from as usize, to as usize, block_frames(from, to), channels);
            Some(fft.map_err(|e| refuse(e.to_string()))?)
        };
        let (block_in, block_out) = fft
            .as_ref()
            .map_or((0, 0), |fft| (fft.input_frames_max(), fft.output_frames_max()));
        Ok(Self {
            from,
            to,
            channels,
            skip: fft.as_ref().map_or(0, rubato::Resampler::output_delay),
            fft,
            input: vec![vec![0.0; block_in]; channels],
            filled: 0,
            output: vec![vec![0.0; block_out]; channels],
            frames_in: 0,
            frames_out: 0,
        })
    }

    /// The input rate in Hz.
    pub const fn from_rate(&self) -> u32 {
        self.from
    }

    /// The output rate in Hz.
    pub const fn to_rate(&self) -> u32 {
        self.to
    }

    /// The number of channels.
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Input frames that may be held back before output appears: one block and the filter's delay.
    pub fn latency_frames(&self) -> usize {
        self.fft
            .as_ref()
            .map_or(0, |fft| fft.input_frames_max() + fft.input_frames_max() / 2)
    }

    /// Takes interleaved frames and appends what is ready to `out`, interleaved.
    ///
    /// A trailing incomplete frame (a length that is no multiple of the channels) is an error.
    pub fn process(&mut self, interleaved: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        if !interleaved.len().is_multiple_of(self.channels) {
            return Err(self.refuse(format!(
                "{} samples are no whole number of frames",
                interleaved.len()
            )));
        }
        self.frames_in += (interleaved.len() / self.channels) as u64;
        if self.fft.is_none() {
            out.extend_from_slice(interleaved);
            self.frames_out = self.frames_in;
            return Ok(());
        }
        let mut rest = interleaved;
        while !rest.is_empty() {
            let block = self.input[0].len();
            let take = (block - self.filled).min(rest.len() / self.channels);
            let (now, later) = rest.split_at(take * self.channels);
            for (channel, plane) in self.input.iter_mut().enumerate() {
                let slots = plane[self.filled..self.filled + take].iter_mut();
                for (slot, frame) in slots.zip(now.chunks_exact(self.channels)) {
                    *slot = frame[channel];
                }
            }
            self.filled += take;
            rest = later;
            if self.filled == block {
                self.run_block(u64::MAX, out)?;
            }
        }
        Ok(())
    }

    /// Appends everything still held back, so that `round(frames in * to / from)` frames have come out in total,
    /// and makes the resampler ready for a new stream.
    pub fn flush(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let target = self.expected_frames();
        while self.fft.is_some() && self.frames_out < target {
            for plane in &mut self.input {
                plane[self.filled..].fill(0.0);
            }
            self.run_block(target, out)?;
        }
        self.reset();
        Ok(())
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        if let Some(fft) = &mut self.fft {
            fft.reset();
            self.skip = fft.output_delay();
        }
        self.filled = 0;
        self.frames_in = 0;
        self.frames_out = 0;
    }

    /// `round(frames_in * to / from)`.
    fn expected_frames(&self) -> u64 {
        let scaled = u128::from(self.frames_in) * u128::from(self.to) + u128::from(self.from / 2);
        u64::try_from(scaled / u128::from(self.from)).unwrap_or(u64::MAX)
    }

    /// Runs the full input block and appends its output, never beyond `limit` frames in total.
    fn run_block(&mut self, limit: u64, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(fft) = &mut self.fft else { return Ok(()) };
        let done = fft.process_into_buffer(&self.input, &mut self.output, None);
        let (_, produced) = done.map_err(|e| self.refuse(e.to_string()))?;
        self.filled = 0;
        let skipped = self.skip.min(produced);
        self.skip -= skipped;
        let wanted = usize::try_from(limit - self.frames_out).unwrap_or(usize::MAX);
        let kept = wanted.min(produced - skipped);
        if let [mono] = self.output.as_slice() {
            out.extend_from_slice(&mono[skipped..skipped + kept]);
        } else {
            for frame in skipped..skipped + kept {
                out.extend(self.output.iter().map(|plane| plane[frame]));
            }
        }
        self.frames_out += kept as u64;
        Ok(())
    }

    fn refuse(&self, detail: String) -> AudioError {
        AudioError::Resample {
            from: self.from,
            to: self.to,
            channels: self.channels,
            detail,
        }
    }
}

/// Input frames a block: a multiple of the smallest that gives whole output frames, and such that the filter's delay
/// (half a block) is whole on both sides; half a sample of error would cost 40 dB.
fn block_frames(from: u32, to: u32) -> usize {
    let divisor = greatest_common_divisor(from, to);
    let (step_in, step_out) = (from / divisor, to / divisor);
    let steps = (from / BLOCKS_PER_SECOND).div_ceil(step_in);
    let odd = !(steps * step_in).is_multiple_of(2) || !(steps * step_out).is_multiple_of(2);
    ((steps + u32::from(odd)) * step_in) as usize
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("channels", &self.channels)
            .field("frames_in", &self.frames_in)
            .field("frames_out", &self.frames_out)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
