//! A member's sound on its way to their ear: decoded in the call's task, taken out by the room 50 times a second.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use goobster_audio::AudioError;
use goobster_audio::opus::StreamDecoder;

use crate::converse::source::{Sound, Source};

/// Samples of a 20 ms frame at 16 kHz.
const FRAME: usize = 320;

/// Samples that may wait: 5 s. A room that is later than that has stopped.
const WAITING: usize = 5 * 16_000;

/// Frames taken at once, so that a burst after a stall of the network does not become one long frame.
const AT_ONCE: usize = 5;

/// Frames without sound after which a stream counts as silent. Less, and a late packet would tear a hole into a word.
const LATE: u32 = 3;

/// What a stream may be ahead of the clock when it falls silent, in samples (0.1 s): more is let go, so that the end of a
/// turn is not noticed that much later.
const AHEAD: i64 = 1600;

/// Where decoded sound waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<VecDeque<f32>>>);

impl Feed {
    /// Adds sound; the oldest goes when nobody takes it.
    pub(crate) fn push(&self, samples: &[f32]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(samples);
        let over = waiting.len().saturating_sub(WAITING);
        waiting.drain(..over);
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, most: usize, into: &mut Vec<f32>) -> usize {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(most);
        into.extend(waiting.drain(..count));
        count
    }
}

/// A member as a source of the room.
#[derive(Debug)]
pub(crate) struct Member {
    name: String,
    feed: Feed,
    /// Samples that the clock asked for, and that were given.
    due: i64,
    given: i64,
    /// Frames since there was sound.
    silent: u32,
}

impl Member {
    pub(crate) fn new(name: String, feed: Feed) -> Self {
        Self {
            name,
            feed,
            due: 0,
            given: 0,
            silent: LATE,
        }
    }
}

impl Source for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn pull(&mut self, _now: u64, _answered: bool, _pause: u64, sound: &mut Vec<f32>) -> Sound {
        self.due += FRAME as i64;
        let count = self.feed.take(AT_ONCE * FRAME, sound);
        self.given += count as i64;
        if count > 0 {
            self.silent = 0;
            return Sound::Frame;
        }
        self.silent += 1;
        if self.silent > LATE {
            if self.given - self.due > AHEAD {
                self.given = self.due;
            }
            let missing = usize::try_from(self.due - self.given).unwrap_or(0);
            sound.resize(sound.len() + missing, 0.0);
            self.given += missing as i64;
        }
        Sound::Silence
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Sound.
    Voice,
    /// Digital silence: a client sends five such packets when somebody stops talking.
    Silence,
    /// It was lost; 20 ms stand in for it, or the copy that the packet after it carries.
    Concealed,
    /// Nothing that libopus understands; 20 ms stand in for it.
    Undecodable,
}

/// One SSRC: its decoder, and where its sound goes.
pub(crate) struct Stream {
    decoder: StreamDecoder,
    feed: Feed,
    /// The last packet's number, and how many were given as lost since.
    last: Option<u16>,
    lost: u16,
}

impl Stream {
    pub(crate) fn new(feed: Feed) -> Result<Self, AudioError> {
        Ok(Self {
            decoder: StreamDecoder::new()?,
            feed,
            last: None,
            lost: 0,
        })
    }

    /// How many packets before this one never came and were not given as lost either. A stream that begins anew or whose
    /// numbers go backwards skips none.
    pub(crate) fn skipped(&mut self, sequence: u16) -> u32 {
        let concealed = std::mem::take(&mut self.lost);
        let before = self.last.replace(sequence);
        let between = before.map_or(0, |before| sequence.wrapping_sub(before).wrapping_sub(1));
        // More than ten minutes are another stream, not a gap.
        if between > 30_000 {
            0
        } else {
            u32::from(between.saturating_sub(concealed))
        }
    }

