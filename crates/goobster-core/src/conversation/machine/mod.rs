//! The state machine itself: what each event changes.
//!
//! `turns` decides what becomes of something said; `playing` decides what is spoken, and ends replies.

mod playing;
mod turns;

use std::collections::VecDeque;

use super::floor::Floor;
use super::history::History;
use super::phrases::{Phrase, phrase};
use super::reply::{LineState, Reply, Turn};
use super::{
    ConversationConfig, Effect, Event, Failure, Ignored, LineId, Outcome, ReplyId, WakeName, is_hum,
};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::ports::Exchange;
use crate::time::Moment;

/// What the conversation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nothing is to be said.
    Listening,
    /// A reply is being made; nothing of it was heard yet.
    Thinking,
    /// A reply is being spoken.
    Speaking,
    /// Somebody speaks over the reply; it is silent until it is clear whether they said anything.
    Interrupted,
}

/// A timer that will ring.
#[derive(Debug)]
struct Alarm {
    at: Moment,
    announcement: String,
    language: Language,
}

/// Taking turns. See the [module](super).
#[derive(Debug)]
pub struct Conversation {
    config: ConversationConfig,
    wake: WakeName,
    floor: Floor,
    history: History,
    queue: VecDeque<Turn>,
    current: Option<Reply>,
    alarms: Vec<Alarm>,
    /// Short replies that wait: announcements and apologies.
    due: VecDeque<playing::Due>,
    muted: bool,
    replies: u64,
    lines: u64,
    out: Vec<Effect>,
}

impl Conversation {
    /// A conversation without people.
    pub fn new(config: ConversationConfig) -> Self {
        Self {
            wake: WakeName::new(&config.wake_name),
            history: History::new(config.history_exchanges, config.history_bytes),
            config,
            floor: Floor::default(),
            queue: VecDeque::new(),
            current: None,
            alarms: Vec::new(),
            due: VecDeque::new(),
            muted: false,
            replies: 0,
            lines: 0,
            out: Vec::new(),
        }
    }

