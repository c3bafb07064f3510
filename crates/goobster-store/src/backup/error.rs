//! Why a backup cannot be made, read or put back.

use goobster_core::limits::LimitsError;

use super::{BACKUP_FORMAT, StoreKind};

/// What can go wrong with a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is no backup of Goobster's.
    #[error("this is no backup of Goobster's: line {line}: {what}")]
    NoBackup {
        /// Where.
        line: usize,
        /// What is there instead.
        what: String,
    },
    /// It was made by a newer version.
    #[error("the backup has format {found}, and this version knows {BACKUP_FORMAT}: use the newer Goobster")]
    Newer {
        /// The backup's format.
        found: u32,
    },
    /// It is not what was written: cut short, or changed.
    #[error("the backup is damaged: {0}; use another one")]
    Damaged(String),
    /// It is of another kind of store than the one it should be put into.
    #[error("the backup is of {held}, and the configuration names {wanted}")]
    OtherStore {
        /// What it is of.
        held: StoreKind,
        /// What is configured.
        wanted: StoreKind,
    },
    /// There is something where it should go.
    #[error("{what} is there already: --force puts the backup in its place")]
    Exists {
        /// What there is.
        what: String,
    },
    /// A Goobster works with the store.
    #[error("{what}: stop every Goobster that uses it first")]
    InUse {
        /// How that shows.
        what: String,
    },
    /// The backup's own file cannot be read or written.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] LimitsError),
}
