//! A speech model as it comes from the registry: CTranslate2's file and its vocabulary, converted to ggml. What comes
//! out must be what the loader's own check reads.
#![no_main]

use goobster_models::fuzzing::whisper_package;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Two bytes: how long the vocabulary is; a vocabulary; the model.
    let Some(([high, low], rest)) = bytes.split_first_chunk() else { return };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (vocabulary, model) = rest.split_at(length);
    let vocabulary = String::from_utf8_lossy(vocabulary);
    match whisper_package(model, &vocabulary) {
        Ok(out) => assert!(out.starts_with(b"lmgg")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
