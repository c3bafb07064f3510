//! `/voice`: start, stop and look at a session.

use std::fmt::Write as _;
use std::sync::Arc;

use goobster_core::health::Hears;
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::Forecast;
use goobster_core::session::{
    Actor, BotPermissions, Candidate, Consent, NewSession, Refusal, Session, VoiceChannel,
};
use serenity::all::Permissions;

use super::{Answer, CommandError, Context, channel, guild, say, span, stamp, user};
use crate::discord::bot::{Bot, now};
use crate::discord::call::{Attendance, CallSpec, Wanted};
use crate::discord::permissions;
use crate::discord::preferences::Starters;

/// Talk with Goobster in your voice channel
#[poise::command(slash_command, guild_only, subcommands("start", "stop", "status"))]
#[allow(clippy::unused_async)] // the framework asks for it; only its subcommands can be used
pub(super) async fn voice(_: Context<'_>) -> Answer {
    Ok(())
}

/// Goobster joins your voice channel, listens and answers
#[poise::command(slash_command, guild_only)]
pub(super) async fn start(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let usage = context.data().sessions().usage(user(context)).await;
    let session = begin(context, Wanted::Answers).await?;
    let wake = wake_name(context.data(), session.guild());
    let left = usage.map_or_else(
        |_| String::new(),
        |usage| {
            format!(
                " {}.",
                capital(&Forecast::of(&usage, now()).words(|at| stamp(at, 't')))
            )
        },
    );
    say(
        context,
        format!(
            "I am listening in <#{}>. Alone with me, just speak; with others there, call me \"{wake}\". Captions appear \
             in <#{}>. `/voice stop` ends it.{left}",
            session.voice_channel().id,
            session.text_channel()
        ),
    )
    .await
}

/// End your voice session
#[poise::command(slash_command, guild_only)]
pub(super) async fn stop(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let (bot, guild) = (context.data(), guild(context)?);
    let own = bot
        .sessions()
        .get(user(context))
        .filter(|session| session.guild() == guild);
    let ending = if own.is_some() {
        bot.sessions().end(user(context))?
    } else {
        // Somebody else's session: moderators may end it.
        let other = bot
            .sessions()
            .list()
            .into_iter()
            .find(|session| session.guild == guild);
        let Some(other) = other else {
            return Err(Refusal::NoSession.into());
        };
        bot.sessions()
            .end_session(other.id, actor(context, guild).await)?
    };
    match ending.closed().await {
        Some(closed) => say(context, format!("{} It lasted {}.", closed.reason, closed.active)).await,
        None => say(context, "The start was called off.").await,
    }
}

/// Who is heard, how well, and how much time is left
#[poise::command(slash_command, guild_only)]
pub(super) async fn status(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let (bot, guild) = (context.data(), guild(context)?);
    let sessions: Vec<_> = bot
        .sessions()
        .list()
        .into_iter()
        .filter(|it| it.guild == guild)
        .collect();
    if sessions.is_empty() {
        return say(
            context,
            "There is no voice session here. `/voice start` begins one.",
        )
        .await;
    }
    let mut text = String::new();
    for session in &sessions {
        let _ = writeln!(
            text,
            "**<@{}>'s session** in <#{}>: {}, running for {}, {} charged",
            session.owner,
            session.channel.id,
            session.phase,
            span(session.active),
            session.charged
        );
    }
    let status = match bot.call(guild) {
        Some(call) => call.status().await,
        None => None,
    };
    let Some(status) = status else {
        return say(context, text).await;
    };
    let link = if status.connected {
        "holds"
    } else {
        "is being mended"
    };
    let _ = writeln!(
        text,
        "I am in <#{}>, the connection {link}, captions in <#{}>.",
        status.channel, status.captions
    );
    let me = user(context);
    for speaker in &status.speakers {
        let health = &speaker.health;
        let hears = match (speaker.heard, &health.hears) {
            (false, _) => "no (not agreed, or opted out)",
            (true, Hears::Yes) => "yes",
            (true, Hears::No) => "no, mending it",
            (true, _) => "nothing said yet",
        };
        let whom = if speaker.who == me {
            "hears you".to_owned()
        } else {
            format!("hears {}", speaker.name)
        };
        let _ = writeln!(
            text,
            "• {whom}: {hears} ({} packets, {} undecodable, {} lost, {} words)",
            health.packets, health.undecodable, health.concealed, health.words
        );
    }
    say(context, text).await
}

