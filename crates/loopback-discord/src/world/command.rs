//! Application commands: registered globally or for a guild, checked as Discord checks them.
//!
//! Source: <https://discord.com/developers/docs/interactions/application-commands#application-command-object>.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::World;
use super::error::ApiError;
use super::id::{CommandId, GuildId};

/// Commands of an application in one scope.
const MAX_COMMANDS: usize = 100;
const MAX_OPTIONS: usize = 25;
const MAX_CHOICES: usize = 25;

/// A registered command.
#[derive(Debug, Clone, PartialEq)]
pub struct AppCommand {
    /// Its id.
    pub id: CommandId,
    /// The guild it is for; none for all.
    pub guild: Option<GuildId>,
    /// Its name.
    pub name: String,
    /// What was registered, as the bot sent it.
    pub spec: Value,
    /// Grows at each registration.
    version: u64,
}

impl AppCommand {
    fn kind(&self) -> u64 {
        self.spec["type"].as_u64().unwrap_or(1)
    }

    fn to_json(&self, world: &World) -> Value {
        let mut data = self.spec.clone();
        let fill = [
            ("id", json!(self.id)),
            ("application_id", json!(world.application)),
            ("version", json!(self.version.to_string())),
            ("type", json!(self.kind())),
        ];
        for (key, value) in fill {
            data[key] = value;
        }
        if let Some(guild) = self.guild {
            data["guild_id"] = json!(guild);
        }
        let absent = [
            ("description", json!("")),
            ("options", json!([])),
            ("default_member_permissions", Value::Null),
            ("nsfw", json!(false)),
        ];
        for (key, value) in absent {
            if data.get(key).is_none() {
                data[key] = value;
            }
        }
        data
    }
}

/// Checks a command as it is registered.
fn check(spec: &Value) -> Result<&str, ApiError> {
    let name = spec["name"].as_str().unwrap_or_default();
    let kind = spec["type"].as_u64().unwrap_or(1);
    if kind == 1 {
        check_named(spec, "")?;
        check_options(&spec["options"], "options", 0)?;
    } else if name.is_empty() || name.chars().count() > 32 {
        return Err(ApiError::form("name", "Must be between 1 and 32 in length."));
    }
    Ok(name)
}

fn check_named(spec: &Value, path: &str) -> Result<(), ApiError> {
    let at = |field: &str| {
        if path.is_empty() {
            field.to_owned()
        } else {
            format!("{path}.{field}")
        }
    };
    let name = spec["name"].as_str().unwrap_or_default();
    let fits = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_');
    if name.is_empty() || name.chars().count() > 32 || !name.chars().all(fits) {
        return Err(ApiError::form(
            at("name"),
            "1 to 32 lower-case letters, digits, - and _.",
        ));
    }
    let words = spec["description"].as_str().unwrap_or_default().chars().count();
    if !(1..=100).contains(&words) {
        return Err(ApiError::form(
            at("description"),
            "Must be between 1 and 100 in length.",
        ));
    }
    Ok(())
}

/// Options, and the options of subcommands (type 1) and groups of them (type 2).
fn check_options(options: &Value, path: &str, depth: usize) -> Result<(), ApiError> {
    let options = match options {
        Value::Null => return Ok(()),
        Value::Array(options) if options.len() <= MAX_OPTIONS => options,
        _ => return Err(ApiError::form(path, "Must be 25 or fewer in length.")),
    };
    let mut names = BTreeSet::new();
    let mut optional_seen = false;
    for (n, option) in options.iter().enumerate() {
        let here = format!("{path}.{n}");
        check_named(option, &here)?;
        if !names.insert(option["name"].as_str().unwrap_or_default()) {
            return Err(ApiError::form(here, "Option names must be unique."));
        }
        let kind = option["type"].as_u64().unwrap_or(0);
        if !(1..=11).contains(&kind) || (kind <= 2 && depth + kind as usize > 3) {
            return Err(ApiError::form(
                format!("{here}.type"),
                "This kind cannot stand here.",
            ));
        }
        let required = option["required"] == true;
        if required && optional_seen {
            return Err(ApiError::form(
                here,
                "Required options must be placed before non-required options",
            ));
        }
        optional_seen |= !required;
        let choices = option["choices"].as_array().map_or(0, Vec::len);
        if choices > MAX_CHOICES {
            return Err(ApiError::form(
                format!("{here}.choices"),
                "Must be 25 or fewer in length.",
            ));
        }
        if choices > 0 && option["autocomplete"] == true {
            return Err(ApiError::form(here, "Either choices or autocomplete."));
        }
        if kind <= 2 {
            check_options(&option["options"], &format!("{here}.options"), depth + 1)?;
        }
    }
    Ok(())
}

