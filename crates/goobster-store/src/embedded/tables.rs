//! The format of the embedded store: its tables and rows, and reading them with suspicion.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `"format"`, `"generation"` | number |
//! | `accounts` | user | JSON of an [`Account`] |
//! | `open` | session | JSON of an [`OpenSession`] |
//! | `closed` | session | JSON of a [`CloseRecord`] |

use goobster_core::ids::UserId;
use goobster_core::limits::{Account, CloseRecord, LimitsError, OpenSession};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;

/// The format that this version writes. A later format is refused; an earlier one would be upgraded here.
pub(super) const FORMAT: u64 = 1;

pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
pub(super) const ACCOUNTS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("accounts");
pub(super) const OPEN: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("open");
pub(super) const CLOSED: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("closed");

/// Everything in a store.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(super) format: u64,
    pub(crate) generation: u64,
    pub(crate) accounts: Vec<(UserId, Account)>,
    pub(crate) open: Vec<OpenSession>,
    pub(crate) closed: Vec<CloseRecord>,
    /// What is wrong, row by row; empty for a sound store.
    pub(super) problems: Vec<String>,
}

/// A damaged store, in words.
pub(super) fn corrupt(what: impl Into<String>, cause: Option<redb::Error>) -> LimitsError {
    LimitsError::Corrupt {
        what: what.into(),
        advice: "Nobody's usage was reset: stop Goobster, look with `goobster store check`, then run `goobster store \
                 repair`, which keeps a copy"
            .into(),
        cause: cause.map(Into::into),
    }
}

/// Creates the tables of an empty store and writes its first rows.
pub(super) fn initialise(db: &Database, contents: &Contents) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    {
        let mut meta = txn.open_table(META)?;
        meta.insert("format", FORMAT)?;
        meta.insert("generation", contents.generation)?;
        txn.open_table(ACCOUNTS)?;
        txn.open_table(OPEN)?;
        txn.open_table(CLOSED)?;
        for (user, account) in &contents.accounts {
            put_account(&txn, *user, Some(account))?;
        }
        for row in &contents.open {
            put_open(&txn, row.claim.session.get(), Some(row))?;
        }
        for record in &contents.closed {
            put_closed(&txn, record.claim.session.get(), Some(record))?;
        }
    }
    Ok(txn.commit()?)
}

/// Raises the generation by one and returns it: the epoch of every guild until the next start.
pub(super) fn next_generation(db: &Database, last: u64) -> Result<u64, redb::Error> {
    let next = last.saturating_add(1);
    let txn = db.begin_write()?;
    txn.open_table(META)?.insert("generation", next)?;
    txn.commit()?;
    Ok(next)
}

/// Writes a member's account, or removes it.
pub(super) fn put_account(
    txn: &WriteTransaction,
    user: UserId,
    row: Option<&Account>,
) -> Result<(), redb::Error> {
    put(txn, ACCOUNTS, user.get(), row)
}

/// Writes an open session, or removes it.
pub(super) fn put_open(
    txn: &WriteTransaction,
    key: u64,
    row: Option<&OpenSession>,
) -> Result<(), redb::Error> {
    put(txn, OPEN, key, row)
}

/// Writes a close record, or removes it.
pub(super) fn put_closed(
    txn: &WriteTransaction,
    key: u64,
    row: Option<&CloseRecord>,
) -> Result<(), redb::Error> {
    put(txn, CLOSED, key, row)
}

fn put<T: serde::Serialize>(
    txn: &WriteTransaction,
    table: TableDefinition<'static, u64, &'static [u8]>,
    key: u64,
    row: Option<&T>,
) -> Result<(), redb::Error> {
    let mut table = txn.open_table(table)?;
    match row {
        Some(row) => {
            let json = serde_json::to_vec(row).map_err(|error| redb::Error::Io(error.into()))?;
            table.insert(key, json.as_slice())?;
        }
        None => {
            table.remove(key)?;
        }
    }
    Ok(())
}

/// Reads a whole store. Rows that make no sense become problems; a table that cannot be read is an error.
pub(super) fn read(db: &Database) -> Result<Contents, redb::Error> {
    let txn = db.begin_read()?;
    let mut contents = Contents::default();
    let meta = txn.open_table(META)?;
    let number = |key: &str| meta.get(key).map(|value| value.map(|value| value.value()));
    match number("format")? {
        Some(format) => contents.format = format,
        None => contents.problems.push("the format's number is missing".into()),
    }
    match number("generation")? {
        Some(generation) => contents.generation = generation,
        None => contents
            .problems
            .push("the generation's number is missing".into()),
    }
    if contents.format > FORMAT {
        return Ok(contents);
    }
    let problems = &mut contents.problems;
    let accounts = rows::<Account>(&txn, ACCOUNTS, "account of user", problems)?;
    contents.accounts = accounts
        .into_iter()
        .map(|(user, account)| (UserId::new(user), account))
        .collect();
    for (key, row) in rows::<OpenSession>(&txn, OPEN, "open session", problems)? {
        if row.claim.session.get() == key && row.last_tick >= row.opened_at {
            contents.open.push(row);
        } else {
            problems.push(format!("open session {key}: the row contradicts itself"));
        }
    }
    for (key, record) in rows::<CloseRecord>(&txn, CLOSED, "close record of session", problems)? {
        if record.claim.session.get() == key && record.closed_at >= record.opened_at {
            contents.closed.push(record);
        } else {
            problems.push(format!(
                "close record of session {key}: the row contradicts itself"
            ));
        }
    }
    let closed: std::collections::HashSet<_> = contents
        .closed
        .iter()
        .map(|record| record.claim.session)
        .collect();
    for row in &contents.open {
        if closed.contains(&row.claim.session) {
            problems.push(format!(
                "session {} is open and closed at once",
                row.claim.session
            ));
        }
    }
    Ok(contents)
}

fn rows<T: DeserializeOwned>(
    txn: &ReadTransaction,
    table: TableDefinition<'static, u64, &'static [u8]>,
    what: &str,
    problems: &mut Vec<String>,
) -> Result<Vec<(u64, T)>, redb::Error> {
    let table = txn.open_table(table)?;
    let mut found = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        match serde_json::from_slice(value.value()) {
            Ok(row) => found.push((key.value(), row)),
            Err(error) => problems.push(format!("{what} {}: {error}", key.value())),
        }
    }
    Ok(found)
}
