//! What is spoken and when, and how replies end.

use super::super::phrases::{Phrase, phrase};
use super::super::reply::{Interruption, LineState, Reply, Turn};
use super::super::{Failure, LineId, Outcome, ReplyId, ReplyKind, ReplyRequest};
use super::{Conversation, Effect};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::time::Moment;

/// Short replies that wait at most, besides the timers.
const DUE: usize = 16;

/// Something short to say when nothing else is being said.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) kind: ReplyKind,
    pub(super) who: Option<UserId>,
    pub(super) text: String,
    pub(super) language: Language,
}

impl Conversation {
    /// When it wants a tick if nothing happens before; `None`: never.
    pub fn deadline(&self) -> Option<Moment> {
        let alarms = self.alarms.iter().map(|alarm| alarm.at).min();
        let reply = self
            .current
            .as_ref()
            .map(|reply| match (reply.interruption, reply.ready) {
                (Some(interruption), _) => interruption.news.after(self.config.interruption),
                (None, Some(ready)) if !reply.started => ready.after(self.config.hold),
                _ => reply.news.after(self.config.stall),
            });
        alarms.into_iter().chain(reply).min()
    }

    /// Does everything that can be done now. Each round closes a reply, opens one, or ends the loop.
    pub(super) fn advance(&mut self, now: Moment) {
        self.ring(now);
        loop {
            self.watch(now);
            self.speak(now);
            if self
                .current
                .as_ref()
                .is_some_and(|reply| !reply.generating && reply.is_spoken())
            {
                let failed = self.current.as_ref().is_some_and(|reply| reply.failed);
                self.close(
                    now,
                    if failed {
                        Outcome::Failed
                    } else {
                        Outcome::Finished
                    },
                );
            }
            if self.current.is_some() || !self.open_next(now) {
                return;
            }
        }
    }

    /// Timers that are due become announcements.
    fn ring(&mut self, now: Moment) {
        self.alarms.sort_by_key(|alarm| alarm.at);
        let due = self.alarms.partition_point(|alarm| alarm.at <= now);
        let rung: Vec<_> = self.alarms.drain(..due).collect();
        for alarm in rung {
            self.fall_due(Due {
                kind: ReplyKind::Announcement,
                who: None,
                text: alarm.announcement,
                language: alarm.language,
            });
        }
    }

    pub(super) fn fall_due(&mut self, due: Due) {
        if self.due.len() < DUE + self.config.timers {
            self.due.push_back(due);
        }
    }

    /// Ends interruptions and replies of which nothing more is heard.
    fn watch(&mut self, now: Moment) {
        let Some(reply) = &mut self.current else { return };
        if let Some(interruption) = reply.interruption {
            if now.since(interruption.news) >= self.config.interruption {
                self.resume();
            }
            return;
        }
        let holding = reply.ready.is_some() && !reply.started;
        if holding || now.since(reply.news) < self.config.stall {
            return;
        }
        reply.news = now;
        if reply.generating {
            let id = reply.id;
            reply.finish_text();
            reply.failed = true;
            let words = if reply.lines.is_empty() {
                Phrase::NoReply(Failure::TimedOut)
            } else {
                Phrase::CutOff
            };
            reply.aside(phrase(words, reply.language));
            self.out.push(Effect::CancelReply { reply: id });
        } else {
            // The playout is stuck: nobody hears the rest.
            reply.failed = true;
            self.close(now, Outcome::Failed);
        }
    }

