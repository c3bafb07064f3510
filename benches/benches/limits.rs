//! The limiter's hot path beside governor's keyed check, in the same run.
//!
//! Both know 10,000 members and meet them in the same scrambled order. governor counts cells of a rate and keeps no
//! usage; ours answers with the whole usage and, for a charge, records every millisecond. governor reads its own clock
//! as it does in production (`keyed_check`), and once a clock that costs nothing (`keyed_check_free_clock`); ours is
//! handed the time, as everywhere in the core.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use goobster_core::ids::UserId;
use goobster_core::limits::{LimitsConfig, Millis, PolicyKind, Quotas};
use goobster_core::time::UtcMillis;
use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};

const MEMBERS: u64 = 10_000;
const NOW: UtcMillis = UtcMillis::new(1_800_000_000_000);

/// Members in an order that no cache can guess: a full cycle of a linear congruence.
fn next(member: u64) -> u64 {
    (member * 4_241 + 1_234_567) % MEMBERS
}

/// An id as Discord makes them.
fn user(member: u64) -> u64 {
    175_928_847_299_117_063 + (member << 22)
}

fn quotas(policy: PolicyKind) -> Quotas {
    let quotas = Quotas::new(&LimitsConfig {
        policy,
        ..LimitsConfig::default()
    });
    for member in 0..MEMBERS {
        quotas.charge(UserId::new(user(member)), NOW, Millis::from_secs(5));
    }
    quotas
}

fn quota() -> Quota {
    // Never exhausted: the allowed path is the one that counts.
    Quota::per_second(NonZeroU32::MAX).allow_burst(NonZeroU32::MAX)
}

fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits");
    let mut member = 0;
    let mut step = move || {
        member = next(member);
        user(member)
    };

    let limiter = RateLimiter::keyed(quota());
    (0..MEMBERS).for_each(|member| drop(limiter.check_key(&user(member))));
    group.bench_function("governor/keyed_check", |b| {
        b.iter(|| black_box(limiter.check_key(&step())));
    });

    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::dashmap_with_clock(quota(), clock);
    (0..MEMBERS).for_each(|member| drop(limiter.check_key(&user(member))));
    group.bench_function("governor/keyed_check_free_clock", |b| {
        b.iter(|| black_box(limiter.check_key(&step())));
    });

    let fixed = quotas(PolicyKind::Fixed);
    group.bench_function("goobster/check", |b| {
        b.iter(|| black_box(fixed.check(UserId::new(step()), NOW)));
    });
    // A charge answers with the usage after it: it is check and charge in one.
    group.bench_function("goobster/check_and_charge", |b| {
        b.iter(|| black_box(fixed.charge(UserId::new(step()), NOW, Millis::new(20))));
    });
    group.bench_function("goobster/check_then_charge", |b| {
        b.iter(|| {
            let user = UserId::new(step());
            black_box(fixed.check(user, NOW));
            black_box(fixed.charge(user, NOW, Millis::new(20)))
        });
    });
    let sliding = quotas(PolicyKind::Sliding);
    group.bench_function("goobster/check_and_charge_sliding", |b| {
        b.iter(|| black_box(sliding.charge(UserId::new(step()), NOW, Millis::new(20))));
    });
    group.finish();
}

/// Two threads at once, each with its own members, as two sessions on two cores.
fn two_threads(criterion: &mut Criterion) {
    const TURNS: u64 = 20_000;
    let mut group = criterion.benchmark_group("limits_two_threads");
    group.throughput(criterion::Throughput::Elements(2 * TURNS));

    let limiter = RateLimiter::keyed(quota());
    group.bench_function("governor/keyed_check", |b| {
        b.iter(|| both(TURNS, |user| drop(black_box(limiter.check_key(&user)))));
    });
    let fixed = quotas(PolicyKind::Fixed);
    group.bench_function("goobster/check_and_charge", |b| {
        b.iter(|| {
            both(TURNS, |user| {
                black_box(fixed.charge(UserId::new(user), NOW, Millis::new(20)));
            });
        });
    });
    group.finish();
}

fn both(turns: u64, act: impl Fn(u64) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let act = &act;
            scope.spawn(move || {
                let mut member = thread;
                for _ in 0..turns {
                    member = next(member);
                    // Even members are one thread's, odd ones the other's.
                    act(user(member & !1 | thread));
                }
            });
        }
    });
}

criterion_group! {
    name = limits;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = one_thread, two_threads
}
criterion_main!(limits);
