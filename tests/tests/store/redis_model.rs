//! Redis against the model: the Lua scripts give the same answers as the pure rules, key by key nothing lives for ever,
//! and the server's clock is the one that counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goobster_core::ids::UserId;
use goobster_core::limits::{Ledger, LimitsConfig, LimitsError, Millis, Opening, PolicyKind, Slots};
use goobster_core::session::Epoch;
use goobster_core::time::UtcMillis;
use goobster_store::{MemoryStore, TimeSource};
use goobster_tests::redis_server::RedisServer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::{NOW, Store, begin, charge, claim, closing, limits, redis};

/// What an operation answered, without what differs by nature (epochs).
async fn act(store: &dyn Store, dice: &mut StdRng, now: UtcMillis, epoch: Epoch, sessions: &[u64]) -> String {
    let session = sessions[dice.random_range(0..sessions.len())];
    // The users are this run's own too.
    let claim = claim(session, session / 2, 1);
    let short = |error: LimitsError| match error {
        LimitsError::Refused(refusal) => format!("{refusal:?}"),
        LimitsError::SessionClosed { .. } => "closed".into(),
        LimitsError::UnknownSession { .. } => "unknown".into(),
        other => format!("{other:?}"),
    };
    let delta = Millis::new(dice.random_range(0..400_000));
    let seq = dice.random_range(1..60);
    match dice.random_range(0..10) {
        0 => match store
            .open(Opening {
                claim,
                epoch,
                at: now,
            })
            .await
        {
            Ok(charged) => format!("opened {charged:?}"),
            Err(error) => short(error),
        },
        1 => match store.close(closing(claim, epoch, now)).await {
            Ok(closed) => format!(
                "closed {} {:?} {}",
                closed.first,
                closed.record.charged,
                closed.record.closed_at.get()
            ),
            Err(error) => short(error),
        },
        2 | 3 => format!("{:?}", store.usage(claim.user, now).await.unwrap()),
        _ => match store.charge(charge(claim, epoch, seq, delta, now)).await {
            Ok(charged) => format!("{charged:?}"),
            Err(error) => short(error),
        },
    }
}

#[tokio::test]
async fn the_scripts_agree_with_the_pure_rules() {
    let server = RedisServer::start();
    let mut prefix = 0;
    for policy in [PolicyKind::Fixed, PolicyKind::Sliding] {
        for seed in 0..60_u64 {
            let limits = limits(policy);
            let model = MemoryStore::new(&limits).unwrap();
            let redis = redis(&server, 1, &limits, TimeSource::Caller).await;
            prefix += 100;
            let sessions: Vec<u64> = (0..4).map(|n| prefix + n).collect();
            let mut epochs = Vec::new();
            for store in [&model as &dyn Store, &redis] {
                let lease = store
                    .reserve(claim(prefix + 9, prefix + 9, 1), Duration::from_secs(5))
                    .await
                    .unwrap();
                store.release(lease).await.unwrap();
                epochs.push(lease.epoch);
            }
            let (mut ours, mut theirs) = (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(seed));
            let mut steps = StdRng::seed_from_u64(seed ^ 0xff);
            let mut now = NOW;
            for step in 0..40 {
                let wait = steps.random_range(0..600_000_i64);
                let back = if steps.random_bool(0.1) {
                    steps.random_range(0..8_000_000_i64)
                } else {
                    0
                };
                now = UtcMillis::new(now.get() + wait - back);
                let wanted = act(&model, &mut ours, now, epochs[0], &sessions).await;
                let got = act(&redis, &mut theirs, now, epochs[1], &sessions).await;
                assert_eq!(
                    got,
                    wanted,
                    "{policy:?}, seed {seed}, step {step}, at {}",
                    now.get()
                );
            }
        }
    }
}

