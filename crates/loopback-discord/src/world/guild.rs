//! Guilds with their roles and members, and how they look to a bot that is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::channel::{Channel, ChannelKind, Overwrite};
use super::error::ApiError;
use super::event::intent;
use super::id::{ChannelId, GuildId, RoleId, UserId};
use super::permissions::{self, Permissions};
use super::user::User;
use super::voice_state::VoiceState;
use super::{World, timestamp};

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it grants.
    pub permissions: Permissions,
    /// Where it stands; everyone's is 0.
    pub position: u16,
}

impl Role {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "permissions": self.permissions, "position": self.position,
            "color": 0, "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false, "managed": false, "mentionable": false, "flags": 0,
        })
    }
}

/// A member of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// What they are called here, if not by their name.
    pub nick: Option<String>,
    /// Their roles, without everyone's.
    pub roles: BTreeSet<RoleId>,
    /// Unix time in milliseconds.
    pub joined_ms: u64,
}

impl Member {
    /// As Discord sends it.
    fn to_json(&self, user: &User) -> Value {
        json!({
            "user": user.to_json(), "nick": self.nick, "avatar": null, "banner": null, "roles": self.roles,
            "joined_at": timestamp(self.joined_ms), "premium_since": null, "deaf": false, "mute": false,
            "flags": 0, "pending": false, "communication_disabled_until": null,
        })
    }
}

/// A guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guild {
    /// Its id.
    pub id: GuildId,
    /// Its name.
    pub name: String,
    /// Who may do everything in it.
    pub owner: UserId,
    /// Its roles, everyone's among them.
    pub roles: BTreeMap<RoleId, Role>,
    /// Who is in it.
    pub members: BTreeMap<UserId, Member>,
    /// Its channels and threads.
    pub channels: BTreeMap<ChannelId, Channel>,
    /// Who is in a voice channel.
    pub voice_states: BTreeMap<UserId, VoiceState>,
    /// Unix time in milliseconds at which the bot came in.
    pub bot_joined_ms: u64,
}

impl Guild {
    /// The role that everyone has: it bears the guild's id.
    pub fn everyone(&self) -> RoleId {
        RoleId(self.id.0)
    }

    fn summary_json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "icon": null, "icon_hash": null, "splash": null,
            "discovery_splash": null, "owner_id": self.owner, "afk_channel_id": null, "afk_timeout": 300,
            "widget_enabled": false, "verification_level": 0, "default_message_notifications": 0,
            "explicit_content_filter": 0, "roles": self.roles.values().map(Role::to_json).collect::<Vec<_>>(),
            "emojis": [], "features": [], "mfa_level": 0, "application_id": null, "system_channel_id": null,
            "system_channel_flags": 0, "rules_channel_id": null, "max_members": 500_000, "vanity_url_code": null,
            "description": null, "banner": null, "premium_tier": 0, "premium_subscription_count": 0,
            "preferred_locale": "en-US", "public_updates_channel_id": null, "max_video_channel_users": 25,
            "nsfw_level": 0, "stickers": [], "premium_progress_bar_enabled": false,
        })
    }
}

impl World {
    /// A new guild with an owner, everyone's role and the bot in it; the bot's other roles are up to the caller.
    pub fn add_guild(&mut self, name: &str, owner: UserId) -> Result<GuildId, ApiError> {
        self.user(owner)?;
        let id: GuildId = self.snowflake().into();
        let mut guild = Guild {
            id,
            name: name.to_owned(),
            owner,
            roles: BTreeMap::new(),
            members: BTreeMap::new(),
            channels: BTreeMap::new(),
            voice_states: BTreeMap::new(),
            bot_joined_ms: self.now_ms,
        };
        let everyone = guild.everyone();
        guild.roles.insert(
            everyone,
            Role {
                id: everyone,
                name: "@everyone".into(),
                permissions: Permissions::EVERYONE,
                position: 0,
            },
        );
        for user in BTreeSet::from([owner, self.bot]) {
            guild.members.insert(user, self.member(user));
        }
        self.guilds.insert(id, guild);
        let data = self.guild_create_json(id)?;
        self.dispatch("GUILD_CREATE", Some(id), intent::GUILDS, data);
        Ok(id)
    }

    /// Deletes a guild, or takes the bot out of it: to the bot it is the same.
    pub fn remove_guild(&mut self, guild: GuildId) -> Result<(), ApiError> {
        self.guilds.remove(&guild).ok_or(ApiError::UnknownGuild)?;
        let data = json!({ "id": guild });
        self.dispatch("GUILD_DELETE", Some(guild), intent::GUILDS, data);
        Ok(())
    }

