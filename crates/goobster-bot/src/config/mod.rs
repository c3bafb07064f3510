//! The configuration: defaults, then the file, then the environment, then the command line.
//!
//! A file is optional. Unknown keys are refused, with the line, so that a typing error never passes silently.

pub mod discord;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::LanguageChoice;
use serde::{Deserialize, Serialize};

use crate::cli::exit::Failure;

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

/// An OpenAI-compatible chat server that answers instead of the built-in responder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brain {
    /// Its address, for example `http://localhost:11434/v1`.
    pub url: Option<String>,
    /// The model to ask for, for example `llama3.2`.
    pub model: Option<String>,
    /// The name of the environment variable that holds the API key; the key itself is never in a file.
    pub api_key_env: Option<String>,
    /// How long to wait for the first word, in seconds.
    pub timeout_s: Option<u64>,
}

/// An OpenAI-compatible server for hearing or speaking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioServer {
    /// Its address; unset means: offline, on this machine.
    pub url: Option<String>,
    /// The model to ask for.
    pub model: Option<String>,
    /// The voice to ask for (speaking only).
    pub voice: Option<String>,
    /// The name of the environment variable that holds the API key.
    pub api_key_env: Option<String>,
}

/// When the conversation answers and when it lets itself be interrupted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Talk {
    /// The name that calls Goobster when several people are present.
    pub wake_name: String,
    /// Milliseconds of silence that end a turn, 200 to 3000, the same for everybody.
    pub patience_ms: Option<u64>,
    /// Whether that silence follows the speaker's pauses and how complete their words are, from 320 to 1400 ms; a
    /// `patience_ms` that is set goes before it.
    pub adaptive_patience: bool,
    /// Milliseconds of speech over a reply that stop it, 200 to 5000.
    pub barge_in_ms: Option<u64>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            wake_name: "Goobster".to_owned(),
            patience_ms: None,
            adaptive_patience: false,
            barge_in_ms: None,
        }
    }
}

impl Talk {
    /// The patience, when it was set.
    pub fn patience(&self) -> Option<Duration> {
        self.patience_ms.map(Duration::from_millis)
    }

    /// The barge-in time, when it was set.
    pub fn barge_in(&self) -> Option<Duration> {
        self.barge_in_ms.map(Duration::from_millis)
    }
}

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much machine to use.
    pub profile: Profile,
    /// The language people speak: a code such as "en", or "auto".
    pub language: Option<String>,
    /// The voice that answers.
    pub voice: Option<String>,
    /// What answers.
    pub brain: Brain,
    /// What hears, when not this machine.
    pub recogniser: AudioServer,
    /// What speaks, when not this machine.
    pub synthesiser: AudioServer,
    /// Turn-taking.
    pub conversation: Talk,
    /// The bot on Discord.
    pub discord: discord::Discord,
    /// Voice time and places.
    pub limits: discord::Limits,
    /// Sessions.
    pub session: discord::Sessions,
    /// Where quotas and sessions are kept.
    pub store: discord::Store,
}

/// What the command line sets over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--profile` or `GOOBSTER_PROFILE`.
    pub profile: Option<Profile>,
    /// `--language`.
    pub language: Option<String>,
    /// `--voice`.
    pub voice: Option<String>,
    /// `--brain-url`.
    pub brain_url: Option<String>,
    /// `--brain-model`.
    pub brain_model: Option<String>,
    /// `--wake-name`.
    pub wake_name: Option<String>,
}

impl Config {
    /// Reads `file` (or the user's own, when there is one), then applies `overrides`.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, Failure> {
        let own = Self::default_file();
        let path = file.or_else(|| own.as_deref().filter(|path| path.is_file()));
        let mut config = match path {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        config.apply(overrides);
        config.check()?;
        Ok(config)
    }

    /// Where the user's own configuration is looked for.
    pub fn default_file() -> Option<PathBuf> {
        directories::ProjectDirs::from("", "", "goobster").map(|dirs| dirs.config_dir().join("goobster.toml"))
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        /// Larger than any configuration a person writes.
        const LARGEST: u64 = 1 << 20;
        let say = |what: String| Failure::Configuration(format!("{}: {what}", path.display()));
        // Looked at before it is opened (a pipe would wait), and read with a bound (a device says that it is empty).
        let kind = std::fs::metadata(path).map_err(|e| say(e.to_string()))?;
        if !kind.is_file() {
            return Err(say(
                "this is no file; name a file, such as goobster.toml".to_owned()
            ));
        }
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
            .map_err(|e| say(e.to_string()))?;
        if text.len() as u64 > LARGEST {
            return Err(say(format!(
                "over {LARGEST} bytes: this is no configuration file"
            )));
        }
        Self::parse(&text).map_err(say)
    }

