//! The configuration as the program sees it: one typed field for each setting, with the defaults of whoever uses it.

use std::path::PathBuf;
use std::time::Duration;

use goobster_audio::endpoint::{AdaptivePatience, EndpointConfig};
use goobster_brain::ChatConfig;
use goobster_core::captions::BoardConfig;
use goobster_core::consent::ConsentMode;
use goobster_core::conversation::ConversationConfig;
use goobster_core::health::HealthConfig;
use goobster_core::limits::LimitsConfig;
use goobster_core::presence::PresenceConfig;
use goobster_core::session::SessionConfig;
use goobster_core::transcript::Bounds;
use goobster_network::Network;
use goobster_speech::stt::{OpenAiTranscriptionOptions, WhisperOptions};
use serde::{Deserialize, Serialize};

use super::operating::{Admission, Cluster, Log, Monitoring, Status, Store};

/// How much machine Goobster may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Whisper tiny.en and espeak-ng: about 90 MB, English only.
    Small,
    /// Whisper base and a neural Piper voice: about 270 MB, many languages heard.
    #[default]
    Standard,
}

impl Profile {
    /// The profile's name, as typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Standard => "standard",
        }
    }

    /// The Whisper model that it hears with.
    pub const fn model(self) -> &'static str {
        match self {
            Self::Small => "tiny.en-q8_0",
            Self::Standard => "base-q8_0",
        }
    }
}

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// How much machine to use.
    pub profile: Profile,
    /// Whom this program may contact.
    pub network: Network,
    /// The language people speak: a code such as "en", or "auto".
    pub language: Option<String>,
    /// The voice that answers.
    pub voice: Option<String>,
    /// What answers.
    pub brain: Brain,
    /// What hears.
    pub recogniser: Recogniser,
    /// What speaks.
    pub synthesiser: Synthesiser,
    /// Turn-taking.
    pub conversation: Talk,
    /// The bot on Discord.
    pub discord: Discord,
    /// Captions in a channel, and what is kept of them.
    pub captions: Captions,
    /// Voice time and places.
    pub limits: LimitsConfig,
    /// Sessions.
    pub sessions: SessionConfig,
    /// What is asked of the machine at most.
    pub admission: Admission,
    /// Where quotas and sessions are kept.
    pub store: Store,
    /// Hosts that share the gateway's shards.
    pub cluster: Cluster,
    /// What is logged.
    pub log: Log,
    /// Metrics and health.
    pub monitoring: Monitoring,
    /// The status page.
    pub status: Status,
}

/// An OpenAI-compatible chat server that answers instead of the built-in responder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brain {
    /// Its address, for example `http://localhost:11434/v1`.
    pub url: Option<String>,
    /// The model to ask for, for example `llama3.2`.
    pub model: Option<String>,
    /// The name of the environment variable that holds the API key; the key itself is never in a file.
    pub api_key_env: Option<String>,
    /// How long to wait for the first word.
    pub timeout: Duration,
    /// How long to wait between two words.
    pub idle: Duration,
    /// How long a whole reply may take.
    pub reply: Duration,
    /// Tries before the first word.
    pub tries: u32,
    /// Tokens of a reply at most.
    pub max_tokens: u32,
}

impl Default for Brain {
    fn default() -> Self {
        let chat = ChatConfig::new("", "");
        Self {
            url: None,
            model: None,
            api_key_env: None,
            timeout: chat.first_token,
            idle: chat.idle,
            reply: chat.reply,
            tries: chat.tries,
            max_tokens: chat.max_tokens,
        }
    }
}

/// What hears: this machine, or an OpenAI-compatible server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recogniser {
    /// A server's address; unset means: offline, on this machine.
    pub url: Option<String>,
    /// The model to ask the server for.
    pub model: Option<String>,
    /// The name of the environment variable that holds the API key.
    pub api_key_env: Option<String>,
    /// How long one request to the server may take.
    pub timeout: Duration,
    /// Attempts at a final decode on the server.
    pub attempts: u32,
    /// Requests to the server at once.
    pub requests: usize,
    /// Decodes at once on this machine; unset: what fits its cores.
    pub workers: Option<usize>,
    /// Threads a decode; unset: what fits its cores.
    pub threads: Option<usize>,
    /// Decodes that may wait.
    pub waiting: usize,
    /// A decode that takes longer is reported and called off.
    pub overdue: Duration,
    /// One that goes on for so long after that hangs: its thread is given up.
    pub grace: Duration,
    /// Threads that hang and were replaced, at most at the same time.
    pub replacements: usize,
}

