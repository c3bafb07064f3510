//! The world: users, guilds, channels, messages, interactions, commands and who is in which voice channel. No I/O: time is
//! passed in, ids and secrets come from a seed, and each change queues the gateway events that tell of it.

pub mod act;
pub mod channel;
pub mod command;
pub mod draft;
mod error;
pub mod event;
pub mod guild;
mod id;
pub mod interaction;
pub mod message;
pub mod permissions;
mod thread;
pub mod user;
pub mod voice_state;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

pub use error::ApiError;
pub use id::{
    ApplicationId, AttachmentId, ChannelId, CommandId, DISCORD_EPOCH_MS, GuildId, InteractionId, MessageId,
    RoleId, Snowflake, Snowflakes, UserId, made_at,
};

use channel::Channel;
use command::AppCommand;
use event::Dispatch;
use guild::Guild;
use interaction::Interaction;
use message::Message;
use user::User;

/// Everything that Discord knows.
#[derive(Debug)]
pub struct World {
    now_ms: u64,
    ids: Snowflakes,
    secrets: StdRng,
    bot: UserId,
    application: ApplicationId,
    owner: UserId,
    users: BTreeMap<UserId, User>,
    guilds: BTreeMap<GuildId, Guild>,
    messages: BTreeMap<ChannelId, BTreeMap<MessageId, Message>>,
    interactions: BTreeMap<InteractionId, Interaction>,
    commands: Vec<AppCommand>,
    queued: Vec<Dispatch>,
}

impl World {
    /// A world with a bot, whose application bears the same id, and the person who owns the application.
    pub fn new(seed: u64, now_ms: u64, bot_name: &str) -> Self {
        let mut ids = Snowflakes::new(seed);
        let bot: UserId = ids.next(now_ms).into();
        let owner: UserId = ids.next(now_ms).into();
        let user = |id, name: &str, bot| {
            (
                id,
                User {
                    id,
                    name: name.to_owned(),
                    bot,
                },
            )
        };
        Self {
            now_ms,
            ids,
            secrets: StdRng::seed_from_u64(seed),
            bot,
            application: ApplicationId(bot.0),
            owner,
            users: BTreeMap::from([user(bot, bot_name, true), user(owner, "owner", false)]),
            guilds: BTreeMap::new(),
            messages: BTreeMap::new(),
            interactions: BTreeMap::new(),
            commands: Vec::new(),
            queued: Vec::new(),
        }
    }

    /// Tells the world the time; it never goes back.
    pub fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// Unix time in milliseconds, as last told.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The events that changes have queued since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Dispatch> {
        std::mem::take(&mut self.queued)
    }

    /// The bot.
    pub fn bot(&self) -> UserId {
        self.bot
    }

    /// The bot's application.
    pub fn application(&self) -> ApplicationId {
        self.application
    }

    /// The person who owns the bot's application.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// A new user, in no guild yet.
    pub fn add_user(&mut self, name: &str, bot: bool) -> UserId {
        let id: UserId = self.snowflake().into();
        self.users.insert(
            id,
            User {
                id,
                name: name.to_owned(),
                bot,
            },
        );
        id
    }

    /// A user.
    pub fn user(&self, id: UserId) -> Result<&User, ApiError> {
        self.users.get(&id).ok_or(ApiError::UnknownUser)
    }

    /// A guild.
    pub fn guild(&self, id: GuildId) -> Result<&Guild, ApiError> {
        self.guilds.get(&id).ok_or(ApiError::UnknownGuild)
    }

    /// All guilds.
    pub fn guilds(&self) -> impl Iterator<Item = &Guild> {
        self.guilds.values()
    }

    fn guild_mut(&mut self, id: GuildId) -> Result<&mut Guild, ApiError> {
        self.guilds.get_mut(&id).ok_or(ApiError::UnknownGuild)
    }

    /// A channel or thread.
    pub fn channel(&self, id: ChannelId) -> Result<&Channel, ApiError> {
        self.guilds
            .values()
            .find_map(|g| g.channels.get(&id))
            .ok_or(ApiError::UnknownChannel)
    }

    fn channel_mut(&mut self, id: ChannelId) -> Result<&mut Channel, ApiError> {
        self.guilds
            .values_mut()
            .find_map(|g| g.channels.get_mut(&id))
            .ok_or(ApiError::UnknownChannel)
    }

    fn snowflake(&mut self) -> Snowflake {
        self.ids.next(self.now_ms)
    }

    /// A secret that nobody guesses, the same for the same seed.
    pub fn secret(&mut self, kind: &str) -> String {
        format!("{kind}-{:032x}", self.secrets.random::<u128>())
    }

    fn dispatch(&mut self, name: &'static str, guild: Option<GuildId>, intent: u64, data: Value) {
        self.queued.push(Dispatch {
            name,
            guild,
            intent,
            data,
        });
    }
}

/// Unix time in milliseconds as ISO 8601 with offset, as Discord writes it.
pub(crate) fn timestamp(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", at.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests;
