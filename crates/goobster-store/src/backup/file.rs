//! Backups of the embedded store. Its file belongs to one process, so both need the bot to be stopped.

use std::io;
use std::path::{Path, PathBuf};

use goobster_core::limits::LimitsError;
use goobster_core::time::UtcMillis;

use super::{Backup, BackupError, Row, StoreKind};
use crate::embedded::{self, Contents};

impl Backup {
    /// Everything in a store's file, at the moment nobody has it open.
    ///
    /// # Errors
    /// [`BackupError::InUse`] while a process has it open; [`BackupError::Store`] when there is none or it is damaged:
    /// repair it first.
    pub fn of_file(path: &Path, made_at: UtcMillis, made_by: &str) -> Result<Self, BackupError> {
        let contents = embedded::read_whole(path).map_err(in_use)?;
        let mut rows =
            Vec::with_capacity(contents.accounts.len() + contents.open.len() + contents.closed.len());
        rows.extend(
            contents
                .accounts
                .into_iter()
                .map(|(user, account)| Row::Account { user, account }),
        );
        rows.extend(contents.open.into_iter().map(Row::Open));
        rows.extend(contents.closed.into_iter().map(Row::Closed));
        Ok(Self::new(
            StoreKind::Embedded,
            contents.generation,
            made_at,
            made_by,
            rows,
        ))
    }

    /// Makes the store's file what the backup holds. With `force` a file that is there is replaced, and kept beside it:
    /// its new name is returned.
    ///
    /// # Errors
    /// [`BackupError::Exists`], [`BackupError::InUse`], [`BackupError::OtherStore`], and the disk's.
    pub fn restore_file(&self, path: &Path, force: bool) -> Result<Option<PathBuf>, BackupError> {
        self.is_of(StoreKind::Embedded)?;
        let mut contents = Contents::default();
        contents.generation = self.header.generation;
        for row in &self.rows {
            match row {
                Row::Account { user, account } => contents.accounts.push((*user, account.clone())),
                Row::Open(open) => contents.open.push(*open),
                Row::Closed(closed) => contents.closed.push(*closed),
                Row::File { .. } => {}
                Row::Key { name, .. } => {
                    return Err(BackupError::Damaged(format!(
                        "a key of a server, {name}, in a backup of a file"
                    )));
                }
            }
        }
        if !there(path)? {
            embedded::write_whole(path, &contents, false)?;
            return Ok(None);
        }
        if !force {
            return Err(BackupError::Exists {
                what: format!("the store {}", path.display()),
            });
        }
        let generation = embedded::read_whole(path).map(|old| old.generation);
        match generation {
            // What charged the old store must not be taken for the new one's.
            Ok(old) => contents.generation = contents.generation.max(old),
            Err(LimitsError::Corrupt { .. }) => {}
            Err(error) => return Err(in_use(error)),
        }
        let kept = embedded::keep_aside(path, "replaced")?;
        embedded::write_whole(path, &contents, true)?;
        Ok(Some(kept))
    }
}

fn there(path: &Path) -> io::Result<bool> {
    path.try_exists()
}

fn in_use(error: LimitsError) -> BackupError {
    match error {
        LimitsError::Unavailable { what, cause: None } => BackupError::InUse { what },
        other => other.into(),
    }
}
