//! Who is in which voice channel.

use serde_json::{Value, json};

use super::World;
use super::error::ApiError;
use super::event::intent;
use super::id::{ChannelId, GuildId, UserId};
use super::permissions::Permissions;

/// One user in a voice channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "Discord has four switches")]
pub struct VoiceState {
    /// The guild.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
    /// Who.
    pub user: UserId,
    /// Names this connection to the voice server: of a bot, its gateway session.
    pub session: String,
    /// Muted by themselves.
    pub self_mute: bool,
    /// Deafened by themselves.
    pub self_deaf: bool,
    /// Muted for all of the guild.
    pub mute: bool,
    /// Deafened for all of the guild.
    pub deaf: bool,
}

impl VoiceState {
    /// As Discord sends it, without the member.
    pub fn to_json(&self) -> Value {
        json!({
            "guild_id": self.guild, "channel_id": self.channel, "user_id": self.user, "session_id": self.session,
            "self_mute": self.self_mute, "self_deaf": self.self_deaf, "mute": self.mute, "deaf": self.deaf,
            "self_video": false, "suppress": false, "request_to_speak_timestamp": null,
        })
    }
}

impl World {
    /// Who is in a voice channel, in order of their ids.
    pub fn in_voice(&self, channel: ChannelId) -> Vec<UserId> {
        let Ok(found) = self.channel(channel) else {
            return Vec::new();
        };
        let Ok(guild) = self.guild(found.guild) else {
            return Vec::new();
        };
        guild
            .voice_states
            .values()
            .filter(|s| s.channel == channel)
            .map(|s| s.user)
            .collect()
    }

    /// Where a user is in a guild.
    pub fn voice_state(&self, guild: GuildId, user: UserId) -> Option<&VoiceState> {
        self.guild(guild).ok()?.voice_states.get(&user)
    }

    /// Joins a voice channel, or moves to it by oneself: needs the permission to connect and a free place.
    pub fn join_voice(
        &mut self,
        channel: ChannelId,
        user: UserId,
        session: &str,
        (self_mute, self_deaf): (bool, bool),
    ) -> Result<(), ApiError> {
        let found = self.channel(channel)?;
        if !found.kind.is_voice() {
            return Err(ApiError::WrongChannelKind);
        }
        let (guild, limit) = (found.guild, usize::from(found.user_limit));
        self.require(channel, user, Permissions::CONNECT)?;
        let inside = self.in_voice(channel);
        let full = limit > 0 && inside.len() >= limit && !inside.contains(&user);
        let may_squeeze_in = self
            .permissions(channel, user)?
            .contains(Permissions::MOVE_MEMBERS);
        if full && !may_squeeze_in {
            return Err(ApiError::MissingPermissions);
        }
        let before = self.guild(guild)?.voice_states.get(&user);
        let (mute, deaf) = before.map_or((false, false), |s| (s.mute, s.deaf));
        self.put_voice_state(VoiceState {
            guild,
            channel,
            user,
            session: session.to_owned(),
            self_mute,
            self_deaf,
            mute,
            deaf,
        })
    }

    /// Moves a user who is in a voice channel to another, as one who may move members does.
    pub fn move_voice(&mut self, user: UserId, to: ChannelId) -> Result<(), ApiError> {
        let found = self.channel(to)?;
        if !found.kind.is_voice() {
            return Err(ApiError::WrongChannelKind);
        }
        let guild = found.guild;
        let state = self
            .guild(guild)?
            .voice_states
            .get(&user)
            .ok_or(ApiError::UnknownVoiceState)?;
        let state = VoiceState {
            channel: to,
            ..state.clone()
        };
        self.put_voice_state(state)
    }

    /// Mutes or deafens a user for all of the guild.
    pub fn set_voice_flags(
        &mut self,
        guild: GuildId,
        user: UserId,
        mute: bool,
        deaf: bool,
    ) -> Result<(), ApiError> {
        let state = self
            .guild(guild)?
            .voice_states
            .get(&user)
            .ok_or(ApiError::UnknownVoiceState)?;
        let state = VoiceState {
            mute,
            deaf,
            ..state.clone()
        };
        self.put_voice_state(state)
    }

    fn put_voice_state(&mut self, state: VoiceState) -> Result<(), ApiError> {
        let guild = state.guild;
        let mut data = state.to_json();
        data["member"] = self.member_json(guild, state.user)?;
        self.guild_mut(guild)?.voice_states.insert(state.user, state);
        self.dispatch(
            "VOICE_STATE_UPDATE",
            Some(guild),
            intent::GUILD_VOICE_STATES,
            data,
        );
        Ok(())
    }

    /// Leaves voice, or is put out of it.
    pub fn leave_voice(&mut self, guild: GuildId, user: UserId) -> Result<(), ApiError> {
        let gone = self.guild_mut(guild)?.voice_states.remove(&user);
        let mut data = gone.ok_or(ApiError::UnknownVoiceState)?.to_json();
        data["channel_id"] = Value::Null;
        data["member"] = self.member_json(guild, user)?;
        self.dispatch(
            "VOICE_STATE_UPDATE",
            Some(guild),
            intent::GUILD_VOICE_STATES,
            data,
        );
        Ok(())
    }
}
