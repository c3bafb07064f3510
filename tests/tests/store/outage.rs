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

async fn redis(server: &RedisServer, node: u64, limits: &LimitsConfig) -> RedisStore {
    let options = RedisOptions {
        lease: Duration::from_millis(800),
        patience: Duration::from_millis(400),
        ..RedisOptions::default()
    };
    RedisStore::connect(&server.url(), NodeId::new(node), limits, options)
        .await
        .unwrap()
}

async fn store(server: &RedisServer, when_down: WhenDown) -> Store {
    Resilient::with_timing(
        redis(server, 1, &limits()).await,
        &limits(),
        when_down,
        Duration::from_millis(50),
        Duration::from_millis(100),
    )
}

/// A store that writes what waits only when it is told to, so that something can happen before.
async fn patient(server: &RedisServer, limits: &LimitsConfig) -> Store {
    let redis = redis(server, 1, limits).await;
    let (retry, grace) = (Duration::from_hours(1), Duration::from_millis(100));
    Resilient::with_timing(redis, limits, WhenDown::Refuse, retry, grace)
}

/// Writes what waits now. A first attempt after an outage may still find the old connection broken.
async fn flush(store: &Store) -> usize {
    let started = Instant::now();
    loop {
        match store.flush().await {
            Ok(waiting) => return waiting,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(10), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One session of the member has used 15 s, ten of them in an outage in which its place timed out. The store is back, and
/// another session of the member's has the one place before anything was written.
async fn overtaken(server: &mut RedisServer, closed: bool) -> (Store, Epoch) {
    let limits = LimitsConfig {
        per_user: 1,
        ..limits()
    };
    let store = patient(server, &limits).await;
    let epoch = begin(&store, claim(1, 1, 1), now()).await;
    tick(&store, 1, epoch, 1).await.unwrap();
    server.kill().unwrap();
    for seq in 2..=3 {
        assert!(!tick(&store, 1, epoch, seq).await.unwrap().0);
    }
    if closed {
        store.close(closing(claim(1, 1, 1), epoch, now())).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    server.resume().unwrap();
    begin(&redis(server, 1, &limits).await, claim(2, 1, 1), now()).await;
    (store, epoch)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_ended_session_used_counts_though_its_place_is_another_ones_by_now() {
    let mut server = RedisServer::start();
    let (store, _) = overtaken(&mut server, true).await;
    assert_eq!(flush(&store).await, 0);
    let used = store.usage(UserId::new(1), now()).await.unwrap().used;
    assert_eq!(
        used,
        Millis::from_secs(15),
        "nothing that was kept is thrown away"
    );
    let record = store.close_record(claim(1, 1, 1)).await.unwrap().unwrap();
    assert_eq!(
        (record.charged, record.reason),
        (
            Millis::from_secs(15),
            goobster_core::session::CloseReason::EndedByOwner
        )
    );
    assert_eq!(
        store.held().await.unwrap().total(),
        1,
        "the other one keeps its place"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_place_is_gone_is_ended_after_what_it_used_was_written() {
    let mut server = RedisServer::start();
    let (store, epoch) = overtaken(&mut server, false).await;
    assert_eq!(flush(&store).await, 0);
    let used = store.usage(UserId::new(1), now()).await.unwrap().used;
    assert_eq!(
        used,
        Millis::from_secs(15),
        "nothing that was kept is thrown away"
    );
    let ended = tick(&store, 1, epoch, 4).await;
    assert!(matches!(ended, Err(LimitsError::LeaseLost { .. })), "{ended:?}");
    let closed = store.close(closing(claim(1, 1, 1), epoch, now())).await.unwrap();
    assert!(closed.durable && closed.first);
    assert_eq!(closed.record.charged, Millis::from_secs(15));
    assert_eq!(
        store.held().await.unwrap().total(),
        1,
        "the other one keeps its place"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_members_damaged_data_keeps_nobody_elses_charges_waiting() {
    let mut server = RedisServer::start();
    let store = patient(&server, &limits()).await;
    let mut epoch = Epoch::new(0);
    for user in 1..=6 {
        epoch = begin(&store, claim(user, user, 1), now()).await;
        let five = charge(claim(user, user, 1), epoch, 1, Millis::from_secs(5), now());
        store.charge(five).await.unwrap();
    }
    server.kill().unwrap();
    for user in 1..=6 {
        let five = charge(claim(user, user, 1), epoch, 2, Millis::from_secs(5), now());
        assert!(!store.charge(five).await.unwrap().durable);
    }
    server.resume().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let mut damage = async |total: &str| {
        let mut set = redis::cmd("HSET");
        set.arg("goobster:{u3}:quota").arg("total").arg(total);
        let () = set.query_async(&mut link).await.unwrap();
    };
    damage("plenty").await;
    assert_eq!(flush(&store).await, 1, "only the damaged member's charge waits");
    for user in [1, 2, 4, 5, 6] {
        let used = store.usage(UserId::new(user), now()).await.unwrap().used;
        assert_eq!(used, Millis::from_secs(10), "member {user}");
    }
    // The operator repairs it: what was kept is still there, and counts once.
    damage("5000").await;
    assert_eq!(flush(&store).await, 0);
    let used = store.usage(UserId::new(3), now()).await.unwrap().used;
    assert_eq!(used, Millis::from_secs(10));
}

/// Neither a process that had nothing to ask during the outage nor one that starts right after it closes the sessions of
/// one that is about to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_did_not_notice_an_outage_closes_nobodys_sessions_after_it() {
    let server = RedisServer::start();
    let grace = Duration::from_secs(2);
    let other = async |node| {
        let (redis, retry) = (redis(&server, node, &limits()).await, Duration::from_millis(50));
        Resilient::with_timing(redis, &limits(), WhenDown::Refuse, retry, grace)
    };
    let (busy, idle) = (patient(&server, &limits()).await, other(2).await);
    let epoch = begin(&busy, claim(1, 1, 1), now()).await;
    tokio::time::sleep(grace + Duration::from_millis(200)).await;
    let lease = goobster_core::limits::SlotLease {
        claim: claim(1, 1, 1),
        epoch,
        good_for: None,
    };
    busy.renew(lease).await.unwrap();
    // The server hangs for longer than a lease: no connection breaks.
    server.signal("STOP").unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.signal("CONT").unwrap();

    assert_eq!(idle.recover(now()).await.unwrap().crashed, []);
    let starting = other(3).await;
    assert_eq!(starting.recover(now()).await.unwrap().crashed, []);
    tick(&busy, 1, epoch, 1).await.expect("it comes back in time");
    // Once the store has answered long enough, whoever is silent is dead.
    let back = Instant::now();
    let crashed = loop {
        let crashed = idle.recover(now()).await.unwrap().crashed;
        if !crashed.is_empty() {
            break crashed;
        }
        assert!(
            back.elapsed() < Duration::from_secs(8),
            "nobody is ever taken for crashed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(back.elapsed() > grace / 2, "{:?}", back.elapsed());
    assert_eq!((crashed.len(), crashed[0].charged), (1, Millis::from_secs(5)));
}
