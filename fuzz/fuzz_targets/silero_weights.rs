//! The voice detector's weights as they lie in the cache; what loads must detect without a panic.
#![no_main]

use std::sync::Arc;

use goobster_audio::vad::{SileroDetector, SileroWeights, VoiceDetector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match SileroWeights::from_bytes(bytes) {
        Ok(weights) => {
            let mut detector = SileroDetector::new(Arc::new(weights));
            let window = vec![0.1; detector.window()];
            for _ in 0..4 {
                // Weights that are out of all bounds may give nonsense, but a number of the promised range.
                assert!((0.0..=1.0).contains(&detector.probability(&window)));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
