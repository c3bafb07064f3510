//! The store goes away in the middle of sessions: they go on under local limits, what they use is written when it comes
//! back, and new ones follow the configured policy.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use goobster_core::ids::UserId;
use goobster_core::limits::{Ledger, LimitsConfig, LimitsError, Millis, NodeId, Opening, Refusal, Slots};
use goobster_core::session::Epoch;
use goobster_core::time::UtcMillis;
use goobster_store::{RedisOptions, RedisStore, Resilient, WhenDown};
use goobster_tests::redis_server::RedisServer;

use super::fixture::{begin, charge, claim, closing};

type Store = Resilient<RedisStore>;

fn now() -> UtcMillis {
    UtcMillis::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

fn limits() -> LimitsConfig {
    LimitsConfig {
        voice: Millis::from_secs(60),
        per_user: 2,
        ..LimitsConfig::default()
    }
}

async fn store(server: &RedisServer, when_down: WhenDown) -> Store {
    store_with(server, when_down, &limits(), Duration::from_millis(50)).await
}

async fn store_with(
    server: &RedisServer,
    when_down: WhenDown,
    limits: &LimitsConfig,
    retry_every: Duration,
) -> Store {
    let options = RedisOptions {
        lease: Duration::from_millis(800),
        patience: Duration::from_millis(400),
        ..RedisOptions::default()
    };
    let redis = RedisStore::connect(&server.url(), NodeId::new(1), limits, options)
        .await
        .unwrap();
    Resilient::with_timing(redis, limits, when_down, retry_every, Duration::from_millis(100))
}

async fn tick(
    store: &Store,
    session: u64,
    epoch: Epoch,
    seq: u64,
) -> Result<(bool, Millis, Millis), LimitsError> {
    let answer = store
        .charge(charge(
            claim(session, 1, 1),
            epoch,
            seq,
            Millis::from_secs(5),
            now(),
        ))
        .await?;
    Ok((answer.durable, answer.usage.used, answer.granted))
}

/// Waits until nothing waits to be written any more.
async fn written(store: &Store) {
    let started = Instant::now();
    while store.waiting() > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{} sessions still wait",
            store.waiting()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_sessions_go_on_and_new_ones_are_refused() {
    let mut server = RedisServer::start();
    let store = store(&server, WhenDown::Refuse).await;
    let epoch = begin(&store, claim(1, 1, 1), now()).await;
    assert_eq!(
        tick(&store, 1, epoch, 1).await.unwrap(),
        (true, Millis::from_secs(5), Millis::from_secs(15))
    );
    server.kill().unwrap();

    for seq in 2..=4 {
        let used = Millis::from_secs(5 * seq);
        assert_eq!(
            tick(&store, 1, epoch, seq).await.unwrap(),
            (false, used, Millis::from_secs(15)),
            "tick {seq}"
        );
    }
    let lease = goobster_core::limits::SlotLease {
        claim: claim(1, 1, 1),
        epoch,
        good_for: None,
    };
    store.renew(lease).await.expect("its place is kept");
    let refused = store.reserve(claim(2, 2, 2), Duration::from_secs(1)).await;
    assert!(
        matches!(refused, Err(LimitsError::Refused(Refusal::StoreDown))),
        "{refused:?}"
    );
    assert!(
        refused.unwrap_err().to_string().contains("try again soon"),
        "in plain words"
    );

    // Longer than the lease: nobody took the guild over, so the session keeps its place.
    tokio::time::sleep(Duration::from_millis(900)).await;
    server.resume().unwrap();
    written(&store).await;
    let redis = store.store();
    assert_eq!(
        redis.usage(UserId::new(1), now()).await.unwrap().used,
        Millis::from_secs(20),
        "written when it returned"
    );
    assert_eq!(
        tick(&store, 1, epoch, 5).await.unwrap(),
        (true, Millis::from_secs(25), Millis::from_secs(15))
    );
    store.renew(lease).await.unwrap();
    let closed = store.close(closing(claim(1, 1, 1), epoch, now())).await.unwrap();
    assert!(closed.durable && closed.first);
    assert_eq!(closed.record.charged, Millis::from_secs(25));
    store
        .reserve(claim(2, 2, 2), Duration::from_secs(1))
        .await
        .expect("and new ones may begin again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_is_written_though_somebody_else_has_the_place_by_now() {
    let mut server = RedisServer::start();
    let one_each = LimitsConfig {
        per_user: 1,
        ..limits()
    };
    // Nobody writes before it is said, so that the place is taken in between.
    let store = store_with(&server, WhenDown::Refuse, &one_each, Duration::from_secs(2)).await;
    let running = begin(&store, claim(1, 1, 1), now()).await;
    let ended = begin(&store, claim(2, 2, 2), now()).await;
    server.kill().unwrap();
    for seq in 1..=3 {
        tick(&store, 1, running, seq).await.unwrap();
        let owed = charge(claim(2, 2, 2), ended, seq, Millis::from_secs(4), now());
        assert!(!store.charge(owed).await.unwrap().durable);
    }
    store.close(closing(claim(2, 2, 2), ended, now())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    server.resume().unwrap();
    // Another process gives both members' only places to new sessions of theirs, in other guilds, before anything is written.
    let other = RedisStore::connect(&server.url(), NodeId::new(2), &one_each, RedisOptions::default())
        .await
        .unwrap();
    for (session, who) in [(11, 1), (12, 2)] {
        other
            .reserve(claim(session, who, session), Duration::from_secs(30))
            .await
            .unwrap();
    }
    written(&store).await;
    for (who, used) in [(1, 15), (2, 12)] {
        let usage = other.usage(UserId::new(who), now()).await.unwrap();
        assert_eq!(usage.used, Millis::from_secs(used), "member {who}");
    }
    let record = other.close_record(claim(2, 2, 2)).await.unwrap().unwrap();
    assert_eq!(record.charged, Millis::from_secs(12));
    let lease = goobster_core::limits::SlotLease {
        claim: claim(1, 1, 1),
        epoch: running,
        good_for: None,
    };
    let lost = store.renew(lease).await;
    assert!(matches!(lost, Err(LimitsError::LeaseLost { .. })), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_limit_ends_a_session_without_the_store() {
    let mut server = RedisServer::start();
    let store = store(&server, WhenDown::Refuse).await;
    let epoch = begin(&store, claim(1, 1, 1), now()).await;
    tick(&store, 1, epoch, 1).await.unwrap();
    server.kill().unwrap();
    let mut stopped = None;
    for seq in 2..=20 {
        let (durable, _, granted) = tick(&store, 1, epoch, seq).await.unwrap();
        assert!(!durable);
        if granted.is_zero() {
            stopped = Some(seq);
            break;
        }
    }
    assert_eq!(stopped, Some(12), "60 s in ticks of 5 s");
    let closed = store.close(closing(claim(1, 1, 1), epoch, now())).await.unwrap();
    assert!(closed.first && !closed.durable);
    assert!(
        !store
            .close(closing(claim(1, 1, 1), epoch, now()))
            .await
            .unwrap()
            .first,
        "closed once, even so"
    );
    server.resume().unwrap();
    written(&store).await;
    let record = store.close_record(claim(1, 1, 1)).await.unwrap().unwrap();
    assert_eq!(
        (record.charged, record.reason),
        (Millis::from_secs(60), closed.record.reason)
    );
    assert_eq!(
        store.usage(UserId::new(1), now()).await.unwrap().remaining,
        Millis::ZERO
    );
    assert_eq!(store.held().await.unwrap().total(), 0, "its place is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_costs_patience_and_counts_nothing_twice() {
    let server = RedisServer::start();
    let store = store(&server, WhenDown::Refuse).await;
    let epoch = begin(&store, claim(1, 1, 1), now()).await;
    tick(&store, 1, epoch, 1).await.unwrap();
    server.signal("STOP").unwrap();
    let asked = Instant::now();
    assert!(!tick(&store, 1, epoch, 2).await.unwrap().0);
    assert!(
        asked.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        asked.elapsed()
    );
    assert!(!tick(&store, 1, epoch, 3).await.unwrap().0);
    // The hanging server has the second charge in its socket and will do it when it wakes up.
    server.signal("CONT").unwrap();
    written(&store).await;
    assert_eq!(
        store.usage(UserId::new(1), now()).await.unwrap().used,
        Millis::from_secs(15)
    );
    let record = store
        .close(closing(claim(1, 1, 1), epoch, now()))
        .await
        .unwrap()
        .record;
    assert_eq!(
        (record.charged, record.last_seq.get()),
        (Millis::from_secs(15), 3)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allowed_locally_a_session_is_entered_when_the_store_returns() {
    let mut server = RedisServer::start();
    let store = store(&server, WhenDown::AllowLocally).await;
    server.kill().unwrap();
    let lease = store
        .reserve(claim(1, 1, 1), Duration::from_secs(5))
        .await
        .unwrap();
    let lease = store.confirm(lease).await.unwrap();
    let opened = store
        .open(Opening {
            claim: claim(1, 1, 1),
            epoch: lease.epoch,
            at: now(),
        })
        .await
        .unwrap();
    assert!(!opened.durable && !opened.granted.is_zero());
    tick(&store, 1, lease.epoch, 1).await.unwrap();
    for session in 2..=3 {
        let more = store.reserve(claim(session, 1, 1), Duration::from_secs(5)).await;
        let refused = matches!(more, Err(LimitsError::Refused(Refusal::UserSlots { .. })));
        assert_eq!(refused, session == 3, "the local limits hold: {more:?}");
    }
    server.resume().unwrap();
    written(&store).await;
    assert_eq!(
        store.store().usage(UserId::new(1), now()).await.unwrap().used,
        Millis::from_secs(5)
    );
    assert!(
        tick(&store, 1, lease.epoch, 2).await.unwrap().0,
        "and it goes on in the store"
    );
    store.renew(lease).await.unwrap();
    let record = store
        .close(closing(claim(1, 1, 1), lease.epoch, now()))
        .await
        .unwrap()
        .record;
    assert_eq!(record.charged, Millis::from_secs(10));
    assert!(store.release(lease).await.unwrap());
    assert_eq!(store.held().await.unwrap().total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_nobody_is_taken_for_crashed_at_once() {
    let mut server = RedisServer::start();
    let store = store(&server, WhenDown::Refuse).await;
    begin(&store, claim(1, 1, 1), now()).await;
    server.kill().unwrap();
    assert!(store.recover(now()).await.is_err());
    tokio::time::sleep(Duration::from_millis(900)).await;
    server.resume().unwrap();
    assert!(store.recover(now()).await.is_err() || store.recover(now()).await.unwrap().crashed.is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let crashed = loop {
        // A first answer after the outage may still find the old connection broken.
        if let Ok(recovery) = store.recover(now()).await
            && !recovery.crashed.is_empty()
        {
            break recovery.crashed.len();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(crashed, 1, "this one never came back");
}