#[tokio::test]
async fn no_key_lives_for_ever() {
    let server = RedisServer::start();
    let store = redis(&server, 1, &limits(PolicyKind::Sliding), TimeSource::Server).await;
    let epoch = begin(&store, claim(1, 1, 1), NOW).await;
    store
        .charge(charge(claim(1, 1, 1), epoch, 1, Millis::from_secs(5), NOW))
        .await
        .unwrap();
    begin(&store, claim(2, 2, 2), NOW).await;
    store.close(closing(claim(1, 1, 1), epoch, NOW)).await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut link).await.unwrap();
    assert!(keys.len() >= 12, "{keys:?}");
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut link).await.unwrap();
        // A guild's epoch must never start anew, and the index is emptied by closing and recovering.
        let for_ever = key.ends_with(":served") || key.ends_with(":open");
        assert_eq!(ttl == -1, for_ever, "{key}: {ttl}");
        if key.ends_with(":quota") {
            assert!(
                ttl > 10_790_000 && ttl <= 10_800_000,
                "a member is forgotten after three hours: {ttl}"
            );
        }
    }
}

#[tokio::test]
async fn the_servers_clock_counts_and_not_the_callers() {
    let server = RedisServer::start();
    let store = redis(&server, 1, &limits(PolicyKind::Fixed), TimeSource::Server).await;
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let epoch = begin(&store, claim(1, 1, 1), UtcMillis::new(real)).await;
    // The caller's clock runs a day ahead: what it says lies in the future is now.
    let ahead = UtcMillis::new(real + 86_400_000);
    let charged = store
        .charge(charge(claim(1, 1, 1), epoch, 1, Millis::from_secs(5), ahead))
        .await
        .unwrap();
    let resets = charged.usage.resets_at.unwrap().get() - (real + 3_595_000);
    assert!((0..10_000).contains(&resets), "{resets}");
    // A charge that waited for ten minutes is entered where it belongs.
    let waited = UtcMillis::new(real - 600_000);
    let charged = store
        .charge(charge(claim(2, 2, 2), epoch, 1, Millis::from_secs(5), waited))
        .await;
    assert!(
        matches!(charged, Err(LimitsError::UnknownSession { .. })),
        "{charged:?}"
    );
    let epoch = begin(&store, claim(2, 2, 2), waited).await;
    let charged = store
        .charge(charge(claim(2, 2, 2), epoch, 1, Millis::from_secs(5), waited))
        .await
        .unwrap();
    let resets = charged.usage.resets_at.unwrap().get() - (real - 600_000 + 3_595_000);
    assert!((0..10_000).contains(&resets), "{resets}");
}

async fn send(link: &mut redis::aio::MultiplexedConnection, command: &[&str]) {
    let (name, args) = command.split_first().unwrap();
    let _: redis::Value = redis::cmd(name).arg(args).query_async(link).await.unwrap();
}

#[tokio::test]
async fn damaged_data_is_an_error_and_not_a_fresh_quota() {
    let server = RedisServer::start();
    let store = redis(&server, 1, &limits(PolicyKind::Fixed), TimeSource::Server).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let (quota, mark) = ("goobster:{u1}:quota", "goobster:{u1}:mark:0000000000000001");
    let epoch = begin(&store, claim(1, 1, 1), NOW).await;
    let mut seq = 0;
    let mut ask = async || {
        seq += 1;
        let five = charge(claim(1, 1, 1), epoch, seq, Millis::from_secs(5), NOW);
        store.charge(five).await
    };
    ask().await.unwrap();
    for damage in [
        &["HSET", quota, "used", "many"][..],
        &["HSET", quota, "used", "nan"],
        &["HSET", quota, "start", "soon"],
        &["HSET", quota, "total", "plenty"],
        &["HSET", quota, "kind", "square"],
        // Half-written rows.
        &["HDEL", quota, "used"],
        &["HDEL", quota, "start"],
        &["HDEL", quota, "total"],
        &["HDEL", quota, "kind"],
        &["SET", quota, "gone"],
        &["SET", mark, "gone"],
    ] {
        let key = damage[1];
        send(&mut link, &["COPY", key, "{u1}copy", "REPLACE"]).await;
        send(&mut link, damage).await;
        let charged = ask().await;
        assert!(
            matches!(charged, Err(LimitsError::Corrupt { .. })),
            "{damage:?}: {charged:?}"
        );
        if key == quota {
            let usage = store.usage(UserId::new(1), NOW).await;
            assert!(
                matches!(usage, Err(LimitsError::Corrupt { .. })),
                "{damage:?}: {usage:?}"
            );
        }
        send(&mut link, &["COPY", "{u1}copy", key, "REPLACE"]).await;
        ask().await.expect("repaired");
    }
}

