//! The book of open turns: what the room sees goes in, traces of turns that are over come out, each turn once.

use std::collections::BTreeMap;
use std::time::Duration;

use goobster_core::ids::TurnId;
use goobster_core::time::Moment;

use super::build::built;
use super::seen::Seen;
use super::{Mark, TurnTrace};

/// Open turns at most; the oldest ends as `forgotten`. A room has a turn a speaker, and a queue of four.
pub(super) const MOST_TURNS: usize = 256;

/// Open replies at most; a room has one that is audible.
const MOST_REPLIES: usize = 64;

/// Marks of a span at most: a long utterance has a partial caption a second or so.
const MOST_MARKS: usize = 64;

/// Decodes of a turn at most: one a pause, and the final.
const MOST_DECODES: usize = 16;

/// Replies of a turn at most: all but the last were superseded.
const MOST_REPLIES_A_TURN: usize = 8;

/// A decode of a turn.
#[derive(Debug, Clone)]
pub(super) struct Decode {
    pub(super) ticket: u64,
    pub(super) class: &'static str,
    pub(super) audio: Duration,
    pub(super) from: Moment,
    pub(super) over: Option<(Moment, &'static str)>,
}

/// A reply, as far as it got.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) reply: u64,
    pub(super) turns: Vec<TurnId>,
    pub(super) kind: &'static str,
    pub(super) opened: Moment,
    pub(super) asked: Option<Moment>,
    pub(super) words: Option<Moment>,
    pub(super) answered: Option<(Moment, &'static str)>,
    pub(super) sentence: Option<Moment>,
    pub(super) synthesised: Option<Moment>,
    pub(super) audible: Option<Moment>,
    pub(super) closed: Option<(Moment, &'static str)>,
}

/// A turn that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) turn: TurnId,
    pub(super) speaker: u64,
    pub(super) began: Moment,
    pub(super) marks: Vec<Mark>,
    voice: bool,
    /// The end of speech, and when the endpointer was sure of it.
    pub(super) ended: Option<(Moment, Moment)>,
    pub(super) decodes: Vec<Decode>,
    pub(super) captioned: Option<Moment>,
    pub(super) not_understood: Option<Moment>,
    /// When turn-taking decided.
    pub(super) decided: Option<Moment>,
    pub(super) answers: Vec<Answer>,
    pub(super) left_out: u64,
}

impl Open {
    fn new(turn: TurnId, speaker: u64, began: Moment) -> Self {
        Self {
            turn,
            speaker,
            began,
            marks: Vec::new(),
            voice: true,
            ended: None,
            decodes: Vec::new(),
            captioned: None,
            not_understood: None,
            decided: None,
            answers: Vec::new(),
            left_out: 0,
        }
    }

    fn mark(&mut self, name: &'static str, at: Moment) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(Mark { name, at });
        } else {
            self.left_out += 1;
        }
    }
}

/// The open turns and replies of a room.
#[derive(Debug)]
pub struct TraceBook {
    conversation: u32,
    turns: BTreeMap<u64, Open>,
    answers: BTreeMap<u64, Answer>,
}

