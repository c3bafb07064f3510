//! The cache folder: where everything is, whether it is there, and whether it is sound.
//!
//! Layout: `models/`, `voices/`, `runtime/`, `speech/`, `downloads/` (packages on their way), `.stamps/` (one small file for
//! each installed piece, written after its digest was checked).
//!
//! A program that was unpacked from a release brings pieces along, in `share/goobster` beside it. They are used where the
//! cache has none of its own, and never changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::manifest::{Artefact, Contents, Kind};
use crate::verify;

/// The environment variable that overrides the folder.
pub const CACHE_VARIABLE: &str = "GOOBSTER_CACHE";

/// A folder that the user named on the command line.
static PREFERRED: OnceLock<PathBuf> = OnceLock::new();

/// Where a release keeps its program, and its pieces.
const PROGRAM_FOLDER: &str = "lib/goobster";
const SHIPPED_FOLDER: &str = "share/goobster";

/// The folder of the stamps.
const STAMPS: &str = ".stamps";

/// Whether a piece is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Installed, checked, and unchanged since.
    Present,
    /// Not there.
    Missing,
    /// There, but not what was installed: another size, another version, or never checked.
    Corrupt,
}

/// A cache folder. Nothing is created before something is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    /// What came with the program.
    shipped: Option<PathBuf>,
}

/// What was on disk when the digest was checked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    sha256: String,
    files: u64,
    size: u64,
    /// Modification time in nanoseconds since 1970, of a file.
    modified: Option<u128>,
}

impl Cache {
    /// From now on [`Self::locate`] finds this folder, whatever the environment says. The first call counts.
    pub fn prefer(folder: PathBuf) {
        let _ = PREFERRED.set(folder);
    }

    /// The folder that was preferred, or that `GOOBSTER_CACHE` names, or `goobster` in the user's cache folder; and what came
    /// with the program, which is enough by itself.
    ///
    /// # Errors
    /// [`ModelError::NoCacheFolder`] when none of them is known.
    pub fn locate() -> Result<Self, ModelError> {
        let variable = || std::env::var_os(CACHE_VARIABLE).filter(|v| !v.is_empty());
        let own = || directories::BaseDirs::new().map(|base| base.cache_dir().join("goobster"));
        let root = PREFERRED
            .get()
            .cloned()
            .or_else(|| variable().map(PathBuf::from))
            .or_else(own);
        let shipped = std::env::current_exe().ok().and_then(|program| beside(&program));
        match (root, shipped) {
            (Some(root), shipped) => Ok(Self { root, shipped }),
            (None, Some(shipped)) => Ok(Self::at(shipped)),
            (None, None) => Err(ModelError::NoCacheFolder),
        }
    }

