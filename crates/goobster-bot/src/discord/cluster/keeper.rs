//! The one task that looks after what this host holds: it renews, gains, gives away, and stops in time when it cannot renew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use goobster_core::cluster::{Claimed, ClusterError, Gate, Lease, Pulse, Shard, Tenure, plan};
use goobster_core::session::CloseReason;
use goobster_core::time::Moment;
use metrics::{counter, gauge};
use serenity::all::GatewayError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::bot::Bot;
use super::{Cluster, Gateways, Held, SESSIONS_END, lock};
use crate::monitoring::names;
use crate::monitoring::signs::Signs;

/// Between two looks whether sessions are gone, and two tries of the store while a shard begins.
const LOOK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(500);

/// What ends the keeper.
#[derive(Debug)]
pub(in super::super) enum End {
    /// Discord refuses the bot.
    Gateway(GatewayError),
    /// Other hosts count shards otherwise.
    Cluster(ClusterError),
}

/// The task's own.
pub(in super::super) struct Keeper {
    cluster: Arc<Cluster>,
    gateways: Arc<Gateways>,
    bot: Arc<Bot>,
    signs: Arc<Signs>,
    tenure: Tenure,
    origin: Instant,
    /// How long the places of a dead host's sessions last.
    places_last: Duration,
}

impl Keeper {
    pub(in super::super) fn new(
        cluster: Arc<Cluster>,
        gateways: Gateways,
        bot: Arc<Bot>,
        signs: Arc<Signs>,
    ) -> Self {
        let places_last = bot.config().store.lease;
        Self {
            tenure: Tenure::new(cluster.timing),
            cluster,
            gateways: Arc::new(gateways),
            bot,
            signs,
            origin: Instant::now(),
            places_last,
        }
    }

    /// Keeps until something ends it.
    pub(in super::super) async fn keep(&mut self, ended: &mut mpsc::Receiver<GatewayError>) -> End {
        loop {
            let begun = Instant::now();
            if let Err(error) = self.turn().await {
                return End::Cluster(error);
            }
            let cluster = Arc::clone(&self.cluster);
            let mut next = begun + cluster.timing.renew();
            if let Some(until) = self.tenure.until() {
                next = next.min(self.origin + until.since(Moment::ZERO));
            }
            tokio::select! {
                () = sleep_until(next) => {}
                () = cluster.nudge.notified() => {}
                Some(error) = ended.recv() => return End::Gateway(error),
            }
        }
    }

