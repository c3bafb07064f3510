//! What the world tells the gateway: one dispatch a change, with who may see it.

use serde_json::Value;

use super::id::GuildId;

/// Gateway intents, by bit. Source: <https://discord.com/developers/docs/events/gateway#gateway-intents>.
pub mod intent {
    /// Guilds, channels, roles, threads.
    pub const GUILDS: u64 = 1;
    /// Members who join and leave (privileged).
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    /// Who is in which voice channel.
    pub const GUILD_VOICE_STATES: u64 = 1 << 7;
    /// Presences (privileged).
    pub const GUILD_PRESENCES: u64 = 1 << 8;
    /// Messages in guilds.
    pub const GUILD_MESSAGES: u64 = 1 << 9;
    /// What others wrote in them (privileged).
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
    /// Those an application must have been granted.
    pub const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
    /// Every bit that has a meaning.
    pub const KNOWN: u64 = (1 << 26) - 1;
}

/// One event to dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The event's name, such as `MESSAGE_CREATE`.
    pub name: &'static str,
    /// The guild, which decides the shard; none goes to the first shard.
    pub guild: Option<GuildId>,
    /// The intent without which a session does not get it; 0 for none.
    pub intent: u64,
    /// The event's data.
    pub data: Value,
}
