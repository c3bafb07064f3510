//! `/limits`: the voice time that is left.

use std::fmt::Write as _;

use goobster_core::limits::Forecast;

use super::{Answer, CommandError, Context, say, stamp, user};
use crate::discord::bot::now;

/// How much voice time you have left
#[poise::command(slash_command, guild_only)]
pub(super) async fn limits(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let bot = context.data();
    let usage = bot.sessions().usage(user(context)).await.map_err(|error| {
        tracing::error!(%error, "usage could not be read");
        CommandError::Words("I cannot read the limits just now. Try again in a minute.".to_owned())
    })?;
    let forecast = Forecast::of(&usage, now());
    let words = forecast.words(|at| format!("{} ({})", stamp(at, 't'), stamp(at, 'R')));
    let mut text = format!("In this window {words}.");
    if let Some(at) = forecast.stops_at {
        let _ = write!(
            text,
            " A session that starts now could run until {}.",
            stamp(at, 't')
        );
    }
    if forecast.resets_at.is_none() {
        let ends = now().after(usage.window.as_duration());
        let _ = write!(
            text,
            " Your window begins when you are next heard; begun now it would end at {}.",
            stamp(ends, 't')
        );
    }
    say(context, text).await
}
