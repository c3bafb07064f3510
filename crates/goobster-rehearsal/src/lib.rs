//! Rehearsals: scenarios played to the real bot, in a process of its own, on the loopback Discord.
//!
//! - [`scenario`]: who is there, what they say, what breaks, what is expected; small TOML files.
//! - [`recording`]: what members say, decoded, marked and encoded beforehand.
//! - [`stage`]: the loopback Discord, the bot, and the loop that plays and watches.
//! - [`timeline`]: what happened. [`figures`]: how long it took. [`expectations`]: what became of what was expected.
//! - [`report`]: the bot's voice, the transcript, a page to look at. [`scripted`]: engines that need no model.
//! - [`contacts`]: whom the bot contacted, as the system saw it.
//! - [`hosts`]: several bots share the shards, and one is killed.
//! - [`rehearse()`]: all of it, one after the other. [`soak`]: many of them, broken by chance.
//!
//! The bot is known only by its command line and by what it shows on Discord: nothing here is linked with it.

pub mod contacts;
pub mod error;
pub mod expectations;
pub mod figures;
pub mod hosts;
pub mod message;
pub mod recording;
pub mod rehearse;
pub mod report;
pub mod scenario;
pub mod scripted;
pub mod soak;
pub mod sound;
pub mod stage;
pub mod timeline;
pub mod watcher;
pub mod words;

pub use error::RehearsalError;
pub use rehearse::{Outcome, RehearsalOptions, rehearse};
pub use scenario::Scenario;
pub use stage::BotCommand;
pub use watcher::{Happening, Nobody, Watcher};
