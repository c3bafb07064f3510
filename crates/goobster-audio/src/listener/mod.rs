//! One speaker's sound in, utterances out: detector, endpointer, pre-roll and utterance buffer in one.
//!
//! Synchronous and streaming: any number of samples at a time gives the same events. Memory is bounded by the
//! configuration, and nothing is allocated while samples flow; an utterance's buffer comes from a shared pool.

mod events;
mod history;

use std::time::Duration;

pub use events::{HeardEvent, SoFar, Utterance};

use crate::endpoint::{
    EndReason, EndpointConfig, EndpointConfigError, EndpointEvent, Endpointer, WindowHeard,
};
use crate::pool::{AudioPool, PooledAudio};
use crate::position::{Position, time_to_samples};
use crate::vad::{VoiceDetector, sane};
use history::History;

/// Silence of a gap that the detector really hears, in samples, before the rest is taken as read: its memory of the
/// last word has faded by then.
const GAP_HEARD: u64 = 5120;

/// Listens to one speaker.
pub struct Listener {
    detector: Box<dyn VoiceDetector + Send>,
    endpointer: Endpointer,
    history: History,
    pool: AudioPool,
    /// The window being filled: the first `filled` samples are real.
    window: Box<[f32]>,
    filled: usize,
    utterance: Open,
}

/// The utterance being spoken.
enum Open {
    None,
    /// It started, and its sound so far.
    Buffered {
        start: Position,
        speech_start: Position,
        audio: PooledAudio,
    },
    /// It started when the pool was empty: it is endpointed, but nothing of it is kept or told.
    Refused,
}

impl Listener {
    /// A listener with a pool of its own, enough for the utterance being spoken and two being recognised.
    ///
    /// # Errors
    /// When the settings contradict each other, see [`EndpointConfig::check`].
    pub fn new(
        config: &EndpointConfig,
        detector: Box<dyn VoiceDetector + Send>,
    ) -> Result<Self, EndpointConfigError> {
        Self::with_pool(config, detector, Self::pool_for(config, 3))
    }

    /// A listener that takes its buffers from a pool shared with other speakers.
    ///
    /// A pool from [`pool_for`](Self::pool_for) has buffers of the right size; from one with smaller buffers,
    /// utterances are cut short.
    ///
    /// # Errors
    /// When the settings contradict each other, see [`EndpointConfig::check`].
    pub fn with_pool(
        config: &EndpointConfig,
        detector: Box<dyn VoiceDetector + Send>,
        pool: AudioPool,
    ) -> Result<Self, EndpointConfigError> {
        let window = detector.window();
        let endpointer = Endpointer::new(config, window)?;
        let kept = time_to_samples(config.pre_roll + config.onset_limit()) as usize + 2 * window;
        Ok(Self {
            detector,
            endpointer,
            history: History::new(kept),
            pool,
            window: vec![0.0; window].into_boxed_slice(),
            filled: 0,
            utterance: Open::None,
        })
    }

    /// A pool of at most `buffers` utterance buffers, each holding the longest turn.
    pub fn pool_for(config: &EndpointConfig, buffers: usize) -> AudioPool {
        AudioPool::new(buffers, time_to_samples(config.max_turn) as usize)
    }

    /// Takes in 16 kHz mono samples, any number of them, and reports what was heard.
    pub fn push(&mut self, mut samples: &[f32], on_event: &mut impl FnMut(HeardEvent)) {
        while !samples.is_empty() {
            let taken = samples.len().min(self.window.len() - self.filled);
            let (now, later) = samples.split_at(taken);
            for (slot, sample) in self.window[self.filled..].iter_mut().zip(now) {
                *slot = sane(*sample);
            }
            self.filled += taken;
            samples = later;
            if self.filled == self.window.len() {
                self.filled = 0;
                let probability = self.detector.probability(&self.window);
                self.window_done(probability, on_event);
            }
        }
    }

    /// Lets time pass in which nothing was sent (Discord sends nothing while a speaker is silent). Costs next to
    /// nothing, however long; the same events as for that much silence.
    pub fn gap(&mut self, time: Duration, on_event: &mut impl FnMut(HeardEvent)) {
        self.gap_samples(time_to_samples(time), on_event);
    }

    /// [`gap`](Self::gap) in samples, for callers who count them.
    pub fn gap_samples(&mut self, samples: u64, on_event: &mut impl FnMut(HeardEvent)) {
        let length = self.window.len() as u64;
        let mut left = samples;
        // Fills the window being filled, and lets the detector forget.
        while left > 0 && samples - left < GAP_HEARD.max(length) {
            let step = left.min(length);
            self.push_silence(step as usize, on_event);
            left -= step;
        }
        let unheard = left >= length;
        // From here on whatever is in the window being filled is silence.
        while !self.endpointer.is_quiet() && left >= length {
            self.window.fill(0.0);
            self.window_done(0.0, on_event);
            left -= length;
        }
        let skipped = left / length;
        if skipped > 0 {
            self.endpointer.skip(skipped);
            self.history.fill_with_silence();
        }
        if unheard {
            self.detector.reset();
        }
        self.push_silence((left % length) as usize, on_event);
    }

