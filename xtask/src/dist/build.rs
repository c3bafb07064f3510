//! Builds the program and its launcher, each for its kind of processor.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// What a release is for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What was built.
pub(super) struct Built {
    /// The program, for x86-64-v3.
    pub(super) program: PathBuf,
    /// What looks at the processor first, for every x86-64.
    pub(super) launcher: PathBuf,
}

/// Builds both. The flags of the environment and of cargo's files do not reach them: a release is what is told here.
pub(super) fn all(profile: &str) -> Result<Built> {
    Ok(Built {
        program: one("goobster-bot", "goobster", profile, "x86-64-v3")?,
        launcher: one("goobster-launcher", "goobster-launcher", profile, "x86-64")?,
    })
}

fn one(package: &str, binary: &str, profile: &str, processor: &str) -> Result<PathBuf> {
    let mut cargo = shell::cargo();
    cargo
        .args(["build", "--locked", "--package", package, "--bin", binary])
        .args(["--profile", profile, "--target", TARGET])
        // Between two flags stands this character.
        .env("CARGO_ENCODED_RUSTFLAGS", format!("-C\x1ftarget-cpu={processor}"))
        // Without this, ggml is compiled for the processor of the machine that builds; with it, for AVX2, FMA, F16C and BMI2,
        // which is x86-64-v3.
        .env("GGML_NATIVE", "OFF");
    shell::run(&mut cargo)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let built = target_folder()?.join(TARGET).join(folder).join(binary);
    if !built.is_file() {
        bail!("{} was not built", built.display());
    }
    Ok(built)
}

fn target_folder() -> Result<PathBuf> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    json["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata names no target folder")
}
