//! `cargo xtask browser`: the status page in headless Chromium, as its test drives it. Installs Chromium (the system's package)
//! and axe where they are missing; `cargo xtask test` runs the same test where they are there.

use anyhow::Result;
use goobster_models::{Cache, FetchOptions, State, Terminal, ensure, manifest};

use crate::{setup, shell};

/// Names of the browser's program.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
/// The package that holds it.
const PACKAGE: &str = "chromium";

pub(crate) fn run() -> Result<()> {
    setup::whatever_is_missing()?;
    let cache = Cache::locate()?;
    if cache.state(&manifest::AXE) != State::Present {
        ensure(
            &cache,
            &[&manifest::AXE],
            &FetchOptions::default(),
            &mut Terminal::default(),
        )?;
    }
    if BROWSERS.iter().all(|name| shell::which(name).is_none()) {
        setup::from_the_system(&[PACKAGE])?;
    }
    let test = [
        "test",
        "-p",
        "goobster-bot",
        "--test",
        "browser",
        "--",
        "--nocapture",
    ];
    shell::run(shell::cargo().args(test))
}
