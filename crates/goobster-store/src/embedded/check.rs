//! `goobster store check` and `goobster store repair`.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use goobster_core::limits::LimitsError;
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::file::{self, Existing, guarded_read, open_copy, unavailable};
use super::tables::{Contents, corrupt};

/// A file larger than this is no store of ours: 4 GiB would be some ten million members.
const LARGEST: u64 = 4 << 30;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The file's size in bytes.
    pub bytes: u64,
    /// Its format's number.
    pub format: u64,
    /// How often it was opened.
    pub generation: u64,
    /// Members with usage.
    pub accounts: usize,
    /// Sessions that were open when the last process ended.
    pub open: usize,
    /// Close records.
    pub closed: usize,
    /// What is wrong; empty for a sound store.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether the store can be used as it is.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn new(bytes: u64, contents: Contents) -> Self {
        Self {
            bytes,
            format: contents.format,
            generation: contents.generation,
            accounts: contents.accounts.len(),
            open: contents.open.len(),
            closed: contents.closed.len(),
            problems: contents.problems,
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bytes,
            format,
            generation,
            accounts,
            open,
            closed,
            problems,
        } = self;
        write!(
            f,
            "format {format}, opened {generation} times, {bytes} bytes: {accounts} members, {open} open sessions, \
             {closed} close records"
        )?;
        problems
            .iter()
            .try_for_each(|problem| write!(f, "\nproblem: {problem}"))
    }
}

/// How far a repair may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairMode {
    /// Keep every row that can be read; refuse when nothing can.
    Salvage,
    /// Begin an empty store: everybody's usage is forgotten. For when salvaging is refused.
    StartOver,
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// What the store holds now.
    pub kept: CheckReport,
    /// What could not be kept.
    pub lost: Vec<String>,
    /// The copy of the file as it was.
    pub backup: PathBuf,
}

/// Looks at a store without changing anything, on a copy in memory.
///
/// # Errors
/// [`LimitsError::Corrupt`] when it cannot be read at all; [`LimitsError::Unavailable`] when there is no such file, or
/// a process has it open. Rows that make no sense are no error but [`CheckReport::problems`].
pub fn check(path: &Path) -> Result<CheckReport, LimitsError> {
    let what = format!("the store {}", path.display());
    let bytes = read_alone(path, &what)?;
    let db = open_copy(&bytes, &what)?;
    let contents = file::known(guarded_read(&what, &db)?, &what)?;
    Ok(CheckReport::new(bytes.len() as u64, contents))
}

/// Makes a damaged store usable again. The damaged file is kept beside it.
///
/// # Errors
/// [`LimitsError::Corrupt`] when nothing can be salvaged: the file is left as it is. [`LimitsError::Unavailable`] as for
/// [`check`].
pub fn repair(path: &Path, mode: RepairMode) -> Result<RepairReport, LimitsError> {
    let what = format!("the store {}", path.display());
    let bytes = read_alone(path, &what)?;
    let (mut contents, lost) = match mode {
        RepairMode::StartOver => (Contents::default(), vec!["everything, as asked".to_owned()]),
        RepairMode::Salvage => {
            let mut contents = file::known(salvage(&bytes, &what)?, &what)?;
            let lost = std::mem::take(&mut contents.problems);
            (contents, lost)
        }
    };
    // A session that is both open and closed was closed.
    let closed: std::collections::HashSet<_> = contents
        .closed
        .iter()
        .map(|record| record.claim.session)
        .collect();
    contents.open.retain(|row| !closed.contains(&row.claim.session));

    let backup = keep_aside(path, "damaged")?;
    file::create(path, &contents, Existing::Replace).map_err(|error| unavailable(&what, error))?;
    Ok(RepairReport {
        kept: check(path)?,
        lost,
        backup,
    })
}

fn salvage(bytes: &[u8], what: &str) -> Result<Contents, LimitsError> {
    let contents = open_copy(bytes, what).and_then(|db| guarded_read(what, &db));
    contents.map_err(|error| LimitsError::Corrupt {
        what: format!("nothing can be salvaged from {what}: {error}"),
        advice: "Put a backup in its place, or run `goobster store repair --start-over`, which forgets everybody's \
                 usage and keeps the damaged file"
            .into(),
        cause: Some(error.into()),
    })
}

