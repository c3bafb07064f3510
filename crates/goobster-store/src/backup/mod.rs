//! Backups: everything durable of a store in one file of JSON lines, which this version and every later one can read.
//!
//! | line | what |
//! | --- | --- |
//! | first | [`Header`]: the format's number, which kind of store, when, by which version |
//! | each further | a row |
//! | last | the seal: how many rows, and the SHA-256 of all bytes before it |
//!
//! Rows are the store's own, not its file's: a backup does not depend on the version of redb or of the Redis server, and
//! what only matters while processes run (places, budgets set aside) is not in it.

mod error;
mod file;
mod format;
mod server;

use std::fmt;

use goobster_core::ids::UserId;
use goobster_core::limits::{Account, CloseRecord, OpenSession};
use goobster_core::time::UtcMillis;
use serde::{Deserialize, Serialize};

pub use self::error::BackupError;
pub use self::server::Server;

/// The format that this version writes. It reads this one and all before it.
pub const BACKUP_FORMAT: u32 = 1;

/// Which kind of store a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// One file.
    Embedded,
    /// A Redis or Valkey server.
    Redis,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "the embedded store",
            Self::Redis => "a Redis store",
        })
    }
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The backup's format: [`BACKUP_FORMAT`].
    pub goobster_backup: u32,
    /// Which kind of store it is of.
    pub store: StoreKind,
    /// How often an embedded store had been opened; zero for a server.
    pub generation: u64,
    /// When it was made.
    pub made_at: UtcMillis,
    /// The version of Goobster that made it.
    pub made_by: String,
}

/// A value on a Redis server, by its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyValue {
    /// Fields and values, one after the other.
    Hash(Vec<String>),
    /// Members.
    Set(Vec<String>),
    /// One text.
    String(String),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Row {
    /// A member's usage in an embedded store.
    Account { user: UserId, account: Account },
    /// A session that was open.
    Open(OpenSession),
    /// A session that is over.
    Closed(CloseRecord),
    /// A key of a server, without the prefix; `until` in UTC milliseconds, when it expires.
    Key {
        name: String,
        until: Option<i64>,
        value: KeyValue,
    },
    /// A small file that is kept beside the store.
    File { name: String, text: String },
}

/// How much a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Held {
    /// Members with usage.
    pub accounts: usize,
    /// Sessions that were open.
    pub open: usize,
    /// Close records (of a server: sessions' rows, open ones too).
    pub closed: usize,
    /// Files kept beside the store.
    pub files: usize,
    /// Everything else.
    pub other: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accounts,
            open,
            closed,
            files,
            other,
        } = self;
        write!(
            f,
            "{accounts} members, {open} open sessions, {closed} records of sessions, {files} files, {other} other rows"
        )
    }
}

/// A backup in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    header: Header,
    rows: Vec<Row>,
}

impl Backup {
    fn new(store: StoreKind, generation: u64, made_at: UtcMillis, made_by: &str, rows: Vec<Row>) -> Self {
        Self {
            header: Header {
                goobster_backup: BACKUP_FORMAT,
                store,
                generation,
                made_at,
                made_by: made_by.to_owned(),
            },
            rows,
        }
    }

    /// What it says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How much it holds.
    pub fn held(&self) -> Held {
        let mut held = Held::default();
        for row in &self.rows {
            *match row {
                Row::Account { .. } => &mut held.accounts,
                Row::Open(_) => &mut held.open,
                Row::Closed(_) => &mut held.closed,
                Row::File { .. } => &mut held.files,
                Row::Key { name, .. } if name.ends_with("}:quota") => &mut held.accounts,
                Row::Key { name, .. } if name.contains("}:row:") => &mut held.closed,
                Row::Key {
                    name,
                    value: KeyValue::Set(members),
                    ..
                } if name.ends_with("}:open") => {
                    held.open += members.len();
                    continue;
                }
                Row::Key { .. } => &mut held.other,
            } += 1;
        }
        held
    }

    /// Takes a small file along that is kept beside the store, such as the preferences.
    pub fn add_file(&mut self, name: &str, text: String) {
        self.rows.push(Row::File {
            name: name.to_owned(),
            text,
        });
    }

    /// The text of a file that was taken along.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.rows.iter().find_map(|row| match row {
            Row::File { name: own, text } if own == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// # Errors
    /// [`BackupError::OtherStore`] when it is of another kind of store.
    fn is_of(&self, wanted: StoreKind) -> Result<(), BackupError> {
        if self.header.store == wanted {
            Ok(())
        } else {
            Err(BackupError::OtherStore {
                held: self.header.store,
                wanted,
            })
        }
    }
}
