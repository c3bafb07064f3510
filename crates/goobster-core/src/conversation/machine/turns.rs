//! What becomes of something that was said.

use super::super::phrases::{Phrase, phrase};
use super::super::reply::Turn;
use super::super::{Ignored, Outcome, ReplyKind, is_hum, is_hush};
use super::playing::Due;
use super::{Conversation, Effect};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::ports::Utterance;
use crate::time::{Moment, UtcMillis};

impl Conversation {
    /// The final caption of a turn.
    pub(super) fn said(
        &mut self,
        now: Moment,
        who: UserId,
        turn: TurnId,
        text: &str,
        language: Language,
        at: UtcMillis,
    ) {
        let text: String = text.trim().chars().take(self.config.turn_chars).collect();
        if is_hum(&text) {
            return self.nothing(now, who, turn);
        }
        let speech = self.floor.heard(now, who, turn);
        let Some(person) = self.floor.person(who) else {
            return;
        };
        person.false_alarms = 0;
        let speaker = person.name.clone();
        let open_window = person.window.is_some_and(|until| now <= until);
        let follows = speech.as_ref().map_or(open_window, |speech| speech.follows);
        let alone = self.floor.people.len() == 1;
        if self.is_interrupted_by(turn) {
            self.close(now, Outcome::Interrupted);
        }
        if self.muted {
            self.history.say(who, Utterance { speaker, text, at });
            return self.ignore(who, turn, Ignored::Muted);
        }
        let called = self.wake.without_call(&text);
        if !(alone || follows || called.is_some()) {
            self.history.say(who, Utterance { speaker, text, at });
            return self.ignore(who, turn, Ignored::NotAddressed);
        }
        let words = called.as_deref().unwrap_or(&text);
        if is_hush(words) {
            self.hush(now, who);
            return self.ignore(who, turn, Ignored::Hushed);
        }
        let only_called = words.is_empty();
        let words = words.to_owned();
        let utterance = Utterance {
            speaker,
            text: words,
            at,
        };
        let spoken = Utterance {
            text,
            ..utterance.clone()
        };
        let entry = self.history.say(who, spoken);
        let new = Turn {
            who,
            turns: vec![turn],
            utterance,
            language,
            entry,
            only_called,
        };
        self.enqueue(now, new);
    }

    /// A turn without words.
    pub(super) fn nothing(&mut self, now: Moment, who: UserId, turn: TurnId) {
        self.floor.heard(now, who, turn);
        if self.is_interrupted_by(turn) {
            if let Some(person) = self.floor.people.get_mut(&who) {
                person.false_alarms += 1;
            }
            self.resume();
        }
        self.ignore(who, turn, Ignored::Empty);
    }

    /// A turn that the recogniser failed at: those who are surely addressed are told.
    pub(super) fn hearing_failed(&mut self, now: Moment, who: UserId, turn: TurnId, language: Language) {
        let follows = self.floor.speech(who, turn).is_some_and(|speech| speech.follows);
        let alone = self.floor.people.len() == 1 && self.floor.people.contains_key(&who);
        self.nothing(now, who, turn);
        if (alone || follows) && !self.muted {
            let text = phrase(Phrase::NotHeard, language).to_owned();
            self.fall_due(Due {
                kind: ReplyKind::Apology,
                who: Some(who),
                text,
                language,
            });
        }
    }

    /// Puts a turn in line, merged with what the same speaker said just before and was not answered yet.
    fn enqueue(&mut self, now: Moment, new: Turn) {
        let unheard = self
            .current
            .as_ref()
            .is_some_and(|reply| !reply.audible && reply.who() == Some(new.who));
        if unheard
            && let Some(old) = self.current.as_ref().and_then(|reply| reply.turn.clone())
            && let Some(merged) = self.merged(&old, &new)
        {
            self.close(now, Outcome::Superseded);
            let merged = self.remember(merged, &[old, new]);
            self.queue.push_front(merged);
            return;
        }
        if let Some(last) = self.queue.iter().rposition(|turn| turn.who == new.who)
            && let Some(old) = self.queue.get(last).cloned()
            && let Some(merged) = self.merged(&old, &new)
        {
            let merged = self.remember(merged, &[old, new]);
            if let Some(slot) = self.queue.get_mut(last) {
                *slot = merged;
            }
            return;
        }
        if self.queue.len() >= self.config.queue {
            for turn in new.turns {
                self.ignore(new.who, turn, Ignored::QueueFull);
            }
            return;
        }
        self.queue.push_back(new);
    }

    /// Two turns as one; `None` when that would be too long.
    fn merged(&self, old: &Turn, new: &Turn) -> Option<Turn> {
        let text = match (old.only_called, new.only_called) {
            (true, _) => new.utterance.text.clone(),
            (false, true) => old.utterance.text.clone(),
            (false, false) => format!("{} {}", old.utterance.text, new.utterance.text),
        };
        if text.chars().count() > self.config.turn_chars || old.turns.len() >= 32 {
            return None;
        }
        Some(Turn {
            turns: old.turns.iter().chain(&new.turns).copied().collect(),
            utterance: Utterance {
                text,
                ..new.utterance.clone()
            },
            only_called: old.only_called && new.only_called,
            ..new.clone()
        })
    }

    /// Makes one remembered exchange of the merged turns' two.
    fn remember(&mut self, mut merged: Turn, parts: &[Turn]) -> Turn {
        for part in parts {
            self.history.forget(part.entry);
        }
        let said = merged.utterance.text.clone();
        let text = if said.is_empty() {
            self.wake.name().to_owned()
        } else {
            said
        };
        let said = Utterance {
            text,
            ..merged.utterance.clone()
        };
        merged.entry = self.history.say(merged.who, said);
        merged
    }

    /// "Stop": the reply ends, and what this speaker still wanted is forgotten.
    fn hush(&mut self, now: Moment, who: UserId) {
        self.queue.retain(|turn| turn.who != who);
        self.close(now, Outcome::Silenced);
        self.open_window(now, who);
    }

    /// A command for silence: everything that waits goes too.
    pub(super) fn silence(&mut self, now: Moment) {
        self.queue.clear();
        self.due.clear();
        self.close(now, Outcome::Silenced);
    }

    pub(super) fn open_window(&mut self, now: Moment, who: UserId) {
        if let Some(person) = self.floor.people.get_mut(&who) {
            person.window = Some(now.after(self.config.follow_up));
        }
    }

    /// Shows the reply as it stands.
    pub(super) fn show(&mut self) {
        if let Some(reply) = &self.current {
            let (text, spoken) = (reply.shown(), reply.shown_spoken());
            self.out.push(Effect::ShowReply {
                reply: reply.id,
                text,
                spoken,
            });
        }
    }
}
