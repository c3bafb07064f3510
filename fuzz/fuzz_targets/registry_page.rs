//! A registry's page: JSON or HTML, from which the address of a file is taken.
#![no_main]

use goobster_models::fuzzing::registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(address) = registry(text, "model-1.0.whl") {
        assert!(address.contains("://"), "{address}");
    }
});
