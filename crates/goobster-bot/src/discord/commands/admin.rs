//! `/admin`: every session there is, for whoever runs the bot.

use std::fmt::Write as _;

use goobster_core::ids::UserId;
use goobster_core::limits::Forget;
use goobster_core::session::{Actor, SessionId};

use serenity::all::CreateAutocompleteResponse;

use super::{Answer, CommandError, Context, say, span, suggestions, user};

/// Sessions listed at most; a message holds no more.
const LISTED: usize = 15;

/// Refuses everybody but the owners: those in the configuration, else those of the application.
#[allow(clippy::unused_async)] // the framework asks for it
async fn only_owners(context: Context<'_>) -> Result<bool, CommandError> {
    let configured = &context.data().config().discord.owners;
    let me = context.author().id;
    let may = if configured.is_empty() {
        context.framework().options.owners.contains(&me)
    } else {
        configured.contains(&me.get())
    };
    if may {
        Ok(true)
    } else {
        Err(CommandError::Words(
            "That is for whoever runs this bot.".to_owned(),
        ))
    }
}

#[allow(clippy::unused_async)] // the framework asks for it
async fn running(context: Context<'_>, typed: &str) -> CreateAutocompleteResponse {
    let ids = context
        .data()
        .sessions()
        .list()
        .into_iter()
        .map(|session| session.id.to_string());
    suggestions(ids.filter(|id| id.contains(typed)))
}

/// For whoever runs this bot
#[poise::command(
    slash_command,
    guild_only,
    check = "only_owners",
    subcommands("sessions", "end", "limits", "forget")
)]
#[allow(clippy::unused_async)] // the framework asks for it; only its subcommands can be used
pub(super) async fn admin(_: Context<'_>) -> Answer {
    Ok(())
}

/// Every session there is
#[poise::command(slash_command, guild_only, check = "only_owners")]
pub(super) async fn sessions(context: Context<'_>) -> Answer {
    let list = context.data().sessions().list();
    if list.is_empty() {
        // What a session started and did not end would otherwise be seen by nobody.
        let left = context.data().tasks().len();
        let all = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let tasks = match left {
            0 => "no task of one is left".to_owned(),
            n => format!("{n} task(s) of one are still at work"),
        };
        return say(
            context,
            format!("There are no sessions, and {tasks} ({all} tasks run in all)."),
        )
        .await;
    }
    let mut text = format!("{} session(s):\n", list.len());
    for session in list.iter().take(LISTED) {
        let _ = writeln!(
            text,
            "`{}` <@{}> in {} (server {}): {}, {} active, quiet for {}, {} charged",
            session.id,
            session.owner,
            session.channel.name.replace('`', "'"),
            session.guild,
            session.phase,
            span(session.active),
            span(session.quiet),
            session.charged
        );
    }
    say(context, text).await
}

/// End a session
#[poise::command(slash_command, guild_only, check = "only_owners")]
pub(super) async fn end(
    context: Context<'_>,
    #[description = "The session's number, as /admin sessions shows it"]
    #[autocomplete = "running"]
    session: String,
) -> Answer {
    context.defer_ephemeral().await?;
    let bot = context.data();
    let found = bot
        .sessions()
        .list()
        .into_iter()
        .find(|it| it.id.to_string() == session.trim());
    let Some(found) = found else {
        return Err(CommandError::Words(
            "There is no such session. `/admin sessions` lists them.".to_owned(),
        ));
    };
    let id: SessionId = found.id;
    let actor = Actor::moderator(user(context), found.guild);
    match bot.sessions().end_session(id, actor)?.closed().await {
        Some(closed) => say(context, format!("Ended after {}.", closed.active)).await,
        None => say(context, "It had not begun.").await,
    }
}

/// The limits in force, and how many places are taken
#[poise::command(slash_command, guild_only, check = "only_owners")]
pub(super) async fn limits(context: Context<'_>) -> Answer {
    let bot = context.data();
    let limits = bot.config().limits;
    say(
        context,
        format!(
            "{} of voice in every {} ({}), {} session(s) a member, {} a server, {} in all; {} running now.",
            limits.voice,
            limits.window,
            match limits.policy {
                goobster_core::limits::PolicyKind::Fixed => "fixed window",
                goobster_core::limits::PolicyKind::Sliding => "sliding window",
            },
            limits.per_user,
            limits.per_guild,
            limits.total,
            bot.sessions().list().len()
        ),
    )
    .await
}

/// Forget somebody at once, the voice time they used included
#[poise::command(slash_command, guild_only, check = "only_owners")]
pub(super) async fn forget(
    context: Context<'_>,
    #[description = "Who asked to be forgotten"] member: serenity::all::User,
) -> Answer {
    context.defer_ephemeral().await?;
    let bot = context.data();
    let user = UserId::new(member.id.get());
    let erased = bot.forget_user(user, Forget::Now).await.map_err(|error| {
        tracing::error!(%error, "somebody could not be forgotten");
        CommandError::Words(format!("The store did not do it: {error}"))
    })?;
    let rest = match erased.store.open {
        0 => "Whether they opted out stays known, so that they are not heard again.".to_owned(),
        open => {
            format!("{open} session(s) of theirs still run: end them, then ask again for the voice time.")
        }
    };
    say(
        context,
        format!(
            "Removed: {} line(s) of transcripts, {} record(s) of closed sessions{}. {rest}",
            erased.lines,
            erased.store.records,
            if erased.store.usage_kept {
                ""
            } else {
                ", the voice time they used"
            },
        ),
    )
    .await
}
