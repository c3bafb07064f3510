//! What gives way under load, a rung at a time, and how it comes back.
//!
//! Growing captions thin out, then stop; then a smaller model hears what is new; then no new session is let in. The way back
//! is the same, step by step. A rung is held for a while, so that nothing flickers; and when the load comes back soon after a
//! step down, the next step down takes longer, until one has held.
//!
//! Pure: [`Ladder::step`] is told the moment and how the hearing does, and says what changed.

use std::time::Duration;

use crate::time::Moment;

/// How much is given up; later rungs include the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nothing.
    #[default]
    Full,
    /// Growing captions come less often.
    FewerPartials,
    /// There are none: captions appear when somebody has finished.
    NoPartials,
    /// New decodes go to a smaller model.
    SmallerModel,
    /// New sessions are refused.
    Refusing,
}

impl Level {
    /// Every rung, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Full,
        Self::FewerPartials,
        Self::NoPartials,
        Self::SmallerModel,
        Self::Refusing,
    ];

    /// Its number, for metrics: 0 for nothing given up.
    pub const fn number(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::FewerPartials => 1,
            Self::NoPartials => 2,
            Self::SmallerModel => 3,
            Self::Refusing => 4,
        }
    }

    /// In words, for logs and the status.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Full => "everything is served",
            Self::FewerPartials => "growing captions are thinned out",
            Self::NoPartials => "there are no growing captions",
            Self::SmallerModel => "a smaller model hears",
            Self::Refusing => "new sessions are refused",
        }
    }
}

/// When to climb and when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderConfig {
    /// A final caption that has waited this long for its decode is late.
    pub late: Duration,
    /// Between two steps up at least.
    pub rise: Duration,
    /// Calm for so long before a step down.
    pub fall: Duration,
    /// Whether there is a smaller model; without one its rung is left out.
    pub smaller_model: bool,
}

impl Default for LadderConfig {
    fn default() -> Self {
        Self {
            late: Duration::from_millis(600),
            rise: Duration::from_secs(2),
            fall: Duration::from_secs(15),
            smaller_model: false,
        }
    }
}

/// How the hearing does. Growing captions are not counted: they yield by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Signal {
    /// How long the final or speculative decode that waits longest has waited.
    pub wait: Duration,
    /// How many of them wait for each decode that can run at once.
    pub depth: f32,
    /// The share of the decoding time that they took since the last look, `0.0..=1.0`.
    pub busy: f32,
    /// People who talk and are not followed, for want of a seat.
    pub unseated: usize,
}

/// Decodes that wait for each worker, from which on it is too many.
const DEEP: f32 = 3.0;
/// The share of the decoding time from which on there is no room.
const BUSY: f32 = 0.9;
/// And below which there is.
const CALM: f32 = 0.5;
/// A step down takes at most so many times longer after relapses.
const MOST_PATIENCE: u32 = 4;

/// A step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// From here.
    pub from: Level,
    /// To here, one rung up or down.
    pub to: Level,
}

/// Where the ladder stands.
#[derive(Debug, Clone)]
pub struct Ladder {
    config: LadderConfig,
    level: Level,
    /// When it last changed; `None` before the first change.
    changed: Option<Moment>,
    /// Since when it has been calm.
    calm_since: Option<Moment>,
    /// When it last stepped down.
    fell: Option<Moment>,
    /// Steps down take so many times longer: the load came back after the last ones.
    patience: u32,
}

impl Ladder {
    /// Nothing is given up.
    pub fn new(config: LadderConfig) -> Self {
        Self {
            config,
            level: Level::Full,
            changed: None,
            calm_since: None,
            fell: None,
            patience: 1,
        }
    }

    /// How much is given up now.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Looks at the signal; at most one rung a look.
    pub fn step(&mut self, now: Moment, signal: Signal) -> Option<Change> {
        let pressed = self.is_pressed(signal);
        if pressed || !self.is_calm(signal) {
            self.calm_since = None;
        } else {
            self.calm_since.get_or_insert(now);
        }
        let held = self.changed.map(|at| now.since(at));
        if pressed {
            if held.is_some_and(|held| held < self.config.rise) {
                return None;
            }
            let above = self.above()?;
            return Some(self.move_to(now, above));
        }
        let fall = self.config.fall * self.patience;
        let calm = self.calm_since.is_some_and(|since| now.since(since) >= fall);
        if calm && held.is_none_or(|held| held >= fall) {
            let Some(below) = self.below() else {
                // Long at rest: what happened before is forgotten.
                self.patience = 1;
                return None;
            };
            // The next rung has to be calm for as long.
            self.calm_since = Some(now);
            return Some(self.move_to(now, below));
        }
        None
    }

    fn is_pressed(&self, signal: Signal) -> bool {
        signal.wait >= self.config.late || signal.depth >= DEEP || signal.busy >= BUSY || signal.unseated > 0
    }

    fn is_calm(&self, signal: Signal) -> bool {
        signal.wait < self.config.late / 2
            && signal.depth <= 1.0
            && signal.busy <= CALM
            && signal.unseated == 0
    }

    fn move_to(&mut self, now: Moment, to: Level) -> Change {
        let from = self.level;
        if to > from {
            let relapse = self.fell.is_some_and(|at| now.since(at) < self.config.fall * 2);
            if relapse {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
            }
            self.fell = None;
        } else {
            if self.fell.is_some() {
                // The step before this one was no mistake: the load is really going.
                self.patience = self.patience.div_ceil(2);
            }
            self.fell = Some(now);
        }
        self.level = to;
        self.changed = Some(now);
        Change { from, to }
    }

    fn above(&self) -> Option<Level> {
        self.rungs().find(|level| *level > self.level)
    }

    fn below(&self) -> Option<Level> {
        self.rungs().rfind(|level| *level < self.level)
    }

    fn rungs(&self) -> impl DoubleEndedIterator<Item = Level> + use<> {
        let smaller = self.config.smaller_model;
        Level::ALL
            .into_iter()
            .filter(move |level| smaller || *level != Level::SmallerModel)
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