#[tokio::test]
async fn a_damaged_row_does_not_keep_the_others_from_being_recovered() {
    let server = RedisServer::start();
    let store = redis(&server, 1, &limits(PolicyKind::Fixed), TimeSource::Server).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    // More than one page of the index has.
    for session in 1..=40 {
        let dead = claim(session, session, session);
        begin(&store, dead, NOW).await;
        let lease = store.reserve(dead, Duration::from_secs(5)).await.unwrap();
        store.release(lease).await.unwrap();
    }
    for (session, damage) in [
        (7, &["HSET", "tick", "late"][..]),
        (8, &["HDEL", "tick"]),
        (9, &["HDEL", "seq"]),
        (10, &["HSET", "charged", "much"]),
    ] {
        let row = format!("goobster:{{g{session}}}:row:{session:016x}");
        let command: Vec<&str> = [&damage[..1], &[&row], &damage[1..]].concat();
        send(&mut link, &command).await;
    }
    let crashed = store.recover(NOW).await.unwrap().crashed;
    let mut sessions: Vec<u64> = crashed.iter().map(|record| record.claim.session.get()).collect();
    sessions.sort_unstable();
    let sound: Vec<u64> = (1..=6).chain(11..=40).collect();
    assert_eq!(sessions, sound);
    // They are still there for an operator, and closed once they are repaired.
    let row = "goobster:{g7}:row:0000000000000007";
    send(&mut link, &["HSET", row, "tick", "1800000000000"]).await;
    let crashed = store.recover(NOW).await.unwrap().crashed;
    assert_eq!((crashed.len(), crashed[0].claim), (1, claim(7, 7, 7)));
}

/// What a sliding window held begins a fixed one, once: looking again does not move it.
#[tokio::test]
async fn a_change_of_policy_fixes_when_the_window_resets() {
    let server = RedisServer::start();
    let sliding = redis(&server, 1, &limits(PolicyKind::Sliding), TimeSource::Caller).await;
    let epoch = begin(&sliding, claim(1, 1, 1), NOW).await;
    let minute = charge(claim(1, 1, 1), epoch, 1, Millis::from_mins(1), NOW);
    sliding.charge(minute).await.unwrap();
    let fixed = redis(&server, 1, &limits(PolicyKind::Fixed), TimeSource::Caller).await;
    let first = fixed.usage(UserId::new(1), NOW).await.unwrap();
    let second = fixed
        .usage(UserId::new(1), NOW.after(Duration::from_mins(10)))
        .await
        .unwrap();
    assert_eq!(first.used, Millis::from_mins(1));
    assert_eq!((second.used, second.resets_at), (first.used, first.resets_at));
}

#[tokio::test]
async fn a_password_in_the_address_is_never_repeated() {
    for url in [
        "redis://:hunter2@127.0.0.1:1/",
        "redis://:hunter2@127.0.0.1:notaport/",
    ] {
        let options = goobster_store::RedisOptions {
            patience: Duration::from_millis(200),
            ..Default::default()
        };
        let node = goobster_core::limits::NodeId::new(1);
        let error = goobster_store::RedisStore::connect(url, node, &LimitsConfig::default(), options)
            .await
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
