//! What can go wrong between a registry and a usable model, each with the cause kept and a way out named.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the model store: of the cache folder, of a download, of a check, or of a conversion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Bytes from outside do not have the form they should have.
    #[error("{file} is not what it should be at byte {offset}: {what}. Delete it and set up again")]
    Format {
        /// The file, or the member of a package, that was being read.
        file: String,
        /// How far into it the reader was.
        offset: u64,
        /// What was found and what was expected.
        what: String,
    },
    /// The file system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The bytes are not the pinned ones.
    #[error(
        "{file} has the wrong SHA-256: expected {expected}, got {got}. It is damaged or not the pinned version; delete it and try again"
    )]
    Hash {
        /// The file or package.
        file: String,
        /// The pinned digest, in lower-case hexadecimal.
        expected: String,
        /// The digest that was computed.
        got: String,
    },
    /// Every way of getting a package failed.
    #[error(
        "could not download {package}.\n{}\nBy hand: put a file named {file} (SHA-256 {sha256}) into a folder and set up again with `--from FOLDER`",
        list(attempts)
    )]
    Fetch {
        /// The package with its registry and version.
        package: String,
        /// The file name to look for when fetching it by hand.
        file: String,
        /// The digest that the file must have.
        sha256: String,
        /// Each way that was tried, and how it failed.
        attempts: Vec<Attempt>,
    },
    /// Something is missing and fetching was forbidden.
    #[error(
        "{artefact} is not installed and fetching is switched off (offline). Run `goobster models pull` while online"
    )]
    Offline {
        /// What is missing.
        artefact: &'static str,
    },
    /// The disk is too full to begin.
    #[error("not enough space in {}: {needed} bytes are needed, {free} are free. Free some, or point GOOBSTER_CACHE elsewhere", folder.display())]
    NoSpace {
        /// The folder that would be written to.
        folder: PathBuf,
        /// Bytes needed at most.
        needed: u64,
        /// Bytes free now.
        free: u64,
    },
    /// The user has no home folder and named no cache folder.
    #[error("no cache folder: the system names no home folder. Set GOOBSTER_CACHE to a writable folder")]
    NoCacheFolder,
    /// No build of this artefact is pinned for this operating system and processor.
    #[error("{artefact} is pinned for {supported} only, and this is {here}. {hint}")]
    Platform {
        /// The artefact.
        artefact: &'static str,
        /// Where it runs.
        supported: &'static str,
        /// What this machine is.
        here: String,
        /// What to do instead.
        hint: &'static str,
    },
}

/// One way of getting a package that was tried and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The way: an address, or a command line.
    pub way: String,
    /// Why it failed.
    pub error: String,
}

fn list(attempts: &[Attempt]) -> String {
    attempts
        .iter()
        .map(|a| format!("  - {}: {}", a.way, a.error))
        .collect::<Vec<_>>()
        .join("\n")
}

impl ModelError {
    /// Wraps an I/O failure with the verb and the path it concerns; for use in `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
