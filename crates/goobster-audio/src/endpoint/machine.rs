//! The state machine: quiet, a voice about to start, a turn.

use std::time::Duration;

use super::evidence::Tally;
use super::patience::Patience;
use super::pauses::RecentWindows;
use super::{Decisions, EndReason, EndpointConfig, EndpointConfigError, EndpointEvent, WindowHeard};
use crate::position::{Position, samples_to_time, time_to_samples};

/// Decides where utterances begin and end. One a speaker; allocates nothing after construction.
#[derive(Debug)]
pub struct Endpointer {
    limits: Limits,
    state: State,
    /// The end of the last window seen.
    position: Position,
    /// Nothing before this may belong to the next utterance: it belonged to the last one.
    floor: Position,
    recent: RecentWindows,
    patience: Patience,
    /// Where the voice of the last turn ended, when silence ended it.
    fell_silent: Option<Position>,
}

/// The configuration in samples.
#[derive(Debug, Clone, Copy)]
struct Limits {
    window: u64,
    start_probability: f32,
    stop_probability: f32,
    onset: u64,
    onset_gap: u64,
    onset_limit: u64,
    minimum_speech: u64,
    hush: u64,
    max_turn: u64,
    pre_roll: u64,
    post_roll: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Quiet,
    /// Voice was heard, but not yet for long enough.
    Onset {
        turn: Turn,
    },
    Speaking {
        turn: Turn,
        paused: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    from: Position,
    start: Position,
    voice_end: Position,
    /// All windows since `start`.
    so_far: Tally,
    /// The windows from `start` to `voice_end`.
    to_voice_end: Tally,
}

impl Turn {
    fn new(from: Position, start: Position) -> Self {
        Self {
            from,
            start,
            voice_end: start,
            so_far: Tally::default(),
            to_voice_end: Tally::default(),
        }
    }

    fn add(&mut self, heard: WindowHeard, voiced: bool, end: Position) {
        self.so_far.add(heard, voiced);
        if voiced {
            self.voice_end = end;
            self.to_voice_end = self.so_far;
        }
    }
}

impl Endpointer {
    /// An endpointer for a detector whose windows have `window` samples.
    ///
    /// # Errors
    /// When the settings contradict each other, see [`EndpointConfig::check`], or a window is empty or over 100 ms.
    pub fn new(config: &EndpointConfig, window: usize) -> Result<Self, EndpointConfigError> {
        config.check()?;
        if !(1..=1600).contains(&window) {
            return Err(EndpointConfigError {
                field: "window",
                value: format!("{window} samples"),
                rule: "from 1 to 1600 samples",
            });
        }
        let window = window as u64;
        let limits = Limits {
            window,
            start_probability: config.start_probability,
            stop_probability: config.stop_probability,
            onset: time_to_samples(config.onset),
            onset_gap: time_to_samples(config.onset_gap),
            onset_limit: time_to_samples(config.onset_limit()),
            minimum_speech: time_to_samples(config.minimum_speech),
            hush: time_to_samples(config.hush),
            max_turn: time_to_samples(config.max_turn),
            pre_roll: time_to_samples(config.pre_roll),
            post_roll: time_to_samples(config.post_roll),
        };
        Ok(Self {
            limits,
            state: State::Quiet,
            position: Position::START,
            floor: Position::START,
            recent: RecentWindows::new((time_to_samples(config.cut_search) / window) as usize),
            patience: Patience::new(config.patience, config.adaptive),
            fell_silent: None,
        })
    }

    /// The end of the last window seen.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether nobody speaks and no voice is about to start.
    pub fn is_quiet(&self) -> bool {
        matches!(self.state, State::Quiet)
    }

    /// Whether the last window was voiced, in a turn that has begun.
    pub fn hears_voice(&self) -> bool {
        matches!(self.state, State::Speaking { turn, .. } if turn.voice_end == self.position)
    }

    /// The silence that would end the turn now.
    pub fn patience(&self) -> Duration {
        samples_to_time(self.patience.in_force())
    }

    /// How complete the words before the present pause are: `0.0` when they break off, `1.0` when they form a whole
    /// sentence. Heeded with [adaptive patience](EndpointConfig::adaptive) and while a pause is announced; it is forgotten
    /// when the voice comes back.
    pub fn words_read(&mut self, completeness: f32) {
        if matches!(self.state, State::Speaking { paused: true, .. }) {
            self.patience.read(completeness);
        }
    }

    /// Takes in the next window.
    pub fn observe(&mut self, heard: WindowHeard) -> Decisions {
        let begin = self.position;
        let end = begin + self.limits.window;
        self.position = end;
        let mut decisions = Decisions::default();
        match self.state {
            State::Quiet => {
                if heard.probability >= self.limits.start_probability {
                    let from = (begin - self.limits.pre_roll).max(self.floor);
                    self.recent.clear();
                    self.starting(Turn::new(from, begin), heard, &mut decisions);
                }
            }
            State::Onset { turn } => self.starting(turn, heard, &mut decisions),
            State::Speaking { turn, paused } => self.speaking(turn, paused, heard, &mut decisions),
        }
        decisions
    }

    /// Lets `windows` windows of silence pass at once. Only while [quiet](Self::is_quiet); otherwise they must be
    /// observed one by one, and nothing happens.
    pub fn skip(&mut self, windows: u64) {
        if self.is_quiet() {
            self.position = self.position + windows.saturating_mul(self.limits.window);
        }
    }

