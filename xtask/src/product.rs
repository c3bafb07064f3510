//! Commands that set up what is missing and then start the product or one of its measuring programs.

use anyhow::{Context as _, Result};

use crate::{setup, shell};

/// Arguments that go through to the program.
#[derive(clap::Args)]
pub(crate) struct Passed {
    /// Passed on as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// The spoken conversation.
pub(crate) fn demo(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    goobster("demo", passed)
}

/// Accuracy, latency, voices and noise; without arguments everything, into `docs/accuracy.md`.
pub(crate) fn eval(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    let base = ["run", "--release", "-p", "goobster-eval", "--"];
    let mut cargo = shell::cargo();
    cargo.args(base).args(&passed.arguments);
    if passed.arguments.is_empty() {
        cargo.args(["--report", "docs/accuracy.md"]);
    }
    shell::run(&mut cargo)
}

/// Sessions under faults; with `--rehearse N` the whole bot, on the loopback Discord.
pub(crate) fn soak(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    if let Some(arguments) = rehearsals(&passed.arguments) {
        return goobster("rehearse", &Passed { arguments });
    }
    let base = ["run", "--release", "-p", "goobster-tests", "--bin", "soak", "--"];
    shell::run(shell::cargo().args(base).args(&passed.arguments))
}

/// Several hosts, one of which is killed. Passes on what the program takes: `--json`, `--fast`.
pub(crate) fn cluster(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    shell::run(shell::cargo().args(["build", "--release", "-p", "goobster-bot", "--bin", "goobster"]))?;
    let samples = goobster_models::Cache::locate()
        .context("the cache's folder is not known")?
        .root()
        .join("speech");
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| shell::root().join("target"), std::path::PathBuf::from);
    let base = [
        "run",
        "--release",
        "-p",
        "goobster-rehearsal",
        "--example",
        "hosts",
        "--",
    ];
    let mut cargo = shell::cargo();
    cargo.args(base).arg(folder.join("release/goobster")).arg(samples);
    shell::run(cargo.args(&passed.arguments))
}

/// `--rehearse N …` as the product understands it: `--soak N …`.
fn rehearsals(arguments: &[String]) -> Option<Vec<String>> {
    let is_ours = |argument: &String| argument == "--rehearse" || argument.starts_with("--rehearse=");
    arguments.iter().any(is_ours).then(|| {
        let theirs = arguments
            .iter()
            .map(|argument| match argument.strip_prefix("--rehearse") {
                Some(rest) if is_ours(argument) => format!("--soak{rest}"),
                _ => argument.clone(),
            });
        theirs.collect()
    })
}

/// Starts the product where the user stands, so that the files they name are found. Cargo's progress is shown: a first
/// build takes minutes.
fn goobster(subcommand: &str, passed: &Passed) -> Result<()> {
    let here = std::env::current_dir().context("this folder is gone")?;
    let manifest = shell::root().join("Cargo.toml");
    let mut cargo = shell::cargo();
    cargo
        .current_dir(here)
        .args(["run", "--release", "--manifest-path"])
        .arg(manifest);
    cargo.args(["-p", "goobster-bot", "--bin", "goobster", "--", subcommand]);
    shell::run(cargo.args(&passed.arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_of_rehearsals_is_the_products() {
        let given = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let passed = |text: &str| rehearsals(&given(text));
        assert_eq!(passed("--seeds 3"), None);
        assert_eq!(
            passed("--rehearse 200 --seed-start 7"),
            Some(given("--soak 200 --seed-start 7"))
        );
        assert_eq!(passed("--rehearse=5"), Some(given("--soak=5")));
    }
}
