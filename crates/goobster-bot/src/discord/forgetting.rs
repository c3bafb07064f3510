//! A user's data deleted on request: what is kept of somebody, where, and what becomes of it.
//!
//! | what | where | on request |
//! | --- | --- | --- |
//! | lines of transcripts, what was answered, exchanges of a conversation | memory of a running call, on every host | at once |
//! | closed sessions | memory, store | at once |
//! | voice time used | store | when its window ends; by the operator at once |
//! | an opt-out | preferences | stays: without it they would be heard again |
//! | captions and replies | Discord | not ours: messages of a channel |
//! | lines of the log | where the operator writes it | not ours |

use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{Forget, Forgotten, LimitsError};

use super::bot::{Bot, now};
use super::store::{self, Opened};
use crate::cli::exit::Failure;
use crate::config::Config;

/// How often it is looked whose opt-out has been kept long enough.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// What was forgotten of somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Erased {
    /// Lines of transcripts.
    pub(crate) lines: usize,
    /// What the store says.
    pub(crate) store: Forgotten,
}

impl Bot {
    /// Forgets somebody.
    ///
    /// # Errors
    /// The store's. What is in memory is forgotten even then.
    pub(crate) async fn forget_user(&self, user: UserId, when: Forget) -> Result<Erased, LimitsError> {
        let lines = self.forget_words(user);
        self.preferences().tell_forgotten(user).await?;
        let store = self.sessions().forget(user, when).await?;
        // Who it was is not written: a log is kept for long.
        tracing::info!(
            lines,
            records = store.records,
            ?when,
            "somebody was forgotten on request"
        );
        Ok(Erased { lines, store })
    }
}

impl Bot {
    /// Forgets somebody's words in the calls of this host; how many lines of transcripts there were.
    pub(crate) fn forget_words(&self, user: UserId) -> usize {
        self.calls().iter().map(|call| call.forget(user)).sum()
    }

    /// Somebody who opted out was met: their choice is kept for as long again.
    pub(crate) fn met(self: &Arc<Self>, user: UserId) {
        let preferences = self.preferences().clone();
        self.tasks().spawn(async move {
            if let Err(error) = preferences.met(user, now()).await {
                tracing::warn!(%error, "an opt-out could not be dated anew");
            }
        });
    }
}

/// Forgets opt-outs that were kept as long as `discord.opt_outs_kept` says, until it is called off.
pub(crate) async fn keep_retention(bot: Arc<Bot>) {
    let mut often = tokio::time::interval(LOOK_EVERY);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        let Some(kept) = bot.config().discord.opt_outs_kept else {
            continue;
        };
        match bot.preferences().expire(now(), kept).await {
            Ok(0) => {}
            Ok(opt_outs) => tracing::info!(opt_outs, "opt-outs were kept long enough"),
            Err(error) => tracing::warn!(%error, "old opt-outs could not be forgotten"),
        }
    }
}

/// Forgets somebody at once in the store of a configuration, without a bot.
///
/// # Errors
/// A store that cannot be opened, above all because a bot has its file open.
pub(crate) async fn forget_offline(
    user: UserId,
    opt_out_too: bool,
    config: &Config,
) -> Result<Forgotten, Failure> {
    let folder = store::data_folder()?;
    let opened = Opened::open(&config.store, &folder, &config.limits).await?;
    let (_, ledger) = opened.ports();
    if config.store.redis.is_none() {
        // Nobody else has the file open: what is open in it was left by a bot that died.
        let recovered = ledger.recover(now()).await;
        recovered.map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    }
    let forgotten = ledger
        .forget(user, Forget::Now, now())
        .await
        .map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    let preferences = store::preferences(&config.store, &folder).await?;
    // Hosts that run hold lines of transcripts.
    let told = preferences.tell_forgotten(user).await;
    told.map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    if opt_out_too {
        preferences
            .set_opted_out(user, false)
            .await
            .map_err(|cause| Failure::Output { path: folder, cause })?;
    }
    opened.flush().await;
    Ok(forgotten)
}
