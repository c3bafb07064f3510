//! The `goobster` binary as a library: it alone composes the crates.
//!
//! - [`cli`]: the commands, their exit codes, and what they print.
//! - [`config`]: defaults, file, environment and flags become one [`config::Config`].
//! - `custody`: who may touch the bot's files.
//! - [`engines`]: the profile's recogniser, voices and voice activity detector, made from the cache.
//! - [`discord`]: the bot: `goobster run`.
//! - [`monitoring`]: what an operator sees: metrics, health, the status page.
//! - [`converse`]: the conversation on real audio: listeners, decodes, turns and playout in one event loop.

pub mod admission;
pub mod cli;
pub mod config;
pub mod converse;
mod custody;
pub mod discord;
pub mod engines;
pub mod monitoring;
