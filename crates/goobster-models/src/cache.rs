//! The cache folder: where everything is, whether it is there, and whether it is sound.
//!
//! Layout: `models/`, `voices/`, `runtime/`, `speech/`, `downloads/` (packages on their way), `.stamps/` (one small file for
//! each installed piece, written after its digest was checked).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::manifest::{Artefact, Contents};
use crate::verify;

/// The environment variable that overrides the folder.
pub const CACHE_VARIABLE: &str = "GOOBSTER_CACHE";

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
    /// The folder named by `GOOBSTER_CACHE`, or `goobster` in the user's cache folder.
    ///
    /// # Errors
    /// [`ModelError::NoCacheFolder`] when neither is known.
    pub fn locate() -> Result<Self, ModelError> {
        if let Some(folder) = std::env::var_os(CACHE_VARIABLE).filter(|v| !v.is_empty()) {
            return Ok(Self::at(PathBuf::from(folder)));
        }
        let base = directories::BaseDirs::new().ok_or(ModelError::NoCacheFolder)?;
        Ok(Self::at(base.cache_dir().join("goobster")))
    }

    /// A cache in the given folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a piece is, or would be.
    pub fn path_of(&self, artefact: &Artefact) -> PathBuf {
        self.root.join(artefact.path)
    }

    /// Where packages are put while they are fetched.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// Whether a piece is installed. Cheap: it reads sizes and a stamp, not the contents; see [`Self::verify`].
    pub fn state(&self, artefact: &Artefact) -> State {
        let path = self.path_of(artefact);
        if !path.exists() {
            return State::Missing;
        }
        if let Contents::Text(text) = artefact.contents {
            let same = fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes());
            return if same { State::Present } else { State::Corrupt };
        }
        let stamp = fs::read(self.stamp_path(artefact))
            .ok()
            .and_then(|b| serde_json::from_slice::<Stamp>(&b).ok());
        match (stamp, self.observe(artefact)) {
            (Some(stamp), Ok(now)) if stamp == now => State::Present,
            _ => State::Corrupt,
        }
    }

    /// Reads all of a piece, checks its digest, and remembers the success.
    ///
    /// # Errors
    /// [`ModelError::Hash`] when it is not the pinned one, [`ModelError::Io`] when it cannot be read.
    pub fn verify(&self, artefact: &Artefact) -> Result<(), ModelError> {
        let path = self.path_of(artefact);
        let got = match artefact.contents {
            Contents::Folder { .. } => verify::folder(&path)?,
            Contents::File { .. } | Contents::Text(_) => verify::file(&path)?,
        };
        let expected = artefact.contents.sha256();
        if got != expected {
            return Err(ModelError::Hash {
                file: path.display().to_string(),
                expected,
                got,
            });
        }
        self.stamp(artefact)
    }

    /// Removes a piece; `false` when it was not there.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the system refuses.
    pub fn remove(&self, artefact: &Artefact) -> Result<bool, ModelError> {
        let path = self.path_of(artefact);
        let stamp = self.stamp_path(artefact);
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
        let path = self.stamp_path(artefact);
        let stamp = self.observe(artefact)?;
        let bytes = serde_json::to_vec(&stamp).map_err(|e| ModelError::io("write", &path)(e.into()))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ModelError::io("create", folder))?;
        }
        fs::write(&path, bytes).map_err(ModelError::io("write", &path))
    }

    fn stamp_path(&self, artefact: &Artefact) -> PathBuf {
        self.root.join(".stamps").join(format!("{}.json", artefact.id))
    }

    fn observe(&self, artefact: &Artefact) -> Result<Stamp, ModelError> {
        let path = self.path_of(artefact);
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
}
