//! `cargo xtask test`: every test, by nextest where it is installed, and the documentation's examples always.

use anyhow::{Result, bail};

use crate::{metadata, setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One crate alone, as `goobster-audio` or `audio`
    #[arg(value_name = "CRATE")]
    package: Option<String>,
    /// Passed on to the test runner
    #[arg(last = true)]
    passed: Vec<String>,
}

impl Arguments {
    /// All crates, nothing passed on.
    pub(crate) fn everything() -> Self {
        Self {
            package: None,
            passed: Vec::new(),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::whatever_is_missing()?;
    let packages = metadata::workspace()?;
    let package = match &arguments.package {
        Some(name) => {
            let found = packages
                .iter()
                .find(|p| p.name == *name || p.name == format!("goobster-{name}"));
            let Some(found) = found else {
                let names: Vec<_> = packages.iter().map(|p| p.name.as_str()).collect();
                bail!("no crate {name:?} here; there are {}", names.join(", "));
            };
            Some(found)
        }
        None => None,
    };
    let scope: Vec<&str> = package.map_or(vec!["--workspace"], |p| vec!["-p", p.name.as_str()]);
    if !shell::succeeds(shell::cargo().args(["nextest", "--version"])) {
        // cargo's own runner does the examples in the same go.
        eprintln!("cargo-nextest is not installed; using cargo test");
        return shell::run(
            shell::cargo()
                .args(["test", "--no-fail-fast"])
                .args(&scope)
                .args(passed_on(&arguments.passed)),
        );
    }
    let mut nextest = shell::cargo();
    nextest.args(["nextest", "run", "--no-tests=pass"]).args(&scope);
    if std::env::var_os("CI").is_some() {
        nextest.args(["--profile", "ci"]);
    }
    let tests = shell::run(nextest.args(&arguments.passed));
    let examples = if package.is_some_and(|p| !p.has_library) {
        Ok(())
    } else {
        shell::run(
            shell::cargo()
                .args(["test", "--doc", "--no-fail-fast"])
                .args(&scope),
        )
    };
    both(tests, examples)
}

/// Neither hides the other: a failure when one failed, with both told when both did.
fn both(tests: Result<()>, examples: Result<()>) -> Result<()> {
    match (tests, examples) {
        (Err(tests), Err(examples)) => bail!("tests: {tests:#}; the documentation's examples: {examples:#}"),
        (Err(tests), Ok(())) => Err(tests.context("tests")),
        (Ok(()), Err(examples)) => Err(examples.context("the documentation's examples")),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// cargo test wants filters and switches for the test program after two dashes.
fn passed_on(passed: &[String]) -> Vec<String> {
    if passed.is_empty() {
        return Vec::new();
    }
    let mut out = vec!["--".to_owned()];
    out.extend_from_slice(passed);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_tests_does_not_hide_one_of_the_examples() {
        let failed = |word: &str| Err(anyhow::anyhow!("{word} failed"));
        assert!(both(Ok(()), Ok(())).is_ok());
        let told = |tests, examples| format!("{:#}", both(tests, examples).unwrap_err());
        assert_eq!(told(failed("a"), Ok(())), "tests: a failed");
        assert_eq!(
            told(Ok(()), failed("b")),
            "the documentation's examples: b failed"
        );
        let told = told(failed("a"), failed("b"));
        assert!(told.contains("a failed") && told.contains("b failed"), "{told}");
    }
}
