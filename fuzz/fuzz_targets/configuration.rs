//! An operator's configuration file.
#![no_main]

use goobster_bot::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(what) = Config::parse(text) {
        assert!(!what.is_empty());
    }
});
