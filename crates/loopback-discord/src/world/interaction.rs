//! Interactions: a member uses a command, types in an option that completes itself, presses a button or sends a form, and
//! the bot answers once, in time, and then edits or adds to its answer.
//!
//! Source: <https://discord.com/developers/docs/interactions/receiving-and-responding>.

use serde_json::{Value, json};

use super::World;
use super::act::{Act, submit_data};
use super::draft::{Draft, Upload};
use super::error::ApiError;
use super::id::{ChannelId, GuildId, InteractionId, MessageId, UserId};
use super::message::{EPHEMERAL, LOADING};
use super::permissions::Permissions;

/// The first answer must come within this many milliseconds.
pub const ANSWER_WITHIN_MS: u64 = 3_000;
/// Edits and further messages must come within this many.
pub const TOKEN_LASTS_MS: u64 = 15 * 60 * 1_000;
/// Interactions kept; the oldest go first.
const MAX_KEPT: usize = 10_000;

/// How the bot answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Promised an answer for later.
    Deferred,
    /// With a message.
    Message(MessageId),
    /// By changing the message with the button, or promising to.
    Update,
    /// With what completes an option.
    Choices(Vec<Value>),
    /// With a form to fill in.
    Form(Value),
}

/// One interaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// The secret that answers it.
    pub token: String,
    /// What was done.
    pub act: Act,
    /// By whom.
    pub user: UserId,
    /// In which guild.
    pub guild: GuildId,
    /// In which channel.
    pub channel: ChannelId,
    /// Unix time in milliseconds.
    pub made_ms: u64,
    /// Unix time in milliseconds of the first answer.
    pub answered_ms: Option<u64>,
    /// The first answer.
    pub answer: Option<Answer>,
    /// The message that is the answer.
    pub original: Option<MessageId>,
    /// Messages sent after it.
    pub followups: Vec<MessageId>,
}

impl World {
    /// A member does something; the bot is told.
    pub fn interact(
        &mut self,
        user: UserId,
        channel: ChannelId,
        act: Act,
    ) -> Result<InteractionId, ApiError> {
        let guild = self.channel(channel)?.guild;
        self.require(channel, user, Permissions::VIEW_CHANNEL)?;
        let (kind, data) = match &act {
            Act::Command { path, options } => (2, self.command_data(guild, user, path, options, false)?),
            Act::Complete { path, options } => (4, self.command_data(guild, user, path, options, true)?),
            Act::Press {
                message,
                custom_id,
                values,
            } => (3, self.press_data(channel, user, *message, custom_id, values)?),
            Act::Submit { custom_id, fields } => (5, submit_data(custom_id, fields)),
        };
        let id: InteractionId = self.snowflake().into();
        let token = self.secret("interaction");
        let mut member = self.member_json(guild, user)?;
        member["permissions"] = json!(self.permissions(channel, user)?);
        let found = self.channel(channel)?;
        let mut event = json!({
            "id": id, "application_id": self.application, "type": kind, "data": data, "guild_id": guild,
            "guild": { "id": guild, "locale": "en-US", "features": [] }, "channel_id": channel,
            "channel": found.to_json(), "member": member, "token": token, "version": 1,
            "app_permissions": self.permissions(channel, self.bot)?, "locale": "en-US", "guild_locale": "en-US",
            "entitlements": [], "authorizing_integration_owners": { "0": guild }, "context": 0,
            "attachment_size_limit": 10_485_760,
        });
        event["channel"]["permissions"] = json!(self.permissions(channel, user)?);
        if let Act::Press { message, .. } = &act {
            event["message"] = self.message_json(channel, *message)?;
        }
        let interaction = Interaction {
            id,
            token,
            act,
            user,
            guild,
            channel,
            made_ms: self.now_ms,
            answered_ms: None,
            answer: None,
            original: None,
            followups: Vec::new(),
        };
        self.interactions.insert(id, interaction);
        if self.interactions.len() > MAX_KEPT {
            self.interactions.pop_first();
        }
        self.dispatch("INTERACTION_CREATE", Some(guild), 0, event);
        Ok(id)
    }

    /// An interaction.
    pub fn interaction(&self, id: InteractionId) -> Result<&Interaction, ApiError> {
        self.interactions.get(&id).ok_or(ApiError::UnknownInteraction)
    }

