//! Backups of a store on a Redis server: everything durable under its prefix at one moment, read by one script while the
//! bots go on, and put back in one transaction while none runs.

use std::time::Duration;

use goobster_core::time::UtcMillis;

use super::{Backup, BackupError, KeyValue, Row, StoreKind};
use crate::redis::{Dump, DumpedKey};

/// How long the server may take for everything at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server and the prefix of the store's keys on it.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// Its address: `redis://[user:password@]host[:port][/db]`.
    pub url: &'a str,
    /// What every key begins with.
    pub prefix: &'a str,
}

impl Backup {
    /// Everything durable of a store on a server, at one moment. Bots may go on; the server answers nobody else meanwhile.
    ///
    /// # Errors
    /// [`BackupError::Store`] when the server cannot be reached, has too many keys for this (use its own snapshots then),
    /// or holds what is none of ours.
    pub async fn of_server(
        server: Server<'_>,
        made_at: UtcMillis,
        made_by: &str,
    ) -> Result<Self, BackupError> {
        let dump = Dump::connect(server.url, server.prefix, PATIENCE).await?;
        let rows = dump.durable().await?.into_iter().map(row).collect();
        Ok(Self::new(StoreKind::Redis, 0, made_at, made_by, rows))
    }

    /// Makes the store on a server what the backup holds: whole or not at all. With `force` what is there goes.
    ///
    /// # Errors
    /// [`BackupError::Exists`], [`BackupError::OtherStore`]; [`BackupError::InUse`] while places are held there, forced or
    /// not.
    pub async fn restore_server(&self, server: Server<'_>, force: bool) -> Result<(), BackupError> {
        self.is_of(StoreKind::Redis)?;
        let mut keys = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            match row {
                Row::Key { name, until, value } => {
                    if !Dump::is_durable(name) {
                        return Err(BackupError::Damaged(format!(
                            "a key that is none of ours: {name}"
                        )));
                    }
                    keys.push(dumped(name, *until, value));
                }
                Row::File { .. } => {}
                Row::Account { .. } | Row::Open(_) | Row::Closed(_) => {
                    return Err(BackupError::Damaged(
                        "a row of a file in a backup of a server".into(),
                    ));
                }
            }
        }
        let dump = Dump::connect(server.url, server.prefix, PATIENCE).await?;
        let there = dump.names().await?;
        if let Some(live) = there.iter().find(|name| Dump::is_live(name)) {
            return Err(BackupError::InUse {
                what: format!(
                    "{}:{live} on the server tells that a Goobster works with it, or did until a moment ago",
                    server.prefix
                ),
            });
        }
        if !there.is_empty() && !force {
            return Err(BackupError::Exists {
                what: format!("a store of {} keys under {}", there.len(), server.prefix),
            });
        }
        Ok(dump.replace(&there, &keys).await?)
    }
}

fn row(key: DumpedKey) -> Row {
    let value = match key.kind.as_str() {
        "hash" => KeyValue::Hash(key.values),
        "set" => KeyValue::Set(key.values),
        _ => KeyValue::String(key.values.concat()),
    };
    Row::Key {
        name: key.name,
        until: key.until,
        value,
    }
}

fn dumped(name: &str, until: Option<i64>, value: &KeyValue) -> DumpedKey {
    let (kind, values) = match value {
        KeyValue::Hash(values) => ("hash", values.clone()),
        KeyValue::Set(values) => ("set", values.clone()),
        KeyValue::String(value) => ("string", vec![value.clone()]),
    };
    DumpedKey {
        name: name.to_owned(),
        kind: kind.to_owned(),
        until,
        values,
    }
}