    fn member(&self, user: UserId) -> Member {
        Member {
            user,
            nick: None,
            roles: BTreeSet::new(),
            joined_ms: self.now_ms,
        }
    }

    /// Puts a user into a guild.
    pub fn add_member(&mut self, guild: GuildId, user: UserId) -> Result<(), ApiError> {
        let name = self.user(user)?.clone();
        let member = self.member(user);
        let guild_ref = self.guild_mut(guild)?;
        let mut data = member.to_json(&name);
        guild_ref.members.insert(user, member);
        data["guild_id"] = json!(guild);
        self.dispatch("GUILD_MEMBER_ADD", Some(guild), intent::GUILD_MEMBERS, data);
        Ok(())
    }

    /// Takes a user out of a guild, and out of its voice channels.
    pub fn remove_member(&mut self, guild: GuildId, user: UserId) -> Result<(), ApiError> {
        if user == self.bot {
            return self.remove_guild(guild);
        }
        let name = self.user(user)?.to_json();
        if self.guild(guild)?.voice_states.contains_key(&user) {
            self.leave_voice(guild, user)?;
        }
        let gone = self.guild_mut(guild)?.members.remove(&user);
        gone.ok_or(ApiError::UnknownMember)?;
        let data = json!({ "guild_id": guild, "user": name });
        self.dispatch("GUILD_MEMBER_REMOVE", Some(guild), intent::GUILD_MEMBERS, data);
        Ok(())
    }

    /// A new role, given to `holders`.
    pub fn add_role(
        &mut self,
        guild: GuildId,
        name: &str,
        permissions: Permissions,
        holders: &[UserId],
    ) -> Result<RoleId, ApiError> {
        let id: RoleId = self.snowflake().into();
        let found = self.guild_mut(guild)?;
        let role = Role {
            id,
            name: name.to_owned(),
            permissions,
            position: found.roles.len() as u16,
        };
        let data = json!({ "guild_id": guild, "role": role.to_json() });
        found.roles.insert(id, role);
        self.dispatch("GUILD_ROLE_CREATE", Some(guild), intent::GUILDS, data);
        for holder in holders {
            let user = self.user(*holder)?.clone();
            let found = self.guild_mut(guild)?;
            let member = found.members.get_mut(holder).ok_or(ApiError::UnknownMember)?;
            member.roles.insert(id);
            let member = member.clone();
            let mut data = member.to_json(&user);
            data["guild_id"] = json!(guild);
            self.dispatch("GUILD_MEMBER_UPDATE", Some(guild), intent::GUILD_MEMBERS, data);
        }
        Ok(id)
    }

    /// Changes what a role grants.
    pub fn set_role(
        &mut self,
        guild: GuildId,
        role: RoleId,
        permissions: Permissions,
    ) -> Result<(), ApiError> {
        let found = self.guild_mut(guild)?;
        let role = found.roles.get_mut(&role).ok_or(ApiError::UnknownRole)?;
        role.permissions = permissions;
        let data = json!({ "guild_id": guild, "role": role.to_json() });
        self.dispatch("GUILD_ROLE_UPDATE", Some(guild), intent::GUILDS, data);
        Ok(())
    }

    /// A new channel that is no thread.
    pub fn add_channel(
        &mut self,
        guild: GuildId,
        name: &str,
        kind: ChannelKind,
    ) -> Result<ChannelId, ApiError> {
        if kind.is_thread() {
            return Err(ApiError::WrongChannelKind);
        }
        let id: ChannelId = self.snowflake().into();
        let found = self.guild_mut(guild)?;
        let channel = Channel {
            id,
            guild,
            kind,
            name: name.to_owned(),
            parent: None,
            position: found.channels.len() as u16,
            overwrites: Vec::new(),
            user_limit: 0,
            last_message: None,
            thread: None,
        };
        let data = channel.to_json();
        found.channels.insert(id, channel);
        self.dispatch("CHANNEL_CREATE", Some(guild), intent::GUILDS, data);
        Ok(id)
    }

    /// Changes a channel that is no thread: `change` gets it to edit.
    pub fn edit_channel(
        &mut self,
        channel: ChannelId,
        change: impl FnOnce(&mut Channel),
    ) -> Result<(), ApiError> {
        let guild = self.channel(channel)?.guild;
        let found = self.channel_mut(channel)?;
        change(found);
        let name = if found.kind.is_thread() {
            "THREAD_UPDATE"
        } else {
            "CHANNEL_UPDATE"
        };
        let data = found.to_json();
        self.dispatch(name, Some(guild), intent::GUILDS, data);
        Ok(())
    }

