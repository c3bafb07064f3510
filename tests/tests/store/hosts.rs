//! Hosts that share shards on a real Redis: one holder each, a silent host is succeeded, an older holder is fenced off.

use std::collections::BTreeSet;
use std::time::Duration;

use goobster_core::cluster::{
    Beat, Claimed, ClusterError, Coordinator, Gate, Lease, OpenCall, Pulse, Shard, plan,
};
use goobster_core::ids::{ChannelId, GuildId};
use goobster_store::RedisHosts;
use goobster_tests::redis_server::RedisServer;

const LEASE: Duration = Duration::from_millis(600);

struct Host {
    port: RedisHosts,
    held: Vec<Lease>,
    draining: bool,
}

impl Host {
    async fn new(server: &RedisServer, name: &str) -> Self {
        let patience = Duration::from_secs(2);
        let port = RedisHosts::connect(&server.url(), "t", name, LEASE, patience)
            .await
            .unwrap();
        Self {
            port,
            held: Vec::new(),
            draining: false,
        }
    }

    async fn beat(&mut self, total: u32) -> Result<Pulse, ClusterError> {
        let beat = Beat {
            total,
            held: self.held.clone(),
            draining: self.draining,
        };
        let pulse = self.port.beat(beat).await?;
        self.held.retain(|lease| !pulse.lost.contains(&lease.shard));
        Ok(pulse)
    }

    /// What the supervisor does at each renewal.
    async fn turn(&mut self, total: u32) -> Vec<Claimed> {
        let pulse = self.beat(total).await.unwrap();
        let held: Vec<(Shard, bool)> = self.held.iter().map(|lease| (lease.shard, false)).collect();
        let plan = plan(pulse.standing, &held);
        let (given, kept) = self
            .held
            .iter()
            .partition(|lease| plan.release.contains(&lease.shard));
        self.held = kept;
        self.port.release(given).await.unwrap();
        let claimed = self.port.claim(plan.claim).await.unwrap();
        self.held.extend(claimed.iter().map(|claimed| claimed.lease));
        claimed
    }
}

fn one_holder_each(hosts: &[&Host], total: u32) {
    let all: Vec<u32> = hosts
        .iter()
        .flat_map(|host| &host.held)
        .map(|l| l.shard.get())
        .collect();
    let unique: BTreeSet<u32> = all.iter().copied().collect();
    assert_eq!(
        (all.len(), unique.len()),
        (total as usize, total as usize),
        "{all:?}"
    );
}

#[tokio::test]
async fn shards_are_shared_and_a_silent_host_is_succeeded_when_its_lease_ends() {
    let server = RedisServer::start();
    let (mut a, mut b) = (Host::new(&server, "a").await, Host::new(&server, "b").await);
    a.turn(5).await;
    assert_eq!(a.held.len(), 5);
    b.turn(5).await;
    for _ in 0..2 {
        a.turn(5).await;
        b.turn(5).await;
    }
    one_holder_each(&[&a, &b], 5);
    assert!(matches!((a.held.len(), b.held.len()), (3, 2) | (2, 3)));
    let call = OpenCall {
        guild: GuildId::new(9),
        voice: ChannelId::new(1),
        text: ChannelId::new(2),
    };
    let old = a.held[0];
    a.port.call_begins(old, call).await.unwrap();
    // a falls silent; b lives on, and does not get anything before the lease ends.
    let silent = std::time::Instant::now();
    let mut gained = Vec::new();
    while b.held.len() < 5 {
        gained.extend(b.turn(5).await);
        assert!(b.held.len() == 5 || silent.elapsed() < LEASE * 4);
        assert!(gained.is_empty() || silent.elapsed() > LEASE / 2);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(gained.iter().all(|claimed| claimed.from.as_deref() == Some("a")));
    let new = b
        .held
        .iter()
        .find(|lease| lease.shard == old.shard)
        .copied()
        .unwrap();
    assert!(new.fence > old.fence);
    assert_eq!(b.port.left_open(new).await.unwrap(), [call]);
    b.port.call_over(new, call.guild).await.unwrap();
    assert_eq!(b.port.left_open(new).await.unwrap(), []);
    // a wakes up: it lost everything, and cannot write.
    let late = a.port.call_begins(old, call).await.unwrap_err();
    assert!(matches!(late, ClusterError::Fenced { shard } if shard == old.shard));
    let pulse = a.beat(5).await.unwrap();
    assert!(a.held.is_empty() && pulse.lost.contains(&old.shard));
    // What it does not hold it cannot give away.
    a.port.release(vec![old]).await.unwrap();
    assert!(b.beat(5).await.unwrap().lost.is_empty());
}

#[tokio::test]
async fn a_draining_host_gives_its_shards_away_at_once() {
    let server = RedisServer::start();
    let (mut a, mut b) = (Host::new(&server, "a").await, Host::new(&server, "b").await);
    a.turn(4).await;
    a.draining = true;
    b.turn(4).await;
    a.turn(4).await;
    assert!(a.held.is_empty());
    let gained = b.turn(4).await;
    assert!(gained.len() == 4 && gained.iter().all(|claimed| claimed.from.is_none()));
    a.port.leave().await.unwrap();
    assert_eq!(b.beat(4).await.unwrap().alive, 1);
}

#[tokio::test]
async fn hosts_that_count_shards_otherwise_are_refused_while_others_live() {
    let server = RedisServer::start();
    let (mut a, mut b) = (Host::new(&server, "a").await, Host::new(&server, "b").await);
    a.turn(4).await;
    let error = b.beat(8).await.unwrap_err();
    assert!(
        matches!(error, ClusterError::OtherTotal { ours: 8, theirs: 4 }),
        "{error}"
    );
    tokio::time::sleep(LEASE + Duration::from_millis(50)).await;
    assert_eq!(b.turn(8).await.len(), 8);
}

#[tokio::test]
async fn one_of_a_bucket_identifies_at_a_time() {
    let server = RedisServer::start();
    let (a, b) = (Host::new(&server, "a").await, Host::new(&server, "b").await);
    assert_eq!(a.port.identify(0).await.unwrap(), Gate::Open);
    let Gate::Wait(wait) = b.port.identify(0).await.unwrap() else {
        panic!("two at once");
    };
    assert!(wait > Duration::from_secs(4) && wait < Duration::from_secs(6));
    assert_eq!(b.port.identify(1).await.unwrap(), Gate::Open);
}