    /// Takes an event and says what to do, in order. `now` must not step back; one that does only delays.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        match event {
            Event::Joined { who, name } => self.floor.join(who, &name),
            Event::Left { who } => self.left(now, who),
            Event::SpeechStarted { who, turn } => self.speech_started(now, who, turn),
            Event::Voice { who, turn, voiced } => self.voice(now, who, turn, voiced),
            Event::SpeechStopped { who, turn } => {
                self.floor.stop(now, who, turn);
                self.news_of_interruption(now, turn);
            }
            Event::Partial { who, turn, text } => self.partial(now, who, turn, &text),
            Event::Final {
                who,
                turn,
                text,
                language,
                at,
            } => self.said(now, who, turn, &text, language, at),
            Event::Nothing { who, turn } => self.nothing(now, who, turn),
            Event::HearingFailed { who, turn, language } => self.hearing_failed(now, who, turn, language),
            Event::ReplyText { reply, text } => self.reply_text(now, reply, &text),
            Event::ReplyTimer {
                reply,
                after,
                announcement,
            } => {
                self.reply_timer(reply, now.after(after), &announcement);
            }
            Event::ReplyEnded { reply } => self.reply_ended(now, reply),
            Event::ReplyFailed { reply, why } => self.reply_failed(now, reply, why),
            Event::LineStarted { line } => self.line_started(now, line),
            Event::LineProgress { line, played } => self.line_progress(now, line, played),
            Event::LineFinished { line } => self.line_over(now, line, LineState::Spoken),
            Event::LineFailed { line } => self.line_over(now, line, LineState::Skipped),
            Event::Mute(on) => {
                self.muted = on;
                if on {
                    self.silence(now);
                }
            }
            Event::Hush => self.silence(now),
            Event::Forget { who } => self.history.forget_speaker(who),
            Event::Tick => {}
        }
        self.advance(now);
        std::mem::take(&mut self.out)
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        match &self.current {
            None => Phase::Listening,
            Some(reply) if reply.interruption.is_some() => Phase::Interrupted,
            Some(reply) if reply.audible => Phase::Speaking,
            Some(_) => Phase::Thinking,
        }
    }

    /// What was said and answered so far, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Exchange> {
        self.history.all()
    }

    /// Whether Goobster was told to be silent.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// How many people are there.
    pub fn people(&self) -> usize {
        self.floor.people.len()
    }

    /// How many turns wait for their answer.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn left(&mut self, now: Moment, who: UserId) {
        self.floor.people.remove(&who);
        self.queue.retain(|turn| turn.who != who);
        if self
            .current
            .as_ref()
            .is_some_and(|reply| reply.who() == Some(who))
        {
            self.close(now, Outcome::Silenced);
        }
        if let Some(reply) = &mut self.current {
            reply.interruption = reply.interruption.filter(|interruption| interruption.who != who);
        }
    }

    fn speech_started(&mut self, now: Moment, who: UserId, turn: TurnId) {
        let follows = self
            .current
            .as_ref()
            .is_some_and(|reply| reply.who() == Some(who))
            || self
                .floor
                .person(who)
                .is_some_and(|person| person.window.is_some_and(|until| now <= until));
        self.floor.start(now, who, turn, follows);
        // They may be going on with the very turn that is about to be answered: do not talk over them.
        if let Some(reply) = &mut self.current
            && reply.who() == Some(who)
            && !reply.audible
            && reply.started
            && reply
                .ready
                .is_some_and(|ready| now.since(ready) < self.config.hold)
            && self.floor.is_taken(None)
        {
            let ready = reply.ready;
            self.out.push(Effect::StopPlayout { reply: reply.id });
            reply.take_back(now);
            reply.ready = ready;
        }
    }

    fn voice(&mut self, now: Moment, who: UserId, turn: TurnId, voiced: std::time::Duration) {
        self.news_of_interruption(now, turn);
        let Some(person) = self.floor.people.get_mut(&who) else {
            return;
        };
        // Who has interrupted with noise must make more of it next time.
        let needed = self
            .config
            .barge_in
            .saturating_mul(1 << person.false_alarms.min(3));
        let open = person.open_microphone;
        let Some(speech) = person.speeches.iter_mut().find(|speech| speech.turn == turn) else {
            return;
        };
        speech.voiced = speech.voiced.max(voiced);
        let over = speech.voiced.saturating_sub(speech.before_reply);
        let words = speech.words;
        if let Some(reply) = &self.current
            && reply.audible
            && reply.interruption.is_none()
            && !open
            && over >= needed
        {
            self.interrupt(now, who, turn);
            if words {
                self.close(now, Outcome::Interrupted);
            }
        }
    }

    fn partial(&mut self, now: Moment, who: UserId, turn: TurnId, text: &str) {
        self.news_of_interruption(now, turn);
        if is_hum(text) {
            return;
        }
        let Some(speech) = self.floor.speech(who, turn) else {
            return;
        };
        speech.words = true;
        if self.is_interrupted_by(turn) {
            self.close(now, Outcome::Interrupted);
        }
    }

    fn reply_text(&mut self, now: Moment, id: ReplyId, text: &str) {
        let bound = self.config.reply_bytes;
        let Some(reply) = self.generating(id) else { return };
        reply.news = now;
        let (added, full) = reply.text(text, bound);
        if full {
            reply.finish_text();
            self.out.push(Effect::CancelReply { reply: id });
        }
        if added || full {
            self.show();
        }
    }

    fn reply_timer(&mut self, id: ReplyId, at: Moment, announcement: &str) {
        let full = self.alarms.len() >= self.config.timers;
        let Some(reply) = self.generating(id) else { return };
        let language = reply.language;
        if full {
            reply.aside(phrase(Phrase::TimersFull, language));
        } else {
            let announcement = announcement.chars().take(500).collect();
            self.alarms.push(Alarm {
                at,
                announcement,
                language,
            });
        }
    }

    fn reply_ended(&mut self, now: Moment, id: ReplyId) {
        let Some(reply) = self.generating(id) else { return };
        reply.news = now;
        reply.finish_text();
        if reply.lines.is_empty() {
            reply.aside(phrase(Phrase::Speechless, reply.language));
        }
        self.show();
    }

    fn reply_failed(&mut self, now: Moment, id: ReplyId, why: Failure) {
        let Some(reply) = self.generating(id) else { return };
        reply.news = now;
        reply.finish_text();
        reply.failed = true;
        let words = if reply.lines.is_empty() {
            Phrase::NoReply(why)
        } else {
            Phrase::CutOff
        };
        reply.aside(phrase(words, reply.language));
        self.show();
    }

    fn line_started(&mut self, now: Moment, id: LineId) {
        let Some(reply) = &mut self.current else { return };
        let Some(line) = reply.line(id) else { return };
        line.state = LineState::Playing { line: id, since: now };
        reply.news = now;
        if !reply.audible {
            reply.audible = true;
            self.floor.reply_audible();
        }
    }

    fn line_progress(&mut self, now: Moment, id: LineId, played: f32) {
        let Some(reply) = &mut self.current else { return };
        let Some(line) = reply.line(id) else { return };
        if played.is_finite() {
            line.heard = line.heard.max(played.clamp(0.0, 1.0));
        }
        reply.news = now;
    }

    fn line_over(&mut self, now: Moment, id: LineId, state: LineState) {
        let Some(reply) = &mut self.current else { return };
        let Some(line) = reply.line(id) else { return };
        line.state = state;
        reply.news = now;
        if !reply.audible && state == LineState::Spoken {
            reply.audible = true;
            self.floor.reply_audible();
        }
        self.show();
    }

    fn generating(&mut self, id: ReplyId) -> Option<&mut Reply> {
        self.current
            .as_mut()
            .filter(|reply| reply.id == id && reply.generating)
    }

    fn is_interrupted_by(&self, turn: TurnId) -> bool {
        self.current
            .as_ref()
            .and_then(|reply| reply.interruption)
            .is_some_and(|by| by.turn == turn)
    }

    fn news_of_interruption(&mut self, now: Moment, turn: TurnId) {
        if let Some(interruption) = self
            .current
            .as_mut()
            .and_then(|reply| reply.interruption.as_mut())
            && interruption.turn == turn
        {
            interruption.news = now;
        }
    }

    fn ignore(&mut self, who: UserId, turn: TurnId, why: Ignored) {
        self.out.push(Effect::TurnIgnored { who, turn, why });
    }
}
