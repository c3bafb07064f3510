//! A process that keeps a ledger, made to be killed: the tests start it, watch what it says, and end it at the worst
//! moment.
//!
//! - `ledger_child embedded FILE SEED`: opens a store, recovers, runs sessions that tick every few milliseconds.
//! - `ledger_child metered FILE TICK_MILLIS`: the same with sessions that never end and are charged what really passed.
//! - `ledger_child contend URL NODE MILLIS`: reserves and releases places as fast as it can, and watches the limits.
//! - `ledger_child hold URL NODE`: holds one session and ticks until it is told to end.

use std::convert::Infallible;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{
    Charge, Closing, Ledger, LimitsConfig, LimitsError, Millis, NodeId, Opening, SlotClaim, Slots,
};
use goobster_core::session::{ChargeSeq, CloseReason, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::{EmbeddedStore, RedisOptions, RedisStore};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How long `hold` leases its place.
const LEASE: Duration = Duration::from_millis(600);
/// How long `contend` leases places: never timing out, however slow the machine, or a slow task would count for two.
const LONG_LEASE: Duration = Duration::from_mins(1);

fn now() -> UtcMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Whole lines at once: the reader must never see half of one.
fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // A reader that is gone ends this process soon.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["embedded", file, seed] => embedded(file, seed.parse().unwrap_or(0)).await,
        ["metered", file, tick] => metered(file, Duration::from_millis(tick.parse().unwrap_or(50))).await,
        ["contend", url, node, millis] => {
            contend(url, node.parse().unwrap_or(0), millis.parse().unwrap_or(0)).await
        }
        ["hold", url, node] => hold(url, node.parse().unwrap_or(0)).await,
        _ => Err(LimitsError::Configuration(
            "embedded FILE SEED, metered FILE TICK_MILLIS, contend URL NODE MILLIS or hold URL NODE".into(),
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Opens the store and recovers, and says how far it is.
async fn opened(file: &str, commit_interval: Duration) -> Result<Arc<EmbeddedStore>, LimitsError> {
    let limits = LimitsConfig {
        voice: Millis::from_hours(24),
        window: Millis::from_hours(24),
        forget_after: Millis::from_hours(24),
        ..LimitsConfig::default()
    };
    say("started");
    let store = Arc::new(EmbeddedStore::open(file, &limits, commit_interval).await?);
    say("open");
    store.recover(now()).await?;
    say("ready");
    Ok(store)
}

/// Four sessions at a time, charged every tick with what passed, until the process is killed.
async fn metered(file: &str, tick: Duration) -> Result<(), LimitsError> {
    let store = opened(file, EmbeddedStore::COMMIT_INTERVAL).await?;
    let first: u64 = StdRng::seed_from_u64(now().get().unsigned_abs()).random();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..4_u64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let claim = SlotClaim {
                session: SessionId::new(first.wrapping_add(lane)),
                user: UserId::new(lane),
                guild: GuildId::new(lane),
            };
            let lease = store.reserve(claim, Duration::from_secs(10)).await?;
            let epoch = store.confirm(lease).await?.epoch;
            let mut last = now();
            let mut ticks = tokio::time::interval(tick);
            ticks.tick().await;
            store
                .open(Opening {
                    claim,
                    epoch,
                    at: last,
                })
                .await?;
            say(&format!("opened {} {lane}", claim.session.get()));
            for seq in 1.. {
                ticks.tick().await;
                let at = now();
                let charge = Charge {
                    claim,
                    epoch,
                    seq: ChargeSeq::new(seq),
                    delta: Millis::from(at.since(last)),
                    at,
                };
                last = at;
                let asked = std::time::Instant::now();
                store.charge(charge).await?;
                say(&format!("took {}", asked.elapsed().as_millis()));
            }
            Ok::<(), LimitsError>(())
        });
    }
    match tasks.join_next().await {
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(LimitsError::unavailable("a session's task", error)),
        _ => Ok(()),
    }
}

/// Four sessions at a time, each of its own user; now and then one ends in order and another begins.
async fn embedded(file: &str, seed: u64) -> Result<(), LimitsError> {
    let store = opened(file, Duration::from_millis(3)).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..4_u64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { sessions_of(&store, lane, seed).await });
    }
    match tasks.join_next().await {
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(LimitsError::unavailable("a session's task", error)),
        _ => Ok(()),
    }
}

/// One user's sessions, one after the other, until the process is killed.
async fn sessions_of(store: &EmbeddedStore, lane: u64, seed: u64) -> Result<Infallible, LimitsError> {
    let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(4).wrapping_add(lane));
    loop {
        let session = SessionId::new(dice.random());
        let claim = SlotClaim {
            session,
            user: UserId::new(lane),
            guild: GuildId::new(lane),
        };
        one_session(store, claim, &mut dice).await?;
    }
}