    /// Decodes an Opus frame; `None` is one that was lost, or could not be taken out of its packet. What stands in for it
    /// comes with the next one, which may carry a copy of it.
    pub(crate) fn decode(&mut self, frame: Option<&[u8]>, broken: bool) -> Decoded {
        let feed = &self.feed;
        let mut take = |samples: &[f32]| feed.push(samples);
        let kind = match frame {
            Some(frame) => match self.decoder.packet(frame, &mut take) {
                Ok(_) if frame == super::frame::SILENCE => return Decoded::Silence,
                Ok(_) => return Decoded::Voice,
                Err(error) => {
                    tracing::debug!(%error, "a packet could not be decoded");
                    Decoded::Undecodable
                }
            },
            None if broken => Decoded::Undecodable,
            None => {
                self.lost = self.lost.saturating_add(1);
                Decoded::Concealed
            }
        };
        if let Err(error) = self.decoder.lost(&mut take) {
            tracing::debug!(%error, "a lost packet could not be concealed");
        }
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(member: &mut Member) -> Vec<f32> {
        let mut sound = Vec::new();
        member.pull(0, false, 0, &mut sound);
        sound
    }

    #[test]
    fn a_late_packet_tears_no_hole_into_a_word() {
        let feed = Feed::default();
        let mut member = Member::new("Ada".to_owned(), feed.clone());
        let mut heard = Vec::new();
        for packets in [1, 1, 0, 0, 3, 1, 0, 2, 1] {
            for _ in 0..packets {
                feed.push(&[0.5; FRAME]);
            }
            heard.extend(pull(&mut member));
        }
        assert_eq!(heard.len(), 9 * FRAME);
        assert!(heard.iter().all(|s| *s > 0.4), "nothing but voice");
    }

    #[test]
    fn silence_lasts_as_long_as_it_lasts() {
        let feed = Feed::default();
        let mut member = Member::new("Ada".to_owned(), feed.clone());
        let mut samples = 0;
        for _ in 0..100 {
            samples += pull(&mut member).len();
        }
        assert_eq!(samples, 100 * FRAME);
        feed.push(&[0.5; FRAME]);
        samples += pull(&mut member).len();
        for _ in 0..50 {
            samples += pull(&mut member).len();
        }
        assert_eq!(samples, 151 * FRAME);
    }

    #[test]
    fn after_a_burst_the_end_of_a_turn_is_not_noticed_late() {
        let feed = Feed::default();
        let mut member = Member::new("Ada".to_owned(), feed.clone());
        for _ in 0..50 {
            pull(&mut member);
        }
        for _ in 0..50 {
            feed.push(&[0.5; FRAME]); // what a stall of a second held back
        }
        let mut quiet = 0;
        for _ in 0..40 {
            let sound = pull(&mut member);
            assert!(sound.len() <= AT_ONCE * FRAME);
            quiet += sound.iter().filter(|s| **s == 0.0).count();
        }
        assert!(quiet >= 20 * FRAME, "{quiet} samples of silence after it");
    }

    #[test]
    fn a_packet_of_nonsense_costs_twenty_milliseconds() {
        let feed = Feed::default();
        let mut stream = Stream::new(feed.clone()).unwrap();
        assert_eq!(
            stream.decode(Some(&super::super::frame::SILENCE), false),
            Decoded::Silence
        );
        assert_eq!(stream.decode(None, false), Decoded::Concealed);
        assert_eq!(stream.decode(None, true), Decoded::Undecodable);
        let mut sound = Vec::new();
        assert_eq!(
            feed.take(10_000, &mut sound),
            2 * FRAME,
            "the last waits for the packet after it"
        );
        stream.decode(Some(&super::super::frame::SILENCE), false);
        assert_eq!(feed.take(10_000, &mut sound), 2 * FRAME);
    }

    #[test]
    fn packets_that_never_came_are_counted_by_their_numbers() {
        let mut stream = Stream::new(Feed::default()).unwrap();
        assert_eq!(stream.skipped(65_530), 0);
        assert_eq!(stream.skipped(65_531), 0);
        assert_eq!(stream.skipped(65_535), 3);
        stream.decode(None, false);
        assert_eq!(stream.skipped(4), 3, "across zero, one of four was given as lost");
        assert_eq!(stream.skipped(3), 0, "late");
    }

    #[test]
    fn what_nobody_takes_is_bounded() {
        let feed = Feed::default();
        for _ in 0..1000 {
            feed.push(&[0.5; FRAME]);
        }
        assert_eq!(feed.take(usize::MAX, &mut Vec::new()), WAITING);
    }
}
