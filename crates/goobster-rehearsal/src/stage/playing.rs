//! The loop that plays a scenario: it looks at what happened, begins the steps that are due, and ends those that are over.

use std::time::Duration;

use goobster_core::time::Moment;
use loopback_discord::Loopback;
use loopback_discord::world::InteractionId;
use tokio::time::{MissedTickBehavior, interval};

use super::acting::{self, Weather};
use super::bot::Bot;
use super::cast::Cast;
use super::cues::{Cues, Events};
use super::observer::Observer;
use super::{LOOK, Lines};
use crate::figures;
use crate::scenario::{Fault, Scenario};
use crate::timeline::{Asked, Exit, Remark, Timeline};
use crate::watcher::{Happening, Watcher};

/// A command that was not answered by then never will be: Discord allows 3 s, and what was promised is waited for longer.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// A bot that was asked to end has this long.
pub(super) const ENDED_WITHIN: Duration = Duration::from_secs(30);
/// How often the bot's process is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A step that takes its time.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) step: usize,
    pub(super) what: Awaited,
}

#[derive(Debug)]
pub(super) enum Awaited {
    /// This moment.
    Time(Moment),
    /// An answer, or this moment.
    Answer(InteractionId, Moment),
    /// The end of the bot's process, or this moment.
    End(Moment),
}

pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) lines: &'a Lines,
    pub(super) loopback: Loopback,
    pub(super) cast: Cast,
    pub(super) bot: Bot,
    pub(super) observer: Observer,
    pub(super) cues: Cues,
    pub(super) timeline: Timeline,
    pub(super) weather: Weather,
    /// Faults to take back, and when.
    pub(super) lifts: Vec<(Moment, Fault)>,
    pub(super) pending: Vec<Pending>,
    /// When the process was last looked at.
    pub(super) remembered: Option<Moment>,
}

