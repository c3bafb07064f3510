//! Channels, their messages and their threads.

use serde_json::{Value, json};

use super::Reply;
use super::request::{Request, id};
use crate::hub::Hub;
use crate::recorded::Seen;
use crate::world::draft::Draft;
use crate::world::permissions::Permissions;
use crate::world::{ApiError, ChannelId, MessageId, World};

/// Everything below `/channels/{channel}`.
pub(super) fn route(
    hub: &Hub,
    method: &str,
    channel: ChannelId,
    rest: &[&str],
    request: Request,
) -> Result<Reply, ApiError> {
    let (seen, reply) = hub.world(|w| answer(w, method, channel, rest, request))?;
    if let Some(seen) = seen {
        hub.seen.note(seen);
    }
    Ok(reply)
}

fn answer(
    w: &mut World,
    method: &str,
    channel: ChannelId,
    rest: &[&str],
    request: Request,
) -> Result<(Option<Seen>, Reply), ApiError> {
    let bot = w.bot();
    let quiet = |reply| Ok((None, reply));
    w.require(channel, bot, Permissions::VIEW_CHANNEL)?;
    match (method, rest) {
        ("GET", []) => quiet(Reply::Json(w.channel(channel)?.to_json())),
        ("PATCH", []) => {
            edit(w, channel, &request.body)?;
            quiet(Reply::Json(w.channel(channel)?.to_json()))
        }
        ("DELETE", []) => {
            let thread = w.channel(channel)?.kind.is_thread();
            let needed = if thread {
                Permissions::MANAGE_THREADS
            } else {
                Permissions::MANAGE_CHANNELS
            };
            w.require(channel, bot, needed)?;
            let gone = w.channel(channel)?.to_json();
            w.remove_channel(channel)?;
            quiet(Reply::Json(gone))
        }
        ("POST", ["typing"]) => {
            w.require(channel, bot, Permissions::SEND_MESSAGES)?;
            quiet(Reply::Nothing)
        }
        ("GET", ["messages"]) => {
            w.require(channel, bot, Permissions::READ_MESSAGE_HISTORY)?;
            quiet(Reply::Json(history(w, channel, &request)?))
        }
        ("POST", ["messages"]) => {
            let message = w.create_message(channel, bot, Draft::parse(&request.body, request.files)?)?;
            let body = w.message_json(channel, message)?;
            Ok((Some(Seen::MessageCreated { channel, message }), Reply::Json(body)))
        }
        ("GET", ["messages", message]) => {
            let message = id(message)?;
            if w.message(channel, message)?.ephemeral() {
                return Err(ApiError::UnknownMessage);
            }
            quiet(Reply::Json(w.message_json(channel, message)?))
        }
        ("PATCH", ["messages", message]) => {
            let message = id(message)?;
            w.edit_message(channel, message, bot, Draft::parse(&request.body, request.files)?)?;
            let body = w.message_json(channel, message)?;
            Ok((Some(Seen::MessageEdited { channel, message }), Reply::Json(body)))
        }
        ("DELETE", ["messages", message]) => {
            let message = id(message)?;
            w.delete_message(channel, message, bot)?;
            Ok((Some(Seen::MessageDeleted { channel, message }), Reply::Nothing))
        }
        ("POST", ["threads"]) => open_thread(w, channel, None, &request.body),
        ("POST", ["messages", message, "threads"]) => {
            open_thread(w, channel, Some(id(message)?), &request.body)
        }
        ("PUT" | "DELETE", ["thread-members", _]) => quiet(Reply::Nothing),
        _ => Err(ApiError::NotFound),
    }
}

fn open_thread(
    w: &mut World,
    channel: ChannelId,
    on: Option<MessageId>,
    body: &Value,
) -> Result<(Option<Seen>, Reply), ApiError> {
    let name = body["name"].as_str().unwrap_or_default();
    // Without a message and a type Discord makes it private.
    let private = on.is_none() && body["type"].as_u64().unwrap_or(12) == 12;
    let minutes = body["auto_archive_duration"].as_u64().unwrap_or(1_440);
    let minutes = u16::try_from(minutes).unwrap_or(0);
    let thread = w.open_thread(channel, on, w.bot(), (name, private, minutes))?;
    Ok((
        Some(Seen::ThreadOpened { thread }),
        Reply::Created(w.channel(thread)?.to_json()),
    ))
}

/// Renames a channel, or puts a thread away and locks it.
fn edit(w: &mut World, channel: ChannelId, body: &Value) -> Result<(), ApiError> {
    let (bot, now) = (w.bot(), w.now_ms());
    let found = w.channel(channel)?;
    let own = found.thread.as_ref().is_some_and(|t| t.owner == bot);
    if found.thread.is_some() {
        let locking = body.get("locked").is_some();
        if !own || locking {
            w.require(channel, bot, Permissions::MANAGE_THREADS)?;
        }
    } else {
        w.require(channel, bot, Permissions::MANAGE_CHANNELS)?;
    }
    let name = body["name"].as_str().map(str::to_owned);
    if name
        .as_ref()
        .is_some_and(|n| n.is_empty() || n.chars().count() > 100)
    {
        return Err(ApiError::form("name", "Must be between 1 and 100 in length."));
    }
    w.edit_channel(channel, |c| {
        c.name = name.unwrap_or_else(|| c.name.clone());
        if let Some(thread) = &mut c.thread {
            thread.locked = body["locked"].as_bool().unwrap_or(thread.locked);
            if let Some(archived) = body["archived"].as_bool() {
                thread.archived = archived;
                thread.archive_changed_ms = now;
            }
        }
    })
}

/// Messages of a channel, newest first, as `limit`, `before`, `after` ask.
fn history(w: &World, channel: ChannelId, request: &Request) -> Result<Value, ApiError> {
    let number = |key: &str| request.query.get(key).and_then(|v| v.parse::<u64>().ok());
    let limit = number("limit").unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::form("limit", "int value should be between 1 and 100."));
    }
    let (before, after) = (number("before").unwrap_or(u64::MAX), number("after").unwrap_or(0));
    let fits = |m: MessageId| m.get() < before && m.get() > after;
    let shown = w
        .messages(channel)
        .rev()
        .filter(|m| !m.ephemeral() && fits(m.id))
        .take(limit as usize);
    let shown: Result<Vec<_>, _> = shown.map(|m| w.message_json(channel, m.id)).collect();
    Ok(json!(shown?))
}
