//! Commands that set up what is missing and then start the product or one of its measuring programs.

use anyhow::Result;

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

/// Word errors on the sample speech.
pub(crate) fn eval(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    goobster("eval", passed)
}

/// Sessions under faults.
pub(crate) fn soak(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    let base = [
        "run",
        "--quiet",
        "--release",
        "-p",
        "goobster-tests",
        "--bin",
        "soak",
        "--",
    ];
    shell::run(shell::cargo().args(base).args(&passed.arguments))
}

/// The benchmarks.
pub(crate) fn bench(passed: &Passed) -> Result<()> {
    setup::whatever_is_missing()?;
    shell::run(
        shell::cargo()
            .args(["bench", "-p", "goobster-benches"])
            .args(&passed.arguments),
    )
}

fn goobster(subcommand: &str, passed: &Passed) -> Result<()> {
    let base = [
        "run",
        "--quiet",
        "--release",
        "-p",
        "goobster-bot",
        "--bin",
        "goobster",
        "--",
        subcommand,
    ];
    shell::run(shell::cargo().args(base).args(&passed.arguments))
}