    /// A cache in the given folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            shipped: None,
        }
    }

    /// The same with a folder of pieces that came with the program.
    #[must_use]
    pub fn with_shipped(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shipped = Some(folder.into());
        self
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What came with the program.
    pub fn shipped(&self) -> Option<&Path> {
        self.shipped.as_deref()
    }

    /// Where a piece is, or would be.
    pub fn path_of(&self, artefact: &Artefact) -> PathBuf {
        let own = self.own_path(artefact);
        let shipped = self.shipped.as_ref().map(|folder| folder.join(artefact.path));
        match shipped {
            Some(shipped) if !own.exists() && shipped.exists() => shipped,
            _ => own,
        }
    }

    /// Where a piece of this cache's own is, or would be.
    pub(crate) fn own_path(&self, artefact: &Artefact) -> PathBuf {
        self.root.join(artefact.path)
    }

    /// Where packages are put while they are fetched.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// Whether a piece is installed. Cheap: it reads sizes and a stamp, not the contents; see [`Self::verify`].
    pub fn state(&self, artefact: &Artefact) -> State {
        let own = Self::state_in(&self.root, artefact);
        // Sample speech is looked for as a whole folder: a recording that was shipped is no part of that.
        if own != State::Missing || artefact.kind == Kind::Speech {
            return own;
        }
        let shipped = self
            .shipped
            .as_ref()
            .map(|folder| Self::state_in(folder, artefact));
        shipped.filter(|state| *state == State::Present).unwrap_or(own)
    }

    fn state_in(root: &Path, artefact: &Artefact) -> State {
        let path = root.join(artefact.path);
        if !path.exists() {
            return State::Missing;
        }
        if let Contents::Text(text) = artefact.contents {
            let same = fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes());
            return if same { State::Present } else { State::Corrupt };
        }
        let stamp = fs::read(stamp_path(root, artefact))
            .ok()
            .and_then(|b| serde_json::from_slice::<Stamp>(&b).ok());
        match (stamp, observe(root, artefact)) {
            (Some(stamp), Ok(now)) if stamp.fits(&now) => State::Present,
            _ => State::Corrupt,
        }
    }

    /// The stamp of a piece as a release carries it: its path in the folder, and its bytes. Unpacking may change a file's
    /// time, so it does not say one.
    ///
    /// # Errors
    /// As [`Self::verify`], which it does first.
    pub fn portable_stamp(&self, artefact: &Artefact) -> Result<(PathBuf, Vec<u8>), ModelError> {
        let path = self.own_path(artefact);
        self.check_digest(artefact)?;
        let stamp = Stamp {
            modified: None,
            ..observe(&self.root, artefact)?
        };
        let bytes = serde_json::to_vec(&stamp).map_err(|e| ModelError::io("write", &path)(e.into()))?;
        Ok((stamp_path(Path::new(""), artefact), bytes))
    }

    /// Reads all of a piece, checks its digest, and remembers the success.
    ///
    /// # Errors
    /// [`ModelError::Hash`] when it is not the pinned one, [`ModelError::Io`] when it cannot be read.
    pub fn verify(&self, artefact: &Artefact) -> Result<(), ModelError> {
        self.check_digest(artefact)?;
        self.stamp(artefact)
    }

    fn check_digest(&self, artefact: &Artefact) -> Result<(), ModelError> {
        let path = self.own_path(artefact);
        let got = match artefact.contents {
            Contents::Folder { .. } => verify::folder(&path)?,
            Contents::File { .. } | Contents::Text(_) => verify::file(&path)?,
        };
        let expected = artefact.contents.sha256();
        if got == expected {
            return Ok(());
        }
        Err(ModelError::Hash {
            file: path.display().to_string(),
            expected,
            got,
        })
    }

    /// Removes a piece; `false` when it was not there.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the system refuses.
    pub fn remove(&self, artefact: &Artefact) -> Result<bool, ModelError> {
        let path = self.own_path(artefact);
        let stamp = stamp_path(&self.root, artefact);
        if stamp.exists() {
            fs::remove_file(&stamp).map_err(ModelError::io("remove", &stamp))?;
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(ModelError::io("remove", &path))?;
        } else if path.exists() {
            fs::remove_file(&path).map_err(ModelError::io("remove", &path))?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Remembers that a piece is sound as it is now.
    fn stamp(&self, artefact: &Artefact) -> Result<(), ModelError> {
        let path = stamp_path(&self.root, artefact);
        let stamp = observe(&self.root, artefact)?;
        let bytes = serde_json::to_vec(&stamp).map_err(|e| ModelError::io("write", &path)(e.into()))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ModelError::io("create", folder))?;
        }
        fs::write(&path, bytes).map_err(ModelError::io("write", &path))
    }
}

impl Stamp {
    /// Whether what is there now is what was checked. A stamp that was shipped knows no time.
    fn fits(&self, now: &Self) -> bool {
        let same_time = self.modified.is_none() || self.modified == now.modified;
        same_time && (&self.sha256, self.files, self.size) == (&now.sha256, now.files, now.size)
    }
}

/// The pieces that came with a program in `PREFIX/lib/goobster`: `PREFIX/share/goobster`, when it is there.
fn beside(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let folder = program.parent()?;
    let prefix = folder
        .ends_with(PROGRAM_FOLDER)
        .then(|| folder.ancestors().nth(2))??;
    let shipped = prefix.join(SHIPPED_FOLDER);
    shipped.join(STAMPS).is_dir().then_some(shipped)
}

fn stamp_path(root: &Path, artefact: &Artefact) -> PathBuf {
    root.join(STAMPS).join(format!("{}.json", artefact.id))
}

