//! The playout queue: sentences of a reply in order, drawn a frame at a time.
//!
//! Pure bookkeeping over samples: whoever has a loudspeaker (a WAV file, a sound card, a voice connection) calls
//! [`Playout::draw`] once a frame and learns what began and what ended in it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Samples a second of a reply that is written down: mono, the rate of `reply.wav`.
pub const PLAYOUT_RATE: u32 = 24_000;

/// Samples of a 20 ms frame.
pub const PLAYOUT_FRAME: usize = (PLAYOUT_RATE / 50) as usize;

/// A sample louder than this is audible: -50 dB below full scale. Quieter beginnings of a sentence are skipped.
const AUDIBLE: f32 = 0.003;

/// Samples kept before the first audible one, so that a soft onset is not cut, as a share of a second: 10 ms.
const ONSETS_A_SECOND: u32 = 100;

/// What happened in a frame. `K` names a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayoutEvent<K> {
    /// The sentence's first audible sample was handed to the output.
    Began(K),
    /// Its last sample was.
    Ended(K),
}

#[derive(Debug)]
struct Sentence<K> {
    key: K,
    samples: VecDeque<f32>,
    complete: bool,
    began: bool,
    heard: usize,
}

/// Sentences waiting to be heard, mono.
#[derive(Debug)]
pub struct Playout<K> {
    sentences: VecDeque<Sentence<K>>,
    rate: u32,
    events: Vec<PlayoutEvent<K>>,
}

/// A queue that whoever plays it draws from, on a thread of its own.
pub type SharedPlayout<K> = Arc<Mutex<Playout<K>>>;

impl<K> Playout<K> {
    /// An empty queue for `rate` samples a second.
    pub const fn new(rate: u32) -> Self {
        Self {
            sentences: VecDeque::new(),
            rate,
            events: Vec::new(),
        }
    }
}

impl<K: Copy + Eq> Playout<K> {
    /// Samples a second.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// What began and ended in the frames drawn since it was asked last.
    pub fn take_events(&mut self) -> Vec<PlayoutEvent<K>> {
        std::mem::take(&mut self.events)
    }

    /// Opens a sentence at the end of the queue; samples follow by [`Playout::push`].
    pub fn open(&mut self, key: K) {
        self.sentences.push_back(Sentence {
            key,
            samples: VecDeque::new(),
            complete: false,
            began: false,
            heard: 0,
        });
    }

    /// Adds samples to a sentence. A sentence that was stopped takes none.
    pub fn push(&mut self, key: K, samples: &[f32]) {
        let Some(sentence) = self.sentences.iter_mut().find(|s| s.key == key) else {
            return;
        };
        let onset = (self.rate / ONSETS_A_SECOND) as usize;
        if !sentence.began && sentence.samples.len() <= onset {
            // Silence before the first sound only delays the answer.
            sentence.samples.extend(samples);
            let audible = sentence.samples.iter().position(|s| s.abs() > AUDIBLE);
            let silent = audible.unwrap_or(sentence.samples.len()).saturating_sub(onset);
            sentence.samples.drain(..silent);
        } else {
            sentence.samples.extend(samples);
        }
    }

    /// Says that no more samples follow for a sentence.
    pub fn complete(&mut self, key: K) {
        if let Some(sentence) = self.sentences.iter_mut().find(|s| s.key == key) {
            sentence.complete = true;
        }
    }

