//! Opus, decoded by libopus straight to 16 kHz mono.
//!
//! Asking libopus for 16 kHz mono is cheaper than decoding 48 kHz stereo and converting it: 10 against 29 µs a frame
//! for voice. With a buffer of exactly 320 samples, a lost packet is concealed by exactly 20 ms, so time never drifts.

mod bridge;
mod losses;
mod packet;

use opus2::{Channels, Decoder};

use crate::error::AudioError;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};

pub use losses::{MadeGood, StreamDecoder};
pub use packet::{MAX_PACKET_BYTES, carries_predecessor, packet_samples};

/// The longest packet: 120 ms.
pub(crate) const MAX_PACKET_SAMPLES: usize = 6 * FRAME_SAMPLES;
/// Concealment works in steps of 2.5 ms.
const CONCEAL_STEP: usize = FRAME_SAMPLES / 8;

/// The decoder of one speaker: Opus packets in, 16 kHz mono out. Allocates nothing after it is made.
///
/// Packets from the network are hostile: each is checked before libopus sees it, and a bad one changes nothing.
#[derive(Debug)]
pub struct SpeechDecoder {
    inner: Decoder,
    pcm: Box<[f32; MAX_PACKET_SAMPLES]>,
}

impl SpeechDecoder {
    /// A decoder that has heard nothing yet.
    pub fn new() -> Result<Self, AudioError> {
        let inner = Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(|source| AudioError::Opus {
            action: "make a decoder",
            source,
        })?;
        Ok(Self {
            inner,
            pcm: Box::new([0.0; MAX_PACKET_SAMPLES]),
        })
    }

    /// Decodes the next packet: 40 to 1920 samples (2.5 to 120 ms), 320 from Discord; full scale is -1.0 to 1.0.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], AudioError> {
        let expected = packet_samples(packet)?;
        let run = self.inner.decode_float(packet, &mut self.pcm[..expected], false);
        self.finish(packet.len(), run)
    }

    /// Stands in for one lost 20 ms packet: exactly 320 samples that continue the sound and fade.
    pub fn conceal(&mut self) -> Result<&[f32], AudioError> {
        self.conceal_samples(FRAME_SAMPLES)
    }

    /// Stands in for a lost packet of another length, rounded to 2.5 ms and at most 120 ms.
    pub fn conceal_samples(&mut self, samples: usize) -> Result<&[f32], AudioError> {
        let samples = whole_steps(samples);
        let run = self.inner.decode_float(&[], &mut self.pcm[..samples], false);
        self.finish(0, run)
    }

    /// Recovers one lost 20 ms packet from the copy that the packet after it carries (in-band FEC); conceals when it
    /// carries none. Exactly 320 samples. Decode `next` itself afterwards.
    pub fn decode_fec(&mut self, next: &[u8]) -> Result<&[f32], AudioError> {
        self.recover(FRAME_SAMPLES, next)
    }

    /// [`decode_fec`](Self::decode_fec) for a lost packet of another length, rounded as by
    /// [`conceal_samples`](Self::conceal_samples). A copy is as long as the packet that carries it: a longer loss is
    /// concealed up to where the copy begins, a shorter one altogether.
    pub fn recover(&mut self, samples: usize, next: &[u8]) -> Result<&[f32], AudioError> {
        packet_samples(next)?;
        let samples = whole_steps(samples);
        let run = self.inner.decode_float(next, &mut self.pcm[..samples], true);
        self.finish(next.len(), run)
    }

    /// Forgets the sound so far, as at the start of another stream.
    pub fn reset(&mut self) -> Result<(), AudioError> {
        self.inner.reset_state().map_err(|source| AudioError::Opus {
            action: "reset a decoder",
            source,
        })
    }

    /// Sets the gain of RFC 7845's output gain field, in 1/256 dB.
    pub(crate) fn set_gain(&mut self, gain_q8: i16) -> Result<(), AudioError> {
        self.inner
            .set_gain(i32::from(gain_q8))
            .map_err(|source| AudioError::Opus {
                action: "set the gain",
                source,
            })
    }

    fn finish(&mut self, bytes: usize, run: opus2::Result<usize>) -> Result<&[f32], AudioError> {
        let samples = run.map_err(|e| packet::refused(bytes, &e))?;
        let pcm = &mut self.pcm[..samples.min(MAX_PACKET_SAMPLES)];
        tame(pcm);
        Ok(pcm)
    }
}

/// The nearest length that concealment can have.
fn whole_steps(samples: usize) -> usize {
    let steps = samples.min(MAX_PACKET_SAMPLES).saturating_add(CONCEAL_STEP / 2) / CONCEAL_STEP;
    (steps * CONCEAL_STEP).clamp(CONCEAL_STEP, MAX_PACKET_SAMPLES)
}

/// Float output may exceed full scale; what a broken packet turns into no number at all becomes silence.
pub(crate) fn tame(pcm: &mut [f32]) {
    for sample in pcm {
        *sample = if sample.is_nan() {
            0.0
        } else {
            sample.clamp(-1.0, 1.0)
        };
    }
}

#[cfg(test)]
mod tests;
