//! How the stand-in behaves from the start.

use std::fmt;
use std::time::Duration;

use crate::voice::{Mode, Winner};
use crate::world::event::intent;

/// How the stand-in behaves from the start.
#[derive(Clone)]
pub struct Config {
    /// Where ids, secrets and chance come from.
    pub seed: u64,
    /// What the bot is called.
    pub bot_name: String,
    /// The bot's token, any other is refused with 401 and close code 4004; none to have one made that names the bot.
    pub token: Option<String>,
    /// Privileged intents that the application was granted; others are refused with close code 4014.
    pub granted_intents: u64,
    /// How many shards `/gateway/bot` recommends.
    pub shards: u32,
    /// How many shards may identify in 5 seconds.
    pub max_concurrency: u32,
    /// How many times the bot may identify in a day.
    pub session_starts: u32,
    /// How often the gateway wants a heartbeat; one that is half as late again ends the connection.
    pub heartbeat: Duration,
    /// The same of the voice gateway.
    pub voice_heartbeat: Duration,
    /// Whether voices are encrypted from end to end with DAVE, and whose commits win; a bot that does not speak DAVE is then
    /// refused with close code 4017.
    pub dave: Option<Winner>,
    /// The only mode of encryption that is offered; none to offer all.
    pub voice_mode: Option<Mode>,
    /// How many voice servers there are to move between.
    pub voice_servers: usize,
    /// How long a gateway session, and with it the bot's place in voice channels, outlives its connection.
    pub session_lasts: Duration,
    /// Messages that may be created, and edited, in a channel in a time; none for no limit.
    pub message_rate: Option<(u32, Duration)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            bot_name: "bot".to_owned(),
            token: None,
            granted_intents: intent::PRIVILEGED,
            shards: 1,
            max_concurrency: 1,
            session_starts: 1_000,
            // Discord's own figure.
            heartbeat: Duration::from_millis(41_250),
            voice_heartbeat: Duration::from_millis(13_750),
            dave: Some(Winner::Member),
            voice_mode: None,
            voice_servers: 2,
            session_lasts: Duration::from_mins(1),
            // What Discord has long granted; it documents no figure.
            message_rate: Some((5, Duration::from_secs(5))),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("seed", &self.seed)
            .field("bot_name", &self.bot_name)
            .finish_non_exhaustive()
    }
}
