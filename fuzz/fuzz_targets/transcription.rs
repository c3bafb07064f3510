//! A transcription server's answer: segments must come out in order, inside the clip, with sane confidences.
#![no_main]

use goobster_speech::fuzzing::transcription;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(heard) = transcription(bytes) {
        for segment in &heard.segments {
            assert!(segment.start <= segment.end, "{segment:?}");
            assert!(segment.end.as_secs_f64() <= 10.0 + 1e-6, "{segment:?}");
            assert!((0.0..=1.0).contains(&segment.confidence), "{segment:?}");
        }
    }
});