/// Begins a session for whoever gave a command.
pub(super) async fn begin(context: Context<'_>, wanted: Wanted) -> Result<Arc<Session>, CommandError> {
    let bot = Arc::clone(context.data());
    let (guild, user) = (guild(context)?, user(context));
    may_start(context, &bot, guild).await?;
    let voice = voice_channel(context, &bot, guild, user);
    let permissions = match &voice {
        Some((_, has)) => permissions::in_voice(*has),
        None => BotPermissions::ALL,
    };
    let consent = if bot.preferences().opted_out(user) {
        Consent::Withheld
    } else {
        Consent::Given
    };
    let admitted = Candidate {
        user,
        is_bot: context.author().bot,
        guild: Some(guild),
        voice: voice.map(|(voice, _)| voice),
        permissions,
        consent,
    }
    .admit()
    .map_err(|refusal| match refusal {
        Refusal::NoConsent => CommandError::Words(
            "You have opted out of being heard. `/privacy consent` takes that back; then start again."
                .to_owned(),
        ),
        refusal => refusal.into(),
    })?;
    let spec = CallSpec {
        guild,
        voice: admitted.voice().id,
        text: channel(context),
    };
    let usage = bot.sessions().usage(user).await.ok();
    let parts = Attendance::new(Arc::clone(&bot), spec.clone(), wanted);
    let session = bot
        .sessions()
        .add(NewSession::new(admitted, spec.text, parts))
        .await?;
    if let Some(usage) = usage {
        bot.remember_usage(session.id(), usage);
    }
    if wanted == Wanted::Captions {
        bot.remember_captions_only(session.id());
    }
    Ok(session)
}

/// Whether the guild lets this member start a session.
async fn may_start(context: Context<'_>, bot: &Arc<Bot>, guild: GuildId) -> Answer {
    let starters = bot.preferences().guild(guild).starters;
    if starters == Starters::Everyone {
        return Ok(());
    }
    let Some(member) = context.author_member().await else {
        return Err(CommandError::Words(
            "I could not see your roles. Try again in a moment.".to_owned(),
        ));
    };
    let rights = member.permissions.unwrap_or_default();
    let moderator =
        rights.intersects(Permissions::ADMINISTRATOR | Permissions::MANAGE_GUILD | Permissions::MOVE_MEMBERS);
    match starters {
        Starters::Role(role) if moderator || member.roles.iter().any(|has| has.get() == role) => Ok(()),
        Starters::Role(role) => Err(CommandError::Words(format!(
            "Only members with <@&{role}> may start a session here. Ask one of them."
        ))),
        _ if moderator => Ok(()),
        _ => Err(CommandError::Words(
            "Only moderators may start a session here. Ask one of them.".to_owned(),
        )),
    }
}

/// The voice channel that a member is in, and what the bot may do there.
fn voice_channel(
    context: Context<'_>,
    bot: &Bot,
    guild: GuildId,
    user: UserId,
) -> Option<(VoiceChannel, Permissions)> {
    let cached = context.cache().guild(serenity::all::GuildId::new(guild.get()))?;
    let at = cached
        .voice_states
        .get(&serenity::all::UserId::new(user.get()))?
        .channel_id?;
    let channel = cached.channels.get(&at)?;
    let me = serenity::all::UserId::new(bot.id().get());
    let has = cached.members.get(&me).map_or(Permissions::all(), |member| {
        cached.user_permissions_in(channel, member)
    });
    let voice = VoiceChannel {
        id: ChannelId::new(at.get()),
        name: channel.name.clone(),
    };
    Some((voice, has))
}

/// Whoever gave a command, as somebody who may end sessions.
pub(super) async fn actor(context: Context<'_>, guild: GuildId) -> Actor {
    let moderates = context.author_member().await.is_some_and(|member| {
        member
            .permissions
            .unwrap_or_default()
            .intersects(Permissions::ADMINISTRATOR | Permissions::MANAGE_GUILD | Permissions::MOVE_MEMBERS)
    });
    if moderates {
        Actor::moderator(user(context), guild)
    } else {
        Actor::member(user(context))
    }
}

/// The name that calls Goobster in a guild.
pub(super) fn wake_name(bot: &Bot, guild: GuildId) -> String {
    bot.preferences()
        .guild(guild)
        .wake_name
        .unwrap_or_else(|| bot.config().conversation.turns.wake_name.clone())
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
