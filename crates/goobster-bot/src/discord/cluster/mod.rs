//! Many hosts: this process holds some of the gateway's shards, and others hold the rest.
//!
//! - [`Cluster`]: what this host holds, and what is asked about it.
//! - `keeper`: the one task that renews and gains. - `ending`: how shards are given away, and given up.
//! - `gateway`: a shard's connection.
//! - [`join`]: how a process becomes a host.

mod ending;
mod gateway;
mod keeper;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goobster_core::cluster::{Beat, ClusterError, Coordinator, Lease, OpenCall, Shard, Timing};
use goobster_core::ids::GuildId;
use goobster_store::RedisHosts;
use serenity::all::{Client, ShardManager};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::gateway::Connection;
pub(super) use self::gateway::{Gateways, Kept, Slot};
pub(super) use self::keeper::{End, Keeper};
use crate::cli::exit::Failure;
use crate::config::Config;

/// A shard that this host holds.
#[derive(Debug)]
struct Held {
    lease: Lease,
    /// Its connection, once it was begun.
    gateway: Option<Connection>,
    /// What begins it.
    starting: Option<AbortHandle>,
    /// It is being given away: its calls end.
    leaving: bool,
}

/// This host among the others.
pub(crate) struct Cluster {
    port: Arc<dyn Coordinator>,
    timing: Timing,
    total: u32,
    /// Identify buckets: Discord's `max_concurrency`.
    buckets: u32,
    held: Mutex<BTreeMap<Shard, Held>>,
    /// Calls that a dead host left open in guilds of ours.
    orphans: Mutex<HashMap<GuildId, OpenCall>>,
    draining: AtomicBool,
    nudge: Notify,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("total", &self.total)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Shards there are.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Whether this host holds a shard.
    pub(crate) fn holds(&self, shard: Shard) -> bool {
        lock(&self.held).contains_key(&shard)
    }

    /// The connection that a guild's events come from.
    pub(crate) fn gateway(&self, guild: GuildId) -> Option<Arc<ShardManager>> {
        let shard = Shard::of(guild, self.total);
        let held = lock(&self.held);
        held.get(&shard)?
            .gateway
            .as_ref()
            .map(|gateway| Arc::clone(gateway.manager()))
    }

    fn lease_of(&self, guild: GuildId) -> Option<Lease> {
        let shard = Shard::of(guild, self.total);
        lock(&self.held).get(&shard).map(|held| held.lease)
    }

    /// Notes a call for whoever takes its shard over.
    ///
    /// # Errors
    /// The store's; the call goes on, and is not tidied up after if this host dies.
    pub(crate) async fn call_begins(&self, call: OpenCall) -> Result<(), ClusterError> {
        match self.lease_of(call.guild) {
            Some(lease) => self.port.call_begins(lease, call).await,
            None => Err(ClusterError::Fenced {
                shard: Shard::of(call.guild, self.total),
            }),
        }
    }

    /// Strikes a call out. One of a shard that is not held any more is its new holder's to strike out.
    ///
    /// # Errors
    /// The store's; whoever takes the shard over then tells people once more that the call is over.
    pub(crate) async fn call_over(&self, guild: GuildId) -> Result<(), ClusterError> {
        if self.draining.load(Ordering::Relaxed) {
            self.nudge.notify_one();
        }
        match self.lease_of(guild) {
            Some(lease) => self.port.call_over(lease, guild).await,
            None => Ok(()),
        }
    }

    /// The call that a dead host left open in a guild; told once.
    pub(crate) fn take_orphan(&self, guild: GuildId) -> Option<OpenCall> {
        lock(&self.orphans).remove(&guild)
    }

    /// From now on no shard is taken, and those without calls are given away.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.nudge.notify_one();
    }

    fn beat(&self) -> Beat {
        Beat {
            total: self.total,
            held: lock(&self.held).values().map(|held| held.lease).collect(),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }
}

/// Becomes a host: finds out how many shards there are, and tells the others.
///
/// # Errors
/// Discord or the store cannot be asked; the others count shards otherwise.
pub(super) async fn join(config: &Config, client: &Client) -> Result<Arc<Cluster>, Failure> {
    let settings = &config.cluster;
    let Some(url) = &config.store.redis else {
        return Err(Failure::Configuration(
            "cluster.enabled wants store.redis: hosts meet there".to_owned(),
        ));
    };
    let timing = Timing::new(settings.lease, settings.renew)
        .map_err(|error| Failure::Configuration(format!("cluster.renew: {error}")))?;
    let gateway = client.http.get_bot_gateway().await.map_err(|error| {
        Failure::Failed(format!("Discord does not tell how many shards it wants: {error}"))
    })?;
    let host = name(settings.host.as_deref());
    let port = RedisHosts::connect(
        url,
        &config.store.prefix,
        &host,
        timing.lease(),
        config.store.patience,
    )
    .await
    .map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    let wanted = settings.shards.and_then(|shards| u32::try_from(shards).ok());
    let mut cluster = Cluster {
        port: Arc::new(port),
        timing,
        total: wanted.unwrap_or(gateway.shards).max(1),
        buckets: u32::try_from(gateway.session_start_limit.max_concurrency)
            .unwrap_or(1)
            .max(1),
        held: Mutex::default(),
        orphans: Mutex::default(),
        draining: AtomicBool::new(false),
        nudge: Notify::new(),
    };
    match cluster.port.beat(cluster.beat()).await {
        Ok(_) => {}
        // Discord changed its mind since the others began: theirs holds until all are restarted.
        Err(ClusterError::OtherTotal { theirs, .. }) if wanted.is_none() => cluster.total = theirs,
        Err(error @ ClusterError::OtherTotal { .. }) => {
            return Err(Failure::Configuration(error.to_string()));
        }
        Err(error) => return Err(Failure::Failed(format!("the store: {error}"))),
    }
    tracing::info!(host, shards = cluster.total, "one of the hosts");
    Ok(Arc::new(cluster))
}

/// The host's name, with a number of this run: a host that comes back is not taken for the one that died.
fn name(set: Option<&str>) -> String {
    let own = || {
        let name = std::env::var("HOSTNAME").ok();
        name.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
    };
    let name = set.map(str::to_owned).or_else(own).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| *c != '|').take(100).collect();
    let run = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("{name}-{run:016x}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_host_has_a_name_of_its_own() {
        let (one, other) = (name(Some("a|b")), name(Some("a|b")));
        assert!(one.starts_with("ab-") && one != other && !one.contains('|'));
    }
}
