//! A speech model given to the recogniser: checked before whisper.cpp, which believes what it reads, sees it.
#![no_main]

use std::io::Cursor;

use goobster_speech::stt::whisper::check_ggml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Every input gets past the magic number.
    let mut model = b"lmgg".to_vec();
    model.extend_from_slice(bytes);
    let length = model.len() as u64;
    if let Err(bad) = check_ggml(&mut Cursor::new(model), length) {
        assert!(!bad.to_string().is_empty());
    }
});
