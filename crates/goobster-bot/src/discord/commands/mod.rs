//! The slash commands. Each answers in time (deferred when it may take longer), privately, and says what to do next when
//! it cannot do what was asked.

mod admin;
mod help;
mod limits;
mod privacy;
mod settings;
mod speak;
mod transcribe;
mod voice;

use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::session::{Refusal, StartError};
use goobster_core::time::UtcMillis;
use poise::{CreateReply, FrameworkError};
use serenity::all::{AutocompleteChoice, CreateAllowedMentions, CreateAutocompleteResponse};

use super::bot::Bot;

/// What commands share.
pub(crate) type Data = Arc<Bot>;
pub(crate) type Context<'a> = poise::Context<'a, Data, CommandError>;
type Answer = Result<(), CommandError>;

/// Why a command could not do what it was asked; the words are the user's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// Not allowed, or not now.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A session did not start.
    #[error("{0}")]
    NotStarted(#[from] StartError),
    /// Anything else that the user can do something about.
    #[error("{0}")]
    Words(String),
    /// The disk.
    #[error("I could not store that. Please try again; if it happens again, tell whoever runs me.")]
    Disk(#[source] std::io::Error),
    /// Discord refused or did not answer.
    #[error("Discord did not let me do that: {words}")]
    Discord {
        /// What it said, in short.
        words: String,
        /// The error.
        #[source]
        source: Box<serenity::Error>,
    },
}

impl From<serenity::Error> for CommandError {
    fn from(error: serenity::Error) -> Self {
        let words = match &error {
            serenity::Error::Http(serenity::all::HttpError::UnsuccessfulRequest(response)) => {
                response.error.message.clone()
            }
            _ => "it did not answer.".to_owned(),
        };
        Self::Discord {
            words,
            source: Box::new(error),
        }
    }
}

/// Every command, for registration.
pub(crate) fn all() -> Vec<poise::Command<Data, CommandError>> {
    vec![
        voice::voice(),
        transcribe::transcribe(),
        speak::speak(),
        limits::limits(),
        privacy::privacy(),
        settings::settings(),
        admin::admin(),
        help::help(),
    ]
}

/// Tells the user what went wrong, and the log what they cannot mend.
pub(crate) async fn on_error(error: FrameworkError<'_, Data, CommandError>) {
    let (context, text) = match error {
        FrameworkError::Command { error, ctx, .. } => {
            if let CommandError::Discord { source, .. } = &error {
                tracing::warn!(command = %ctx.command().qualified_name, error = %source, "a command failed");
            }
            if let CommandError::Disk(source) = &error {
                tracing::error!(command = %ctx.command().qualified_name, error = %source, "a command failed");
            }
            (ctx, error.to_string())
        }
        FrameworkError::CommandPanic { ctx, payload, .. } => {
            tracing::error!(command = %ctx.command().qualified_name, ?payload, "a command panicked");
            (
                ctx,
                "Something broke inside me. Whoever runs me has been told.".to_owned(),
            )
        }
        FrameworkError::ArgumentParse {
            error, input, ctx, ..
        } => {
            let given = input.map_or_else(String::new, |input| format!(" '{}'", input.replace('`', "'")));
            (ctx, format!("I do not understand{given}: {error}"))
        }
        FrameworkError::MissingUserPermissions { ctx, .. } => (
            ctx,
            "That is for members who may manage this server. Ask one of them.".to_owned(),
        ),
        FrameworkError::NotAnOwner { ctx, .. } => (ctx, "That is for whoever runs this bot.".to_owned()),
        FrameworkError::GuildOnly { ctx, .. } => (ctx, "That works in a server: ask again there.".to_owned()),
        FrameworkError::CommandCheckFailed { error, ctx, .. } => (
            ctx,
            error.map_or_else(
                || "You may not use that command here.".to_owned(),
                |error| error.to_string(),
            ),
        ),
        FrameworkError::CooldownHit {
            remaining_cooldown,
            ctx,
            ..
        } => (
            ctx,
            format!("One moment: ask again in {} s.", remaining_cooldown.as_secs() + 1),
        ),
        other => {
            tracing::warn!(error = %other, "a command was not carried out");
            let Some(context) = other.ctx() else { return };
            (
                context,
                "I could not do that. Please try again; if it happens again, tell whoever runs me."
                    .to_owned(),
            )
        }
    };
    if let Err(error) = say(context, text).await {
        tracing::warn!(%error, "an error could not be told to the user");
    }
}

/// Answers privately, without pinging anybody.
async fn say(context: Context<'_>, text: impl Into<String>) -> Answer {
    let reply = CreateReply::default()
        .content(within(text.into(), 2000))
        .allowed_mentions(CreateAllowedMentions::new())
        .ephemeral(true);
    context.send(reply).await?;
    Ok(())
}

/// Suggestions while somebody types: what Discord takes, at most 25 of at most 100 characters.
fn suggestions<T: Into<String>>(fitting: impl Iterator<Item = T>) -> CreateAutocompleteResponse {
    let short = |text: &String| text.chars().count() <= 100;
    let choices = fitting.map(Into::into).filter(short).take(25);
    CreateAutocompleteResponse::new().set_choices(
        choices
            .map(|text| AutocompleteChoice::new(text.clone(), text))
            .collect(),
    )
}

/// At most `most` characters, with an ellipsis where something was cut.
fn within(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(std::iter::once('…')).collect()
}

/// The guild that a command was given in; commands are registered for guilds only.
fn guild(context: Context<'_>) -> Result<GuildId, CommandError> {
    context
        .guild_id()
        .map(|guild| GuildId::new(guild.get()))
        .ok_or(CommandError::Refused(Refusal::NotInAGuild))
}

fn user(context: Context<'_>) -> UserId {
    UserId::new(context.author().id.get())
}

fn channel(context: Context<'_>) -> ChannelId {
    ChannelId::new(context.channel_id().get())
}

/// A time as Discord shows it on the reader's own clock.
fn stamp(at: UtcMillis, style: char) -> String {
    format!("<t:{}:{style}>", at.get().div_euclid(1000))
}

/// "1 h 4 min", "42 s".
fn span(time: Duration) -> String {
    goobster_core::limits::Millis::from_secs(time.as_secs()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_what_is_documented() {
        let mut names: Vec<String> = all()
            .iter()
            .flat_map(|command| {
                if command.subcommands.is_empty() {
                    vec![format!("/{}", command.name)]
                } else {
                    command
                        .subcommands
                        .iter()
                        .map(|sub| format!("/{} {}", command.name, sub.name))
                        .collect()
                }
            })
            .collect();
        names.sort();
        let help = help::text(&all());
        for name in &names {
            assert!(help.contains(name.as_str()), "{name} is missing in /help");
        }
        for name in [
            "/voice start",
            "/voice stop",
            "/voice status",
            "/transcribe on",
            "/transcribe off",
            "/speak",
            "/limits",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn only_what_is_nothing_without_an_option_requires_one() {
        for command in all() {
            for command in std::iter::once(&command).chain(&command.subcommands) {
                let required = command.parameters.iter().any(|parameter| parameter.required);
                let may = matches!(&*command.name, "speak" | "end" | "forget");
                assert!(!required || may, "{}", command.qualified_name);
            }
        }
    }

    #[test]
    fn long_answers_are_cut_where_discord_would_refuse_them() {
        assert_eq!(within("a".repeat(2001), 2000).chars().count(), 2000);
        assert_eq!(within("short".to_owned(), 2000), "short");
    }
}