    /// Ends the utterance being spoken, if any, as at the end of a stream. The stream may go on afterwards.
    pub fn flush(&mut self, on_event: &mut impl FnMut(HeardEvent)) {
        let at = self.position();
        self.history.push(&self.window[..self.filled]);
        if let Open::Buffered { audio, .. } = &mut self.utterance {
            audio.append(&self.window[..self.filled]);
        }
        self.filled = 0;
        for event in self.endpointer.flush(at) {
            self.apply(event, on_event);
        }
        self.utterance = Open::None;
        self.detector.reset();
    }

    /// Samples taken in so far, gaps included.
    pub fn position(&self) -> Position {
        self.endpointer.position() + self.filled as u64
    }

    /// How complete the words before the present pause are, from `0.0` (they break off) to `1.0` (a whole sentence); see
    /// [`Endpointer::words_read`].
    pub fn words_read(&mut self, completeness: f32) {
        self.endpointer.words_read(completeness);
    }

    /// Whether the last window was voiced, in an utterance that has begun: not in a dip that may become a pause.
    pub fn hears_voice(&self) -> bool {
        self.endpointer.hears_voice()
    }

    /// The utterance being spoken, from its first sample to the last complete window; for captions while someone
    /// still speaks.
    pub fn utterance_so_far(&self) -> Option<SoFar<'_>> {
        match &self.utterance {
            Open::Buffered {
                start,
                speech_start,
                audio,
            } => Some(SoFar {
                start: *start,
                speech_start: *speech_start,
                audio,
            }),
            Open::None | Open::Refused => None,
        }
    }

    fn push_silence(&mut self, samples: usize, on_event: &mut impl FnMut(HeardEvent)) {
        const SILENCE: [f32; 512] = [0.0; 512];
        let mut left = samples;
        while left > 0 {
            let step = left.min(SILENCE.len());
            self.push(&SILENCE[..step], on_event);
            left -= step;
        }
    }

    fn window_done(&mut self, probability: f32, on_event: &mut impl FnMut(HeardEvent)) {
        let power = self.window.iter().map(|s| s * s).sum::<f32>() / self.window.len() as f32;
        self.history.push(&self.window);
        if let Open::Buffered { audio, .. } = &mut self.utterance {
            audio.append(&self.window);
        }
        for event in self.endpointer.observe(WindowHeard { probability, power }) {
            self.apply(event, on_event);
        }
    }

    fn apply(&mut self, event: EndpointEvent, on_event: &mut impl FnMut(HeardEvent)) {
        match event {
            EndpointEvent::Started { from, at } => self.start(from, at, on_event),
            EndpointEvent::Paused { at } => self.tell(HeardEvent::Paused { at }, on_event),
            EndpointEvent::Resumed { at } => self.tell(HeardEvent::Resumed { at }, on_event),
            EndpointEvent::Discarded { at, evidence } => {
                self.tell(HeardEvent::Discarded { at, evidence }, on_event);
                self.utterance = Open::None;
            }
            EndpointEvent::Ended {
                voice_end,
                to,
                reason,
                evidence,
                ..
            } => {
                let Open::Buffered {
                    start,
                    speech_start,
                    mut audio,
                } = std::mem::replace(&mut self.utterance, Open::None)
                else {
                    return;
                };
                let length = (to.since(start) as usize).min(audio.len());
                if reason == EndReason::MaxTurn {
                    // What follows the cut is the start of the next utterance.
                    self.utterance = match self.pool.take() {
                        Some(mut rest) => {
                            rest.append(&audio[length..]);
                            Open::Buffered {
                                start: to,
                                speech_start: to,
                                audio: rest,
                            }
                        }
                        None => Open::Refused,
                    };
                }
                audio.truncate(length);
                on_event(HeardEvent::Ended(Utterance {
                    start,
                    speech_start,
                    voice_end,
                    reason,
                    evidence,
                    audio,
                }));
                if reason == EndReason::MaxTurn && self.endpointer.is_quiet() {
                    self.utterance = Open::None;
                }
            }
        }
    }

    fn start(&mut self, from: Position, at: Position, on_event: &mut impl FnMut(HeardEvent)) {
        match &mut self.utterance {
            // The rest of a turn that was cut is there already.
            Open::Buffered { speech_start, .. } => *speech_start = at,
            Open::None => match self.pool.take() {
                Some(mut audio) => {
                    self.history
                        .copy_last(self.endpointer.position().since(from) as usize, &mut audio);
                    let start = self.endpointer.position() - audio.len() as u64;
                    self.utterance = Open::Buffered {
                        start,
                        speech_start: at,
                        audio,
                    };
                }
                None => self.utterance = Open::Refused,
            },
            Open::Refused => {}
        }
        match self.utterance {
            Open::Refused => on_event(HeardEvent::Refused { at }),
            _ => on_event(HeardEvent::Started { at }),
        }
    }

    /// Passes an event on, unless it belongs to an utterance that was refused.
    fn tell(&self, event: HeardEvent, on_event: &mut impl FnMut(HeardEvent)) {
        if matches!(self.utterance, Open::Buffered { .. }) {
            on_event(event);
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