    /// Everything is given away: the host goes down, and its sessions are over.
    pub(in super::super) async fn leave(&mut self) {
        self.cluster.draining.store(true, Ordering::Relaxed);
        let all: Vec<Shard> = lock(&self.cluster.held).keys().copied().collect();
        self.give(&all).await;
        if let Err(error) = self.cluster.port.leave().await {
            tracing::warn!(%error, "the others will notice later that this host is gone");
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    /// One sign of life and what follows from its answer.
    async fn turn(&mut self) -> Result<(), ClusterError> {
        let asked = self.now();
        match self.cluster.port.beat(self.cluster.beat()).await {
            Ok(pulse) => {
                self.tenure.granted(asked);
                self.follow(&pulse).await;
            }
            Err(error @ ClusterError::OtherTotal { .. }) => {
                self.stop_all().await;
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%error, "this host could not renew its shards");
                if !self.tenure.holds(self.now()) {
                    self.stop_all().await;
                }
            }
        }
        Ok(())
    }

    async fn follow(&self, pulse: &Pulse) {
        let cluster = &self.cluster;
        gauge!(names::HOSTS).set(f64::from(pulse.alive));
        gauge!(names::SHARDS_FREE).set(f64::from(pulse.standing.free));
        if !pulse.lost.is_empty() {
            tracing::error!(shards = ?pulse.lost, "another host holds shards of this one now");
            counter!(names::SHARDS_LOST).increment(pulse.lost.len() as u64);
            self.stop(&pulse.lost, CloseReason::Fenced, cluster.timing.margin())
                .await;
        }
        let busy: Vec<Shard> = self
            .bot
            .calls()
            .iter()
            .map(|call| Shard::of(call.spec().guild, cluster.total))
            .collect();
        let held: Vec<(Shard, bool)> = lock(&cluster.held)
            .keys()
            .map(|shard| (*shard, busy.contains(shard)))
            .collect();
        let plan = plan(pulse.standing, &held);
        self.give(&plan.release).await;
        if plan.claim > 0 && !cluster.draining.load(Ordering::Relaxed) {
            match cluster.port.claim(plan.claim).await {
                Ok(claimed) => {
                    for claimed in claimed {
                        self.gain(&claimed);
                    }
                }
                // What it may have taken is never renewed, and falls to somebody when its lease ends.
                Err(error) => tracing::warn!(%error, "no shards could be taken"),
            }
        }
        let held = lock(&cluster.held).len();
        gauge!(names::SHARDS_HELD).set(held as f64);
        self.signs.spare(held == 0 && pulse.standing.free == 0);
    }

    /// Begins a shard.
    fn gain(&self, claimed: &Claimed) {
        let lease = claimed.lease;
        tracing::info!(shard = %lease.shard, fence = %lease.fence, from = claimed.from.as_deref(), "this host holds a shard");
        if claimed.from.is_some() {
            counter!(names::TAKEOVERS).increment(1);
            self.settle_later();
        }
        let held = Held {
            lease,
            gateway: None,
            starting: None,
        };
        lock(&self.cluster.held).insert(lease.shard, held);
        let (cluster, gateways) = (Arc::clone(&self.cluster), Arc::clone(&self.gateways));
        let starting = tokio::spawn(begin(cluster, gateways, lease)).abort_handle();
        if let Some(held) = lock(&self.cluster.held).get_mut(&lease.shard) {
            held.starting = Some(starting);
        }
    }

    /// Closes a dead host's sessions in the ledger: once their places have run out, which is at the latest a lease after it died.
    fn settle_later(&self) {
        let (sessions, half) = (self.bot.sessions().clone(), self.places_last / 2);
        self.bot.tasks().spawn(async move {
            for _ in 0..3 {
                sleep(half).await;
                if let Err(error) = sessions.recover().await {
                    tracing::warn!(%error, "a dead host's sessions could not be closed yet");
                }
            }
        });
    }

    /// Gives shards away in order: their sessions end, their connections close, and then others may have them.
    async fn give(&self, shards: &[Shard]) {
        if shards.is_empty() {
            return;
        }
        let leases = self.stop(shards, CloseReason::ShuttingDown, SESSIONS_END).await;
        if let Err(error) = self.cluster.port.release(leases).await {
            tracing::warn!(%error, "shards could not be given away: others get them when the lease ends");
        }
    }

    /// The store was not reached for too long: nothing is held any more.
    async fn stop_all(&mut self) {
        self.tenure.gave_up();
        let all: Vec<Shard> = lock(&self.cluster.held).keys().copied().collect();
        if all.is_empty() {
            return;
        }
        tracing::error!(shards = ?all, "the store is out of reach: this host stops before its leases end");
        counter!(names::SHARDS_LOST).increment(all.len() as u64);
        self.stop(&all, CloseReason::Fenced, self.cluster.timing.margin() / 2)
            .await;
        gauge!(names::SHARDS_HELD).set(0.0);
    }

    /// Ends everything on some shards, within a time and the gateway's good-bye.
    async fn stop(&self, shards: &[Shard], why: CloseReason, within: Duration) -> Vec<Lease> {
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
        if timeout(within, gone).await.is_err() {
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
            if let Some(gateway) = &held.gateway {
                self.gateways.stop(held.lease.shard, gateway).await;
            }
        });
        join_all(closing).await;
        for shard in shards {
            self.signs.shard_gone(shard.get());
        }
        taken.into_iter().map(|held| held.lease).collect()
    }
}

/// Begins a shard's connection: first what its last holder left open, then its turn to identify.
async fn begin(cluster: Arc<Cluster>, gateways: Arc<Gateways>, lease: Lease) {
    let shard = lease.shard;
    loop {
        match cluster.port.left_open(lease).await {
            Ok(calls) => {
                let mut orphans = lock(&cluster.orphans);
                orphans.extend(calls.into_iter().map(|call| (call.guild, call)));
                break;
            }
            Err(error @ ClusterError::Fenced { .. }) => {
                tracing::warn!(%shard, %error, "a shard was lost before it began");
                return;
            }
            Err(error) => tracing::warn!(%shard, %error, "it is not known yet what was left open"),
        }
        sleep(AGAIN).await;
    }
    loop {
        match cluster.port.identify(shard.get() % cluster.buckets).await {
            Ok(Gate::Open) => break,
            Ok(Gate::Wait(wait)) => sleep(wait).await,
            Err(error) => {
                tracing::warn!(%shard, %error, "a shard waits for its turn");
                sleep(AGAIN).await;
            }
        }
    }
    let mut held = lock(&cluster.held);
    if let Some(held) = held.get_mut(&shard).filter(|held| held.lease == lease) {
        held.gateway = Some(gateways.start(shard));
    }
}