    /// Hands lines to the voice, unless somebody has the floor.
    fn speak(&mut self, now: Moment) {
        let (ahead, hold) = (self.config.lines_ahead.max(1), self.config.hold);
        let Some(reply) = &mut self.current else { return };
        if reply.interruption.is_some() || !reply.lines.iter().any(|line| line.state == LineState::Waiting) {
            return;
        }
        if !reply.started {
            let ready = *reply.ready.get_or_insert(now);
            if self.floor.is_taken(reply.who()) {
                if now.since(ready) < hold {
                    return;
                }
                self.floor.hold_lapsed();
            }
            reply.started = true;
        }
        while reply.outstanding() < ahead {
            let (id, language) = (reply.id, reply.language);
            let Some(line) = reply
                .lines
                .iter_mut()
                .find(|line| line.state == LineState::Waiting)
            else {
                break;
            };
            self.lines += 1;
            line.state = LineState::Sent(LineId(self.lines));
            let text = line.text.clone();
            self.out.push(Effect::Speak {
                reply: id,
                line: LineId(self.lines),
                text,
                language,
            });
            reply.news = now;
        }
    }

    /// Opens the next reply: what is due first, then the turns in order. Returns whether there was one.
    fn open_next(&mut self, now: Moment) -> bool {
        if self.muted {
            return false;
        }
        if let Some(due) = self.due.pop_front() {
            let mut reply = self.open(now, due.kind, due.who, None, due.language);
            reply.add(vec![due.text], true);
            self.current = Some(reply);
            self.show();
            return true;
        }
        let Some(turn) = self.queue.pop_front() else {
            return false;
        };
        let (who, language) = (turn.who, turn.language);
        let only_called = turn.only_called;
        let kind = if only_called {
            ReplyKind::Attention
        } else {
            ReplyKind::Answer
        };
        let request = ReplyRequest {
            who,
            utterance: turn.utterance.clone(),
            language,
            history: self.history.without(turn.entry),
        };
        let mut reply = self.open(now, kind, Some(who), Some(turn), language);
        if only_called {
            reply.add(vec![phrase(Phrase::Attention, language).to_owned()], true);
        } else {
            reply.generating = true;
            self.out.push(Effect::StartReply {
                reply: reply.id,
                request: Box::new(request),
            });
        }
        self.current = Some(reply);
        if only_called {
            self.show();
        }
        true
    }

    fn open(
        &mut self,
        now: Moment,
        kind: ReplyKind,
        who: Option<UserId>,
        turn: Option<Turn>,
        language: Language,
    ) -> Reply {
        self.replies += 1;
        let reply = ReplyId(self.replies);
        let turns = turn.as_ref().map(|turn| turn.turns.clone()).unwrap_or_default();
        self.out.push(Effect::ReplyOpened {
            reply,
            kind,
            who,
            turns,
        });
        Reply::new(reply, kind, turn, language, now)
    }

    /// Somebody speaks over the reply: silence at once. What was still being made goes on being made until words
    /// are recognised, so that a noise can be forgiven.
    pub(super) fn interrupt(&mut self, now: Moment, who: UserId, turn: TurnId) {
        let Some(reply) = &mut self.current else { return };
        self.out.push(Effect::StopPlayout { reply: reply.id });
        reply.take_back(now);
        reply.interruption = Some(Interruption { who, turn, news: now });
    }

    /// It was no interruption: the reply goes on from the line that was cut.
    pub(super) fn resume(&mut self) {
        if let Some(reply) = &mut self.current {
            reply.interruption = None;
        }
    }

    /// Ends the open reply, if any.
    pub(super) fn close(&mut self, now: Moment, outcome: Outcome) {
        let Some(mut reply) = self.current.take() else {
            return;
        };
        if reply.generating {
            self.out.push(Effect::CancelReply { reply: reply.id });
        }
        if reply.outstanding() > 0 {
            self.out.push(Effect::StopPlayout { reply: reply.id });
            reply.take_back(now);
        }
        if let Some(turn) = &reply.turn {
            let heard = reply.heard(false);
            if !heard.is_empty() && reply.kind == ReplyKind::Answer {
                self.history.answer(turn.entry, &heard);
            }
        }
        if let Some(who) = reply.who()
            && outcome != Outcome::Superseded
        {
            self.open_window(now, who);
        }
        self.out.push(Effect::ReplyClosed {
            reply: reply.id,
            outcome,
            text: reply.shown(),
            spoken: reply.heard(true),
        });
    }
}
