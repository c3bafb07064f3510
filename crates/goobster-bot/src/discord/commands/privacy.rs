//! `/privacy`: who hears what, and how to say no.

use std::fmt::Write as _;

use goobster_core::limits::Forget;

use super::{Answer, CommandError, Context, say, stamp, user};
use crate::config::Consent;

/// What Goobster hears and keeps of you, and your choice
#[poise::command(slash_command, guild_only, subcommands("show", "consent", "optout", "forget"))]
#[allow(clippy::unused_async)] // the framework asks for it; only its subcommands can be used
pub(super) async fn privacy(_: Context<'_>) -> Answer {
    Ok(())
}

/// What Goobster hears and keeps, and what you chose
#[poise::command(slash_command, guild_only)]
pub(super) async fn show(context: Context<'_>) -> Answer {
    let bot = context.data();
    let choice = if bot.preferences().opted_out(user(context)) {
        "You have opted out: I do not hear you anywhere. `/privacy consent` takes it back."
    } else {
        match bot.config().discord.consent {
            Consent::Notice => "You are heard in voice channels where I am. `/privacy optout` ends that.",
            Consent::Ask => {
                "You are heard only in a call where you pressed \"I agree\". `/privacy optout` makes it never."
            }
        }
    };
    let brain = match &bot.config().brain.url {
        None => "Answers are made on the machine that runs me.",
        Some(_) => {
            "What is said to me is sent to the chat server that my operator configured, to be answered."
        }
    };
    say(
        context,
        format!(
            "{choice}\nSpeech is turned into text on the machine that runs me, unless my operator chose a server; no audio is \
             kept. {brain} Captions stay where they are written, until somebody deletes them. I remember how much voice time \
             you used for a few hours, and whether you opted out. `/privacy forget` removes what I keep of you."
        ),
    )
    .await
}

/// Let Goobster hear you
#[poise::command(slash_command, guild_only)]
pub(super) async fn consent(context: Context<'_>) -> Answer {
    context
        .data()
        .set_heard(user(context), true)
        .await
        .map_err(CommandError::Disk)?;
    say(
        context,
        "Thank you: I may hear you. `/privacy optout` takes it back.",
    )
    .await
}

/// Never be heard by Goobster
#[poise::command(slash_command, guild_only)]
pub(super) async fn optout(context: Context<'_>) -> Answer {
    context
        .data()
        .set_heard(user(context), false)
        .await
        .map_err(CommandError::Disk)?;
    say(
        context,
        "I do not hear you any more, in any server, until you use `/privacy consent`. What was buffered of you is gone.",
    )
    .await
}

/// Remove what Goobster keeps of you
#[poise::command(slash_command, guild_only)]
pub(super) async fn forget(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let bot = context.data();
    let me = user(context);
    let erased = bot
        .forget_user(me, Forget::WhenWindowEnds)
        .await
        .map_err(|error| {
            tracing::error!(%error, "somebody could not be forgotten");
            CommandError::Words(
                "I cannot reach what I keep just now. Please try again in a minute.".to_owned(),
            )
        })?;
    let mut text = format!(
        "I removed {} of your lines from the transcripts that I hold, what we said to each other, and the records of {} \
         closed session(s).",
        erased.lines, erased.store.records
    );
    if erased.store.usage_kept {
        let usage = bot.sessions().usage(me).await.ok();
        match usage.and_then(|usage| usage.resets_at) {
            Some(at) => {
                let _ = write!(
                    text,
                    " The voice time you used is forgotten when its window ends ({}): until then it limits what you may use.",
                    stamp(at, 'R')
                );
            }
            None => {
                text.push_str(" The voice time of your running session is forgotten when its window ends.");
            }
        }
    }
    text.push_str(if bot.preferences().opted_out(me) {
        " I still remember that you opted out, because otherwise I would hear you again."
    } else {
        " Nothing else of you is kept."
    });
    text.push_str(" Captions in channels are messages: ask a moderator to delete them.");
    say(context, text).await
}
