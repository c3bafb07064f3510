//! What the tests of the stores share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{
    Charge, Closing, Ledger, LimitsConfig, Millis, NodeId, Opening, PolicyKind, SlotClaim, SlotLease, Slots,
};
use goobster_core::session::{ChargeSeq, CloseReason, Epoch, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::{EmbeddedStore, MemoryStore, RedisOptions, RedisStore, TimeSource};
use goobster_tests::redis_server::RedisServer;

/// 2027-01-15 08:00 UTC.
pub(crate) const NOW: UtcMillis = UtcMillis::new(1_800_000_000_000);

/// Both ports at once.
pub(crate) trait Store: Slots + Ledger {}
impl<S: Slots + Ledger> Store for S {}

/// A store under test, with what must live as long as it does.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn Store>,
    _server: Option<RedisServer>,
    _folder: tempfile::TempDir,
}

/// All three stores, empty, under the same limits; hours may be played in a moment on each.
pub(crate) async fn subjects(limits: &LimitsConfig) -> Vec<Subject> {
    let subject = |name, store, server| Subject {
        name,
        store,
        _server: server,
        _folder: tempfile::tempdir().unwrap(),
    };
    let memory = MemoryStore::new(limits).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let embedded = EmbeddedStore::open(folder.path().join("store.redb"), limits, Duration::from_millis(1))
        .await
        .unwrap();
    let server = RedisServer::start();
    let redis = redis(&server, 1, limits, TimeSource::Caller).await;
    vec![
        subject("memory", Arc::new(memory), None),
        Subject {
            name: "embedded",
            store: Arc::new(embedded),
            _server: None,
            _folder: folder,
        },
        subject("redis", Arc::new(redis), Some(server)),
    ]
}

/// A process's view of a server; places last 10 s without being renewed.
pub(crate) async fn redis(
    server: &RedisServer,
    node: u64,
    limits: &LimitsConfig,
    time: TimeSource,
) -> RedisStore {
    let options = RedisOptions {
        lease: Duration::from_secs(10),
        patience: Duration::from_secs(2),
        time,
        ..RedisOptions::default()
    };
    RedisStore::connect(&server.url(), NodeId::new(node), limits, options)
        .await
        .unwrap()
}

/// Limits that one session can reach.
pub(crate) fn limits(policy: PolicyKind) -> LimitsConfig {
    LimitsConfig {
        voice: Millis::from_mins(30),
        policy,
        per_user: 2,
        per_guild: 3,
        total: 4,
        ..Default::default()
    }
}

pub(crate) fn claim(session: u64, user: u64, guild: u64) -> SlotClaim {
    SlotClaim {
        session: SessionId::new(session),
        user: UserId::new(user),
        guild: GuildId::new(guild),
    }
}

/// A claim with a confirmed place, opened at `at`.
pub(crate) async fn begin(store: &(impl Store + ?Sized), claim: SlotClaim, at: UtcMillis) -> Epoch {
    begin_held(store, claim, at).await.epoch
}

/// The same, with the place to give back.
pub(crate) async fn begin_held(store: &(impl Store + ?Sized), claim: SlotClaim, at: UtcMillis) -> SlotLease {
    let lease = store.reserve(claim, Duration::from_secs(5)).await.unwrap();
    let lease = store.confirm(lease).await.unwrap();
    store
        .open(Opening {
            claim,
            epoch: lease.epoch,
            at,
        })
        .await
        .unwrap();
    lease
}

pub(crate) fn charge(claim: SlotClaim, epoch: Epoch, seq: u64, delta: Millis, at: UtcMillis) -> Charge {
    Charge {
        claim,
        epoch,
        seq: ChargeSeq::new(seq),
        delta,
        at,
    }
}

pub(crate) fn closing(claim: SlotClaim, epoch: Epoch, at: UtcMillis) -> Closing {
    Closing {
        claim,
        epoch,
        at,
        reason: CloseReason::EndedByOwner,
    }
}

/// `NOW`, later.
pub(crate) fn later(secs: u64) -> UtcMillis {
    NOW.after(Duration::from_secs(secs))
}

/// The program that is made to be killed.
pub(crate) fn child() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ledger_child"))
}
