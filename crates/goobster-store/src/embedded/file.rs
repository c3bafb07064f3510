//! The embedded store's file: created whole or not at all, opened with every checksum verified.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goobster_core::limits::LimitsError;
use goobster_core::session::Epoch;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::tables::{self, Contents, corrupt};

/// redb's page cache; the rows are in memory anyway.
const CACHE_BYTES: usize = 4 << 20;

/// A storage backend behind an `Arc`, so that a store can be opened again on the same one.
#[derive(Debug, Clone)]
pub(super) struct SharedBackend(pub(super) Arc<dyn StorageBackend>);

impl StorageBackend for SharedBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Where a store is kept.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A file.
    File(PathBuf),
    /// A backend of the caller's.
    Backend(SharedBackend),
}

impl Place {
    /// Opens the store and reads it, or creates it where there is none. Nothing that is there is ever overwritten.
    pub(super) fn open(&self) -> Result<(Database, Contents), LimitsError> {
        match self {
            Self::File(path) => {
                create_if_missing(path)?;
                open_file(path)
            }
            Self::Backend(backend) => {
                let fresh = backend.len().map_err(|error| unavailable("the backend", error))? == 0;
                let what = "the backend";
                let db = guarded(what, || builder().create_with_backend(backend.clone()))?;
                if fresh {
                    tables::initialise(&db, &Contents::default()).map_err(|error| from_redb(what, error))?;
                }
                read(db, what)
            }
        }
    }

    /// Opens the store of that generation again after its disk failed. Never creates one: what was there may be on a volume
    /// that is not mounted just now, and what is there instead may be another's.
    pub(super) fn reopen(&self, generation: Epoch) -> Result<(Database, Contents), LimitsError> {
        let (what, gone) = match self {
            Self::File(path) => {
                let what = format!("the store {}", path.display());
                match fs::metadata(path) {
                    Ok(_) => (what, false),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => (what, true),
                    Err(error) => return Err(unavailable(&what, error)),
                }
            }
            Self::Backend(backend) => {
                let what = "the backend".to_owned();
                let len = backend.len().map_err(|error| unavailable(&what, error))?;
                (what, len == 0)
            }
        };
        if gone {
            return Err(LimitsError::Unavailable {
                what: format!("{what} is gone: put it back, or is its volume not mounted?"),
                cause: None,
            });
        }
        let (db, contents) = match self {
            Self::File(path) => open_file(path)?,
            Self::Backend(backend) => {
                let db = guarded(&what, || builder().create_with_backend(backend.clone()))?;
                read(db, &what)?
            }
        };
        if contents.generation == generation.get() {
            Ok((db, contents))
        } else {
            Err(LimitsError::Unavailable {
                what: format!(
                    "{what} is another one by now (opened {} times, and ours {generation}): put ours back, or start anew \
                     to use that one",
                    contents.generation
                ),
                cause: None,
            })
        }
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

fn create_if_missing(path: &Path) -> Result<(), LimitsError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::info!(path = %path.display(), "no store of limits yet: creating one");
            create(path, &Contents::default(), Existing::Keep)
                .map_err(|error| unavailable(&format!("the store {}", path.display()), error))
        }
        // Whatever else it is, opening it says so.
        _ => Ok(()),
    }
}

fn open_file(path: &Path) -> Result<(Database, Contents), LimitsError> {
    let what = format!("the store {}", path.display());
    let meta = fs::metadata(path).map_err(|error| unavailable(&what, error))?;
    if meta.len() == 0 {
        return Err(corrupt(format!("{what} is an empty file"), None));
    }
    if !meta.is_file() {
        return Err(LimitsError::Configuration(format!("{what} is not a file")));
    }
    let db = guarded(&what, || builder().open(path))?;
    read(db, &what)
}

/// Reads a store that must be sound and of a format that is known.
pub(super) fn read(db: Database, what: &str) -> Result<(Database, Contents), LimitsError> {
    let contents = known(guarded_read(what, &db)?, what)?;
    match contents.problems.as_slice() {
        [] => Ok((db, contents)),
        [first, rest @ ..] => Err(corrupt(
            format!("{what}: {first} (and {} more)", rest.len()),
            None,
        )),
    }
}

/// Refuses a store of a later format: its rows were not read, so nothing may be made of them.
pub(super) fn known(contents: Contents, what: &str) -> Result<Contents, LimitsError> {
    if contents.format <= tables::FORMAT {
        return Ok(contents);
    }
    Err(LimitsError::Corrupt {
        what: format!(
            "{what} has format {}, and this version knows {}",
            contents.format,
            tables::FORMAT
        ),
        advice: "It was written by a newer Goobster: use that one".into(),
        cause: None,
    })
}

