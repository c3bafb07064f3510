//! What a rehearsal tells while it runs, for terminals and machines.

use goobster_core::time::Moment;
use serde_json::{Value, json};

use crate::expectations::Verdict;
use crate::figures::Turn;

/// Is told what happens as it happens. Called from the loop that plays the scenario: it must not block.
pub trait Watcher: Send {
    /// Something happened.
    fn told(&mut self, happening: &Happening<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watcher for Nobody {
    fn told(&mut self, _: &Happening<'_>) {}
}

/// Something that happened. Moments are counted from the one at which the bot was ready.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// The bot is ready.
    Ready {
        /// What it is called.
        bot: &'a str,
        /// How long it took, in seconds.
        after_s: f64,
    },
    /// A member began to speak.
    Speaks {
        /// When.
        at: Moment,
        /// Who.
        member: &'a str,
        /// The recording.
        clip: &'a str,
    },
    /// A member asked something of the bot.
    Asks {
        /// When.
        at: Moment,
        /// Who.
        member: &'a str,
        /// What, as typed.
        what: &'a str,
    },
    /// A caption appeared or changed.
    Caption {
        /// When.
        at: Moment,
        /// Whose words.
        speaker: &'a str,
        /// The words.
        text: &'a str,
        /// Whether they will not change any more.
        is_final: bool,
    },
    /// The bot's own words appeared or changed.
    Reply {
        /// When.
        at: Moment,
        /// The words.
        text: &'a str,
        /// Whether they will not change any more.
        is_final: bool,
    },
    /// The bot was heard, until it was quiet again.
    Sound {
        /// From when.
        from: Moment,
        /// Until when.
        to: Moment,
    },
    /// The bot wrote something else.
    Message {
        /// When.
        at: Moment,
        /// The words.
        text: &'a str,
        /// Whether only one member sees it.
        hidden: bool,
    },
    /// Something broke.
    Fault {
        /// When.
        at: Moment,
        /// What.
        what: &'a str,
    },
    /// The bot is somewhere else, or hears no longer, or again.
    Place {
        /// From when on.
        at: Moment,
        /// In which channel.
        channel: Option<&'a str>,
        /// Whether it can hear.
        connected: bool,
    },
    /// Something went otherwise than the scenario says.
    Remark {
        /// When.
        at: Moment,
        /// What.
        what: &'a str,
    },
    /// A turn with its figures, at the end.
    Turn(&'a Turn),
    /// An expectation, judged at the end.
    Expectation(&'a Verdict),
}

impl Happening<'_> {
    /// The line of JSON for it, as docs/json.md describes.
    pub fn to_json(&self) -> Value {
        let s = |m: &Moment| m.as_secs_f64();
        match self {
            Self::Ready { bot, after_s } => json!({ "event": "ready", "bot": bot, "after_s": after_s }),
            Self::Speaks { at, member, clip } => {
                json!({ "event": "speaks", "at_s": s(at), "speaker": member, "clip": clip })
            }
            Self::Asks { at, member, what } => {
                json!({ "event": "asks", "at_s": s(at), "speaker": member, "command": what })
            }
            Self::Caption {
                at,
                speaker,
                text,
                is_final,
            } => {
                json!({ "event": "caption", "at_s": s(at), "speaker": speaker, "text": text, "final": is_final })
            }
            Self::Reply { at, text, is_final } => {
                json!({ "event": "reply", "at_s": s(at), "text": text, "final": is_final })
            }
            Self::Sound { from, to } => json!({ "event": "sound", "start_s": s(from), "end_s": s(to) }),
            Self::Message { at, text, hidden } => {
                json!({ "event": "message", "at_s": s(at), "text": text, "hidden": hidden })
            }
            Self::Fault { at, what } => json!({ "event": "fault", "at_s": s(at), "what": what }),
            Self::Place {
                at,
                channel,
                connected,
            } => {
                json!({ "event": "place", "at_s": s(at), "channel": channel, "connected": connected })
            }
            Self::Remark { at, what } => json!({ "event": "remark", "at_s": s(at), "what": what }),
            Self::Turn(turn) => turn.to_json(),
            Self::Expectation(verdict) => verdict.to_json(),
        }
    }
}