    /// Reads a configuration from TOML; the message of an error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    fn apply(&mut self, over: Overrides) {
        fn set<T>(slot: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *slot = value;
            }
        }
        if let Some(profile) = over.profile {
            self.profile = profile;
        }
        if let Some(name) = over.wake_name {
            self.conversation.wake_name = name;
        }
        set(&mut self.language, over.language);
        set(&mut self.voice, over.voice);
        set(&mut self.brain.url, over.brain_url);
        set(&mut self.brain.model, over.brain_model);
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |what: String| Err(Failure::Configuration(what));
        let name = self.conversation.wake_name.trim();
        if !name.chars().any(char::is_alphabetic) || name.chars().count() > 40 {
            return wrong(format!(
                "the wake name '{name}' must be something that can be called: 1 to 40 characters, letters among them"
            ));
        }
        for (key, value, range) in [
            (
                "conversation.patience_ms",
                self.conversation.patience_ms,
                200..=3000,
            ),
            (
                "conversation.barge_in_ms",
                self.conversation.barge_in_ms,
                200..=5000,
            ),
            ("brain.timeout_s", self.brain.timeout_s, 1..=600),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                return wrong(format!(
                    "{key} = {value} is outside {}..={}",
                    range.start(),
                    range.end()
                ));
            }
        }
        for (key, url) in [
            ("brain.url", &self.brain.url),
            ("recogniser.url", &self.recogniser.url),
            ("synthesiser.url", &self.synthesiser.url),
        ] {
            let Some(text) = url else { continue };
            let fits = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !fits {
                return wrong(format!("{key} = '{text}' is no http:// or https:// address"));
            }
        }
        self.discord.check()?;
        self.limits.config()?;
        self.session.config()?;
        self.language_choice(LanguageChoice::Detect).map(drop)
    }

    /// The language to listen for; `unset` when nobody chose.
    pub fn language_choice(&self, unset: LanguageChoice) -> Result<LanguageChoice, Failure> {
        match self.language.as_deref() {
            None => Ok(unset),
            Some("auto") => Ok(LanguageChoice::Detect),
            Some(code) => code
                .parse::<Language>()
                .map(LanguageChoice::Fixed)
                .map_err(|e| Failure::Configuration(format!("language: {e}, or 'auto'"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let message = Config::parse("profile = \"small\"\nwake_nam = \"x\"\n").unwrap_err();
        assert!(
            message.contains("line 2") && message.contains("wake_nam"),
            "{message}"
        );
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        std::fs::write(
            &file,
            "profile = \"small\"\n[brain]\nurl = \"http://a/v1\"\nmodel = \"m\"\n",
        )
        .unwrap();
        let over = Overrides {
            brain_url: Some("http://b".into()),
            ..Overrides::default()
        };
        let config = Config::load(Some(&file), over).unwrap();
        assert_eq!(config.profile, Profile::Small);
        assert_eq!(config.brain.url.as_deref(), Some("http://b"));
        assert_eq!(config.brain.model.as_deref(), Some("m"));
    }

    #[test]
    fn the_documented_configuration_is_one() {
        let page = include_str!("../../../../docs/discord.md");
        let block = page
            .split("```toml\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let config = Config::parse(block).unwrap();
        config.check().unwrap();
        // What it shows are the defaults, the chat server aside.
        assert_eq!(config.discord, discord::Discord::default());
        assert_eq!(
            config.limits.config().unwrap(),
            discord::Limits::default().config().unwrap()
        );
        assert_eq!(
            config.session.config().unwrap(),
            discord::Sessions::default().config().unwrap()
        );
        assert!(config.brain.url.is_some());
    }

    #[test]
    fn what_makes_no_sense_is_a_configuration_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        for (text, word) in [
            ("[conversation]\npatience_ms = 5\n", "patience_ms"),
            ("[conversation]\nwake_name = \"\"\n", "wake name"),
            ("[brain]\nurl = \"ftp://x\"\n", "brain.url"),
            ("language = \"english\"\n", "language"),
            ("profile = \"huge\"\n", "profile"),
            ("[discord]\ndrain_s = 1\n", "drain_s"),
            ("[discord]\nconsent = \"maybe\"\n", "consent"),
            ("[limits]\nvoice_s = 0\n", "limits.voice"),
            ("[session]\ntimeout_s = 10\nidle_warning_s = 20\n", "idle_warning"),
            ("= 3", "line 1"),
        ] {
            std::fs::write(&file, text).unwrap();
            let failure = Config::load(Some(&file), Overrides::default()).unwrap_err();
            assert_eq!(failure.code(), 5, "{text}");
            assert!(failure.to_string().contains(word), "{text}: {failure}");
        }
        let missing = Config::load(Some(&dir.path().join("none.toml")), Overrides::default()).unwrap_err();
        assert_eq!(missing.code(), 5);
    }
}
