//! Recordings of human speech and models, from the cache that `cargo xtask setup` fills.

use std::path::{Path, PathBuf};

/// A recording: 16 kHz mono in `-1.0..=1.0`.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The file's name without its ending.
    pub name: String,
    /// The samples.
    pub sound: Vec<f32>,
}

/// The cache folder: `GOOBSTER_CACHE`, else the usual place.
pub fn cache() -> PathBuf {
    std::env::var_os("GOOBSTER_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/goobster"),
        PathBuf::from,
    )
}

/// A file of the cache.
///
/// # Errors
/// When it is missing; the message says how to get it.
pub fn cached(name: &str) -> Result<PathBuf, String> {
    let path = cache().join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!(
            "{} is missing: run `cargo xtask setup` first",
            path.display()
        ))
    }
}

/// One 16 kHz mono WAV file.
///
/// # Errors
/// When it cannot be read, or is of another rate.
pub fn read(path: &Path) -> Result<Recording, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let mut reader = hound::WavReader::open(path).map_err(|e| wrong(&e))?;
    let spec = reader.spec();
    if (spec.sample_rate, spec.channels, spec.bits_per_sample) != (16_000, 1, 16) {
        return Err(wrong(&"not 16 kHz, 16 bit, mono"));
    }
    let samples: Result<Vec<i16>, _> = reader.samples::<i16>().collect();
    Ok(Recording {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        sound: samples
            .map_err(|e| wrong(&e))?
            .iter()
            .map(|s| f32::from(*s) / 32_768.0)
            .collect(),
    })
}

/// All WAV files in a folder and its folders, by name.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn read_all(folder: &Path) -> Result<Vec<Recording>, String> {
    let mut recordings = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "wav") {
                recordings.push(read(&path)?);
            }
        }
    }
    if recordings.is_empty() {
        return Err(format!(
            "no recordings in {}: run `cargo xtask setup` first",
            folder.display()
        ));
    }
    recordings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(recordings)
}