    /// Ends what is going on at `at`, the end of the stream, which may lie within a window not yet seen.
    pub fn flush(&mut self, at: Position) -> Decisions {
        let mut decisions = Decisions::default();
        self.position = self.position.max(at);
        if let State::Speaking { turn, .. } = self.state {
            self.finish(&turn, EndReason::Flush, &mut decisions);
        }
        self.state = State::Quiet;
        self.fell_silent = None;
        self.floor = self.position;
        decisions
    }

    fn starting(&mut self, mut turn: Turn, heard: WindowHeard, decisions: &mut Decisions) {
        let end = self.position;
        let voiced = heard.probability >= self.limits.start_probability;
        turn.add(heard, voiced, end);
        self.recent.push(heard, voiced);
        let limits = &self.limits;
        // At least half of it must be voiced: clicks and pulses close to each other do not add up to a voice.
        let dense = turn.so_far.voiced() * 2 >= turn.so_far.windows();
        self.state = if dense && turn.so_far.voiced() * limits.window >= limits.onset {
            decisions.push(EndpointEvent::Started {
                from: turn.from,
                at: turn.start,
            });
            // Who begins again this soon had only paused, longer than patience allowed.
            let silence = self.fell_silent.take().map(|at| turn.start.since(at));
            if let Some(pause) = silence.filter(|silence| *silence <= self.patience.longest()) {
                self.patience.paused(pause);
            }
            self.patience.forget_words();
            State::Speaking { turn, paused: false }
        } else if end.since(turn.voice_end) > limits.onset_gap || end.since(turn.start) >= limits.onset_limit
        {
            State::Quiet
        } else {
            State::Onset { turn }
        };
    }

    fn speaking(&mut self, mut turn: Turn, mut paused: bool, heard: WindowHeard, decisions: &mut Decisions) {
        let begin = self.position - self.limits.window;
        let end = self.position;
        // After an announced pause the voice must be as clear as at the start: murmur does not renew the patience.
        let needed = if paused {
            self.limits.start_probability
        } else {
            self.limits.stop_probability
        };
        let voiced = heard.probability >= needed;
        let last_voice = turn.voice_end;
        turn.add(heard, voiced, end);
        self.recent.push(heard, voiced);
        let silence = end.since(turn.voice_end);
        if voiced && paused {
            paused = false;
            self.patience.paused(begin.since(last_voice));
            self.patience.forget_words();
            decisions.push(EndpointEvent::Resumed { at: begin });
        } else if !voiced && !paused && silence >= self.limits.hush {
            paused = true;
            decisions.push(EndpointEvent::Paused { at: turn.voice_end });
        }
        if silence >= self.patience.in_force() {
            self.fell_silent = Some(turn.voice_end);
            self.finish(&turn, EndReason::Silence, decisions);
            self.state = State::Quiet;
        } else if end.since(turn.from) + self.limits.window > self.limits.max_turn {
            self.cut(&turn, decisions);
        } else {
            self.state = State::Speaking { turn, paused };
        }
    }

    fn finish(&mut self, turn: &Turn, reason: EndReason, decisions: &mut Decisions) {
        let evidence = turn.to_voice_end.evidence(self.limits.window);
        let voice_end = turn.voice_end;
        let to = (voice_end + self.limits.post_roll).min(self.position);
        self.floor = to;
        decisions.push(
            if turn.to_voice_end.voiced() * self.limits.window < self.limits.minimum_speech {
                EndpointEvent::Discarded {
                    at: voice_end,
                    evidence,
                }
            } else {
                EndpointEvent::Ended {
                    from: turn.from,
                    voice_end,
                    to,
                    reason,
                    evidence,
                }
            },
        );
    }

    /// Ends a turn that is too long at the best pause, and begins the next one there.
    fn cut(&mut self, turn: &Turn, decisions: &mut Decisions) {
        let window = self.limits.window;
        let rest = self.recent.best_cut();
        let at = self.position - rest as u64 * window;
        let (head, voice_end) = self.head_of(turn, rest);
        self.floor = at;
        decisions.push(EndpointEvent::Ended {
            from: turn.from,
            voice_end,
            to: at,
            reason: EndReason::MaxTurn,
            evidence: head.evidence(window),
        });
        self.begin_rest(at, rest, decisions);
    }

    /// The sums up to a cut that leaves `rest` windows, and the end of the voice before it.
    fn head_of(&self, turn: &Turn, rest: usize) -> (Tally, Position) {
        let window = self.limits.window;
        let searched = self.recent.len();
        let head = turn.so_far.without(self.recent.last(rest));
        let mut voice_end = self.position - searched as u64 * window;
        for (index, remembered) in self.recent.last(searched).take(searched - rest).enumerate() {
            if remembered.voiced {
                voice_end = self.position - (searched - index - 1) as u64 * window;
            }
        }
        (head, voice_end)
    }

    /// What was said after the cut becomes the next turn; without voice there is none.
    fn begin_rest(&mut self, at: Position, rest: usize, decisions: &mut Decisions) {
        let window = self.limits.window;
        let mut next: Option<Turn> = None;
        for (index, remembered) in self.recent.last(rest).enumerate() {
            let begin = at + index as u64 * window;
            if next.is_none() && remembered.voiced {
                next = Some(Turn::new(at, begin));
            }
            if let Some(turn) = &mut next {
                turn.add(remembered.heard, remembered.voiced, begin + window);
            }
        }
        self.state = match next {
            None => State::Quiet,
            Some(turn) => {
                decisions.push(EndpointEvent::Started {
                    from: turn.from,
                    at: turn.start,
                });
                let paused = self.position.since(turn.voice_end) >= self.limits.hush;
                if paused {
                    decisions.push(EndpointEvent::Paused { at: turn.voice_end });
                }
                State::Speaking { turn, paused }
            }
        };
        self.recent.keep_last(rest);
    }
}
