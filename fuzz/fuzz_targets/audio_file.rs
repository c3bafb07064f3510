//! Any bytes, opened as a recording of any format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    goobster_fuzz::allow_contained_panics();
    goobster_fuzz::read_recording(bytes);
});
