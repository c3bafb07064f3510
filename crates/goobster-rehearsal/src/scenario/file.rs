//! A scenario as it is written: every key that there is. What is not here is refused by the parser, with its line.

use serde::Deserialize;
use toml::Spanned;

use super::{Direction, Engines, Presence};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) title: String,
    #[serde(default = "one")]
    pub(super) seed: u64,
    #[serde(default = "yes")]
    pub(super) dave: bool,
    #[serde(default)]
    pub(super) bot_commits: bool,
    #[serde(default)]
    pub(super) engines: Engines,
    #[serde(default = "den")]
    pub(super) guild: String,
    #[serde(default = "general")]
    pub(super) text_channels: Vec<String>,
    #[serde(default = "lounge")]
    pub(super) voice_channels: Vec<String>,
    pub(super) members: Vec<Spanned<Person>>,
    #[serde(default)]
    pub(super) bot: toml::Table,
    #[serde(default)]
    pub(super) linger: Option<f64>,
    #[serde(default)]
    pub(super) limit: Option<f64>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<StepWords>>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<ExpectWords>>,
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn den() -> String {
    "Den".to_owned()
}

fn general() -> Vec<String> {
    vec!["general".to_owned()]
}

fn lounge() -> Vec<String> {
    vec!["Lounge".to_owned()]
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a name, or { name = \"…\", manages = true, bot = true }"
)]
pub(super) enum Person {
    Name(String),
    Table(PersonTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) manages: bool,
    #[serde(default)]
    pub(super) bot: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StepWords {
    pub(super) label: Option<String>,
    pub(super) at: Option<f64>,
    pub(super) after: Option<String>,
    pub(super) wait: Option<f64>,
    pub(super) patience: Option<f64>,
    pub(super) member: Option<String>,
    pub(super) joins: Option<String>,
    pub(super) leaves: Option<bool>,
    pub(super) mutes: Option<bool>,
    pub(super) clip: Option<String>,
    pub(super) text: Option<String>,
    pub(super) gain_db: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) jitter_ms: Option<u64>,
    pub(super) reorder: Option<bool>,
    pub(super) command: Option<String>,
    pub(super) options: Option<toml::Table>,
    pub(super) presses: Option<String>,
    pub(super) writes: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) fault: Option<String>,
    pub(super) code: Option<u16>,
    pub(super) resumable: Option<bool>,
    pub(super) lasts: Option<f64>,
    pub(super) direction: Option<Direction>,
    pub(super) status: Option<u16>,
    pub(super) late: Option<f64>,
    pub(super) retry_after: Option<f64>,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) times: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExpectWords {
    pub(super) after: Option<String>,
    pub(super) within: Option<f64>,
    pub(super) caption: Option<String>,
    pub(super) word_errors: Option<f64>,
    pub(super) no_caption: Option<String>,
    pub(super) reply: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) words: Option<String>,
    pub(super) hidden: Option<bool>,
    pub(super) message: Option<String>,
    pub(super) no_message: Option<String>,
    pub(super) bot: Option<Presence>,
    pub(super) channel: Option<String>,
    pub(super) returns: Option<bool>,
    pub(super) session_kept: Option<bool>,
    pub(super) nothing_lost: Option<bool>,
    pub(super) caption_within: Option<f64>,
    pub(super) reply_within: Option<f64>,
    pub(super) exit_code: Option<i32>,
    pub(super) memory_growth: Option<f64>,
    pub(super) leftovers: Option<u64>,
    pub(super) audible: Option<bool>,
    pub(super) echoes: Option<String>,
    pub(super) hears: Option<String>,
    pub(super) correlation: Option<f64>,
}
