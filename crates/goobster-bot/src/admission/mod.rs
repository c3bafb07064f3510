//! Admission: what this machine can follow, measured at the start, and what gives way when more is asked of it.
//!
//! The decisions are `goobster_core::admission`'s; here is what they are made of and what they do:
//! - [`calibrate`]: measures a decode and a speaker's sound for a second or so.
//! - [`guard`]: the seats of a process, asked by every ear and before every session.
//! - [`hearing`]: the recogniser with a smaller one beside it.
//! - `warden`: looks at the recogniser four times a second and climbs the ladder or comes back.
//! - [`contained`]: a panic stays with whoever panicked.

pub mod calibrate;
pub mod contained;
pub mod guard;
pub mod hearing;
pub(crate) mod warden;