/// Everything in a sound store that no process has open.
///
/// # Errors
/// As [`check`], and [`LimitsError::Corrupt`] for one that is not sound or of a later format.
pub(crate) fn read_whole(path: &Path) -> Result<Contents, LimitsError> {
    let what = format!("the store {}", path.display());
    let bytes = read_alone(path, &what)?;
    file::read(open_copy(&bytes, &what)?, &what).map(|(_, contents)| contents)
}

/// Makes a store's file of these contents, and looks whether it holds them.
///
/// # Errors
/// [`LimitsError::Unavailable`] when it cannot be written; [`LimitsError::Corrupt`] when it is not what was written, or
/// another one was put there meanwhile.
pub(crate) fn write_whole(path: &Path, contents: &Contents, replace: bool) -> Result<(), LimitsError> {
    let what = format!("the store {}", path.display());
    let existing = if replace {
        Existing::Replace
    } else {
        Existing::Keep
    };
    file::create(path, contents, existing).map_err(|error| unavailable(&what, error))?;
    let made = check(path)?;
    let (accounts, open, closed) = (
        contents.accounts.len(),
        contents.open.len(),
        contents.closed.len(),
    );
    if made.is_sound() && (made.accounts, made.open, made.closed) == (accounts, open, closed) {
        return Ok(());
    }
    Err(corrupt(
        format!("{what} does not hold what was written to it"),
        None,
    ))
}

/// Copies the file to the first free name `FILE.WORD-N`.
///
/// # Errors
/// [`LimitsError::Unavailable`] when there are 999 already, or the disk does not take it.
pub(crate) fn keep_aside(path: &Path, word: &str) -> Result<PathBuf, LimitsError> {
    let what = format!("the store {}", path.display());
    keep(path, word).map_err(|error| unavailable(&what, error))
}

fn keep(path: &Path, word: &str) -> io::Result<PathBuf> {
    for n in 1..1000 {
        let mut name = path.as_os_str().to_os_string();
        name.push(format!(".{word}-{n}"));
        let backup = PathBuf::from(name);
        match file::private(&backup) {
            Ok(()) => {
                let mut copy = fs::OpenOptions::new().write(true).open(&backup)?;
                io::copy(&mut fs::File::open(path)?, &mut copy)?;
                copy.sync_all()?;
                return Ok(backup);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("there are 999 {word} copies already")))
}

/// Reads a file that no process has open.
fn read_alone(path: &Path, what: &str) -> Result<Vec<u8>, LimitsError> {
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| unavailable(what, error))?;
    let len = file.metadata().map_err(|error| unavailable(what, error))?.len();
    if len == 0 {
        return Err(corrupt(format!("{what} is an empty file"), None));
    }
    if len > LARGEST {
        return Err(corrupt(
            format!("{what} is {len} bytes long, which no store is"),
            None,
        ));
    }
    let mut bytes = Vec::new();
    let lock = file.try_clone().map_err(|error| unavailable(what, error))?;
    let lock = FileBackend::new(lock).map_err(|_| in_use(what))?;
    if matches!(lock.try_lock_range(Bound::Unbounded, Bound::Unbounded), Ok(false)) {
        return Err(in_use(what));
    }
    file.read_to_end(&mut bytes)
        .map_err(|error| unavailable(what, error))?;
    // Releases the lock; a failure only delays that until the file is closed, which is now.
    let _ = lock.close();
    Ok(bytes)
}

fn in_use(what: &str) -> LimitsError {
    LimitsError::Unavailable {
        what: format!("{what} is in use: stop Goobster first"),
        cause: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::tables::META;

    #[test]
    fn a_store_of_a_newer_version_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        write_whole(&path, &Contents::default(), false).unwrap();
        assert!(check(&path).unwrap().is_sound());
        let db = redb::Database::open(&path).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(META).unwrap().insert("format", 2).unwrap();
        txn.commit().unwrap();
        drop(db);
        let before = fs::read(&path).unwrap();
        let errors = [
            check(&path).map(drop).unwrap_err(),
            repair(&path, RepairMode::Salvage).map(drop).unwrap_err(),
            read_whole(&path).map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains("newer Goobster"), "{error}");
            assert!(!error.to_string().contains("repair"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "and no copy is made"
        );
    }

    #[test]
    fn nothing_that_is_there_is_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        let other = Contents {
            generation: 7,
            ..Contents::default()
        };
        write_whole(&path, &other, false).unwrap();
        write_whole(&path, &Contents::default(), false).unwrap();
        assert_eq!(check(&path).unwrap().generation, 7);
        write_whole(&path, &Contents::default(), true).unwrap();
        assert_eq!(check(&path).unwrap().generation, 0);
    }
}