    /// Forgets everything that was not yet heard.
    pub fn stop(&mut self) {
        self.sentences.clear();
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// Seconds of speech waiting.
    pub fn waiting_s(&self) -> f64 {
        let samples: usize = self.sentences.iter().map(|s| s.samples.len()).sum();
        samples as f64 / f64::from(self.rate)
    }

    /// The sentence being heard and how much of what is known of it went out, `0.0..=1.0`.
    pub fn progress(&self) -> Option<(K, f32)> {
        let sentence = self.sentences.front().filter(|s| s.began)?;
        let known = sentence.heard + sentence.samples.len();
        Some((sentence.key, sentence.heard as f32 / known.max(1) as f32))
    }

    /// Fills one frame with what is next, silence where nothing is.
    pub fn draw(&mut self, frame: &mut [f32]) {
        let mut filled = 0;
        while let Some(sentence) = self.sentences.front_mut() {
            let take = sentence.samples.len().min(frame.len() - filled);
            for (slot, sample) in frame[filled..].iter_mut().zip(sentence.samples.drain(..take)) {
                *slot = sample;
            }
            if !sentence.began && frame[filled..filled + take].iter().any(|s| s.abs() > AUDIBLE) {
                sentence.began = true;
                self.events.push(PlayoutEvent::Began(sentence.key));
            }
            filled += take;
            sentence.heard += take;
            if !sentence.samples.is_empty() || !sentence.complete {
                break;
            }
            self.events.push(PlayoutEvent::Ended(sentence.key));
            self.sentences.pop_front();
        }
        frame[filled..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(playout: &mut Playout<u32>) -> (Vec<f32>, Vec<PlayoutEvent<u32>>) {
        let (mut heard, mut events) = (Vec::new(), Vec::new());
        let mut frame = [0.0; PLAYOUT_FRAME];
        for _ in 0..1000 {
            if playout.is_empty() {
                break;
            }
            playout.draw(&mut frame);
            events.append(&mut playout.take_events());
            heard.extend_from_slice(&frame);
        }
        (heard, events)
    }

    #[test]
    fn sentences_follow_each_other_without_a_gap() {
        let mut playout = Playout::new(PLAYOUT_RATE);
        for (key, level) in [(1, 0.1), (2, 0.2)] {
            playout.open(key);
            playout.push(key, &[level; 700]);
            playout.complete(key);
        }
        let (heard, events) = drain(&mut playout);
        let (began, ended) = (PlayoutEvent::Began, PlayoutEvent::Ended);
        assert_eq!(events, [began(1), ended(1), began(2), ended(2)]);
        assert_eq!(heard[..1400].iter().filter(|s| **s == 0.0).count(), 0);
        assert!(heard[1400..].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn silence_before_the_first_sound_is_skipped_however_it_is_cut() {
        for cut in [1, 100, 480, 5000] {
            let mut playout = Playout::new(PLAYOUT_RATE);
            playout.open(1);
            let mut samples = vec![0.0; 6000];
            samples.extend_from_slice(&[0.5; 600]);
            for chunk in samples.chunks(cut) {
                playout.push(1, chunk);
            }
            playout.complete(1);
            let (heard, _) = drain(&mut playout);
            assert_eq!(
                heard.iter().position(|s| *s > 0.4),
                Some((PLAYOUT_RATE / ONSETS_A_SECOND) as usize),
                "cut {cut}"
            );
            assert_eq!(heard.iter().filter(|s| **s > 0.4).count(), 600);
        }
    }

    #[test]
    fn a_sentence_still_being_made_keeps_its_place() {
        let mut playout = Playout::new(PLAYOUT_RATE);
        playout.open(1);
        playout.open(2);
        playout.push(2, &[0.2; 100]);
        playout.complete(2);
        let mut frame = [1.0; PLAYOUT_FRAME];
        let mut events = Vec::new();
        playout.draw(&mut frame);
        events.append(&mut playout.take_events());
        assert!(events.is_empty() && frame.iter().all(|s| *s == 0.0));
        playout.complete(1);
        let (heard, events) = drain(&mut playout);
        assert_eq!(events.last(), Some(&PlayoutEvent::Ended(2)));
        assert!((heard[0] - 0.2).abs() < f32::EPSILON);
    }

    #[test]
    fn what_was_stopped_is_not_heard() {
        let mut playout = Playout::new(PLAYOUT_RATE);
        playout.open(1);
        playout.push(1, &vec![0.5; 4800]);
        playout.stop();
        playout.push(1, &vec![0.5; 4800]);
        assert!(playout.is_empty());
        assert!(playout.waiting_s() < f64::EPSILON);
    }
}
