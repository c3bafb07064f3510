//! Steps: when something happens, and what.

use std::time::Duration;

use super::Fault;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name: that of the file, or made from its number.
    pub label: String,
    /// When it happens.
    pub when: When,
    /// How long is waited for what it comes after; none for the usual time, after which the rehearsal has failed.
    pub patience: Option<Duration>,
    /// What happens.
    pub action: Action,
    /// Where it stands in the file; 0 if it stands in none.
    pub line: usize,
}

/// When a step happens. Times are counted from the moment at which the bot is ready.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// At this time, or as soon as the step before it has begun.
    At(Duration),
    /// This long after something.
    After {
        /// A label or one of its events (`hello.replied`), `listening`, or `left`; none for the end of the step before.
        event: Option<String>,
        /// How long after it.
        wait: Duration,
    },
}

/// What happens. People and channels bear the names of the scenario.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A member joins a voice channel, or moves to it.
    Join {
        /// Who.
        member: String,
        /// Where.
        channel: String,
    },
    /// A member leaves voice.
    Leave {
        /// Who.
        member: String,
    },
    /// A member mutes their own microphone, or no longer.
    Mute {
        /// Who.
        member: String,
        /// Whether.
        on: bool,
    },
    /// A member speaks.
    Speak(Speech),
    /// A member uses a slash command.
    Command {
        /// Who.
        member: String,
        /// Name and subcommands, without the slash.
        path: String,
        /// Options by name.
        options: Vec<(String, serde_json::Value)>,
        /// Where.
        channel: String,
    },
    /// A member presses a button of the newest message that has it.
    Press {
        /// Who.
        member: String,
        /// The button's label or id, or a part of them.
        button: String,
    },
    /// A member writes a message.
    Write {
        /// Who.
        member: String,
        /// The words.
        words: String,
        /// Where.
        channel: String,
    },
    /// Something breaks.
    Fault(Fault),
    /// Nothing: a pause, or a label to wait for.
    Rest,
}

/// What a member says, and how it gets to the bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Speech {
    /// Who.
    pub member: String,
    /// The recording.
    pub clip: String,
    /// The words that are said, if they are known.
    pub text: Option<String>,
    /// How much louder it is, in dB.
    pub gain_db: f32,
    /// The share of packets that are lost while it lasts, from 0 to 1.
    pub loss: f64,
    /// Packets come up to this much later while it lasts.
    pub jitter: Duration,
}
