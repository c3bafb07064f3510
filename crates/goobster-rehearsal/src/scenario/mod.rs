//! Scenarios: who is there, what they say and do, what breaks, and what is expected of the bot. Small TOML files, read into
//! types in which nothing is left to check.
//!
//! - [`file`](self): the words of a file as they are written; unknown keys are refused with their line.
//! - `read`: from those words to a [`Scenario`], with every name looked up.
//! - [`Step`], [`Fault`], [`Expectation`]: what the stage and the judge work with.
//! - `library`: those that are built in, by [name](Scenario::named).
//! - [`plain`](Scenario::plain): the scenario of `goobster rehearse WAV…`.

mod error;
mod expectation;
mod fault;
mod file;
mod library;
mod plain;
mod read;
mod step;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use error::ScenarioError;
pub use expectation::{Claim, Expectation, Presence};
pub use fault::{Direction, Fault, RestKind};
pub use step::{Action, Speech, Step, When};

/// A whole rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is about, in a line.
    pub title: String,
    /// Where ids, secrets and chance come from.
    pub seed: u64,
    /// Whether voices are encrypted from end to end.
    pub dave: bool,
    /// Whether the bot's own commits are taken before those of members.
    pub bot_commits: bool,
    /// Who hears and speaks for the bot.
    pub engines: Engines,
    /// The guild's name.
    pub guild: String,
    /// Text channels; commands are given in the first unless a step names another.
    pub text_channels: Vec<String>,
    /// Voice channels; members join the first unless a step names another.
    pub voice_channels: Vec<String>,
    /// Who is in the guild, besides the bot and the owner.
    pub members: Vec<Member>,
    /// The bot's configuration file.
    pub bot: toml::Table,
    /// What happens, in the order of the file.
    pub steps: Vec<Step>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
    /// How long is waited after the last step.
    pub linger: Duration,
    /// How long it may take altogether.
    pub limit: Duration,
}

/// Who hears and speaks for the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engines {
    /// What the bot's configuration says: without a word, this machine's models.
    #[default]
    Real,
    /// A server of the rehearsal's own that knows the recordings and answers at once.
    Scripted,
}

/// Somebody in the guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What they are called.
    pub name: String,
    /// Whether they may change the guild.
    pub manages: bool,
    /// Whether they are a bot.
    pub is_bot: bool,
}

/// The name under which the person acts who owns the guild and the bot's application.
pub const OWNER: &str = "owner";
