//! The parts of the configuration that only `goobster run` needs: the bot, its sessions, limits and store.

use std::path::PathBuf;
use std::time::Duration;

use goobster_core::consent::ConsentMode;
use goobster_core::limits::{LimitsConfig, Millis, PolicyKind};
use goobster_core::session::SessionConfig;
use serde::Deserialize;

use crate::cli::exit::Failure;

/// When people are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discord {
    /// When people are heard: "notice" or "ask".
    pub consent: Consent,
    /// Seconds after which the bot leaves when nobody else is in the channel, 1 to 86400.
    pub alone_after_s: u64,
    /// Seconds that a session waits for its owner to come back, 1 to 3600.
    pub owner_grace_s: u64,
    /// Seconds that SIGTERM gives running sessions to end, 6 to 300.
    pub drain_s: u64,
    /// Who may use /admin, by Discord's ids; unset: who owns the application.
    pub owners: Vec<u64>,
}

impl Default for Discord {
    fn default() -> Self {
        Self {
            consent: Consent::Notice,
            alone_after_s: 60,
            owner_grace_s: 60,
            drain_s: 15,
            owners: Vec::new(),
        }
    }
}

/// Voice time and places. What is not set has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds of voice in a window.
    pub voice_s: Option<u64>,
    /// The window's length in seconds.
    pub window_s: Option<u64>,
    /// "fixed" or "sliding".
    pub policy: Option<PolicyKind>,
    /// Seconds before the limit at which a session is warned.
    pub warn_before_s: Option<u64>,
    /// Sessions a member may have at once.
    pub per_user: Option<u32>,
    /// Sessions a guild may have at once.
    pub per_guild: Option<u32>,
    /// Sessions there may be at once.
    pub total: Option<u32>,
}

/// Sessions. What is not set has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Seconds of silence that end a session.
    pub timeout_s: Option<u64>,
    /// Seconds before that at which it warns.
    pub idle_warning_s: Option<u64>,
}

/// Where quotas and sessions are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The embedded store's file; unset: in the user's data folder.
    pub file: Option<PathBuf>,
    /// A Redis or Valkey server instead, for example `redis://localhost/`.
    pub redis: Option<String>,
}

impl Discord {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for (key, value, range) in [
            ("discord.alone_after_s", self.alone_after_s, 1..=86_400),
            ("discord.owner_grace_s", self.owner_grace_s, 1..=3600),
            ("discord.drain_s", self.drain_s, 6..=300),
        ] {
            if !range.contains(&value) {
                return Err(Failure::Configuration(format!(
                    "{key} = {value} is outside {}..={}",
                    range.start(),
                    range.end()
                )));
            }
        }
        Ok(())
    }
}

impl Limits {
    /// The limits to use.
    ///
    /// # Errors
    /// Limits that make no sense.
    pub fn config(&self) -> Result<LimitsConfig, Failure> {
        let mut limits = LimitsConfig::default();
        let set = |slot: &mut Millis, seconds: Option<u64>| {
            if let Some(seconds) = seconds {
                *slot = Millis::from_secs(seconds.min(LimitsConfig::LONGEST.get() / 1000 + 1));
            }
        };
        set(&mut limits.voice, self.voice_s);
        set(&mut limits.window, self.window_s);
        set(&mut limits.warn_before, self.warn_before_s);
        // A member must be remembered at least as long as the window.
        limits.forget_after = limits.forget_after.max(limits.window);
        limits.policy = self.policy.unwrap_or(limits.policy);
        limits.per_user = self.per_user.unwrap_or(limits.per_user);
        limits.per_guild = self.per_guild.unwrap_or(limits.per_guild);
        limits.total = self.total.unwrap_or(limits.total);
        limits
            .validate()
            .map_err(|error| Failure::Configuration(error.to_string()))?;
        Ok(limits)
    }
}

impl Sessions {
    /// The sessions' numbers.
    ///
    /// # Errors
    /// Numbers that do not fit each other.
    pub fn config(&self) -> Result<SessionConfig, Failure> {
        let mut config = SessionConfig::default();
        if let Some(seconds) = self.timeout_s {
            config.session_timeout = Duration::from_secs(seconds);
            config.idle_warning = config.idle_warning.min(config.session_timeout / 5);
        }
        if let Some(seconds) = self.idle_warning_s {
            config.idle_warning = Duration::from_secs(seconds);
        }
        config
            .check()
            .map_err(|error| Failure::Configuration(error.to_string()))?;
        Ok(config)
    }
}
