//! What happened, in order: the one account of a rehearsal that figures, expectations, report and judge read.
//!
//! Moments are counted from the one at which the bot was ready.

use std::collections::BTreeMap;
use std::time::Duration;

use goobster_core::time::Moment;
use serde::Serialize;

/// What the bot's process held at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Vital {
    /// When.
    pub at: Moment,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// Everything that happened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// Unix time in milliseconds of moment zero.
    pub began_unix_ms: u64,
    /// How long the bot took from its start until it was ready.
    pub ready_after: Duration,
    /// When the last step and what it led to were over; what comes later is the end of the bot.
    pub over: Moment,
    /// What the bot is called.
    pub bot: String,
    /// Steps that were begun, and events that followed, by name, with their first moment.
    pub events: BTreeMap<String, Moment>,
    /// What members said.
    pub speeches: Vec<Speech>,
    /// Captions of the bot, its replies among them.
    pub captions: Vec<Caption>,
    /// Its other messages.
    pub messages: Vec<Message>,
    /// What members asked of it.
    pub requests: Vec<Request>,
    /// When it was heard.
    pub sounds: Vec<Sound>,
    /// Where it was, from each moment on.
    pub places: Vec<Place>,
    /// What broke.
    pub faults: Vec<Fault>,
    /// How its processes ended.
    pub exits: Vec<Exit>,
    /// Who was in voice, from each moment on.
    pub company: Vec<Company>,
    /// What the connections saw.
    pub protocol: Vec<Remark>,
    /// What went otherwise than the scenario says.
    pub remarks: Vec<Remark>,
    /// Requests to unknown routes and other hosts.
    pub strange_requests: Vec<String>,
    /// What the bot's process held, looked at every few seconds, where the system tells.
    pub vitals: Vec<Vital>,
}

/// Something that a member said.
#[derive(Debug, Clone, Serialize)]
pub struct Speech {
    /// The step.
    pub label: String,
    /// Who.
    pub member: String,
    /// The recording.
    pub clip: String,
    /// The words, if they are known.
    pub text: Option<String>,
    /// From its first packet.
    pub from: Moment,
    /// To its last.
    pub to: Moment,
    /// When its first voiced 20 ms left.
    pub voice_from: Moment,
    /// When its last voiced 20 ms had been spoken.
    pub end_of_speech: Moment,
    /// The share of packets that were lost on purpose.
    pub loss: f64,
    /// Whether there was a room to speak into.
    pub sent: bool,
}

/// A caption, and how it came to its words.
#[derive(Debug, Clone, Serialize)]
pub struct Caption {
    /// Where it stands.
    pub channel: String,
    /// Whose words it says they are.
    pub name: String,
    /// Whether they are the bot's own.
    pub is_reply: bool,
    /// The time that stands in it.
    pub stamp: Moment,
    /// What stood there, from each moment on; never empty.
    pub revisions: Vec<Revision>,
    /// Whether it was taken back.
    pub deleted: Option<Moment>,
}

/// A state of a caption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// From when on.
    pub at: Moment,
    /// The words.
    pub words: String,
    /// Whether they are said to be final.
    pub is_final: bool,
}

impl Caption {
    /// When it appeared.
    pub fn created(&self) -> Moment {
        self.revisions.first().map_or(Moment::ZERO, |r| r.at)
    }

    /// The words that stand there last.
    pub fn words(&self) -> &str {
        self.revisions.last().map_or("", |r| r.words.as_str())
    }

    /// When its last words came, if they are final and still there.
    pub fn final_at(&self) -> Option<Moment> {
        let last = self
            .revisions
            .last()
            .filter(|r| r.is_final && self.deleted.is_none())?;
        let same = |r: &&Revision| r.is_final && r.words == last.words;
        self.revisions.iter().rev().take_while(same).last().map(|r| r.at)
    }
}

/// A message that is no caption.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// When it appeared.
    pub at: Moment,
    /// Where.
    pub channel: String,
    /// Its words, embeds among them, as they stand there last.
    pub words: String,
    /// Everything that ever stood there, in order.
    pub revisions: Vec<(Moment, String)>,
    /// Whether only one member sees it.
    pub hidden: bool,
    /// Whether it is small print about the session.
    pub notice: bool,
    /// The labels of its buttons.
    pub buttons: Vec<String>,
    /// The files that hang from it.
    pub files: Vec<String>,
    /// The request that it answers.
    pub answers: Option<usize>,
    /// Whether it was taken back.
    pub deleted: Option<Moment>,
}

/// Something that a member asked of the bot.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// The step.
    pub label: String,
    /// Who.
    pub member: String,
    /// What, as typed.
    pub what: String,
    /// When.
    pub at: Moment,
    /// When the bot first reacted.
    pub answered: Option<Moment>,
    /// Why the client of the member would not let it through.
    pub refused: Option<String>,
}

/// A time in which the bot was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sound {
    /// From its first audible frame.
    pub from: Moment,
    /// To its last.
    pub to: Moment,
}

/// Where the bot was from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From when on.
    pub at: Moment,
    /// In which voice channel.
    pub channel: Option<String>,
    /// Whether it could hear and be heard.
    pub connected: bool,
}

/// Who was in which voice channel from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Company {
    /// From when on.
    pub at: Moment,
    /// Members and their channels.
    pub members: Vec<(String, String)>,
}

/// Something that broke.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// The step.
    pub label: String,
    /// When.
    pub at: Moment,
    /// When it was over by itself.
    pub until: Option<Moment>,
    /// What.
    pub what: String,
    /// Whether there was anything to break.
    pub hit: bool,
    /// What, as the scenario has it.
    #[serde(skip)]
    pub order: crate::scenario::Fault,
}

/// How a process of the bot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// When.
    pub at: Moment,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it had been told before.
    pub asked: Asked,
}

/// What a process had been told before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// Nothing: it ended by itself.
    Nothing,
    /// To end.
    End,
    /// Nothing could be told: it was killed.
    Killed,
}

/// A moment and words about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// When.
    pub at: Moment,
    /// What.
    pub what: String,
    /// Whether the rehearsal failed with it.
    pub fails: bool,
}

impl Timeline {
    /// Where the bot was at a moment.
    pub fn place_at(&self, at: Moment) -> Option<&Place> {
        let after = self.places.partition_point(|p| p.at <= at);
        after.checked_sub(1).and_then(|n| self.places.get(n))
    }

    /// Whether the bot could hear all of the time.
    pub fn connected_throughout(&self, from: Moment, to: Moment) -> bool {
        let within = self.places.iter().filter(|p| p.at > from && p.at <= to);
        self.place_at(from).into_iter().chain(within).all(|p| p.connected) && self.place_at(from).is_some()
    }

    /// The first of the events that bears this name.
    pub fn event(&self, name: &str) -> Option<Moment> {
        self.events.get(name).copied()
    }

    /// Notes an event, unless it was there already.
    pub fn note(&mut self, name: impl Into<String>, at: Moment) {
        self.events.entry(name.into()).or_insert(at);
    }
}