impl World {
    /// The commands of a scope: a guild's own, or with none the global ones.
    pub fn commands(&self, guild: Option<GuildId>) -> impl Iterator<Item = &AppCommand> {
        self.commands.iter().filter(move |c| c.guild == guild)
    }

    /// The command that a member of `guild` reaches by this name: the guild's own before a global one.
    pub fn command_named(&self, guild: GuildId, name: &str) -> Option<&AppCommand> {
        let named = |scope: Option<GuildId>| self.commands(scope).find(|c| c.name == name && c.kind() == 1);
        named(Some(guild)).or_else(|| named(None))
    }

    /// The commands of a scope as REST sends them.
    pub fn commands_json(&self, guild: Option<GuildId>) -> Value {
        self.commands(guild).map(|c| c.to_json(self)).collect()
    }

    /// One command as REST sends it.
    pub fn command_json(&self, guild: Option<GuildId>, id: CommandId) -> Result<Value, ApiError> {
        let found = self
            .commands(guild)
            .find(|c| c.id == id)
            .ok_or(ApiError::UnknownCommand)?;
        Ok(found.to_json(self))
    }

    /// Registers a command, in place of one of the same name and kind.
    pub fn register_command(&mut self, guild: Option<GuildId>, spec: Value) -> Result<CommandId, ApiError> {
        let name = check(&spec)?.to_owned();
        if let Some(guild) = guild {
            self.guild(guild)?;
        }
        let kind = spec["type"].as_u64().unwrap_or(1);
        let same = |c: &&mut AppCommand| c.guild == guild && c.name == name && c.kind() == kind;
        if let Some(found) = self.commands.iter_mut().find(same) {
            found.spec = spec;
            found.version += 1;
            return Ok(found.id);
        }
        if self.commands(guild).count() >= MAX_COMMANDS {
            return Err(ApiError::form(
                "commands",
                "Maximum number of application commands reached (100)",
            ));
        }
        let id: CommandId = self.snowflake().into();
        self.commands.push(AppCommand {
            id,
            guild,
            name,
            spec,
            version: id.get(),
        });
        Ok(id)
    }

    /// Replaces all commands of a scope; nothing changes if one of them is wrong.
    pub fn overwrite_commands(&mut self, guild: Option<GuildId>, specs: Vec<Value>) -> Result<(), ApiError> {
        if specs.len() > MAX_COMMANDS {
            return Err(ApiError::form("commands", "Must be 100 or fewer in length."));
        }
        let mut names = BTreeSet::new();
        for (n, spec) in specs.iter().enumerate() {
            let name = check(spec)?;
            if !names.insert((name, spec["type"].as_u64().unwrap_or(1))) {
                return Err(ApiError::form(
                    n.to_string(),
                    "Application command names must be unique",
                ));
            }
        }
        if let Some(guild) = guild {
            self.guild(guild)?;
        }
        let kept = |c: &AppCommand| names.contains(&(c.name.as_str(), c.kind()));
        self.commands.retain(|c| c.guild != guild || kept(c));
        drop(names);
        for spec in specs {
            self.register_command(guild, spec)?;
        }
        Ok(())
    }

    /// Removes a command.
    pub fn remove_command(&mut self, guild: Option<GuildId>, id: CommandId) -> Result<(), ApiError> {
        let before = self.commands.len();
        self.commands.retain(|c| c.guild != guild || c.id != id);
        if self.commands.len() == before {
            return Err(ApiError::UnknownCommand);
        }
        Ok(())
    }
}
