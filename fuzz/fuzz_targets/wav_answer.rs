//! A WAV as a speech server or espeak-ng gives it.
#![no_main]

use goobster_speech::fuzzing::wav;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((rate, samples)) = wav(bytes) {
        assert!(rate > 0);
        assert!(samples.iter().all(|sample| (-1.0..=1.0).contains(sample)));
        assert!(samples.len() <= bytes.len());
    }
});
