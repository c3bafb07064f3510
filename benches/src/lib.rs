//! Benchmarks live in `benches/`; this library holds what they share.
//!
//! - [`quality`]: figures beside the times, read by `cargo xtask bench`.
//! - [`recordings`]: the sample recordings as samples, with what is said in them.
//! - [`faster_whisper`]: a peer in a process of its own.

pub mod faster_whisper;
pub mod quality;
pub mod recordings;

/// Whether `cargo xtask bench --quick` started us: fewer recordings then.
pub fn is_quick() -> bool {
    std::env::var_os("GOOBSTER_BENCH_QUICK").is_some()
}
