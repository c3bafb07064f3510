//! What a member does to begin an interaction, checked as the member's client would: against the commands that are registered
//! and the buttons that are there.

use serde_json::{Value, json};

use super::error::ApiError;
use super::id::{ChannelId, GuildId, MessageId, UserId};
use super::permissions::Permissions;
use super::{World, permissions};

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

impl World {
    /// The data of a command: checked against what was registered, as the client of a member would not let anything else
    /// through.
    pub(super) fn command_data(
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

    pub(super) fn press_data(
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
        let choices = spec["choices"].as_array().filter(|choices| !choices.is_empty());
        // A person chooses a name; the client sends what stands behind it.
        let chosen = choices.and_then(|choices| choices.iter().find(|choice| choice["name"] == *value));
        let value = chosen.map_or(value, |choice| &choice["value"]);
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
        let among = choices.is_none_or(|choices| choices.iter().any(|choice| choice["value"] == *value));
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

pub(super) fn submit_data(custom_id: &str, fields: &[(String, String)]) -> Value {
    let rows = fields.iter().map(
        |(id, value)| json!({ "type": 1, "components": [{ "type": 4, "custom_id": id, "value": value }] }),
    );
    json!({ "custom_id": custom_id, "components": rows.collect::<Vec<_>>() })
}