impl Default for Recogniser {
    fn default() -> Self {
        let (whisper, server) = (WhisperOptions::default(), OpenAiTranscriptionOptions::default());
        Self {
            url: None,
            model: None,
            api_key_env: None,
            timeout: server.timeout,
            attempts: server.attempts,
            requests: server.concurrency,
            workers: None,
            threads: None,
            waiting: whisper.waiting,
            overdue: whisper.overdue,
            grace: whisper.grace,
            replacements: whisper.replacements,
        }
    }
}

/// What speaks: this machine, or an OpenAI-compatible server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synthesiser {
    /// A server's address; unset means: offline, on this machine.
    pub url: Option<String>,
    /// The model to ask for.
    pub model: Option<String>,
    /// The server's voice.
    pub voice: Option<String>,
    /// The name of the environment variable that holds the API key.
    pub api_key_env: Option<String>,
}

/// When the conversation answers and when it lets itself be interrupted.
#[derive(Debug, Clone, PartialEq)]
pub struct Talk {
    /// Turn-taking.
    pub turns: ConversationConfig,
    /// When speech begins and ends.
    pub endpoint: EndpointConfig,
    /// Whether the patience follows the speaker's pauses and how complete their words are.
    pub adaptive_patience: bool,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            turns: ConversationConfig::default(),
            endpoint: EndpointConfig::conversation(),
            adaptive_patience: true,
        }
    }
}

impl Talk {
    /// When speech begins and ends, made to fit its patience.
    pub fn endpoint(&self) -> EndpointConfig {
        let mut endpoint = self.endpoint;
        endpoint.post_roll = endpoint.post_roll.min(endpoint.patience);
        endpoint.hush = endpoint.hush.min(endpoint.patience);
        endpoint.adaptive = self.adaptive_patience.then(AdaptivePatience::conversation);
        endpoint
    }
}

/// When people are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// Everybody is told, and heard unless they opt out.
    #[default]
    Notice,
    /// Only who pressed the button is heard.
    Ask,
}

impl From<Consent> for ConsentMode {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Notice => Self::Notice,
            Consent::Ask => Self::Ask,
        }
    }
}

/// How the bot behaves on Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discord {
    /// When people are heard.
    pub consent: Consent,
    /// The life of a call: grace times, mending.
    pub presence: PresenceConfig,
    /// When somebody counts as unheard.
    pub health: HealthConfig,
    /// What SIGTERM gives running sessions to end.
    pub drain: Duration,
    /// How long an opt-out is kept after its member was last met; unset: until it is taken back.
    pub opt_outs_kept: Option<Duration>,
    /// Who may use /admin, by Discord's ids; empty: who owns the application.
    pub owners: Vec<u64>,
    /// The file that holds the token; unset: the environment variable `DISCORD_TOKEN`, which comes first in any case.
    pub token_file: Option<PathBuf>,
}

impl Default for Discord {
    fn default() -> Self {
        Self {
            consent: Consent::Notice,
            presence: PresenceConfig::default(),
            health: HealthConfig::default(),
            drain: Duration::from_secs(15),
            opt_outs_kept: None,
            owners: Vec::new(),
            token_file: None,
        }
    }
}

/// Captions in a channel.
#[derive(Debug, Clone, Default)]
pub struct Captions {
    /// How often what is written.
    pub board: BoardConfig,
    /// What is kept in memory for the export.
    pub kept: Bounds,
}

impl PartialEq for Captions {
    fn eq(&self, other: &Self) -> bool {
        let of = |it: &Self| {
            let (board, kept) = (&it.board, &it.kept);
            (
                board.requests,
                board.for_partials,
                board.window,
                board.edit_every,
                board.attempts,
                board.waiting,
                kept.captions,
                kept.bytes,
            )
        };
        of(self) == of(other)
    }
}
