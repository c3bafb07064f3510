//! ONNX Runtime, loaded once a process from the library that set-up fetched or the user named.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use goobster_core::ports::SynthesiseError;
use ort::environment::Environment;

use super::super::failure::{voice_error, voice_error_because};

static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// The environment of the library at `path`; the first caller's library serves all.
///
/// `ort` searches for a library by itself, and panics, when it is used before one is loaded: so nothing of it is touched
/// before `init_from` has accepted this one.
pub(super) fn environment(path: &Path) -> Result<Environment, SynthesiseError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, environment)) = &*loaded {
        if first != path {
            tracing::warn!(first = %first.display(), wanted = %path.display(), "ONNX Runtime is loaded once a process: the first stays");
        }
        return Ok(environment.clone());
    }
    check(path)?;
    let shown = path.display();
    let builder = ort::init_from(path)
        .map_err(|e| voice_error_because(format!("{shown} is not a usable ONNX Runtime"), e))?;
    let environment = builder
        .with_name("goobster")
        .with_telemetry(false)
        .build()
        .map_err(|e| voice_error_because(format!("ONNX Runtime ({shown}) does not start"), e))?;
    *loaded = Some((path.to_owned(), environment.clone()));
    Ok(environment)
}

/// Refuses what `ort` would resolve in its own way: relative paths (it starts at the program's folder) and missing files.
pub(super) fn check(path: &Path) -> Result<(), SynthesiseError> {
    if path.is_absolute() && path.is_file() {
        return Ok(());
    }
    Err(voice_error(format!(
        "ONNX Runtime is not at {} (an absolute path is needed): run `cargo xtask setup`, or correct the \
         environment variable ORT_DYLIB_PATH if it is set",
        path.display()
    )))
}
