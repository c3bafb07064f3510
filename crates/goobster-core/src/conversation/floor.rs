//! Who is there, and who is speaking.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{TurnId, UserId};
use crate::time::Moment;

/// People at most; a voice channel holds 99, a stage more.
const PEOPLE: usize = 1024;
/// Turns of one person without a final caption at most.
const UNHEARD: usize = 8;
/// Somebody whose microphone was open during a hold is trusted again after this much silence.
const OPEN_MICROPHONE: Duration = Duration::from_secs(1);

/// One stretch of speech whose final caption has not come yet.
#[derive(Debug, Clone)]
pub(super) struct Speech {
    pub(super) turn: TurnId,
    pub(super) voiced: Duration,
    /// Voice before the reply could be heard; only what comes after counts as speaking over it.
    pub(super) before_reply: Duration,
    /// Whether it follows a reply closely enough to need no name.
    pub(super) follows: bool,
    /// Whether it is still going on.
    pub(super) going: bool,
    /// Whether any word of it was recognised.
    pub(super) words: bool,
}

#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) speeches: Vec<Speech>,
    /// Until when a turn of theirs needs no name.
    pub(super) window: Option<Moment>,
    /// Interruptions of theirs without a word, one after another.
    pub(super) false_alarms: u32,
    /// Their microphone never falls silent: it neither holds replies nor stops them.
    pub(super) open_microphone: bool,
    last_stop: Option<Moment>,
}

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct Floor {
    pub(super) people: BTreeMap<UserId, Person>,
}

impl Floor {
    /// The person, who joins by speaking if they have not yet. `None` when the room is full.
    pub(super) fn person(&mut self, who: UserId) -> Option<&mut Person> {
        if self.people.len() >= PEOPLE && !self.people.contains_key(&who) {
            return None;
        }
        Some(self.people.entry(who).or_insert_with(|| Person {
            name: format!("Speaker {who}"),
            ..Person::default()
        }))
    }

    pub(super) fn join(&mut self, who: UserId, name: &str) {
        if let Some(person) = self.person(who) {
            person.name = name.chars().take(64).collect();
        }
    }

    pub(super) fn start(&mut self, now: Moment, who: UserId, turn: TurnId, follows: bool) {
        let Some(person) = self.person(who) else { return };
        if person
            .last_stop
            .is_none_or(|stop| now.since(stop) > OPEN_MICROPHONE)
        {
            person.open_microphone = false;
        }
        for speech in &mut person.speeches {
            speech.going = false;
        }
        person.speeches.retain(|speech| speech.turn != turn);
        if person.speeches.len() >= UNHEARD {
            person.speeches.remove(0);
        }
        person.speeches.push(Speech {
            turn,
            voiced: Duration::ZERO,
            before_reply: Duration::ZERO,
            follows,
            going: true,
            words: false,
        });
    }

    pub(super) fn stop(&mut self, now: Moment, who: UserId, turn: TurnId) {
        let Some(person) = self.people.get_mut(&who) else {
            return;
        };
        if let Some(speech) = person
            .speeches
            .iter_mut()
            .find(|speech| speech.turn == turn && speech.going)
        {
            speech.going = false;
            person.last_stop = Some(now);
        }
    }

    pub(super) fn speech(&mut self, who: UserId, turn: TurnId) -> Option<&mut Speech> {
        self.people
            .get_mut(&who)?
            .speeches
            .iter_mut()
            .find(|speech| speech.turn == turn)
    }

    /// The turn has its final caption: takes the speech off the floor.
    pub(super) fn heard(&mut self, now: Moment, who: UserId, turn: TurnId) -> Option<Speech> {
        self.stop(now, who, turn);
        let speeches = &mut self.people.get_mut(&who)?.speeches;
        let index = speeches.iter().position(|speech| speech.turn == turn)?;
        Some(speeches.remove(index))
    }

    /// Whether a reply to `to` should wait: somebody speaks, or `to` has said something that may belong to the turn.
    pub(super) fn is_taken(&self, to: Option<UserId>) -> bool {
        self.people.iter().any(|(who, person)| {
            !person.open_microphone
                && (person.speeches.iter().any(|speech| speech.going)
                    || (Some(*who) == to && !person.speeches.is_empty()))
        })
    }

    /// A reply is spoken though they speak: those who still do have their microphone open.
    pub(super) fn hold_lapsed(&mut self) {
        for person in self.people.values_mut() {
            person.open_microphone |= person.speeches.iter().any(|speech| speech.going);
        }
    }

    /// The reply can be heard from here.
    pub(super) fn reply_audible(&mut self) {
        for speech in self.people.values_mut().flat_map(|person| &mut person.speeches) {
            speech.before_reply = speech.voiced;
        }
    }
}
