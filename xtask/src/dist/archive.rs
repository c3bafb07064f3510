//! The tarball: the same files give the same bytes, whoever packs them and when.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::shell;

/// The file of checksums at the top of a release.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Where a file's bytes come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// One file of a release.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its path in the release, with `/`.
    pub(super) path: String,
    /// Whether it is run.
    pub(super) runs: bool,
    pub(super) source: Source,
}

impl Entry {
    pub(super) fn file(path: impl Into<String>, source: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            runs: false,
            source: Source::File(source.into()),
        }
    }

    pub(super) fn bytes(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            runs: false,
            source: Source::Bytes(bytes.into()),
        }
    }

    pub(super) fn that_runs(mut self) -> Self {
        self.runs = true;
        self
    }

    fn open(&self) -> Result<(u64, Box<dyn Read>)> {
        Ok(match &self.source {
            Source::Bytes(bytes) => (bytes.len() as u64, Box::new(io::Cursor::new(bytes.clone()))),
            Source::File(path) => {
                let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                (file.metadata()?.len(), Box::new(BufReader::new(file)))
            }
        })
    }
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The checksums of all files, as `sha256sum --check` reads them.
pub(super) fn sums(entries: &[Entry]) -> Result<Entry> {
    let mut lines = Vec::new();
    for entry in entries {
        let mut sum = Sha256::new();
        io::copy(&mut entry.open()?.1, &mut sum)?;
        lines.push(format!("{}  {}\n", hex(&sum.finalize()), entry.path));
    }
    lines.sort_by(|a, b| a[66..].cmp(&b[66..]));
    Ok(Entry::bytes(SUMS, lines.concat()))
}

/// The time that every file gets: `SOURCE_DATE_EPOCH`, else the last commit's, else 1980. Seconds since 1970.
pub(super) fn time(root: &Path) -> u64 {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok();
    let committed = || {
        let mut git = Command::new("git");
        shell::output(git.current_dir(root).args(["log", "-1", "--format=%ct"])).ok()
    };
    told.or_else(committed)
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(315_532_800)
}

/// Writes the tarball, everything in it below a folder of that name.
pub(super) fn write(to: &Path, folder: &str, mut entries: Vec<Entry>, time: u64) -> Result<Written> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
        bail!("{} is in the release twice", pair[0].path);
    }
    let draft = to.with_extension("part");
    let file = File::create(&draft).with_context(|| format!("cannot write {}", draft.display()))?;
    // No name, no time, no system: those would be this machine's.
    let gzip = GzBuilder::new()
        .operating_system(255)
        .write(Summed::new(file), Compression::default());
    let mut tar = Builder::new(gzip);
    for folder in folders(folder, &entries) {
        let mut header = header(EntryType::Directory, 0o755, time);
        header.set_size(0);
        tar.append_data(&mut header, folder, io::empty())?;
    }
    for entry in &entries {
        let (size, mut bytes) = entry.open()?;
        let mut header = header(EntryType::Regular, if entry.runs { 0o755 } else { 0o644 }, time);
        header.set_size(size);
        tar.append_data(&mut header, format!("{folder}/{}", entry.path), &mut bytes)
            .with_context(|| format!("cannot pack {}", entry.path))?;
    }
    let summed = tar.into_inner()?.finish()?;
    let written = summed.finish()?;
    std::fs::rename(&draft, to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(written)
}

fn header(kind: EntryType, mode: u32, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header
}

/// Every folder that the files are in, outer ones first.
fn folders(top: &str, entries: &[Entry]) -> BTreeSet<String> {
    let mut folders = BTreeSet::from([format!("{top}/")]);
    for entry in entries {
        for (at, _) in entry.path.match_indices('/') {
            folders.insert(format!("{top}/{}/", &entry.path[..at]));
        }
    }
    folders
}

/// Counts and sums up what it writes.
struct Summed {
    file: File,
    bytes: u64,
    sum: Sha256,
}

impl Summed {
    fn new(file: File) -> Self {
        Self {
            file,
            bytes: 0,
            sum: Sha256::new(),
        }
    }

    fn finish(self) -> io::Result<Written> {
        self.file.sync_all()?;
        Ok(Written {
            bytes: self.bytes,
            sha256: hex(&self.sum.finalize()),
        })
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Hexadecimal, lower case.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::bytes("docs/a.md", "a"),
            Entry::bytes("bin/goobster", "#!").that_runs(),
        ]
    }

    #[test]
    fn the_same_files_give_the_same_bytes_in_whatever_order_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one.tar.gz"), dir.path().join("two.tar.gz"));
        let first = write(&one, "g", entries(), 1_800_000_000).unwrap();
        let second = write(&two, "g", entries().into_iter().rev().collect(), 1_800_000_000).unwrap();
        assert_eq!(first.sha256, second.sha256);
        let bytes = std::fs::read(&one).unwrap();
        assert_eq!(bytes, std::fs::read(&two).unwrap());
        assert_eq!(
            (first.bytes, &first.sha256),
            (bytes.len() as u64, &hex(&Sha256::digest(&bytes)))
        );
        assert_ne!(write(&two, "g", entries(), 5).unwrap().sha256, first.sha256);

        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let listed: Vec<(String, u32, u64)> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                (path, header.mode().unwrap(), header.mtime().unwrap())
            })
            .collect();
        let time = 1_800_000_000;
        assert_eq!(
            listed,
            [
                ("g/".to_owned(), 0o755, time),
                ("g/bin/".to_owned(), 0o755, time),
                ("g/docs/".to_owned(), 0o755, time),
                ("g/bin/goobster".to_owned(), 0o755, time),
                ("g/docs/a.md".to_owned(), 0o644, time),
            ]
        );
    }

    #[test]
    fn checksums_are_what_sha256sum_reads() {
        let sums = sums(&entries()).unwrap();
        let Source::Bytes(bytes) = sums.source else {
            panic!("no text")
        };
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("  bin/goobster"), "{text}");
        assert_eq!(
            lines[1],
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  docs/a.md"
        );
    }

    #[test]
    fn a_file_is_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let twice = [entries(), entries()].concat();
        let refused = write(&dir.path().join("x"), "g", twice, 0).unwrap_err();
        assert!(refused.to_string().contains("bin/goobster"), "{refused}");
    }
}
