//! The table of routes: which function answers what, and for which of them a token is needed.

use serde_json::json;

use super::request::{Request, id};
use super::{Reply, applications, channels, guilds, interactions};
use crate::hub::Hub;
use crate::world::ApiError;

/// Answers a request.
pub(crate) fn route(hub: &Hub, request: Request) -> Result<Reply, ApiError> {
    let method = request.method.clone();
    let path = request.path.clone();
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let open = matches!(
        segments.as_slice(),
        ["gateway"] | ["interactions" | "webhooks", ..]
    );
    let expected = format!("Bot {}", hub.token());
    if !open && request.authorization.as_deref() != Some(expected.as_str()) {
        return Err(ApiError::Unauthorized);
    }
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["gateway"]) => Ok(Reply::Json(json!({ "url": hub.gateway_url() }))),
        ("GET", ["gateway", "bot"]) => Ok(Reply::Json(gateway_bot(hub))),

        ("GET", ["oauth2", "applications", "@me"]) | ("GET" | "PATCH", ["applications", "@me"]) => {
            applications::current(hub)
        }
        (method, ["applications", app, "commands", rest @ ..]) => {
            applications::commands(hub, method, (id(app)?, None), rest, request)
        }
        (method, ["applications", app, "guilds", guild, "commands", rest @ ..]) => {
            applications::commands(hub, method, (id(app)?, Some(id(guild)?)), rest, request)
        }

        ("POST", ["interactions", interaction, token, "callback"]) => {
            interactions::callback(hub, id(interaction)?, token, request)
        }
        ("POST", ["webhooks", app, token]) => interactions::follow_up(hub, id(app)?, token, request),
        (method, ["webhooks", app, token, "messages", message]) => {
            let message = if *message == "@original" {
                None
            } else {
                Some(id(message)?)
            };
            interactions::message(hub, method, id(app)?, (token, message), request)
        }

        ("GET", ["users", "@me"]) => guilds::me(hub),
        ("GET", ["users", "@me", "guilds"]) => guilds::mine(hub, &request),
        ("GET", ["users", user]) => guilds::user(hub, id(user)?),
        ("GET", ["guilds", guild]) => guilds::guild(hub, id(guild)?),
        ("GET", ["guilds", guild, "channels"]) => guilds::channels(hub, id(guild)?),
        ("GET", ["guilds", guild, "roles"]) => guilds::roles(hub, id(guild)?),
        ("GET", ["guilds", guild, "members"]) => guilds::members(hub, id(guild)?, &request),
        ("GET", ["guilds", guild, "members", user]) => guilds::member(hub, id(guild)?, id(user)?),
        ("PATCH", ["guilds", guild, "members", user]) => {
            guilds::edit_member(hub, id(guild)?, id(user)?, &request.body)
        }
        ("GET", ["guilds", guild, "voice-states", user]) => guilds::voice_state(hub, id(guild)?, user),
        ("GET", ["guilds", guild, "threads", "active"]) => guilds::threads(hub, id(guild)?),

        (method, ["channels", channel, rest @ ..]) => {
            channels::route(hub, method, id(channel)?, rest, request)
        }
        _ => Err(ApiError::NotFound),
    }
}

fn gateway_bot(hub: &Hub) -> serde_json::Value {
    let left = hub.sessions.starts_left();
    json!({
        "url": hub.gateway_url(), "shards": hub.config.shards,
        "session_start_limit": {
            "total": hub.config.session_starts, "remaining": left, "reset_after": 86_400_000_u64,
            "max_concurrency": hub.config.max_concurrency,
        },
    })
}
