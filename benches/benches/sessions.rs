//! Session bookkeeping: the hot path's stamp beside governor's keyed check, and ten thousand sessions at once. No store
//! behind it and instant steps, so that what is measured is ours.
//!
//! `cargo bench -p goobster-benches --bench sessions`; the memory of idle sessions is printed before the benchmarks.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group};
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::{Ledger, LimitsConfig, Slots};
use goobster_core::session::{
    Activity, BotPermissions, Candidate, Consent, NewSession, Parts, SessionConfig, SessionManager,
    SessionPorts, SystemClock, VoiceChannel,
};
use goobster_core::time::Moment;
use tokio::runtime::Runtime;

#[path = "../../crates/goobster-core/tests/support/local.rs"]
mod local;

const MANY: u64 = 10_000;

fn manager() -> SessionManager {
    let limits = LimitsConfig {
        total: u32::MAX,
        ..LimitsConfig::default()
    };
    let store = Arc::new(local::Local::new(&limits));
    let ports = SessionPorts {
        slots: Arc::clone(&store) as Arc<dyn Slots>,
        ledger: store as Arc<dyn Ledger>,
        clock: Arc::new(SystemClock),
        node: 0,
    };
    SessionManager::new(SessionConfig::default(), limits, ports).unwrap()
}

fn new_session(number: u64) -> NewSession {
    // Eight sessions a guild share a call.
    let admitted = Candidate {
        user: UserId::new(number),
        is_bot: false,
        guild: Some(GuildId::new(number / 8)),
        voice: Some(VoiceChannel {
            id: ChannelId::new(1),
            name: "Lounge".to_owned(),
        }),
        permissions: BotPermissions::ALL,
        consent: Consent::Given,
    };
    NewSession::new(admitted.admit().unwrap(), ChannelId::new(2), Parts::none())
}

async fn start_many(sessions: &SessionManager) {
    // A few hundred at a time, as many as may ever start at once.
    for first in (0..MANY).step_by(500) {
        let starts: Vec<_> = (first..first + 500)
            .map(|number| {
                let sessions = sessions.clone();
                tokio::spawn(async move { sessions.add(new_session(number)).await.map(|_| ()) })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
    }
}

async fn end_many(sessions: &SessionManager) {
    let ends: Vec<_> = (0..MANY)
        .map(|number| sessions.end(UserId::new(number)).unwrap())
        .collect();
    for end in ends {
        end.closed().await.unwrap();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
}

/// The time of `iterations` touches on each of `threads` threads, each on a session of its own.
fn touches(threads: usize, iterations: u64) -> Duration {
    let stamps: Vec<_> = (0..threads)
        .map(|_| Arc::new(Activity::new(Moment::ZERO)))
        .collect();
    let line = std::sync::Barrier::new(threads);
    let work = |stamp: &Activity| {
        line.wait();
        let began = Instant::now();
        for millis in 1..=iterations {
            // A new millisecond each time: the write is never skipped.
            stamp.touch(black_box(Moment::from_millis(millis)));
        }
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = stamps.iter().map(|stamp| scope.spawn(|| work(stamp))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .max()
            .unwrap()
    })
}

fn touch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("touch");
    let stamp = Activity::new(Moment::ZERO);
    let mut millis = 0;
    group.bench_function("a new millisecond each time", |bencher| {
        bencher.iter(|| {
            millis += 1;
            stamp.touch(black_box(Moment::from_millis(millis)));
        });
    });
    group.bench_function("the same millisecond", |bencher| {
        bencher.iter(|| stamp.touch(black_box(Moment::from_millis(millis))));
    });
    let quota = governor::Quota::per_second(NonZeroU32::MAX);
    let limiter = governor::RateLimiter::keyed(quota);
    group.bench_function("governor keyed check", |bencher| {
        bencher.iter(|| limiter.check_key(&black_box(41_u64)).is_ok());
    });
    group.bench_function("one thread", |bencher| {
        bencher.iter_custom(|iterations| touches(1, iterations));
    });
    group.bench_function("two threads, two sessions", |bencher| {
        bencher.iter_custom(|iterations| touches(2, iterations));
    });
    group.finish();
}

fn ten_thousand(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("10,000 sessions");
    group.sample_size(10);
    group.bench_function("start and end", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let sessions = manager();
                start_many(&sessions).await;
                end_many(&sessions).await;
            });
        });
    });
    group.bench_function("cancel and clean up", |bencher| {
        bencher.iter_batched(
            || {
                let sessions = manager();
                runtime.block_on(start_many(&sessions));
                sessions
            },
            |sessions| {
                let shutdown = runtime.block_on(sessions.shutdown());
                assert_eq!((shutdown.ended as u64, shutdown.left), (MANY, 0));
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Resident memory of this process in bytes; `None` where there is no `/proc`.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

fn print_memory() {
    let runtime = runtime();
    runtime.block_on(async {
        let sessions = manager();
        let before = resident();
        start_many(&sessions).await;
        if let (Some(before), Some(after)) = (before, resident()) {
            let grown = after.saturating_sub(before);
            println!(
                "memory of {MANY} idle sessions: {:.1} MB, {} bytes each (goal: under 40 MB)",
                grown as f64 / 1e6,
                grown / MANY
            );
        }
        sessions.shutdown().await;
    });
}

criterion_group!(benches, touch, ten_thousand);

fn main() {
    print_memory();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
