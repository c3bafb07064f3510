//! Conversations as people have them ([`scenes`]), and what holds in every one ([`properties`]).

mod properties;
mod scenes;

use std::time::Duration;

use super::*;
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::time::{Moment, UtcMillis};

pub(super) const ADA: UserId = UserId::new(1);
pub(super) const BOB: UserId = UserId::new(2);

/// A conversation with a clock, and everything it asked for.
pub(super) struct Room {
    pub(super) talk: Conversation,
    pub(super) now: u64,
    turn: u64,
}

impl Room {
    pub(super) fn with(people: &[(UserId, &str)]) -> Self {
        let mut room = Self {
            talk: Conversation::new(ConversationConfig::default()),
            now: 0,
            turn: 0,
        };
        for (who, name) in people {
            room.step(Event::Joined {
                who: *who,
                name: (*name).to_owned(),
            });
        }
        room
    }

    pub(super) fn step(&mut self, event: Event) -> Vec<Effect> {
        self.talk.step(Moment::from_millis(self.now), event)
    }

    pub(super) fn start(&mut self, who: UserId) -> TurnId {
        self.turn += 1;
        let turn = TurnId::new(self.turn);
        self.step(Event::SpeechStarted { who, turn });
        turn
    }

    /// Speaks for so long, 20 ms at a time.
    pub(super) fn voice(&mut self, who: UserId, turn: TurnId, from: u64, to: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        for voiced in (from..=to).step_by(20) {
            self.now += 20;
            effects.extend(self.step(Event::Voice {
                who,
                turn,
                voiced: Duration::from_millis(voiced),
            }));
        }
        effects
    }

    pub(super) fn finish(&mut self, who: UserId, turn: TurnId, text: &str) -> Vec<Effect> {
        self.now += 500;
        let mut effects = self.step(Event::SpeechStopped { who, turn });
        self.now += 300;
        let at = UtcMillis::new(self.now as i64);
        effects.extend(self.step(Event::Final {
            who,
            turn,
            text: text.to_owned(),
            language: Language::ENGLISH,
            at,
        }));
        effects
    }

    /// A whole turn, spoken while nothing else happens.
    pub(super) fn say(&mut self, who: UserId, text: &str) -> Vec<Effect> {
        let turn = self.start(who);
        self.now += 1000;
        self.finish(who, turn, text)
    }

    pub(super) fn text(&mut self, reply: ReplyId, text: &str) -> Vec<Effect> {
        self.step(Event::ReplyText {
            reply,
            text: text.to_owned(),
        })
    }

    /// The responder answers, whole.
    pub(super) fn answer(&mut self, reply: ReplyId, text: &str) -> Vec<Effect> {
        let mut effects = self.text(reply, text);
        effects.extend(self.step(Event::ReplyEnded { reply }));
        effects
    }

    /// Plays the lines handed over, a second each, until there are none.
    pub(super) fn play(&mut self, mut effects: Vec<Effect>) -> Vec<Effect> {
        let mut all = Vec::new();
        let mut lines = spoken(&effects);
        all.append(&mut effects);
        while !lines.is_empty() {
            let (line, _) = lines.remove(0);
            let mut news = self.step(Event::LineStarted { line });
            self.now += 1000;
            news.extend(self.step(Event::LineFinished { line }));
            lines.extend(spoken(&news));
            all.append(&mut news);
        }
        all
    }
}

pub(super) fn started(effects: &[Effect]) -> Option<(ReplyId, &ReplyRequest)> {
    effects.iter().find_map(|effect| match effect {
        Effect::StartReply { reply, request } => Some((*reply, &**request)),
        _ => None,
    })
}

pub(super) fn spoken(effects: &[Effect]) -> Vec<(LineId, String)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Speak { line, text, .. } => Some((*line, text.clone())),
            _ => None,
        })
        .collect()
}

pub(super) fn closed(effects: &[Effect]) -> Option<(Outcome, String)> {
    effects.iter().find_map(|effect| match effect {
        Effect::ReplyClosed { outcome, spoken, .. } => Some((*outcome, spoken.clone())),
        _ => None,
    })
}

pub(super) fn ignored(effects: &[Effect]) -> Option<Ignored> {
    effects.iter().find_map(|effect| match effect {
        Effect::TurnIgnored { why, .. } => Some(*why),
        _ => None,
    })
}

pub(super) fn has(effects: &[Effect], wanted: impl Fn(&Effect) -> bool) -> bool {
    effects.iter().any(wanted)
}
