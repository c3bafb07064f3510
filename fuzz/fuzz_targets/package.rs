//! A package from a registry, unpacked: nothing may land outside the folder, and no more than the cap.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use goobster_models::fuzzing::package;
use libfuzzer_sys::fuzz_target;

/// Files are written where memory is; one folder a process.
fn scratch() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("goobster-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder");
        folder
    })
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_in(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let folder = scratch();
    let file = folder.join(if kind % 2 == 0 { "fuzz.whl" } else { "fuzz.tar.gz" });
    let out = folder.join("out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).expect("a folder");
    fs::write(&file, bytes).expect("a file");
    if let Err(error) = package(&file, &out) {
        assert!(!error.to_string().is_empty());
    }
    assert!(bytes_in(&out) <= 1 << 20, "more than the cap");
    let beside = fs::read_dir(folder).expect("the scratch folder").count();
    assert!(beside <= 3, "something landed beside the folder");
});