fn observe(root: &Path, artefact: &Artefact) -> Result<Stamp, ModelError> {
    let path = root.join(artefact.path);
    let metadata = fs::metadata(&path).map_err(ModelError::io("inspect", &path))?;
    let sha256 = artefact.contents.sha256();
    if let Contents::Folder { .. } = artefact.contents {
        let (files, size) = verify::measure(&path)?;
        return Ok(Stamp {
            sha256,
            files,
            size,
            modified: None,
        });
    }
    let modified = metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map(|d| d.as_nanos());
    Ok(Stamp {
        sha256,
        files: 1,
        size: metadata.len(),
        modified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Kind};

    fn artefact(contents: Contents) -> Artefact {
        Artefact {
            id: "t",
            path: "models/t",
            contents,
            routes: &[],
            kind: Kind::Model,
            ..manifest::SPEECH_JFK
        }
    }

    #[test]
    fn only_a_checked_and_unchanged_file_is_present() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let abc = artefact(Contents::File {
            size: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        });
        assert_eq!(cache.state(&abc), State::Missing);
        fs::create_dir(dir.path().join("models")).unwrap();
        fs::write(cache.path_of(&abc), b"abc").unwrap();
        assert_eq!(cache.state(&abc), State::Corrupt, "never checked");
        cache.verify(&abc).unwrap();
        assert_eq!(cache.state(&abc), State::Present);
        fs::write(cache.path_of(&abc), b"abcd").unwrap();
        assert_eq!(cache.state(&abc), State::Corrupt);
        assert!(matches!(cache.verify(&abc), Err(ModelError::Hash { .. })));
        assert!(cache.remove(&abc).unwrap());
        assert!(!cache.remove(&abc).unwrap());
        assert_eq!(cache.state(&abc), State::Missing);
    }

    #[test]
    fn a_folder_that_lost_a_file_is_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        fs::create_dir_all(dir.path().join("models/t/sub")).unwrap();
        fs::write(dir.path().join("models/t/sub/x"), b"1").unwrap();
        let sha256: &'static str = Box::leak(
            verify::folder(&dir.path().join("models/t"))
                .unwrap()
                .into_boxed_str(),
        );
        let a = artefact(Contents::Folder {
            files: 1,
            size: 1,
            sha256,
        });
        cache.verify(&a).unwrap();
        assert_eq!(cache.state(&a), State::Present);
        fs::remove_file(dir.path().join("models/t/sub/x")).unwrap();
        assert_eq!(cache.state(&a), State::Corrupt);
    }
    #[test]
    fn what_came_with_the_program_is_used_where_there_is_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (own, shipped) = (dir.path().join("own"), dir.path().join("share/goobster"));
        let abc = artefact(Contents::File {
            size: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        });
        // A release is made of a cache whose piece was checked; its time is another wherever it is unpacked.
        let made = Cache::at(dir.path().join("made"));
        fs::create_dir_all(made.root().join("models")).unwrap();
        fs::write(made.path_of(&abc), b"abc").unwrap();
        let (stamp, bytes) = made.portable_stamp(&abc).unwrap();
        for folder in [
            shipped.join("models"),
            shipped.join(STAMPS),
            dir.path().join("lib/goobster"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(shipped.join(stamp), bytes).unwrap();
        fs::write(shipped.join("models/t"), b"abc").unwrap();
        let program = dir.path().join("lib/goobster/goobster");
        fs::write(&program, b"").unwrap();
        assert_eq!(beside(&program), Some(shipped.canonicalize().unwrap()));
        assert_eq!(beside(&shipped.join("models/t")), None, "no program of a release");

        let cache = Cache::at(&own).with_shipped(&shipped);
        assert_eq!(cache.state(&abc), State::Present);
        assert_eq!(cache.path_of(&abc), shipped.join("models/t"));
        assert!(!cache.remove(&abc).unwrap(), "what was shipped is not removed");
        // One's own comes first; a damaged one is told, not covered up.
        fs::create_dir_all(own.join("models")).unwrap();
        fs::write(own.join("models/t"), b"abd").unwrap();
        assert_eq!(cache.state(&abc), State::Corrupt);
        assert_eq!(cache.path_of(&abc), own.join("models/t"));
        fs::remove_file(own.join("models/t")).unwrap();
        fs::write(shipped.join("models/t"), b"abcd").unwrap();
        assert_eq!(
            cache.state(&abc),
            State::Missing,
            "what was shipped is damaged: fetched instead"
        );
        // A piece that is not what its digest says goes into no release.
        fs::write(made.path_of(&abc), b"abd").unwrap();
        assert!(matches!(made.portable_stamp(&abc), Err(ModelError::Hash { .. })));
    }
}
