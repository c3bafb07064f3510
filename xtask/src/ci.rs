//! `cargo xtask ci`: everything a change must pass, each step timed, all of them run even when one fails.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{shell, test, tidy};

/// Development packages of the system that the feature `host-voice` links.
const HOST_VOICE_LIBRARIES: [&str; 2] = ["alsa", "speech-dispatcher"];

/// A step's name and what it does.
type Step = (&'static str, fn() -> Result<()>);

struct Outcome {
    step: &'static str,
    took: Duration,
    error: Option<String>,
}

pub(crate) fn run() -> Result<()> {
    let steps: [Step; 7] = [
        ("fmt", || {
            shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
        }),
        ("tidy", tidy::run),
        ("clippy", || {
            crate::setup::whatever_is_missing()?;
            shell::run(shell::cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
        }),
        ("test", || test::run(&test::Arguments::everything())),
        ("docs", || {
            shell::run(
                shell::cargo()
                    .args(["doc", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        }),
        ("features", features),
        ("deny", deny),
    ];
    let mut outcomes = Vec::new();
    for (step, action) in steps {
        eprintln!("\n== {step}");
        let began = Instant::now();
        let error = action().err().map(|e| format!("{e:#}"));
        if let Some(error) = &error {
            eprintln!("{step} failed: {error}");
        }
        outcomes.push(Outcome {
            step,
            took: began.elapsed(),
            error,
        });
    }
    println!("\nstep      seconds  result");
    for o in &outcomes {
        println!(
            "{:<9} {:>7.1}  {}",
            o.step,
            o.took.as_secs_f64(),
            o.error.as_deref().unwrap_or("ok")
        );
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|o| o.error.is_some())
        .map(|o| o.step)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("failed: {}", failed.join(", "))
    }
}

/// The features a user may choose compile, as far as this machine has what they link.
fn features() -> Result<()> {
    let there = HOST_VOICE_LIBRARIES
        .iter()
        .all(|library| shell::succeeds(shell::command("pkg-config").args(["--exists", library])));
    if !there {
        println!(
            "host-voice is not checked: {} are not installed here",
            HOST_VOICE_LIBRARIES.join(" and ")
        );
        return Ok(());
    }
    shell::run(shell::cargo().args(["check", "-p", "goobster-bot", "--features", "host-voice"]))
}

/// Licences, bans and sources, by cargo-deny where it is installed and by our own reading of the graph where it is not.
fn deny() -> Result<()> {
    if shell::succeeds(shell::cargo().args(["deny", "--version"])) {
        return shell::run(shell::cargo().args(["deny", "check", "bans", "licenses", "sources"]));
    }
    println!(
        "cargo-deny is not installed: licences, bans and sources were checked by `tidy`; advisories were not checked"
    );
    Ok(())
}
