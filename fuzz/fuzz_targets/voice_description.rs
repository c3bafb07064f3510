//! A Piper voice's description (JSON).
#![no_main]

use goobster_speech::fuzzing::voice_description;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = voice_description(bytes) {
        assert!(!what.is_empty());
    }
});
