//! What an operator types: the store and its backups, the health of a bot that runs.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `goobster store`.
#[derive(Debug, Args)]
pub struct Store {
    /// The store's file [default: backup and restore: the configured store; else goobster.redb in the user's data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub action: StoreAction,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// Say what is in it and whether it is sound; changes nothing
    Check,
    /// Make a damaged store usable again; the damaged file is kept beside it
    Repair {
        /// Begin an empty store, forgetting everybody's usage: for when nothing can be salvaged
        #[arg(long)]
        start_over: bool,
    },
    /// Write everything durable into a new file: usage, sessions, guild settings, opt-outs
    Backup {
        /// The backup; nothing that is there is overwritten
        #[arg(value_name = "BACKUP")]
        to: PathBuf,
    },
    /// Put a backup back; no bot may be running with the store
    Restore {
        /// The backup
        #[arg(value_name = "BACKUP")]
        from: PathBuf,
        /// Replace what is there; an embedded store's old file is kept beside it
        #[arg(long)]
        force: bool,
    },
    /// Forget a member who asked for it: voice time and closed sessions; works on a Redis as well
    Forget {
        /// The member's id on Discord
        user: NonZeroU64,
        /// Forget an opt-out too: they are heard again
        #[arg(long)]
        opt_out_too: bool,
    },
}

/// `goobster health`.
#[derive(Debug, Args)]
#[command(
    after_help = "The bot must listen: [monitoring] listen = \"127.0.0.1:9464\" in its configuration, or the environment variable
GOOBSTER_MONITORING_LISTEN. This asks at the same address."
)]
pub struct Health {
    /// Also whether it is ready for sessions: connected, models loaded, store writable, not going down
    #[arg(long)]
    pub ready: bool,
}
