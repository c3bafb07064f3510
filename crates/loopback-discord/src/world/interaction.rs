//! Interactions: a member uses a command, types in an option that completes itself, presses a button or sends a form, and
//! the bot answers once, in time, and then edits or adds to its answer.
//!
//! Source: <https://discord.com/developers/docs/interactions/receiving-and-responding>.

use serde_json::{Value, json};

use super::error::ApiError;
use super::id::{ChannelId, GuildId, InteractionId, MessageId, UserId};
use super::message::{Draft, EPHEMERAL, LOADING, Upload};
use super::permissions::Permissions;
use super::{World, permissions};

/// The first answer must come within this many milliseconds.
pub const ANSWER_WITHIN_MS: u64 = 3_000;
/// Edits and further messages must come within this many.
pub const TOKEN_LASTS_MS: u64 = 15 * 60 * 1_000;
/// Interactions kept; the oldest go first.
const MAX_KEPT: usize = 10_000;

/// What a member did.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Used a slash command.
    Command {
        /// Its name with its subcommands, such as `voice start`.
        path: String,
        /// Options by name.
        options: Vec<(String, Value)>,
    },
    /// Is typing in an option that completes itself.
    Complete {
        /// The command, as above.
        path: String,
        /// Options by name; the last one is being typed in.
        options: Vec<(String, Value)>,
    },
    /// Pressed a button or chose from a menu.
    Press {
        /// The message it is on.
        message: MessageId,
        /// Which one.
        custom_id: String,
        /// What was chosen from a menu.
        values: Vec<String>,
    },
    /// Sent a form.
    Submit {
        /// Which one.
        custom_id: String,
        /// Fields by their `custom_id`.
        fields: Vec<(String, String)>,
    },
}

impl Act {
    /// A command without options.
    pub fn command(path: &str) -> Self {
        Self::Command {
            path: path.to_owned(),
            options: Vec::new(),
        }
    }

