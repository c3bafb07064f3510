//! Sessions end to end on a real store: what the specification promises, and each trouble of the earlier JavaScript
//! version as a named regression.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests say where they fail, as tests do"
)]

#[path = "sessions/cleanup.rs"]
mod cleanup;
#[path = "sessions/fixture.rs"]
mod fixture;
#[path = "sessions/living.rs"]
mod living;
#[path = "sessions/regressions.rs"]
mod regressions;
#[path = "sessions/scripted.rs"]
mod scripted;
#[path = "sessions/starting.rs"]
mod starting;
#[path = "sessions/stores.rs"]
mod stores;
