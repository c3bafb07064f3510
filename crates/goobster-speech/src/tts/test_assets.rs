//! Where tests find the real voices: the cache folder that `cargo xtask setup` fills.

use std::path::{Path, PathBuf};

use goobster_core::language::Language;
use goobster_core::ports::{AbortFlag, SpeakRequest, SpeechStream, SynthesiseError};

use super::espeak::Espeak;
use super::piper::{PiperFiles, PiperVoice};

/// The cache folder: `GOOBSTER_CACHE`, else the user's.
fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("GOOBSTER_CACHE") {
        return cache.into();
    }
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    home.unwrap_or_default().join("goobster")
}

/// The folder of shared libraries.
pub(super) fn runtime() -> PathBuf {
    let runtime = cache().join("runtime");
    assert!(
        runtime.is_dir(),
        "{} is missing: run `cargo xtask setup` first",
        runtime.display()
    );
    runtime
}

/// The espeak-ng of set-up.
pub(super) fn espeak() -> Espeak {
    let source = super::espeak::EspeakSource::candidates(Some(&runtime())).remove(0);
    Espeak::open(&source).unwrap_or_else(|e| panic!("{e}: run `cargo xtask setup` first"))
}

/// The files of the Piper voice of set-up.
pub(super) fn piper_files() -> PiperFiles {
    let runtime = std::fs::read_dir(runtime())
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
        })
        .expect("ONNX Runtime is missing: run `cargo xtask setup` first");
    let model = super::piper::voices_in(&cache().join("voices"))
        .into_iter()
        .next()
        .expect("the Piper voice is missing: run `cargo xtask setup` first");
    PiperFiles { runtime, model }
}

/// The Piper voice of set-up, ready to speak.
pub(super) fn piper() -> PiperVoice {
    PiperVoice::load(&piper_files(), espeak(), PiperVoice::default_threads()).unwrap()
}

/// A request without wishes.
pub(super) fn request(text: &str, language: &str) -> SpeakRequest {
    let language: Language = language.parse().unwrap();
    SpeakRequest {
        text: text.to_owned(),
        language,
        voice: None,
        abort: AbortFlag::new(),
    }
}

/// All samples of a stream.
pub(super) async fn hear(mut stream: SpeechStream) -> Result<Vec<f32>, SynthesiseError> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.chunks.recv().await {
        all.extend(chunk?.samples);
    }
    Ok(all)
}

/// Seconds of 22.05 kHz audio.
pub(super) fn seconds(samples: &[f32]) -> f32 {
    samples.len() as f32 / 22_050.0
}
