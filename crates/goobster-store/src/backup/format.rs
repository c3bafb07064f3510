//! Writing and reading a backup's lines. Nothing is believed before the seal at the end fits.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BACKUP_FORMAT, Backup, BackupError, Header, Row};

/// A longer line is none of ours: preferences with a million opt-outs have 32 MB.
const LONGEST_LINE: u64 = 64 << 20;
/// More rows than any store holds.
const MOST_ROWS: usize = 50_000_000;

#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    rows: usize,
    sha256: String,
}

impl Backup {
    /// Writes it, with its seal.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut sum = Sha256::new();
        let line = |out: &mut dyn Write, text: String, sum: Option<&mut Sha256>| {
            let text = text + "\n";
            if let Some(sum) = sum {
                sum.update(text.as_bytes());
            }
            out.write_all(text.as_bytes())
        };
        line(out, serde_json::to_string(&self.header)?, Some(&mut sum))?;
        for row in &self.rows {
            line(out, serde_json::to_string(row)?, Some(&mut sum))?;
        }
        let seal = Seal {
            rows: self.rows.len(),
            sha256: hex(&sum.finalize()),
        };
        line(out, serde_json::to_string(&seal)?, None)?;
        out.flush()
    }

    /// Reads one, and believes it only when its seal fits.
    ///
    /// # Errors
    /// [`BackupError::NoBackup`], [`BackupError::Newer`], [`BackupError::Damaged`], [`BackupError::Io`].
    pub fn read(input: &mut impl BufRead) -> Result<Self, BackupError> {
        let mut sum = Sha256::new();
        let first = line(input)?.ok_or_else(|| no_backup(1, "the file is empty"))?;
        let header: Header = serde_json::from_slice(&first).map_err(|error| match version(&first) {
            Some(found) if found > BACKUP_FORMAT => BackupError::Newer { found },
            _ => no_backup(1, &error.to_string()),
        })?;
        if header.goobster_backup > BACKUP_FORMAT {
            return Err(BackupError::Newer {
                found: header.goobster_backup,
            });
        }
        sum.update(&first);
        // Rows are read one line behind: the last line is the seal.
        let mut rows = Vec::new();
        let mut before: Option<Vec<u8>> = None;
        while let Some(next) = line(input)? {
            if let Some(row) = before.replace(next) {
                sum.update(&row);
                let number = rows.len() + 2;
                if rows.len() == MOST_ROWS {
                    return Err(no_backup(number, "there are more rows than a store has"));
                }
                rows.push(
                    serde_json::from_slice::<Row>(&row)
                        .map_err(|error| BackupError::Damaged(format!("line {number}: {error}")))?,
                );
            }
        }
        let last = before.ok_or_else(|| cut_short(1))?;
        let seal: Seal = serde_json::from_slice(&last).map_err(|_| cut_short(rows.len() + 1))?;
        if seal.rows != rows.len() || !last.ends_with(b"\n") {
            return Err(cut_short(rows.len() + 1));
        }
        if seal.sha256 != hex(&sum.finalize()) {
            return Err(BackupError::Damaged("its checksum does not fit".into()));
        }
        Ok(Self { header, rows })
    }
}

/// A line with its end; `None` after the last.
fn line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, BackupError> {
    let mut bytes = Vec::new();
    let mut bounded = input.take(LONGEST_LINE);
    let read = bounded.read_until(b'\n', &mut bytes)?;
    if read as u64 == LONGEST_LINE {
        return Err(no_backup(1, "a line is longer than any of ours"));
    }
    Ok((read > 0).then_some(bytes))
}

fn version(first: &[u8]) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_slice(first).ok()?;
    u32::try_from(value.get("goobster_backup")?.as_u64()?).ok()
}

fn no_backup(line: usize, what: &str) -> BackupError {
    BackupError::NoBackup {
        line,
        what: what.to_owned(),
    }
}

fn cut_short(lines: usize) -> BackupError {
    BackupError::Damaged(format!("it ends after line {lines} without its seal"))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use goobster_core::time::UtcMillis;

    use super::super::{KeyValue, StoreKind};
    use super::*;

    fn backup() -> Backup {
        let key = Row::Key {
            name: "{u1}:quota".into(),
            until: Some(7),
            value: KeyValue::Hash(vec!["used".into(), "5".into()]),
        };
        let mut backup = Backup::new(StoreKind::Redis, 0, UtcMillis::new(5), "0.1.0", vec![key]);
        backup.add_file("preferences.json", "{\n\"opted_out\": [1]\n}".into());
        backup
    }

    fn written(backup: &Backup) -> Vec<u8> {
        let mut bytes = Vec::new();
        backup.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_backup_reads_back_as_it_was_written() {
        let bytes = written(&backup());
        assert_eq!(str::from_utf8(&bytes).unwrap().lines().count(), 4);
        let read = Backup::read(&mut bytes.as_slice()).unwrap();
        assert_eq!(read, backup());
        assert_eq!(read.file("preferences.json"), Some("{\n\"opted_out\": [1]\n}"));
        assert_eq!(read.file("other"), None);
        assert_eq!((read.held().accounts, read.held().files), (1, 1));
    }

    #[test]
    fn no_changed_byte_and_no_lost_end_is_believed() {
        let bytes = written(&backup());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Backup::read(&mut changed.as_slice()).is_err(), "byte {at}");
            assert!(Backup::read(&mut &bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_format_is_named_even_when_its_header_is_another() {
        let text = "{\"goobster_backup\": 2, \"store\": \"stars\"}\n";
        let refused = Backup::read(&mut text.as_bytes()).unwrap_err();
        assert!(matches!(refused, BackupError::Newer { found: 2 }), "{refused}");
        let refused = Backup::read(&mut &b"redb and so on"[..]).unwrap_err();
        assert!(
            matches!(refused, BackupError::NoBackup { line: 1, .. }),
            "{refused}"
        );
    }
}
