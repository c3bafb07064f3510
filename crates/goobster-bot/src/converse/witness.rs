//! What people see of a conversation: the room tells a witness, and the witness shows it and writes it down.

use goobster_core::conversation::{Outcome, ReplyId};
use goobster_core::hearing::Forming;
use goobster_core::ids::{TurnId, UserId};
use goobster_core::language::Language;
use goobster_core::time::Moment;

use super::turnbook::TurnTimes;
use crate::cli::exit::Failure;

/// A caption that may still change.
#[derive(Debug)]
pub struct PartialCaption<'a> {
    /// The turn.
    pub turn: TurnId,
    /// Who speaks.
    pub who: UserId,
    /// Their name.
    pub speaker: &'a str,
    /// Firm and tentative words.
    pub forming: &'a Forming,
    /// Where the turn began.
    pub from: Moment,
    /// How far the caption covers.
    pub upto: Moment,
}

/// A caption that will not change.
#[derive(Debug)]
pub struct FinalCaption<'a> {
    /// The turn.
    pub turn: TurnId,
    /// Who spoke.
    pub who: UserId,
    /// Their name.
    pub speaker: &'a str,
    /// Where the turn began.
    pub from: Moment,
    /// Where the voice stopped.
    pub upto: Moment,
    /// What was said.
    pub text: &'a str,
    /// In which language.
    pub language: Language,
    /// How sure the recogniser is, `0.0..=1.0`.
    pub confidence: f32,
}

/// A reply that is over.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Which.
    pub reply: ReplyId,
    /// The turns that it answers.
    pub turns: &'a [TurnId],
    /// How it ended.
    pub outcome: Outcome,
    /// Everything it was to say.
    pub text: &'a str,
    /// What was heard of it.
    pub spoken: &'a str,
    /// When it was first heard; `None` when it never was.
    pub from: Option<Moment>,
    /// When it ended.
    pub upto: Moment,
    /// Its language.
    pub language: Language,
}

/// A turn that was answered, or will not be.
#[derive(Debug)]
pub struct TurnEnd<'a> {
    /// When everything happened.
    pub times: &'a TurnTimes,
    /// Why there was no answer, when there was none, in a word: `empty` (its partial captions are taken back),
    /// `not_addressed`, `hushed`, `muted`, `queue_full`, `not_understood` (the recogniser failed).
    pub ignored: Option<&'static str>,
}

/// Sees a conversation.
pub trait Witness: Send {
    /// Somebody's words so far.
    fn partial(&mut self, caption: &PartialCaption<'_>) -> Result<(), Failure>;
    /// Somebody's words.
    fn caption(&mut self, caption: &FinalCaption<'_>) -> Result<(), Failure>;
    /// A turn that turned out not to be speech: its partial caption is taken back.
    fn dropped(&mut self, turn: TurnId) -> Result<(), Failure>;
    /// A line of a reply, as it is made.
    fn reply_grows(&mut self, reply: ReplyId, line: &str) -> Result<(), Failure>;
    /// A whole reply.
    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), Failure>;
    /// A turn is done with.
    fn turn(&mut self, end: &TurnEnd<'_>) -> Result<(), Failure>;
    /// Somebody said something while more people talked than can be followed: nothing of it was recognised. `speakers` at once
    /// can be.
    fn not_followed(&mut self, speaker: &str, speakers: usize) -> Result<(), Failure> {
        self.trouble(&format!(
            "{speaker} was not heard: more than {speakers} people talked at once"
        ))
    }
    /// Somebody is to be forgotten: nothing of theirs is told any more that they said before.
    fn forgotten(&mut self, _who: UserId) -> Result<(), Failure> {
        Ok(())
    }
    /// Something went wrong that the conversation survives.
    fn trouble(&mut self, text: &str) -> Result<(), Failure>;
    /// A frame of what is heard of Goobster, silence included.
    fn sound(&mut self, frame: &[f32]) -> Result<(), Failure>;
}
