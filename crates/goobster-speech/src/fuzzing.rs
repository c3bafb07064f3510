//! The private parsers of foreign bytes, for the fuzz targets alone (`fuzz/`): only compiled with `--cfg fuzzing`.

use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::Recognition;

/// A Piper voice's description.
///
/// # Errors
/// What is wrong with it.
pub fn voice_description(json: &[u8]) -> Result<(), String> {
    crate::tts::piper::fuzz_description(json)
}

/// A WAV from a speech server or from espeak-ng: its rate and samples. Its head alone must agree.
///
/// # Errors
/// What is wrong with it.
pub fn wav(bytes: &[u8]) -> Result<(u32, Vec<f32>), String> {
    let head = crate::tts::wav::head(bytes);
    let wav = crate::tts::wav::parse(bytes)?;
    assert_eq!(head.ok().flatten().map(|head| head.rate), Some(wav.rate));
    Ok((wav.rate, wav.samples))
}

/// A transcription server's answer for a clip of ten seconds.
///
/// # Errors
/// What is wrong with it.
pub fn transcription(body: &[u8]) -> Result<Recognition, String> {
    crate::stt::openai::fuzz_answer(body, Duration::from_secs(10), Language::ENGLISH)
}
