//! Benchmarks live in `benches/`; this library holds what they share.
//!
//! - [`call`]: packets of a call, made beforehand, and speakers that take them.
//! - [`quality`]: figures beside the times, read by `cargo xtask bench`.
//! - [`response`]: what a resampler does to each frequency, measured from outside.
//! - [`resamplers`], [`detectors`]: the peers, those of the system loaded at run time.

pub mod call;
pub mod detectors;
pub mod quality;
pub mod resamplers;
pub mod response;
