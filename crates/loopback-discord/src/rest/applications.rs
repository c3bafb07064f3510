//! The application and its commands.

use serde_json::{Value, json};

use super::Reply;
use super::request::{Request, id};
use crate::hub::Hub;
use crate::recorded::Seen;
use crate::world::event::intent;
use crate::world::{ApiError, ApplicationId, GuildId};

/// The application, and who owns it.
pub(super) fn current(hub: &Hub) -> Result<Reply, ApiError> {
    let granted = hub.config.granted_intents;
    // The flags say which privileged intents were granted: for applications in many guilds, and for others.
    let bits = [
        (intent::GUILD_PRESENCES, 13),
        (intent::GUILD_MEMBERS, 15),
        (intent::MESSAGE_CONTENT, 19),
    ];
    let flags = bits
        .iter()
        .filter(|(i, _)| granted & i != 0)
        .fold(0_u64, |sum, (_, bit)| sum | 1 << bit);
    hub.world(|w| {
        let owner = w.user(w.owner())?.to_json();
        Ok(Reply::Json(json!({
            "id": w.application(), "name": hub.config.bot_name, "icon": null, "description": "", "rpc_origins": [],
            "bot_public": true, "bot_require_code_grant": false, "owner": owner, "summary": "", "team": null,
            "verify_key": "0".repeat(64), "flags": flags, "bot": w.user(w.bot())?.to_json(),
            "approximate_guild_count": w.guilds().count(),
        })))
    })
}

/// Commands of a scope: list, register, replace all, look at, change, remove.
pub(super) fn commands(
    hub: &Hub,
    method: &str,
    (app, guild): (ApplicationId, Option<GuildId>),
    rest: &[&str],
    request: Request,
) -> Result<Reply, ApiError> {
    let reply = hub.world(|w| {
        if app != w.application() {
            return Err(ApiError::MissingAccess);
        }
        if let Some(guild) = guild {
            w.guild(guild).map_err(|_| ApiError::MissingAccess)?;
        }
        match (method, rest) {
            ("GET", []) => Ok(Reply::Json(w.commands_json(guild))),
            ("POST", []) => {
                let before = w.commands(guild).count();
                let command = w.register_command(guild, request.body)?;
                let body = w.command_json(guild, command)?;
                Ok(if w.commands(guild).count() > before {
                    Reply::Created(body)
                } else {
                    Reply::Json(body)
                })
            }
            ("PUT", []) => {
                let Value::Array(specs) = request.body else {
                    return Err(ApiError::InvalidJson);
                };
                w.overwrite_commands(guild, specs)?;
                Ok(Reply::Json(w.commands_json(guild)))
            }
            ("GET", [command]) => Ok(Reply::Json(w.command_json(guild, id(command)?)?)),
            ("PATCH", [command]) => {
                let mut spec = w.command_json(guild, id(command)?)?;
                let Value::Object(changes) = request.body else {
                    return Err(ApiError::InvalidJson);
                };
                w.remove_command(guild, id(command)?)?;
                for (key, value) in changes {
                    spec[key] = value;
                }
                let command = w.register_command(guild, spec)?;
                Ok(Reply::Json(w.command_json(guild, command)?))
            }
            ("DELETE", [command]) => {
                w.remove_command(guild, id(command)?)?;
                Ok(Reply::Nothing)
            }
            _ => Err(ApiError::NotFound),
        }
    })?;
    if method != "GET" {
        hub.seen.note(Seen::CommandsRegistered { guild });
    }
    Ok(reply)
}
