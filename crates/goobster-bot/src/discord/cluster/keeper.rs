//! The one task that looks after what this host holds: it renews, gains, gives away, and stops in time when it cannot renew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use goobster_core::cluster::{Claimed, ClusterError, Gate, Lease, OpenCall, Pulse, Shard, Tenure, plan};
use goobster_core::session::CloseReason;
use goobster_core::time::Moment;
use metrics::{counter, gauge};
use serenity::all::GatewayError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use super::super::bot::Bot;
use super::super::handler::tell_restarted;
use super::ending::{Ending, Within};
use super::{Cluster, Gateways, Held, lock};
use crate::monitoring::names;
use crate::monitoring::signs::Signs;

/// Between two tries of the store while a shard begins.
const AGAIN: Duration = Duration::from_millis(500);

/// How long shards that were being given away already may still take when the host goes down.
const LAST: Duration = Duration::from_secs(2);

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
    ending: Arc<Ending>,
    /// Shards that are being given away.
    leaving: TaskTracker,
    /// What closes dead hosts' sessions in the ledger; nobody waits for it when the host goes down.
    settling: JoinSet<()>,
}

impl Keeper {
    pub(in super::super) fn new(
        cluster: Arc<Cluster>,
        gateways: Gateways,
        bot: Arc<Bot>,
        signs: Arc<Signs>,
    ) -> Self {
        let gateways = Arc::new(gateways);
        let ending = Ending {
            cluster: Arc::clone(&cluster),
            gateways: Arc::clone(&gateways),
            bot: Arc::clone(&bot),
            signs: Arc::clone(&signs),
        };
        Self {
            tenure: Tenure::new(cluster.timing),
            places_last: bot.config().store.lease,
            cluster,
            gateways,
            bot,
            signs,
            origin: Instant::now(),
            ending: Arc::new(ending),
            leaving: TaskTracker::new(),
            settling: JoinSet::new(),
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
                next = next.min(self.at(until));
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
        self.ending.give(&all).await;
        self.leaving.close();
        if timeout(LAST, self.leaving.wait()).await.is_err() {
            tracing::warn!("not every shard was given away: others get them when the lease ends");
        }
        if let Err(error) = self.cluster.port.leave().await {
            tracing::warn!(%error, "the others will notice later that this host is gone");
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    fn at(&self, moment: Moment) -> Instant {
        self.origin + moment.since(Moment::ZERO)
    }

    /// One sign of life and what follows from its answer. An answer is not waited for longer than this host may act.
    async fn turn(&mut self) -> Result<(), ClusterError> {
        let asked = self.now();
        let beat = self.cluster.port.beat(self.cluster.beat());
        let answer = match self.tenure.until() {
            Some(until) => timeout_at(self.at(until), beat).await,
            None => Ok(beat.await),
        };
        let Ok(answer) = answer else {
            self.stop_all().await;
            return Ok(());
        };
        match answer {
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

    async fn follow(&mut self, pulse: &Pulse) {
        let cluster = Arc::clone(&self.cluster);
        gauge!(names::HOSTS).set(f64::from(pulse.alive));
        gauge!(names::SHARDS_FREE).set(f64::from(pulse.standing.free));
        if !pulse.lost.is_empty() {
            tracing::error!(shards = ?pulse.lost, "another host holds shards of this one now");
            counter!(names::SHARDS_LOST).increment(pulse.lost.len() as u64);
            let within = Within::halves(cluster.timing.margin());
            self.ending.stop(&pulse.lost, CloseReason::Fenced, within).await;
        }
        let busy: Vec<Shard> = self
            .bot
            .calls()
            .iter()
            .map(|call| Shard::of(call.spec().guild, cluster.total))
            .collect();
        let held: Vec<(Shard, bool)> = lock(&cluster.held)
            .values()
            .filter(|held| !held.leaving)
            .map(|held| (held.lease.shard, busy.contains(&held.lease.shard)))
            .collect();
        let plan = plan(pulse.standing, &held);
        self.give_later(plan.release);
        if plan.claim > 0 && !cluster.draining.load(Ordering::Relaxed) {
            match cluster.port.claim(plan.claim).await {
                Ok(claimed) => self.gain(&claimed),
                // What it may have taken is never renewed, and falls to somebody when its lease ends.
                Err(error) => tracing::warn!(%error, "no shards could be taken"),
            }
        }
        let held = lock(&cluster.held).len();
        gauge!(names::SHARDS_HELD).set(held as f64);
        self.signs.spare(held == 0 && pulse.standing.free == 0);
    }

    /// Shards are given away beside the renewals: they stay this host's until their sessions and connections have ended.
    fn give_later(&self, shards: Vec<Shard>) {
        if shards.is_empty() {
            return;
        }
        for shard in &shards {
            if let Some(held) = lock(&self.cluster.held).get_mut(shard) {
                held.leaving = true;
            }
        }
        let ending = Arc::clone(&self.ending);
        self.leaving.spawn(async move { ending.give(&shards).await });
    }

    /// Begins shards.
    fn gain(&mut self, claimed: &[Claimed]) {
        for claimed in claimed {
            let lease = claimed.lease;
            tracing::info!(shard = %lease.shard, fence = %lease.fence, from = claimed.from.as_deref(), "this host holds a shard");
            let held = Held {
                lease,
                gateway: None,
                starting: None,
                leaving: false,
            };
            lock(&self.cluster.held).insert(lease.shard, held);
            let ours = (
                Arc::clone(&self.cluster),
                Arc::clone(&self.gateways),
                Arc::clone(&self.bot),
            );
            let starting = tokio::spawn(begin(ours.0, ours.1, ours.2, lease)).abort_handle();
            if let Some(held) = lock(&self.cluster.held).get_mut(&lease.shard) {
                held.starting = Some(starting);
            }
        }
        let taken_over = claimed.iter().filter(|claimed| claimed.from.is_some()).count();
        if taken_over > 0 {
            counter!(names::TAKEOVERS).increment(taken_over as u64);
            self.settle_later();
        }
    }

    /// Closes a dead host's sessions in the ledger: once their places have run out, which is at the latest a lease after it died.
    fn settle_later(&mut self) {
        while self.settling.try_join_next().is_some() {}
        let (sessions, half) = (self.bot.sessions().clone(), self.places_last / 2);
        self.settling.spawn(async move {
            for _ in 0..3 {
                sleep(half).await;
                if let Err(error) = sessions.recover().await {
                    tracing::warn!(%error, "a dead host's sessions could not be closed yet");
                }
            }
        });
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
        let within = Within::halves(self.cluster.timing.margin());
        self.ending.stop(&all, CloseReason::Fenced, within).await;
        gauge!(names::SHARDS_HELD).set(0.0);
    }
}

/// Begins a shard's connection: first what its last holder left open, then its turn to identify.
async fn begin(cluster: Arc<Cluster>, gateways: Arc<Gateways>, bot: Arc<Bot>, lease: Lease) {
    let shard = lease.shard;
    loop {
        match cluster.port.left_open(lease).await {
            Ok(calls) => {
                adopt(&cluster, &bot, lease, calls);
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
    gateways.closed(shard).await;
    let mut held = lock(&cluster.held);
    if let Some(held) = held.get_mut(&shard).filter(|held| held.lease == lease) {
        held.gateway = Some(gateways.start(shard));
    }
}

/// Keeps what a dead host left open until its guilds are known. Guilds that were in this shard when the gateway was divided
/// otherwise do not come through it: their people are told at once.
fn adopt(cluster: &Arc<Cluster>, bot: &Arc<Bot>, lease: Lease, calls: Vec<OpenCall>) {
    for call in calls {
        if Shard::of(call.guild, cluster.total) == lease.shard {
            lock(&cluster.orphans).insert(call.guild, call);
            continue;
        }
        let (cluster, bot) = (Arc::clone(cluster), Arc::clone(bot));
        Arc::clone(&bot).tasks().spawn(async move {
            tell_restarted(&bot, call.guild, call.text).await;
            if let Err(error) = cluster.port.call_over(lease, call.guild).await {
                tracing::warn!(guild = %call.guild, %error, "a dead host's call could not be struck out");
            }
        });
    }
}
