//! Benchmarks live in `benches/`; this library holds what they share.
//!
//! - [`call`]: packets of a call, made beforehand, and speakers that take them.
//! - [`quality`]: figures beside the times, read by `cargo xtask bench`.
//! - [`response`]: what a resampler does to each frequency, measured from outside.
//! - [`recordings`]: the sample recordings as samples, with what is said in them.
//! - [`resamplers`], [`detectors`]: the peers, those of the system loaded at run time.
//! - [`faster_whisper`]: a peer in a process of its own.

pub mod call;
pub mod detectors;
pub mod faster_whisper;
pub mod quality;
pub mod recordings;
pub mod resamplers;
pub mod response;

/// Whether `cargo xtask bench --quick` started us: fewer recordings then.
pub fn is_quick() -> bool {
    std::env::var_os("GOOBSTER_BENCH_QUICK").is_some()
}
