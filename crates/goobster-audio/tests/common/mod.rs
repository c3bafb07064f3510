//! What the tests of this crate share: models and recordings of the set-up.
#![allow(dead_code)] // Each test binary uses its part.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic)] // Only ever part of a test.

use std::path::PathBuf;
use std::sync::Arc;

use goobster_audio::vad::SileroWeights;

/// A file of the cache that `cargo xtask setup` fills.
pub fn cached(name: &str) -> PathBuf {
    let cache = std::env::var_os("GOOBSTER_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/goobster"),
        PathBuf::from,
    );
    let path = cache.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask setup` first",
        path.display()
    );
    path
}

/// Silero's weights.
pub fn silero_weights() -> Arc<SileroWeights> {
    Arc::new(SileroWeights::load(&cached("models/silero-vad-16k.bin")).unwrap())
}

/// A 16 kHz mono recording of the set-up.
pub fn clip(name: &str) -> Vec<f32> {
    let path = cached("speech").join(name);
    let mut reader = hound::WavReader::open(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask setup` first", path.display()));
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (16_000, 1),
        "{name}"
    );
    reader
        .samples::<i16>()
        .map(|s| f32::from(s.unwrap()) / 32_768.0)
        .collect()
}
