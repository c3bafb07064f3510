//! `/speak`: Goobster says a text.

use goobster_core::session::Refusal;

use serenity::all::CreateAutocompleteResponse;

use super::{Answer, CommandError, Context, guild, say, suggestions, user};
use crate::discord::call::CallEvent;

/// Characters that are spoken at most: about a minute and a half.
const LONGEST: usize = 1000;

/// Phrases that are suggested while somebody types.
const PHRASES: [&str; 8] = [
    "Hello everyone!",
    "I am listening by captions today.",
    "Could you say that again, please?",
    "One moment, please.",
    "Yes.",
    "No, thank you.",
    "I have to go. Goodbye!",
    "Thank you!",
];

#[allow(clippy::unused_async)] // the framework asks for it
async fn suggest(_: Context<'_>, typed: &str) -> CreateAutocompleteResponse {
    let typed = typed.to_lowercase();
    let fits = |phrase: &&&str| phrase.to_lowercase().contains(&typed);
    suggestions(PHRASES.iter().filter(fits).copied())
}

/// Say something in the voice channel with Goobster's voice
#[poise::command(slash_command, guild_only)]
pub(super) async fn speak(
    context: Context<'_>,
    #[description = "What to say"]
    #[max_length = 1000]
    #[autocomplete = "suggest"]
    text: String,
) -> Answer {
    context.defer_ephemeral().await?;
    let (bot, guild) = (context.data(), guild(context)?);
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Err(CommandError::Words(
            "There is nothing to say in that text.".to_owned(),
        ));
    }
    if text.chars().count() > LONGEST {
        return Err(CommandError::Words(format!(
            "That is too long to say at once: {LONGEST} characters at most."
        )));
    }
    let Some(call) = bot.call(guild) else {
        return Err(CommandError::Words(
            "I am in no voice channel here. `/voice start` brings me into yours.".to_owned(),
        ));
    };
    let here = call.status().await.ok_or(Refusal::AlreadyEnded)?;
    if !here.speakers.iter().any(|speaker| speaker.who == user(context)) {
        return Err(CommandError::Words(format!(
            "Join the voice channel <#{}> first: I speak for those who are in it.",
            here.channel
        )));
    }
    let name = context.author_member().await.map_or_else(
        || context.author().name.clone(),
        |member| member.display_name().to_owned(),
    );
    call.written(&name, &text);
    call.tell(CallEvent::Announce(text));
    say(context, "Saying it.").await
}
