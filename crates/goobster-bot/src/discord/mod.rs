//! The bot on Discord: `goobster run`.
//!
//! - [`run`]: from the token to the last drained session. `token`, `permissions`: what it needs, named when it is missing.
//! - `bot`: what everything shares; `handler`: what Discord tells; `commands`: what people type.
//! - `call`: a voice connection and the conversation on it; `captioner`: what is written in a channel.
//! - `reload`: SIGHUP. `notify`: the service manager.
//! - `forgetting`: a user's data deleted on request, and what is kept for how long.
//! - `consent`, `preferences`: who may be heard, and what is remembered between runs.

pub(crate) mod bot;
mod call;
mod captioner;
mod cluster;
mod commands;
mod consent;
pub(crate) mod forgetting;
mod handler;
mod notify;
mod permissions;
pub(crate) mod preferences;
mod reload;
pub mod run;
mod store;
pub mod token;

/// Where the bot keeps its store unless it is told otherwise.
///
/// # Errors
/// A system without home folders.
pub fn store_file() -> Result<std::path::PathBuf, crate::cli::exit::Failure> {
    Ok(store::data_folder()?.join(store::FILE))
}

/// The folder of what must survive the bot.
///
/// # Errors
/// A system without home folders.
pub(crate) fn data_folder() -> Result<std::path::PathBuf, crate::cli::exit::Failure> {
    store::data_folder()
}