impl Stage<'_> {
    pub(super) fn now(&self) -> Moment {
        self.observer.moment(self.loopback.recorded().elapsed())
    }

    /// Plays until everything is over.
    pub(super) async fn run(&mut self, watcher: &mut dyn Watcher) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let limit = Moment::ZERO.after(self.scenario.limit);
        loop {
            ticks.tick().await;
            let now = self.now();
            self.look(now, watcher);
            // Steps that follow each other without a pause happen in one look, as long as each is over at once.
            while let Some(due) = self
                .cues
                .due(&self.scenario.steps, now, &Known(&self.timeline, now))
            {
                if let Some((event, reckoned)) = due.in_vain {
                    let label = &self.scenario.steps[due.step].label;
                    self.remark(
                        now,
                        format!("'{label}' waited for '{event}' in vain"),
                        !reckoned,
                        watcher,
                    );
                }
                self.begin(due.step, now, watcher);
            }
            if let Some(over) = self.cues.all_over(&self.scenario.steps)
                && now >= over.after(self.scenario.linger)
            {
                return;
            }
            if now > limit {
                let what = format!("it took longer than {:?} and was broken off", self.scenario.limit);
                self.remark(now, what, true, watcher);
                return;
            }
        }
    }

    /// Looks at what happened, and ends what is over.
    fn look(&mut self, now: Moment, watcher: &mut dyn Watcher) {
        let connected = self.timeline.places.last().is_some_and(|p| p.connected);
        self.observer
            .look(&self.loopback, &self.cast, &mut self.timeline, watcher);
        let again = !connected && self.timeline.places.last().is_some_and(|p| p.connected);
        let changed = self.weather.clear(now);
        // A new room has a calm network until it is told otherwise.
        if changed || (again && !self.weather.is_calm()) {
            self.loopback.voice_fault(self.cast.guild, self.weather.network());
        }
        let (due, later) = std::mem::take(&mut self.lifts)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.lifts = later;
        let due: Vec<(Moment, Fault)> = due;
        for (_, fault) in due {
            acting::lift(&fault, &self.loopback, &self.cast);
        }
        if let Some((code, asked)) = self.bot.look() {
            if asked == Asked::Nothing {
                let code = code.map_or("by a signal".to_owned(), |c| format!("with exit code {c}"));
                self.remark(now, format!("the bot ended by itself {code}"), true, watcher);
            }
            self.timeline.exits.push(Exit { at: now, code, asked });
        }
        if self.remembered.is_none_or(|at| now.since(at) >= LOOK_EVERY) {
            self.remembered = Some(now);
            self.timeline.vitals.extend(self.bot.vitals(now));
        }
        let (loopback, runs) = (&self.loopback, self.bot.runs());
        let over = |p: &Pending| match &p.what {
            Awaited::Time(at) => *at <= now,
            Awaited::Answer(id, latest) => acting::answered(loopback, *id) || *latest <= now,
            Awaited::End(latest) => !runs || *latest <= now,
        };
        let (over, pending): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending).into_iter().partition(over);
        self.pending = pending;
        for Pending { step, what } in over {
            if let Awaited::Answer(id, _) = what
                && !acting::answered(&self.loopback, id)
            {
                let label = &self.scenario.steps[step].label;
                self.remark(
                    now,
                    format!("'{label}' was not answered within {ANSWERED_WITHIN:?}"),
                    true,
                    watcher,
                );
            }
            self.over(step, now);
        }
    }

    pub(super) fn over(&mut self, step: usize, now: Moment) {
        self.cues.over(step, now);
        self.timeline.note(self.scenario.steps[step].label.clone(), now);
    }

    pub(super) fn remark(&mut self, at: Moment, what: String, fails: bool, watcher: &mut dyn Watcher) {
        watcher.told(&Happening::Remark { at, what: &what });
        self.timeline.remarks.push(Remark { at, what, fails });
    }

    /// The play is over: the bot is asked to end, and killed if it does not.
    pub(super) async fn curtain(&mut self, watcher: &mut dyn Watcher) {
        self.timeline.over = self.now();
        let mut ticks = interval(LOOK);
        let mut killed = false;
        if self.bot.runs() {
            self.bot.terminate();
        }
        while self.bot.runs() {
            ticks.tick().await;
            let now = self.now();
            self.look(now, watcher);
            if !killed && now.since(self.timeline.over) > ENDED_WITHIN {
                killed = true;
                self.remark(
                    now,
                    format!("the bot did not end within {ENDED_WITHIN:?} and was killed"),
                    true,
                    watcher,
                );
                self.bot.kill();
            }
        }
        let now = self.now();
        self.look(now, watcher);
        self.observer.finish(&mut self.timeline, watcher);
        if self.bot.said.leaks() > 0 {
            self.remark(
                now,
                "the bot wrote its token to its standard error or output".to_owned(),
                true,
                watcher,
            );
        }
    }
}

/// What the cues look at.
struct Known<'a>(&'a Timeline, Moment);

impl Events for Known<'_> {
    fn event(&self, name: &str) -> Option<Moment> {
        let speech = |label: &str| self.0.speeches.iter().find(|s| s.label == label);
        match name.rsplit_once('.') {
            Some((label, "captioned")) => {
                let speech = speech(label).filter(|s| s.to <= self.1)?;
                figures::captioned(self.0, speech)
            }
            Some((label, "replied")) => speech(label)
                .and_then(|s| figures::reply_to(self.0, s))
                .map(|s| s.to),
            _ => self.0.event(name),
        }
    }

    fn listening_since(&self) -> Option<Moment> {
        let connected = self.0.places.iter().rev().take_while(|p| p.connected);
        connected.last().map(|p| p.at)
    }

    fn gone_since(&self) -> Option<Moment> {
        let gone = self.0.places.iter().rev().take_while(|p| p.channel.is_none());
        let first = gone.last()?;
        self.0
            .places
            .iter()
            .any(|p| p.channel.is_some())
            .then_some(first.at)
    }
}
