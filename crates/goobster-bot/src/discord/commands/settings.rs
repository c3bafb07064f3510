//! `/settings`: a guild's defaults, for members with Manage Server.

use goobster_core::language::Language;
use serenity::all::{CreateAutocompleteResponse, RoleId};

use super::{Answer, CommandError, Context, guild, say, suggestions};
use crate::discord::preferences::Starters;

/// Who may start a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, poise::ChoiceParameter)]
pub(super) enum Who {
    /// Everybody.
    #[name = "everyone"]
    Everyone,
    /// Members who may manage the server or move members.
    #[name = "moderators"]
    Moderators,
}

/// Languages that are suggested; any code that Whisper knows is taken.
const LANGUAGES: [&str; 14] = [
    "auto", "en", "de", "fr", "es", "it", "pt", "nl", "pl", "uk", "ja", "zh", "ko", "ar",
];

#[allow(clippy::unused_async)] // the framework asks for it
async fn languages(_: Context<'_>, typed: &str) -> CreateAutocompleteResponse {
    let typed = typed.to_lowercase();
    suggestions(LANGUAGES.iter().filter(|code| code.starts_with(&typed)).copied())
}

#[allow(clippy::unused_async)] // the framework asks for it
async fn voices(context: Context<'_>, typed: &str) -> CreateAutocompleteResponse {
    let typed = typed.to_lowercase();
    let known = context.data().engines().voices.voices();
    let names = known.into_iter().map(|voice| voice.name);
    suggestions(names.filter(|name| name.to_lowercase().contains(&typed)))
}

/// This server's defaults
#[poise::command(
    slash_command,
    guild_only,
    required_permissions = "MANAGE_GUILD",
    default_member_permissions = "MANAGE_GUILD",
    subcommands("show", "language", "voice", "wake_name", "starters")
)]
#[allow(clippy::unused_async)] // the framework asks for it; only its subcommands can be used
pub(super) async fn settings(_: Context<'_>) -> Answer {
    Ok(())
}

/// Show this server's defaults
#[poise::command(slash_command, guild_only, required_permissions = "MANAGE_GUILD")]
pub(super) async fn show(context: Context<'_>) -> Answer {
    let (bot, guild) = (context.data(), guild(context)?);
    let settings = bot.preferences().guild(guild);
    let config = bot.config();
    let or = |set: Option<String>, default: Option<&str>| {
        set.unwrap_or_else(|| format!("{} (default)", default.unwrap_or("automatic")))
    };
    let starters = match settings.starters {
        Starters::Everyone => "everyone".to_owned(),
        Starters::Moderators => "moderators".to_owned(),
        Starters::Role(role) => format!("<@&{role}>"),
    };
    say(
        context,
        format!(
            "Language: {}\nVoice: {}\nWake name: {}\nWho may start a session: {starters}",
            or(settings.language, config.language.as_deref().or(Some("en"))),
            or(settings.voice, config.voice.as_deref().or(Some("the best"))),
            or(settings.wake_name, Some(&config.conversation.turns.wake_name)),
        ),
    )
    .await
}

/// The language people speak here
#[poise::command(slash_command, guild_only, required_permissions = "MANAGE_GUILD")]
pub(super) async fn language(
    context: Context<'_>,
    #[description = "A code such as en, or auto to detect it; nothing goes back to the default"]
    #[autocomplete = "languages"]
    code: Option<String>,
) -> Answer {
    let (bot, guild) = (context.data(), guild(context)?);
    let code = code.map(|code| code.trim().to_lowercase());
    if let Some(code) = code.as_deref().filter(|code| *code != "auto") {
        let language: Language = code
            .parse()
            .map_err(|error| CommandError::Words(format!("{error}.")))?;
        if !bot.engines().recogniser.knows(language) {
            return Err(CommandError::Words(format!(
                "My model {} does not know '{language}'. Whoever runs me can choose the standard profile.",
                bot.engines().recogniser.model()
            )));
        }
    }
    let told = code.clone().unwrap_or_else(|| "the default".to_owned());
    bot.preferences()
        .set_guild(guild, |settings| settings.language = code)
        .await
        .map_err(CommandError::Disk)?;
    say(
        context,
        format!("The language is {told} from the next session on."),
    )
    .await
}

/// The voice that answers here
#[poise::command(slash_command, guild_only, required_permissions = "MANAGE_GUILD")]
pub(super) async fn voice(
    context: Context<'_>,
    #[description = "A voice by name; nothing goes back to the default"]
    #[autocomplete = "voices"]
    name: Option<String>,
) -> Answer {
    let (bot, guild) = (context.data(), guild(context)?);
    if let Some(name) = &name
        && !bot
            .engines()
            .voices
            .voices()
            .iter()
            .any(|voice| voice.name == *name)
    {
        return Err(CommandError::Words(
            "I have no voice of that name. Type a few letters to see those that I have.".to_owned(),
        ));
    }
    let told = name.clone().unwrap_or_else(|| "the default".to_owned());
    bot.preferences()
        .set_guild(guild, |settings| settings.voice = name)
        .await
        .map_err(CommandError::Disk)?;
    say(context, format!("The voice is {told} from the next session on.")).await
}

/// The name that calls Goobster here
#[poise::command(
    slash_command,
    guild_only,
    required_permissions = "MANAGE_GUILD",
    rename = "wakename"
)]
pub(super) async fn wake_name(
    context: Context<'_>,
    #[description = "What people call; nothing goes back to the default"]
    #[max_length = 40]
    name: Option<String>,
) -> Answer {
    let (bot, guild) = (context.data(), guild(context)?);
    let name = name.map(|name| name.trim().to_owned());
    if let Some(name) = &name
        && (!name.chars().any(char::is_alphabetic) || name.chars().count() > 40)
    {
        return Err(CommandError::Words(
            "A wake name must be something that can be called: 1 to 40 characters, letters among them."
                .to_owned(),
        ));
    }
    let told = name.clone().unwrap_or_else(|| "the default".to_owned());
    bot.preferences()
        .set_guild(guild, |settings| settings.wake_name = name)
        .await
        .map_err(CommandError::Disk)?;
    say(
        context,
        format!("The wake name is {told} from the next session on."),
    )
    .await
}

/// Who may start a session here
#[poise::command(slash_command, guild_only, required_permissions = "MANAGE_GUILD")]
pub(super) async fn starters(
    context: Context<'_>,
    #[description = "Everyone, or moderators"] who: Option<Who>,
    #[description = "Members with this role (and moderators)"] role: Option<RoleId>,
) -> Answer {
    let (bot, guild) = (context.data(), guild(context)?);
    let starters = match (role, who) {
        (Some(role), _) => Starters::Role(role.get()),
        (None, Some(Who::Moderators)) => Starters::Moderators,
        (None, Some(Who::Everyone) | None) => Starters::Everyone,
    };
    bot.preferences()
        .set_guild(guild, |settings| settings.starters = starters)
        .await
        .map_err(CommandError::Disk)?;
    let told = match starters {
        Starters::Everyone => "Everyone may start a session.".to_owned(),
        Starters::Moderators => "Only moderators may start a session.".to_owned(),
        Starters::Role(role) => format!("Members with <@&{role}> and moderators may start a session."),
    };
    say(context, told).await
}