    /// The first answer of the bot.
    pub fn answer(
        &mut self,
        id: InteractionId,
        token: &str,
        body: &Value,
        files: Vec<Upload>,
    ) -> Result<(), ApiError> {
        let now = self.now_ms;
        let found = self
            .interactions
            .get(&id)
            .filter(|i| i.token == token)
            .ok_or(ApiError::UnknownInteraction)?;
        if found.answer.is_some() {
            return Err(ApiError::AlreadyAcknowledged);
        }
        if now.saturating_sub(found.made_ms) > ANSWER_WITHIN_MS {
            return Err(ApiError::UnknownInteraction);
        }
        let (channel, act) = (found.channel, found.act.clone());
        let source = match &act {
            Act::Press { message, .. } => Some(*message),
            _ => None,
        };
        let data = if body["data"].is_object() {
            body["data"].clone()
        } else {
            json!({})
        };
        let completing = matches!(act, Act::Complete { .. });
        let (answer, original) = match (body["type"].as_u64(), source) {
            (Some(4), _) if !completing => {
                let message =
                    self.insert_message(channel, self.bot, Draft::parse(&data, files)?, Some(id))?;
                (Answer::Message(message), Some(message))
            }
            (Some(5), _) if !completing => {
                let flags = (data["flags"].as_u64().unwrap_or(0) & EPHEMERAL) | LOADING;
                let draft = Draft {
                    flags: Some(flags),
                    ..Draft::default()
                };
                (
                    Answer::Deferred,
                    Some(self.insert_message(channel, self.bot, draft, Some(id))?),
                )
            }
            (Some(6), Some(source)) => (Answer::Update, Some(source)),
            (Some(7), Some(source)) => {
                self.edit_message(channel, source, self.bot, Draft::parse(&data, files)?)?;
                (Answer::Update, Some(source))
            }
            (Some(8), _) if completing => (Answer::Choices(choices(&data)?), None),
            (Some(9), _) if !completing && !matches!(act, Act::Submit { .. }) => (Answer::Form(data), None),
            _ => {
                return Err(ApiError::form(
                    "type",
                    "This kind of answer does not fit the interaction.",
                ));
            }
        };
        if let Some(found) = self.interactions.get_mut(&id) {
            found.answer = Some(answer);
            found.original = original;
            found.answered_ms = Some(now);
        }
        Ok(())
    }

    /// The interaction that a webhook's token names, if it was answered and is fresh.
    fn answered(&self, token: &str) -> Result<&Interaction, ApiError> {
        let found = self.interactions.values().rev().find(|i| i.token == token);
        let found = found
            .filter(|i| i.answer.is_some())
            .ok_or(ApiError::UnknownWebhook)?;
        if self.now_ms.saturating_sub(found.made_ms) > TOKEN_LASTS_MS {
            return Err(ApiError::InvalidWebhookToken);
        }
        Ok(found)
    }

    /// Where a message of an interaction is: its answer, or one that followed.
    pub fn answer_message(
        &self,
        token: &str,
        message: Option<MessageId>,
    ) -> Result<(ChannelId, MessageId), ApiError> {
        let found = self.answered(token)?;
        let id = match message {
            None => found.original,
            Some(id) => found
                .followups
                .iter()
                .copied()
                .chain(found.original)
                .find(|m| *m == id),
        };
        Ok((found.channel, id.ok_or(ApiError::UnknownMessage)?))
    }

    /// A further message; after a promise, the promised one.
    pub fn follow_up(&mut self, token: &str, draft: Draft) -> Result<(ChannelId, MessageId), ApiError> {
        let found = self.answered(token)?;
        let (id, channel, original) = (found.id, found.channel, found.original);
        if let Some(original) = original
            && self
                .message(channel, original)
                .is_ok_and(|m| m.flags & LOADING != 0)
        {
            self.edit_message(channel, original, self.bot, draft)?;
            return Ok((channel, original));
        }
        let message = self.insert_message(channel, self.bot, draft, Some(id))?;
        if let Some(found) = self.interactions.get_mut(&id) {
            found.followups.push(message);
        }
        Ok((channel, message))
    }
}

/// What completes an option: at most 25, each with a name of at most 100 characters.
fn choices(data: &Value) -> Result<Vec<Value>, ApiError> {
    let choices = data["choices"]
        .as_array()
        .ok_or_else(|| ApiError::form("choices", "This field is required"))?;
    let named = |c: &Value| {
        c["name"]
            .as_str()
            .is_some_and(|n| (1..=100).contains(&n.chars().count()))
    };
    if choices.len() > 25 || !choices.iter().all(named) {
        return Err(ApiError::form(
            "choices",
            "At most 25, each named with 1 to 100 characters.",
        ));
    }
    Ok(choices.clone())
}
