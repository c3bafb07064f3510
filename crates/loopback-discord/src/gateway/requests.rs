//! What a bot asks for over the gateway: to join voice channels and to list members. And what becomes of its place in voice
//! channels when its session ends.

use std::sync::Arc;

use serde_json::{Value, json};

use super::connection::{Carried, Connection, End, Next};
use crate::hub::Hub;
use crate::recorded::Seen;
use crate::world::{ApiError, GuildId, UserId};

/// Members listed in answer to one request.
const MAX_LISTED: usize = 1_000;

impl Connection {
    /// Opcode 4. What is not allowed is ignored without a word, as Discord does.
    pub(super) fn voice(&self, data: &Value) -> Next {
        let Some((guild, session)) = self.asked_guild(data) else {
            return Next::Nothing;
        };
        let channel = id(&data["channel_id"]);
        let flag = |name: &str| data[name].as_bool().unwrap_or(false);
        let flags = (flag("self_mute"), flag("self_deaf"));
        self.hub.seen.note(Seen::VoiceAsked { guild, channel });
        let result = self.hub.world(|w| {
            let bot = w.bot();
            match channel {
                Some(channel) if w.channel(channel)?.guild == guild => {
                    w.join_voice(channel, bot, session, flags)
                }
                Some(_) => Err(ApiError::UnknownChannel),
                None => w.leave_voice(guild, bot),
            }
        });
        if let Err(e) = result {
            tracing::debug!("a voice channel is not joined or left: {e}");
        }
        Next::Nothing
    }

    /// Opcode 8: members by id or by the beginning of their name.
    pub(super) fn members(&self, data: &Value) -> Next {
        let Some((guild, session)) = self.asked_guild(data) else {
            return Next::Nothing;
        };
        let ids: Option<Vec<UserId>> = match &data["user_ids"] {
            Value::Array(ids) => Some(ids.iter().filter_map(id).collect()),
            Value::Null => None,
            one => Some(id(one).into_iter().collect()),
        };
        let query = data["query"].as_str().unwrap_or_default().to_lowercase();
        let limit = data["limit"]
            .as_u64()
            .filter(|n| *n > 0)
            .map_or(MAX_LISTED, |n| n as usize)
            .min(MAX_LISTED);
        let hub = &self.hub;
        hub.world(|w| {
            let Ok(found) = w.guild(guild) else { return };
            let wanted = |u: &&UserId| match &ids {
                Some(ids) => ids.contains(u),
                None => w
                    .user(**u)
                    .is_ok_and(|user| user.name.to_lowercase().starts_with(&query)),
            };
            let listed: Vec<UserId> = found.members.keys().filter(wanted).take(limit).copied().collect();
            let members: Vec<Value> = listed
                .iter()
                .filter_map(|u| w.member_json(guild, *u).ok())
                .collect();
            let missing: Vec<&UserId> = ids.iter().flatten().filter(|u| !listed.contains(u)).collect();
            let chunk = json!({
                "guild_id": guild, "members": members, "chunk_index": 0, "chunk_count": 1,
                "not_found": missing, "nonce": data["nonce"],
            });
            hub.sessions.send_to(session, "GUILD_MEMBERS_CHUNK", &chunk);
        });
        Next::Nothing
    }

    /// The guild a request names, if the session sees it; and the session.
    fn asked_guild(&self, data: &Value) -> Option<(GuildId, &str)> {
        let session = self.carried.as_ref().map(|c| c.session.as_str())?;
        let guild = id(&data["guild_id"])?;
        self.hub.sessions.owns(session, guild).then_some((guild, session))
    }
}

/// serenity sends some ids as numbers, Discord takes both.
fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A connection ended: its session is kept for a while, unless the bot said good-bye.
pub(super) fn ended(hub: &Arc<Hub>, carried: Carried, end: End) {
    let Carried { session, out } = carried;
    let Some(connection) = hub.sessions.disconnect(&session, out) else {
        return;
    };
    let goodbye = matches!(end, End::Bot(Some(1000 | 1001)));
    let final_code = matches!(end, End::Close(4004 | 4010..=4014));
    if goodbye || final_code {
        invalid(hub, &session);
        return;
    }
    let here = Arc::clone(hub);
    hub.tasks.spawn(async move {
        tokio::select! {
            () = here.stop.cancelled() => {}
            () = tokio::time::sleep(here.config.session_lasts) => {
                if here.sessions.expire(&session, connection) {
                    leave_voice(&here, &session);
                }
            }
        }
    });
}

/// A session ends for good: the bot leaves the voice channels that it joined in it.
pub(super) fn invalid(hub: &Hub, session: &str) {
    hub.sessions.forget(session);
    leave_voice(hub, session);
}

pub(super) fn leave_voice(hub: &Hub, session: &str) {
    hub.world(|w| {
        let bot = w.bot();
        let joined =
            |g: &crate::world::guild::Guild| g.voice_states.get(&bot).is_some_and(|s| s.session == session);
        let guilds: Vec<GuildId> = w.guilds().filter(|g| joined(g)).map(|g| g.id).collect();
        for guild in guilds {
            let left = w.leave_voice(guild, bot);
            debug_assert!(left.is_ok(), "it was just seen there");
        }
    });
}
