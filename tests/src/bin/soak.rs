//! The soak: runs seeded fault plans against the session manager, as many as asked, on every core, under paused time.
//!
//! ```text
//! soak --seeds 10000 [--seed-start 0]
//! ```
//!
//! Its last line counts seeds and violations. With a violation it exits 1 and prints the seed that reproduces it.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goobster_tests::sessions::{Outcome, run_seed};

const USAGE: &str = "usage: soak --seeds N [--seed-start S]   (both whole numbers, N at least 1)";

/// Reads `--name N` or `--name=N`.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<(u64, u64), String> {
    let (mut seeds, mut start) = (None, 0);
    while let Some(argument) = given.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, given.next()),
        };
        let value = value.ok_or_else(|| format!("{name} needs a number"))?;
        let number = value
            .parse()
            .map_err(|error| format!("{name} {value}: {error}"))?;
        match name.as_str() {
            "--seeds" => seeds = Some(number),
            "--seed-start" => start = number,
            _ => return Err(format!("{name} is unknown")),
        }
    }
    match seeds {
        Some(seeds @ 1..) => Ok((seeds, start)),
        _ => Err("--seeds is missing or zero".to_owned()),
    }
}

/// The planned panics are part of the plan: only others are shown.
fn hush_planned_panics() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() != Some("planned panic") {
            shown(info);
        }
    }));
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    sessions: usize,
    cleanup_errors: usize,
    forced: usize,
    simulated: Duration,
    violations: u64,
}

fn main() -> ExitCode {
    let (seeds, start) = match arguments(std::env::args().skip(1)) {
        Ok(numbers) => numbers,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    hush_planned_panics();
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= seeds {
                        break;
                    }
                    let seed = start.wrapping_add(index);
                    // A panic of the run itself is a violation like any other, with the seed that reproduces it.
                    let outcome = std::panic::catch_unwind(|| run_seed(seed));
                    let outcome = match outcome {
                        Ok(Ok(outcome)) => outcome,
                        Ok(Err(error)) => broken(format!("no runtime: {error}")),
                        Err(_) => broken("the run panicked".to_owned()),
                    };
                    count(&totals, seed, &outcome);
                }
            });
        }
    });
    let totals = totals
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    println!(
        "soak: {} seeds from {start}, {} violations ({} sessions, {} forced, {} failed cleanup attempts, {:.0} h \
         simulated in {:.1} s)",
        totals.seeds,
        totals.violations,
        totals.sessions,
        totals.forced,
        totals.cleanup_errors,
        totals.simulated.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f64(),
    );
    if totals.violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn broken(violation: String) -> Outcome {
    Outcome {
        violations: vec![violation],
        ..Outcome::default()
    }
}

fn count(totals: &Mutex<Totals>, seed: u64, outcome: &Outcome) {
    let mut totals = totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    totals.seeds += 1;
    totals.sessions += outcome.sessions;
    totals.cleanup_errors += outcome.cleanup_errors;
    totals.forced += outcome.forced;
    totals.simulated += outcome.simulated;
    totals.violations += outcome.violations.len() as u64;
    for violation in &outcome.violations {
        println!("seed {seed}: {violation}");
    }
    if !outcome.violations.is_empty() {
        println!("reproduce with: cargo xtask soak --seeds 1 --seed-start {seed}");
    }
}