    /// A button.
    pub fn press(message: MessageId, custom_id: &str) -> Self {
        Self::Press {
            message,
            custom_id: custom_id.to_owned(),
            values: Vec::new(),
        }
    }
}

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

    /// The data of a command: checked against what was registered, as the client of a member would not let anything else
    /// through.
    fn command_data(
        &self,
        guild: GuildId,
        user: UserId,
        path: &str,
        options: &[(String, Value)],
        completing: bool,
    ) -> Result<Value, ApiError> {
        let mut words = path.split_whitespace();
        let name = words.next().unwrap_or_default();
        let command = self.command_named(guild, name).ok_or(ApiError::UnknownCommand)?;
        let needed = command.spec["default_member_permissions"]
            .as_str()
            .and_then(|p| p.parse().ok());
        let granted = permissions::in_guild(self.guild(guild)?, user);
        if needed.is_some_and(|bits| !granted.contains(Permissions::from_bits(bits))) {
            return Err(ApiError::MissingPermissions);
        }
        let mut node = &command.spec;
        let mut nesting = Vec::new();
        for word in words {
            let sub = |o: &&Value| o["name"] == word && matches!(o["type"].as_u64(), Some(1 | 2));
            node = node["options"]
                .as_array()
                .and_then(|o| o.iter().find(sub))
                .ok_or(ApiError::UnknownCommand)?;
            nesting.push((word, node["type"].clone()));
        }
        let known = node["options"].as_array().map_or(&[][..], Vec::as_slice);
        if known.iter().any(|o| matches!(o["type"].as_u64(), Some(1 | 2))) {
            return Err(ApiError::form(path, "A subcommand must be chosen."));
        }
        let given = given_options(path, known, options, completing)?;
        let mut inner = Value::from(given);
        for (word, kind) in nesting.into_iter().rev() {
            inner = json!([{ "name": word, "type": kind, "options": inner }]);
        }
        let mut data = json!({ "id": command.id, "name": name, "type": 1, "options": inner });
        data["resolved"] = self.resolved(guild, options);
        if command.guild.is_some() {
            data["guild_id"] = json!(guild);
        }
        Ok(data)
    }

    /// Users and channels that options name.
    fn resolved(&self, guild: GuildId, options: &[(String, Value)]) -> Value {
        let mut resolved = json!({});
        for id in options.iter().filter_map(|(_, v)| v.as_str()) {
            if let Some(user) = id.parse().ok().and_then(|u| self.users.get(&u)) {
                resolved["users"][id] = user.to_json();
                if let Ok(mut member) = self.member_json(guild, user.id) {
                    member.as_object_mut().map(|m| m.remove("user"));
                    member["permissions"] = json!("0");
                    resolved["members"][id] = member;
                }
            }
            if let Some(channel) = id.parse().ok().and_then(|c| self.channel(c).ok()) {
                resolved["channels"][id] = channel.to_json();
                resolved["channels"][id]["permissions"] = json!("0");
            }
        }
        resolved
    }

    fn press_data(
        &self,
        channel: ChannelId,
        user: UserId,
        message: MessageId,
        custom_id: &str,
        values: &[String],
    ) -> Result<Value, ApiError> {
        let found = self.message(channel, message)?;
        if found.ephemeral() {
            let asked = found
                .interaction
                .and_then(|i| self.interactions.get(&i))
                .map(|i| i.user);
            if asked != Some(user) {
                return Err(ApiError::UnknownMessage);
            }
        }
        let parts = found
            .components
            .iter()
            .filter_map(|r| r["components"].as_array())
            .flatten();
        let part = parts.into_iter().find(|p| p["custom_id"] == custom_id);
        let part = part.ok_or_else(|| ApiError::form(custom_id, "The message has no such component."))?;
        if part["disabled"] == true {
            return Err(ApiError::form(custom_id, "The component is disabled."));
        }
        let mut data = json!({ "custom_id": custom_id, "component_type": part["type"] });
        if part["type"] != 2 {
            data["values"] = json!(values);
        }
        Ok(data)
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

/// The options of a command as they are sent, checked against the `known` ones.
fn given_options(
    path: &str,
    known: &[Value],
    options: &[(String, Value)],
    completing: bool,
) -> Result<Vec<Value>, ApiError> {
    let mut given = Vec::new();
    for (n, (name, value)) in options.iter().enumerate() {
        let spec = known.iter().find(|o| o["name"] == name.as_str());
        let spec =
            spec.ok_or_else(|| ApiError::form(format!("{path}.{name}"), "There is no such option."))?;
        let typed = completing && n + 1 == options.len();
        if typed && spec["autocomplete"] != true {
            return Err(ApiError::form(
                format!("{path}.{name}"),
                "This option does not complete itself.",
            ));
        }
        let fits = match spec["type"].as_u64() {
            Some(4) => value.is_i64(),
            Some(5) => value.is_boolean(),
            Some(10) => value.is_number(),
            _ => value.is_string(),
        };
        if !fits && !typed {
            return Err(ApiError::form(
                format!("{path}.{name}"),
                "The value is of another type.",
            ));
        }
        let among = spec["choices"]
            .as_array()
            .is_none_or(|c| c.is_empty() || c.iter().any(|c| &c["value"] == value));
        if !among {
            return Err(ApiError::form(
                format!("{path}.{name}"),
                "The value is none of the choices.",
            ));
        }
        let mut option = json!({ "name": name, "type": spec["type"], "value": value });
        if typed {
            option["focused"] = json!(true);
        }
        given.push(option);
    }
    let missing = |o: &&Value| o["required"] == true && !options.iter().any(|(n, _)| o["name"] == n.as_str());
    if let (Some(option), false) = (known.iter().find(missing), completing) {
        return Err(ApiError::form(
            format!("{path}.{}", option["name"]),
            "This option is required.",
        ));
    }
    Ok(given)
}

fn submit_data(custom_id: &str, fields: &[(String, String)]) -> Value {
    let rows = fields.iter().map(
        |(id, value)| json!({ "type": 1, "components": [{ "type": 4, "custom_id": id, "value": value }] }),
    );
    json!({ "custom_id": custom_id, "components": rows.collect::<Vec<_>>() })
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