impl TraceBook {
    /// The book of the conversation of this random number.
    pub const fn new(conversation: u32) -> Self {
        Self {
            conversation,
            turns: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Turns that are open.
    pub fn open(&self) -> usize {
        self.turns.len()
    }

    /// Takes in what was seen; gives the traces of the turns that are over by it. What is seen of a turn or reply that
    /// is not open is passed over.
    pub fn see(&mut self, now: Moment, seen: Seen) -> Vec<TurnTrace> {
        match seen {
            Seen::Voice { turn, speaker } => return self.voice(now, turn, speaker),
            Seen::ReplyOpened { reply, turns, kind } => self.reply_opened(now, reply, turns, kind),
            Seen::ReplyClosed {
                reply,
                outcome,
                go_on,
            } => {
                return self.reply_closed(now, reply, outcome, go_on);
            }
            Seen::Over { turn, outcome } => return self.end(now, turn, outcome).into_iter().collect(),
            Seen::Asked { reply }
            | Seen::Words { reply }
            | Seen::Answered { reply, .. }
            | Seen::Sentence { reply }
            | Seen::Synthesised { reply }
            | Seen::Audible { reply } => self.of_reply(now, reply, &seen),
            Seen::Hush { turn }
            | Seen::Partial { turn }
            | Seen::Ended { turn, .. }
            | Seen::DecodeBegan { turn, .. }
            | Seen::DecodeOver { turn, .. }
            | Seen::Captioned { turn }
            | Seen::NotUnderstood { turn } => self.of_turn(now, turn, &seen),
        }
        Vec::new()
    }

    /// Ends every turn that is open.
    pub fn end_all(&mut self, now: Moment, outcome: &'static str) -> Vec<TurnTrace> {
        let open: Vec<TurnId> = self.turns.values().map(|open| open.turn).collect();
        let traces = open
            .into_iter()
            .filter_map(|turn| self.end(now, turn, outcome))
            .collect();
        self.answers.clear();
        traces
    }

    fn voice(&mut self, now: Moment, turn: TurnId, speaker: u64) -> Vec<TurnTrace> {
        if let Some(open) = self.turns.get_mut(&turn.get()) {
            if !std::mem::replace(&mut open.voice, true) {
                open.mark("resume", now);
            }
            return Vec::new();
        }
        let mut forgotten = None;
        if self.turns.len() >= MOST_TURNS {
            let oldest = self.turns.values().next().map(|open| open.turn);
            forgotten = oldest.and_then(|turn| self.end(now, turn, "forgotten"));
        }
        self.turns.insert(turn.get(), Open::new(turn, speaker, now));
        forgotten.into_iter().collect()
    }

    fn of_turn(&mut self, now: Moment, turn: TurnId, seen: &Seen) {
        let Some(open) = self.turns.get_mut(&turn.get()) else {
            return;
        };
        match *seen {
            Seen::Hush { .. } if open.voice => {
                open.voice = false;
                open.mark("pause", now);
            }
            Seen::Partial { .. } => open.mark("partial", now),
            Seen::Ended {
                from, speech_ended, ..
            } => {
                open.began = open.began.min(from);
                open.ended = Some((speech_ended, now));
            }
            Seen::DecodeBegan {
                ticket, class, audio, ..
            } => {
                if open.decodes.len() < MOST_DECODES {
                    open.decodes.push(Decode {
                        ticket,
                        class,
                        audio,
                        from: now,
                        over: None,
                    });
                } else {
                    open.left_out += 1;
                }
            }
            Seen::DecodeOver { ticket, outcome, .. } => {
                let decode = open.decodes.iter_mut().find(|decode| decode.ticket == ticket);
                if let Some(decode) = decode {
                    decode.over.get_or_insert((now, outcome));
                }
            }
            Seen::Captioned { .. } => {
                open.captioned.get_or_insert(now);
            }
            Seen::NotUnderstood { .. } => {
                open.not_understood.get_or_insert(now);
            }
            _ => {}
        }
    }

    fn of_reply(&mut self, now: Moment, reply: u64, seen: &Seen) {
        let Some(answer) = self.answers.get_mut(&reply) else {
            return;
        };
        let slot = match *seen {
            Seen::Asked { .. } => &mut answer.asked,
            Seen::Words { .. } => &mut answer.words,
            Seen::Sentence { .. } => &mut answer.sentence,
            Seen::Synthesised { .. } => &mut answer.synthesised,
            Seen::Audible { .. } => &mut answer.audible,
            Seen::Answered { outcome, .. } => {
                answer.answered.get_or_insert((now, outcome));
                return;
            }
            _ => return,
        };
        slot.get_or_insert(now);
    }

    fn reply_opened(&mut self, now: Moment, reply: u64, turns: Vec<TurnId>, kind: &'static str) {
        let mut known = false;
        for turn in &turns {
            if let Some(open) = self.turns.get_mut(&turn.get()) {
                open.decided.get_or_insert(now);
                known = true;
            }
        }
        // An announcement answers nobody.
        if !known || self.answers.len() >= MOST_REPLIES {
            return;
        }
        let answer = Answer {
            reply,
            turns,
            kind,
            opened: now,
            asked: None,
            words: None,
            answered: None,
            sentence: None,
            synthesised: None,
            audible: None,
            closed: None,
        };
        self.answers.insert(reply, answer);
    }

    fn reply_closed(
        &mut self,
        now: Moment,
        reply: u64,
        outcome: &'static str,
        go_on: bool,
    ) -> Vec<TurnTrace> {
        let Some(mut answer) = self.answers.remove(&reply) else {
            return Vec::new();
        };
        answer.closed = Some((now, outcome));
        let outcome = if outcome == "finished" {
            "answered"
        } else {
            outcome
        };
        let mut traces = Vec::new();
        for turn in answer.turns.clone() {
            let Some(open) = self.turns.get_mut(&turn.get()) else {
                continue;
            };
            if open.answers.len() < MOST_REPLIES_A_TURN {
                open.answers.push(answer.clone());
            } else {
                open.left_out += 1;
            }
            if !go_on {
                traces.extend(self.end(now, turn, outcome));
            }
        }
        traces
    }

    /// Ends a turn, with the replies to it that are still open as far as they got.
    fn end(&mut self, now: Moment, turn: TurnId, outcome: &'static str) -> Option<TurnTrace> {
        let mut open = self.turns.remove(&turn.get())?;
        let unfinished = self
            .answers
            .values()
            .filter(|answer| answer.turns.contains(&turn));
        open.answers.extend(unfinished.cloned());
        // A reply that answers no open turn any more is forgotten.
        let turns = &self.turns;
        self.answers
            .retain(|_, answer| answer.turns.iter().any(|turn| turns.contains_key(&turn.get())));
        let outcome = if open.not_understood.is_some() {
            "not_understood"
        } else {
            outcome
        };
        Some(built(&open, now, outcome, self.conversation))
    }
}
