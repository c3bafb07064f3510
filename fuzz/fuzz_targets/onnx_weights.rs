//! The voice detector's weights, taken out of an ONNX file.
#![no_main]

use goobster_models::fuzzing::onnx_weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = onnx_weights(bytes) {
        assert!(!error.to_string().is_empty());
    }
});