/// Says what it asks for before it asks, and what is durable once it is.
async fn one_session(store: &EmbeddedStore, claim: SlotClaim, dice: &mut StdRng) -> Result<(), LimitsError> {
    let SlotClaim { session, user, .. } = claim;
    let lease = store.reserve(claim, Duration::from_secs(10)).await?;
    let lease = store.confirm(lease).await?;
    say(&format!("opening {} {user}", session.get()));
    store
        .open(Opening {
            claim,
            epoch: lease.epoch,
            at: now(),
        })
        .await?;
    say(&format!("opened {} {user}", session.get()));
    for seq in 1..=dice.random_range(3..40_u64) {
        tokio::time::sleep(Duration::from_millis(dice.random_range(1..6))).await;
        let (delta, at) = (Millis::new(dice.random_range(1..5_000)), now());
        say(&format!(
            "charging {} {seq} {} {}",
            session.get(),
            delta.get(),
            at.get()
        ));
        let charge = Charge {
            claim,
            epoch: lease.epoch,
            seq: ChargeSeq::new(seq),
            delta,
            at,
        };
        store.charge(charge).await?;
        say(&format!(
            "charged {} {seq} {} {}",
            session.get(),
            delta.get(),
            at.get()
        ));
    }
    let closing = Closing {
        claim,
        epoch: lease.epoch,
        at: now(),
        reason: CloseReason::EndedByOwner,
    };
    say(&format!("closing {}", session.get()));
    store.close(closing).await?;
    say(&format!("closed {}", session.get()));
    store.release(lease).await?;
    Ok(())
}

/// The limits under which processes contend: tight, so that they are reached all the time.
fn tight() -> LimitsConfig {
    LimitsConfig {
        per_user: 2,
        per_guild: 3,
        total: 5,
        ..LimitsConfig::default()
    }
}

async fn redis(url: &str, node: u64, lease: Duration) -> Result<RedisStore, LimitsError> {
    let options = RedisOptions {
        lease,
        patience: Duration::from_secs(5),
        ..RedisOptions::default()
    };
    RedisStore::connect(url, NodeId::new(node), &tight(), options).await
}

/// Twelve tasks fight for places. A second, independent count on the same server (raised after a place is had, lowered
/// before it is given back) can never pass a limit unless the limit was passed.
async fn contend(url: &str, node: u64, millis: u64) -> Result<(), LimitsError> {
    let store = redis(url, node, LONG_LEASE).await?;
    let counter =
        ::redis::Client::open(url).map_err(|error| LimitsError::unavailable("the counter", error))?;
    let counter = counter
        .get_multiplexed_async_connection()
        .await
        .map_err(|error| LimitsError::unavailable("the counter", error))?;
    let (had, refused, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut tasks = tokio::task::JoinSet::new();
    let end = tokio::time::Instant::now() + Duration::from_millis(millis);
    for lane in 0..12_u64 {
        let (store, mut counter) = (store.clone(), counter.clone());
        let (had, refused, over) = (Arc::clone(&had), Arc::clone(&refused), Arc::clone(&over));
        tasks.spawn(async move {
            let mut dice = StdRng::seed_from_u64(node * 100 + lane);
            while tokio::time::Instant::now() < end {
                // Users are shared between the processes, guilds are not: a guild has one process.
                let (user, guild) = (
                    dice.random_range(0..4_u64),
                    node * 10 + dice.random_range(0..2_u64),
                );
                let session = SessionId::new(dice.random());
                let claim = SlotClaim {
                    session,
                    user: UserId::new(user),
                    guild: GuildId::new(guild),
                };
                let lease = match store.reserve(claim, LONG_LEASE).await {
                    Ok(lease) => lease,
                    Err(LimitsError::Refused(_)) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                had.fetch_add(1, Ordering::Relaxed);
                let counts = [
                    ("probe:all".into(), 5),
                    (format!("probe:user:{user}"), 2),
                    (format!("probe:guild:{guild}"), 3),
                ];
                let failed = |error| LimitsError::unavailable("the counter", error);
                for (key, limit) in &counts {
                    let held: i64 = ::redis::cmd("INCR")
                        .arg(key)
                        .query_async(&mut counter)
                        .await
                        .map_err(failed)?;
                    if held > *limit {
                        over.fetch_add(1, Ordering::Relaxed);
                    }
                }
                if dice.random_bool(0.5) {
                    store.confirm(lease).await?;
                }
                for (key, _) in &counts {
                    let _: i64 = ::redis::cmd("DECR")
                        .arg(key)
                        .query_async(&mut counter)
                        .await
                        .map_err(failed)?;
                }
                store.release(lease).await?;
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| LimitsError::unavailable("a task", error))??;
    }
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    say(&format!(
        "contended {} {} {}",
        count(&had),
        count(&refused),
        count(&over)
    ));
    Ok(())
}

/// One session of user 1 in guild 1: charges 10 ms every 50 ms, renews, and says why it had to stop.
async fn hold(url: &str, node: u64) -> Result<(), LimitsError> {
    let store = redis(url, node, LEASE).await?;
    let claim = SlotClaim {
        session: SessionId::new(node),
        user: UserId::new(1),
        guild: GuildId::new(1),
    };
    let lease = store.reserve(claim, LEASE).await?;
    let lease = store.confirm(lease).await?;
    store
        .open(Opening {
            claim,
            epoch: lease.epoch,
            at: now(),
        })
        .await?;
    say(&format!("holds {}", lease.epoch));
    for seq in 1.. {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let charge = Charge {
            claim,
            epoch: lease.epoch,
            seq: ChargeSeq::new(seq),
            delta: Millis::new(10),
            at: now(),
        };
        let charged = store.charge(charge).await;
        let kept = match charged {
            Ok(_) => store.renew(lease).await.map(drop),
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => say(&format!("charged {seq}")),
            Err(error) if error.ends_session() => {
                let why = match error {
                    LimitsError::Fenced { .. } => "fenced",
                    LimitsError::SessionClosed { .. } => "closed",
                    _ => "lost",
                };
                // What a stale process tries last must not count either.
                let closing = Closing {
                    claim,
                    epoch: lease.epoch,
                    at: now(),
                    reason: CloseReason::Fenced,
                };
                let first = store.close(closing).await.map(|closed| closed.first);
                say(&format!("stopped {why} {first:?}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
