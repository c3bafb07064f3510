//! A stream in which packets get lost: the last of those lost comes back from the packet after it, where that one
//! carries a copy (in-band FEC, RFC 6716 section 2.1.7); the others are concealed, and led over to what follows.

use super::{MAX_PACKET_SAMPLES, SpeechDecoder, bridge, carries_predecessor, packet_samples};
use crate::error::AudioError;
use crate::frame::FRAME_SAMPLES;

/// How a lost packet was made good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeGood {
    /// From the copy in the packet after it; of a packet of several frames, the last one.
    Recovered,
    /// By continuing the sound before it, and leading that over to the packet after it.
    Concealed,
}

/// A decoder that is told of packets and of losses in their order, and gives as much sound as was sent.
///
/// The caller knows from sequence numbers or a playout clock what is lost. Sound for the latest loss is held back until
/// the next packet has come, so a loss makes a stream one packet late for as long. Allocates nothing after it is made.
#[derive(Debug)]
pub struct StreamDecoder {
    decoder: SpeechDecoder,
    /// Length of the lost packet for which no sound was given yet.
    owed: Option<usize>,
    /// Length of the packet before: a lost one is taken to have been as long.
    length: usize,
    /// What was continued into the gap.
    gap: Vec<f32>,
}

impl StreamDecoder {
    /// A decoder that has heard nothing yet.
    ///
    /// # Errors
    /// When libopus cannot make a decoder.
    pub fn new() -> Result<Self, AudioError> {
        Ok(Self {
            decoder: SpeechDecoder::new()?,
            owed: None,
            length: FRAME_SAMPLES,
            gap: Vec::with_capacity(MAX_PACKET_SAMPLES),
        })
    }

    /// Decodes the next packet that came; before its sound `take` gets that of the lost packet before it, if one was.
    /// Tells how that one was made good.
    ///
    /// # Errors
    /// When this is no Opus packet. What is owed stays owed; call [`lost`](Self::lost) for the bad one to keep time.
    pub fn packet(
        &mut self,
        packet: &[u8],
        take: &mut impl FnMut(&[f32]),
    ) -> Result<Option<MadeGood>, AudioError> {
        let length = packet_samples(packet)?;
        let mut made_good = None;
        if let Some(owed) = self.owed.take() {
            // What lies before the copy, in a longer packet, is concealed as libopus goes there.
            if owed == length && carries_predecessor(packet) {
                take(self.decoder.recover(owed, packet)?);
                made_good = Some(MadeGood::Recovered);
            } else {
                self.gap.clear();
                self.gap.extend_from_slice(self.decoder.conceal_samples(owed)?);
                made_good = Some(MadeGood::Concealed);
            }
        }
        self.length = length;
        let concealed = made_good == Some(MadeGood::Concealed);
        match self.decoder.decode(packet) {
            Ok(sound) => {
                if concealed {
                    bridge::lead_over(&mut self.gap, sound);
                    take(&self.gap);
                }
                take(sound);
                Ok(made_good)
            }
            Err(refused) => {
                // The packet before it is made good all the same.
                if concealed {
                    take(&self.gap);
                }
                Err(refused)
            }
        }
    }

    /// A packet was lost. Its sound follows with the next packet; if one before it was lost too, `take` gets that one's.
    ///
    /// # Errors
    /// When libopus cannot conceal, which it can.
    pub fn lost(&mut self, take: &mut impl FnMut(&[f32])) -> Result<(), AudioError> {
        self.settle(take)?;
        self.owed = Some(self.length);
        Ok(())
    }

    /// Nothing follows for now: gives the sound that was held back for the next packet.
    ///
    /// # Errors
    /// When libopus cannot conceal, which it can.
    pub fn settle(&mut self, take: &mut impl FnMut(&[f32])) -> Result<(), AudioError> {
        if let Some(owed) = self.owed.take() {
            take(self.decoder.conceal_samples(owed)?);
        }
        Ok(())
    }

    /// Forgets the sound so far, and what is owed.
    ///
    /// # Errors
    /// When libopus cannot reset a decoder, which it can.
    pub fn reset(&mut self) -> Result<(), AudioError> {
        self.owed = None;
        self.length = FRAME_SAMPLES;
        self.decoder.reset()
    }
}
