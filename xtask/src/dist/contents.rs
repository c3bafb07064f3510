//! What a release holds.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use goobster_models::manifest::{self, Artefact};
use goobster_models::{Cache, FetchOptions, Profile, Terminal, ensure};

use super::archive::Entry;
use super::build::Built;
use super::{licences, needs};
use crate::shell;

/// Files of the repository that come along as they are.
const FILES: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Cargo.lock",
];

/// Folders of the repository that come along whole.
const FOLDERS: [&str; 2] = ["docs", "deploy"];

/// Where pieces are in a release: beside the program, where it looks for them.
const PIECES: &str = "share/goobster";

/// Lists every file. `models`: the cache whose models go in; `runtime`: the one whose ONNX Runtime does in any case.
pub(super) fn gather(built: &Built, models: Option<&Cache>, runtime: &Cache) -> Result<Vec<Entry>> {
    let root = shell::root();
    let mut entries = vec![
        Entry::file("bin/goobster", &built.launcher).that_runs(),
        Entry::file("lib/goobster/goobster", &built.program).that_runs(),
    ];
    entries.extend(FILES.map(|file| Entry::file(file, root.join(file))));
    for folder in FOLDERS {
        walk(&root.join(folder), folder, &mut entries)?;
    }
    entries.push(Entry::bytes("licences/libraries.txt", licences::of_libraries()?));
    match models {
        Some(cache) => {
            for piece in pieces() {
                add(cache, piece, &mut entries)?;
            }
            // One recording, in the public domain, for `goobster doctor` to hear.
            let sample = &manifest::SPEECH_JFK;
            let path = cache.path_of(sample);
            if path.is_file() {
                entries.push(Entry::file(format!("{PIECES}/{}", sample.path), path));
            }
        }
        None => add(runtime, &manifest::ONNX_RUNTIME, &mut entries)?,
    }
    Ok(entries)
}

/// Fetches what is to go in and is not there yet.
pub(super) fn fetch(models: Option<&Cache>, runtime: &Cache) -> Result<()> {
    let options = FetchOptions::default();
    let mut progress = Terminal::default();
    match models {
        Some(cache) => ensure(cache, &pieces(), &options, &mut progress)?,
        None => ensure(runtime, &[&manifest::ONNX_RUNTIME], &options, &mut progress)?,
    };
    Ok(())
}

/// What both profiles need, once each.
fn pieces() -> Vec<&'static Artefact> {
    let mut pieces = manifest::of_profile(Profile::Standard);
    for piece in manifest::of_profile(Profile::Small) {
        if !pieces.iter().any(|known| known.id == piece.id) {
            pieces.push(piece);
        }
    }
    pieces
}

/// A piece with the stamp that says it was checked, which is done now.
fn add(cache: &Cache, piece: &Artefact, entries: &mut Vec<Entry>) -> Result<()> {
    let (stamp, bytes) = cache.portable_stamp(piece).with_context(|| {
        format!(
            "{} is not in {} as it should be: `goobster models pull` fetches it",
            piece.id,
            cache.root().display()
        )
    })?;
    entries.push(Entry::bytes(format!("{PIECES}/{}", stamp.display()), bytes));
    let (path, name) = (cache.root().join(piece.path), format!("{PIECES}/{}", piece.path));
    let before = entries.len();
    if path.is_dir() {
        walk(&path, &name, entries)?;
    } else {
        entries.push(Entry::file(name, &path));
    }
    for entry in &entries[before..] {
        if entry.path.contains(".so") {
            needs::check(
                &cache
                    .root()
                    .join(entry.path.trim_start_matches(PIECES).trim_start_matches('/')),
            )?;
        }
    }
    Ok(())
}

/// Every file of a folder, at any depth.
fn walk(folder: &Path, name: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in listed {
        let entry = entry?;
        let Ok(own) = entry.file_name().into_string() else {
            bail!("a file in {} has no name that can be written", folder.display());
        };
        let (path, name) = (entry.path(), format!("{name}/{own}"));
        if entry.file_type()?.is_dir() {
            walk(&path, &name, entries)?;
        } else {
            entries.push(Entry::file(name, path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_profiles_are_whole_and_every_file_of_ours_is_there() {
        let ids: Vec<&str> = pieces().iter().map(|piece| piece.id).collect();
        for profile in [Profile::Small, Profile::Standard] {
            for piece in manifest::of_profile(profile) {
                assert_eq!(
                    ids.iter().filter(|id| **id == piece.id).count(),
                    1,
                    "{}",
                    piece.id
                );
            }
        }
        let root = shell::root();
        assert!(FILES.iter().all(|file| root.join(file).is_file()));
        let mut entries = Vec::new();
        for folder in FOLDERS {
            walk(&root.join(folder), folder, &mut entries).unwrap();
        }
        for wanted in [
            "docs/deployment.md",
            "docs/upgrading.md",
            "deploy/systemd/goobster.service",
            "deploy/licences/GPL-3.0.txt",
        ] {
            assert!(entries.iter().any(|entry| entry.path == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_piece_that_was_not_checked_goes_into_no_release() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let refused = add(&cache, &manifest::SILERO, &mut Vec::new()).unwrap_err();
        assert!(format!("{refused:#}").contains("models pull"), "{refused:#}");
    }
}
