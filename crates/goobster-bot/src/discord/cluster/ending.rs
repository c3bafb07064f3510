//! How shards end here: in order, when others are to have them; at once, when this host may not act on them any more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use goobster_core::cluster::{Lease, Shard};
use goobster_core::session::CloseReason;
use tokio::time::{sleep, timeout};

use super::super::bot::Bot;
use super::{Cluster, Gateways, Held, lock};
use crate::monitoring::signs::Signs;

/// Between two looks whether sessions are gone.
const LOOK: Duration = Duration::from_millis(50);

/// How long things may take to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    /// People's sessions.
    pub(super) sessions: Duration,
    /// After that, the gateway.
    pub(super) gateway: Duration,
}

impl Within {
    /// When a shard is given up in order.
    const ORDER: Self = Self {
        sessions: Duration::from_secs(3),
        gateway: Duration::from_secs(2),
    };

    /// When everything must be over in this time.
    pub(super) fn halves(of: Duration) -> Self {
        Self {
            sessions: of / 2,
            gateway: of / 2,
        }
    }
}

/// What ends shards.
pub(super) struct Ending {
    pub(super) cluster: Arc<Cluster>,
    pub(super) gateways: Arc<Gateways>,
    pub(super) bot: Arc<Bot>,
    pub(super) signs: Arc<Signs>,
}

impl Ending {
    /// Gives shards away in order: their sessions end, their connections close, and then others may have them.
    pub(super) async fn give(&self, shards: &[Shard]) {
        let leases = self.stop(shards, CloseReason::ShuttingDown, Within::ORDER).await;
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.cluster.port.release(leases).await {
            tracing::warn!(%error, "shards could not be given away: others get them when the lease ends");
        }
    }

    /// Ends everything on some shards; the leases of those that were held still.
    pub(super) async fn stop(&self, shards: &[Shard], why: CloseReason, within: Within) -> Vec<Lease> {
        let (bot, cluster) = (&self.bot, &self.cluster);
        let ours = |guild| shards.contains(&Shard::of(guild, cluster.total));
        for call in bot.calls() {
            let guild = call.spec().guild;
            if ours(guild) && bot.sessions().end_call(guild, why) > 0 {
                tracing::info!(%guild, reason = why.label(), "a call ends with its shard");
            }
        }
        let gone = async {
            while bot.calls().iter().any(|call| ours(call.spec().guild)) {
                sleep(LOOK).await;
            }
        };
        if timeout(within.sessions, gone).await.is_err() {
            tracing::warn!("calls did not end in time: their shard goes all the same");
        }
        let taken: Vec<Held> = {
            let mut held = lock(&cluster.held);
            shards.iter().filter_map(|shard| held.remove(shard)).collect()
        };
        let closing = taken.iter().map(|held| async move {
            if let Some(starting) = &held.starting {
                starting.abort();
            }
            let shard = held.lease.shard;
            if let Some(gateway) = &held.gateway {
                self.gateways.stop(shard, gateway, within.gateway).await;
            }
            self.signs.shard_gone(shard.get());
        });
        join_all(closing).await;
        taken.into_iter().map(|held| held.lease).collect()
    }
}
