//! Commands that hand over to a program of the workspace: the demo, the measurements, the soak.

use anyhow::Result;

use crate::{process, setup};

/// `cargo xtask demo`: sets up what is missing, then holds the conversation with the release binary.
pub(crate) fn demo(args: &[String]) -> Result<()> {
    setup::ensure(&setup::Needs::demo(args))?;
    goobster("demo", args)
}

/// `cargo xtask eval`: the measurements behind `docs/accuracy.md`.
pub(crate) fn eval(args: &[String]) -> Result<()> {
    setup::ensure(&setup::Needs::everything())?;
    let report = ["--report".to_owned(), process::root().join("docs/accuracy.md").display().to_string()];
    let args: Vec<String> = if args.is_empty() { report.to_vec() } else { args.to_vec() };
    let mut cargo = process::cargo();
    cargo.args(["run", "--release", "--package", "goobster-tests", "--bin", "eval", "--"]);
    process::run(cargo.args(args))
}

/// `cargo xtask bench`: every criterion benchmark.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    setup::ensure(&setup::Needs::everything())?;
    process::run(process::cargo().args(["bench", "--package", "goobster-benches"]).args(args))
}

/// `cargo xtask soak`: seeded fault plans over the session manager.
pub(crate) fn soak(args: &[String]) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "goobster-tests", "--bin", "soak", "--"]);
    process::run(cargo.args(args))
}

fn goobster(command: &str, args: &[String]) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["run", "--release", "--package", "goobster-bot", "--bin", "goobster", "--", command]);
    process::run(cargo.args(args))
}
