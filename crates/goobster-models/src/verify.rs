//! SHA-256 of files and of folders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::ModelError;

/// More files than any folder of the manifest has; a walk beyond that is lost.
const MAX_FILES: usize = 10_000;

/// The digest of bytes in memory, in lower-case hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut s, b| {
            // Writing into a String cannot fail.
            let _ = write!(s, "{b:02x}");
            s
        })
}

/// The digest of a file.
pub(crate) fn file(path: &Path) -> Result<String, ModelError> {
    let mut source = File::open(path).map_err(ModelError::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hex(hasher.finalize().as_slice())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(ModelError::io("read", path)(e)),
        }
    }
}

/// The digest of a folder, as [`crate::manifest::Contents::Folder`] defines it.
pub(crate) fn folder(path: &Path) -> Result<String, ModelError> {
    let mut hasher = Sha256::new();
    for (relative, _) in walk(path)? {
        let digest = file(&path.join(&relative))?;
        hasher.update(format!("{digest}  {}\n", slashed(&relative)));
    }
    Ok(hex(hasher.finalize().as_slice()))
}

/// How many files are in a folder, and their size in bytes.
pub(crate) fn measure(path: &Path) -> Result<(u64, u64), ModelError> {
    let files = walk(path)?;
    Ok((files.len() as u64, files.iter().map(|(_, size)| size).sum()))
}

/// Every file below `root` with its size, sorted by its path relative to `root`.
fn walk(root: &Path) -> Result<Vec<(PathBuf, u64)>, ModelError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let folder = root.join(&relative);
        for entry in fs::read_dir(&folder).map_err(ModelError::io("list", &folder))? {
            let entry = entry.map_err(ModelError::io("list", &folder))?;
            let name = relative.join(entry.file_name());
            let metadata = entry
                .metadata()
                .map_err(ModelError::io("inspect", &entry.path()))?;
            if metadata.is_dir() {
                folders.push(name);
            } else {
                found.push((name, metadata.len()));
            }
            if found.len() + folders.len() > MAX_FILES {
                return Err(ModelError::io("list", root)(io::Error::other(
                    "far more files than belong here",
                )));
            }
        }
    }
    found.sort_by_key(|(path, _)| slashed(path));
    Ok(found)
}

fn slashed(path: &Path) -> String {
    path.iter()
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_digest_depends_on_names_and_contents_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b/x"), b"1").unwrap();
        fs::write(dir.path().join("a"), b"22").unwrap();
        let expected = digest(format!("{}  a\n{}  b/x\n", digest(b"22"), digest(b"1")).as_bytes());
        assert_eq!(folder(dir.path()).unwrap(), expected);
        assert_eq!(measure(dir.path()).unwrap(), (2, 3));
        fs::rename(dir.path().join("b/x"), dir.path().join("b/y")).unwrap();
        assert_ne!(folder(dir.path()).unwrap(), expected);
    }

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
