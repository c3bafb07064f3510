//! Guilds, members and users.

use serde_json::{Value, json};

use super::Reply;
use super::request::{Request, id};
use crate::hub::Hub;
use crate::world::channel::Channel;
use crate::world::permissions::{self, Permissions};
use crate::world::{ApiError, GuildId, UserId, World};

/// A guild that the bot is in; of others Discord tells nothing.
fn known(w: &World, guild: GuildId) -> Result<&crate::world::guild::Guild, ApiError> {
    w.guild(guild).map_err(|_| ApiError::UnknownGuild)
}

/// The bot itself.
pub(super) fn me(hub: &Hub) -> Result<Reply, ApiError> {
    hub.world(|w| Ok(Reply::Json(w.user(w.bot())?.to_current_json())))
}

/// The guilds the bot is in, page by page.
pub(super) fn mine(hub: &Hub, request: &Request) -> Result<Reply, ApiError> {
    let number = |key: &str, or: u64| request.query.get(key).and_then(|v| v.parse().ok()).unwrap_or(or);
    let (after, limit) = (number("after", 0), number("limit", 200).min(200));
    hub.world(|w| {
        let page = w.guilds().filter(|g| g.id.get() > after).take(limit as usize);
        let page = page.map(|g| {
            let granted = permissions::in_guild(g, w.bot());
            json!({ "id": g.id, "name": g.name, "icon": null, "owner": false, "permissions": granted, "features": [] })
        });
        Ok(Reply::Json(page.collect()))
    })
}

pub(super) fn user(hub: &Hub, user: UserId) -> Result<Reply, ApiError> {
    hub.world(|w| Ok(Reply::Json(w.user(user)?.to_json())))
}

pub(super) fn guild(hub: &Hub, guild: GuildId) -> Result<Reply, ApiError> {
    hub.world(|w| Ok(Reply::Json(w.guild_json(guild)?)))
}

pub(super) fn channels(hub: &Hub, guild: GuildId) -> Result<Reply, ApiError> {
    hub.world(|w| {
        let found = known(w, guild)?;
        let channels = found.channels.values().filter(|c| !c.kind.is_thread());
        Ok(Reply::Json(channels.map(Channel::to_json).collect()))
    })
}

pub(super) fn roles(hub: &Hub, guild: GuildId) -> Result<Reply, ApiError> {
    hub.world(|w| Ok(Reply::Json(w.guild_json(guild)?["roles"].clone())))
}

pub(super) fn threads(hub: &Hub, guild: GuildId) -> Result<Reply, ApiError> {
    hub.world(|w| {
        let found = known(w, guild)?;
        let open = found
            .channels
            .values()
            .filter(|c| c.thread.as_ref().is_some_and(|t| !t.archived));
        let open: Vec<Value> = open.map(Channel::to_json).collect();
        Ok(Reply::Json(json!({ "threads": open, "members": [] })))
    })
}

pub(super) fn members(hub: &Hub, guild: GuildId, request: &Request) -> Result<Reply, ApiError> {
    let number = |key: &str, or: u64| request.query.get(key).and_then(|v| v.parse().ok()).unwrap_or(or);
    let (after, limit) = (number("after", 0), number("limit", 1).min(1_000));
    hub.world(|w| {
        let page = known(w, guild)?
            .members
            .keys()
            .filter(|u| u.get() > after)
            .take(limit as usize);
        let page: Result<Vec<_>, _> = page.map(|u| w.member_json(guild, *u)).collect();
        Ok(Reply::Json(json!(page?)))
    })
}

pub(super) fn member(hub: &Hub, guild: GuildId, user: UserId) -> Result<Reply, ApiError> {
    hub.world(|w| Ok(Reply::Json(w.member_json(guild, user)?)))
}

/// Moves a member to another voice channel, or with null puts them out of it.
pub(super) fn edit_member(hub: &Hub, guild: GuildId, user: UserId, body: &Value) -> Result<Reply, ApiError> {
    hub.world(|w| {
        let granted = permissions::in_guild(known(w, guild)?, w.bot());
        match body.get("channel_id") {
            None => return Err(ApiError::NotFound),
            Some(_) if !granted.contains(Permissions::MOVE_MEMBERS) => {
                return Err(ApiError::MissingPermissions);
            }
            Some(Value::Null) => w.leave_voice(guild, user)?,
            Some(to) => w.move_voice(user, id(to.as_str().unwrap_or_default())?)?,
        }
        Ok(Reply::Json(w.member_json(guild, user)?))
    })
}

pub(super) fn voice_state(hub: &Hub, guild: GuildId, user: &str) -> Result<Reply, ApiError> {
    hub.world(|w| {
        let user = if user == "@me" { w.bot() } else { id(user)? };
        let state = w.voice_state(guild, user).ok_or(ApiError::UnknownVoiceState)?;
        Ok(Reply::Json(state.to_json()))
    })
}
