//! Answers to interactions, and what follows them.

use super::Reply;
use super::request::Request;
use crate::hub::Hub;
use crate::recorded::Seen;
use crate::world::draft::Draft;
use crate::world::{ApiError, ApplicationId, InteractionId, MessageId};

/// The first answer.
pub(super) fn callback(
    hub: &Hub,
    interaction: InteractionId,
    token: &str,
    request: Request,
) -> Result<Reply, ApiError> {
    let (after_ms, shown) = hub.world(|w| {
        w.answer(interaction, token, &request.body, request.files)?;
        let found = w.interaction(interaction)?;
        let after = found
            .answered_ms
            .unwrap_or_default()
            .saturating_sub(found.made_ms);
        Ok((after, found.original.map(|m| (found.channel, m))))
    })?;
    hub.seen.note(Seen::Answered {
        interaction,
        after_ms,
    });
    if let Some((channel, message)) = shown {
        hub.seen.note(Seen::MessageCreated { channel, message });
    }
    Ok(Reply::Nothing)
}

/// A further message.
pub(super) fn follow_up(
    hub: &Hub,
    app: ApplicationId,
    token: &str,
    request: Request,
) -> Result<Reply, ApiError> {
    let draft = Draft::parse(&request.body, request.files)?;
    let (channel, message, body) = hub.world(|w| {
        if app != w.application() {
            return Err(ApiError::UnknownWebhook);
        }
        let (channel, message) = w.follow_up(token, draft)?;
        Ok((channel, message, w.message_json(channel, message)?))
    })?;
    hub.seen.note(Seen::MessageCreated { channel, message });
    Ok(Reply::Json(body))
}

/// The answer (`message` none) or a further message: read, changed or deleted.
pub(super) fn message(
    hub: &Hub,
    method: &str,
    app: ApplicationId,
    (token, message): (&str, Option<MessageId>),
    request: Request,
) -> Result<Reply, ApiError> {
    let (seen, reply) = hub.world(|w| {
        if app != w.application() {
            return Err(ApiError::UnknownWebhook);
        }
        let (channel, message) = w.answer_message(token, message)?;
        let bot = w.bot();
        match method {
            "GET" => Ok((None, Reply::Json(w.message_json(channel, message)?))),
            "PATCH" => {
                w.edit_message(channel, message, bot, Draft::parse(&request.body, request.files)?)?;
                let body = w.message_json(channel, message)?;
                Ok((Some(Seen::MessageEdited { channel, message }), Reply::Json(body)))
            }
            "DELETE" => {
                w.delete_message(channel, message, bot)?;
                Ok((Some(Seen::MessageDeleted { channel, message }), Reply::Nothing))
            }
            _ => Err(ApiError::NotFound),
        }
    })?;
    if let Some(seen) = seen {
        hub.seen.note(seen);
    }
    Ok(reply)
}