/// Opens a copy of a store's bytes in memory: whatever redb does to repair it, the file stays as it is.
pub(super) fn open_copy(bytes: &[u8], what: &str) -> Result<Database, LimitsError> {
    let memory = redb::backends::InMemoryBackend::new();
    let filled = memory
        .set_len(bytes.len() as u64)
        .and_then(|()| StorageBackend::write(&memory, 0, bytes));
    filled.map_err(|error| unavailable(what, error))?;
    guarded(what, || builder().create_with_backend(memory))
}

/// Reads everything; a damaged page that slips through redb's checks must not take the process down.
pub(super) fn guarded_read(what: &str, db: &Database) -> Result<Contents, LimitsError> {
    match catch_unwind(AssertUnwindSafe(|| tables::read(db))) {
        Ok(read) => read.map_err(|error| from_redb(what, error)),
        Err(_) => Err(corrupt(format!("{what} cannot be read"), None)),
    }
}

/// redb panics on some files that were changed behind its back, in debug builds above all.
fn guarded(
    what: &str,
    open: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, LimitsError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(LimitsError::Unavailable {
            what: format!("{what} is in use by another process: only one Goobster may use it at a time"),
            cause: None,
        }),
        Ok(Err(error)) => Err(from_redb(what, error.into())),
        Err(_) => Err(corrupt(format!("{what} cannot be read"), None)),
    }
}

/// Tells a failing disk, which may come back, from data that cannot be trusted.
pub(super) fn from_redb(what: &str, error: redb::Error) -> LimitsError {
    match error {
        redb::Error::Io(io)
            if !matches!(
                io.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            unavailable(what, io)
        }
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => unavailable(what, error),
        error => corrupt(format!("{what} cannot be read"), Some(error)),
    }
}

/// An error of the file system.
pub(super) fn unavailable(what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> LimitsError {
    LimitsError::unavailable(format!("{what} cannot be used: {cause}"), cause)
}

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// Leave it: another process was faster.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// Creates a store's file beside its place and moves it there once it is whole and on disk.
pub(super) fn create(path: &Path, contents: &Contents, existing: Existing) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    private_folder(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".new-{}", std::process::id()));
    let draft = folder.join(name);
    let made = fill(&draft, contents).and_then(|()| match existing {
        Existing::Replace => fs::rename(&draft, path),
        // Unlike a rename, a link never replaces what another process put there meanwhile.
        Existing::Keep => match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !path.exists() => fs::rename(&draft, path),
            linked => linked,
        },
    });
    // Gone already after a rename; after a failure it is only in the way.
    let _ = fs::remove_file(&draft);
    made?;
    // The new name itself must survive a power cut. Not every system can sync a folder.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn fill(draft: &Path, contents: &Contents) -> io::Result<()> {
    let _ = fs::remove_file(draft);
    // For this user alone from its first byte on: it says who talked when.
    private(draft)?;
    let db = builder().create(draft).map_err(to_io)?;
    tables::initialise(&db, contents).map_err(to_io)?;
    db.close().map_err(to_io)?;
    File::open(draft)?.sync_all()
}

/// Makes an empty file that its owner alone may touch.
pub(super) fn private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes a folder that its owner alone may enter, where there is none.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn to_io(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(io) => io,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_new_store_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/store.redb");
        drop(Place::File(path.clone()).open().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_file_that_vanished_is_not_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let place = Place::File(path.clone());
        let (db, contents) = place.open().unwrap();
        let generation = Epoch::new(tables::next_generation(&db, contents.generation).unwrap());
        drop(db);
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        let refused = place.reopen(generation).unwrap_err();
        assert!(
            refused.is_unavailable() && refused.to_string().contains("is gone"),
            "{refused}"
        );
        assert!(!path.exists(), "nothing was put in its place");

        // Another store in its place is not ours either, and is left as it is.
        drop(place.open().unwrap());
        let refused = place.reopen(generation).unwrap_err();
        assert!(
            refused.is_unavailable() && refused.to_string().contains("another one"),
            "{refused}"
        );
        fs::rename(&aside, &path).unwrap();
        let (_, contents) = place.reopen(generation).unwrap();
        assert_eq!(contents.generation, generation.get());
    }
}