    /// Grants or takes something in a channel.
    pub fn set_overwrite(&mut self, channel: ChannelId, overwrite: Overwrite) -> Result<(), ApiError> {
        self.edit_channel(channel, |c| {
            c.overwrites.retain(|o| o.target != overwrite.target);
            c.overwrites.push(overwrite);
        })
    }

    /// Deletes a channel or a thread, with the threads that hang from it; who speaks in it is put out first.
    pub fn remove_channel(&mut self, channel: ChannelId) -> Result<(), ApiError> {
        let guild = self.channel(channel)?.guild;
        let inside: Vec<UserId> = self.in_voice(channel);
        for user in inside {
            self.leave_voice(guild, user)?;
        }
        let found = self.guild_mut(guild)?;
        let threads: Vec<ChannelId> = found
            .channels
            .values()
            .filter(|c| c.kind.is_thread() && c.parent == Some(channel))
            .map(|c| c.id)
            .collect();
        for id in threads.into_iter().chain([channel]) {
            let Some(gone) = self.guild_mut(guild)?.channels.remove(&id) else {
                continue;
            };
            self.messages.remove(&id);
            let name = if gone.kind.is_thread() {
                "THREAD_DELETE"
            } else {
                "CHANNEL_DELETE"
            };
            self.dispatch(name, Some(guild), intent::GUILDS, gone.to_json());
        }
        Ok(())
    }

    /// What `user` may do in a channel or thread.
    pub fn permissions(&self, channel: ChannelId, user: UserId) -> Result<Permissions, ApiError> {
        let found = self.channel(channel)?;
        let governing = match (found.kind.is_thread(), found.parent) {
            (true, Some(parent)) => self.channel(parent)?,
            _ => found,
        };
        Ok(permissions::in_channel(self.guild(found.guild)?, governing, user))
    }

    /// Errs unless `user` sees the channel (else "Missing Access") and may do `wanted` there (else "Missing Permissions").
    pub fn require(&self, channel: ChannelId, user: UserId, wanted: Permissions) -> Result<(), ApiError> {
        let granted = self.permissions(channel, user)?;
        if !granted.contains(Permissions::VIEW_CHANNEL) {
            return Err(ApiError::MissingAccess);
        }
        if !granted.contains(wanted) {
            return Err(ApiError::MissingPermissions);
        }
        Ok(())
    }

    /// A guild as REST sends it: without members, channels and voice states.
    pub fn guild_json(&self, guild: GuildId) -> Result<Value, ApiError> {
        Ok(self.guild(guild)?.summary_json())
    }

    /// A guild as `GUILD_CREATE` sends it: with everything.
    pub fn guild_create_json(&self, guild: GuildId) -> Result<Value, ApiError> {
        let found = self.guild(guild)?;
        let mut data = found.summary_json();
        let members = found.members.values().filter_map(|m| {
            let user = self.users.get(&m.user)?;
            Some(m.to_json(user))
        });
        data["members"] = members.collect::<Vec<_>>().into();
        data["member_count"] = json!(found.members.len());
        data["joined_at"] = json!(timestamp(found.bot_joined_ms));
        data["large"] = json!(false);
        data["unavailable"] = json!(false);
        let (threads, channels): (Vec<_>, Vec<_>) = found.channels.values().partition(|c| c.kind.is_thread());
        data["channels"] = channels.iter().map(|c| c.to_json()).collect::<Vec<_>>().into();
        let open = threads
            .iter()
            .filter(|c| c.thread.as_ref().is_some_and(|t| !t.archived));
        data["threads"] = open.map(|c| c.to_json()).collect::<Vec<_>>().into();
        data["voice_states"] = found
            .voice_states
            .values()
            .map(VoiceState::to_json)
            .collect::<Vec<_>>()
            .into();
        data["presences"] = json!([]);
        data["stage_instances"] = json!([]);
        data["guild_scheduled_events"] = json!([]);
        data["soundboard_sounds"] = json!([]);
        Ok(data)
    }

    /// A member as Discord sends it.
    pub fn member_json(&self, guild: GuildId, user: UserId) -> Result<Value, ApiError> {
        let found = self.guild(guild)?;
        let member = found.members.get(&user).ok_or(ApiError::UnknownMember)?;
        Ok(member.to_json(self.user(user)?))
    }
}
