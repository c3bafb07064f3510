//! SIGHUP: the configuration is read again. What can change does; what cannot is told.

use std::sync::Arc;

use super::bot::Bot;
use crate::cli::args::{Common, TalkArgs};
use crate::cli::logging;
use crate::config::Config;
use crate::config::reload::{diff, merged};
use crate::config::table::Change;

/// Reads the configuration again, as often as SIGHUP comes.
pub(super) async fn on_hangup(bot: Arc<Bot>, talk: TalkArgs, common: Common) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => {
                tracing::error!(%error, "SIGHUP cannot be heard");
                return;
            }
        };
        while hangups.recv().await.is_some() {
            reload(&bot, &talk, &common);
        }
    }
    #[cfg(not(unix))]
    {
        drop((bot, talk, common));
        std::future::pending::<()>().await;
    }
}

/// Reads it once. One that is wrong changes nothing.
fn reload(bot: &Bot, talk: &TalkArgs, common: &Common) {
    let loaded = match Config::load(
        common.config.as_deref(),
        &common.over(talk.overrides(common.profile)),
    ) {
        Ok(loaded) => loaded,
        Err(failure) => {
            for line in failure.to_string().lines() {
                tracing::error!("the configuration is not taken: {line}");
            }
            return;
        }
    };
    let old = bot.config();
    let changes = diff(&old, &loaded.config);
    if changes.is_empty() {
        tracing::info!("the configuration was read again; nothing differs");
        return;
    }
    let new = merged(&old, &loaded.config);
    let mut log = crate::cli::logged(common, &loaded);
    log.format = old.log.format;
    logging::blacken_all(&new);
    bot.configure(new);
    logging::change_filter(&log);
    for change in changes {
        if change.when == Change::Restart {
            tracing::warn!("{change}");
        } else {
            tracing::info!("{change}");
        }
    }
}
