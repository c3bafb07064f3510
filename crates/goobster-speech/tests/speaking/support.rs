//! The cache folder, resampling, and a recogniser to listen with.

use std::path::{Path, PathBuf};

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseRequest, SPEECH_RATE, SpeakRequest, SpeechStream,
    SpeechToText,
};
use goobster_speech::stt::{WhisperOptions, WhisperRecogniser};
use rubato::{FftFixedIn, Resampler};

/// A file or folder of the cache that `cargo xtask setup` fills.
pub(crate) fn asset(path: &str) -> PathBuf {
    let cache = std::env::var_os("GOOBSTER_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
        Some(base?.join("goobster"))
    });
    let asset = cache.unwrap_or_default().join(path);
    assert!(
        asset.exists(),
        "{} is missing: run `cargo xtask setup` first",
        asset.display()
    );
    asset
}

/// Whisper base, the recogniser of the standard profile.
pub(crate) fn listener() -> WhisperRecogniser {
    WhisperRecogniser::load(
        &asset("models/ggml-base-q8_0.bin"),
        "base-q8_0",
        &WhisperOptions::default(),
    )
    .unwrap()
}

/// What the listener hears in samples of any rate.
pub(crate) async fn hear(listener: &WhisperRecogniser, samples: &[f32], rate: u32) -> String {
    let request = RecogniseRequest {
        audio: at_speech_rate(samples, rate).into(),
        language: LanguageChoice::Fixed(Language::ENGLISH),
        class: DecodeClass::Final,
        source: 1,
        prompt: None,
        abort: AbortFlag::new(),
    };
    listener.recognise(request).await.unwrap().text()
}

pub(crate) fn request(text: &str) -> SpeakRequest {
    SpeakRequest {
        text: text.to_owned(),
        language: Language::ENGLISH,
        voice: None,
        abort: AbortFlag::new(),
    }
}

pub(crate) async fn samples(mut stream: SpeechStream) -> Vec<f32> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.chunks.recv().await {
        all.extend(chunk.unwrap().samples);
    }
    all
}

/// 16 kHz of samples of another rate, half a second of silence around them.
fn at_speech_rate(samples: &[f32], rate: u32) -> Vec<f32> {
    let mut padded = vec![0.0; rate as usize / 2];
    padded.extend_from_slice(samples);
    padded.resize(padded.len() + rate as usize / 2, 0.0);
    let mut resampler = FftFixedIn::<f32>::new(rate as usize, SPEECH_RATE as usize, 1024, 1, 1).unwrap();
    let mut out = Vec::new();
    for block in padded.chunks(1024) {
        let mut block = block.to_vec();
        block.resize(1024, 0.0);
        out.extend(resampler.process(&[block], None).unwrap().remove(0));
    }
    out
}
