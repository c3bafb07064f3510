//! `cargo xtask bench`: installs the peers, runs criterion, and writes `docs/performance.md` from its results.
//!
//! - [`results`]: what criterion left behind, as comparisons of ours with its peers.
//! - [`quality`]: what the benchmarks wrote beside it: ripple, word errors, peers that could not be had.
//! - [`catalogue`]: what each comparison measures and what it must reach.
//! - [`report`]: the Markdown; [`svg`]: its plots.

mod catalogue;
mod quality;
mod report;
mod results;
mod svg;
mod units;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use goobster_models::Cache;

use crate::{setup, shell};
use quality::Quality;
use results::Measured;

/// What tells the benchmarks to take fewer recordings.
const QUICK_VARIABLE: &str = "GOOBSTER_BENCH_QUICK";
/// Time stamps of files may be this much coarser than the clock.
const STAMP: Duration = Duration::from_secs(2);

/// Examples for `--help`.
const EXAMPLES: &str = "Examples:
  cargo xtask bench                        everything, then docs/performance.md
  cargo xtask bench --quick                the same in less than five minutes, less exact
  cargo xtask bench decimate vad           these comparisons only; the report is left alone
  cargo xtask bench --json > lines.json    one line a comparison on standard output
  cargo xtask bench -- --save-baseline me  whatever follows the two dashes goes to criterion";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Run these comparisons only, by the names that the report has
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Fewer and shorter samples: everything within five minutes once it is built
    #[arg(long)]
    quick: bool,
    /// Print one line of JSON for each comparison on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Passed on to criterion
    #[arg(last = true, value_name = "CRITERION")]
    criterion: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cache = Cache::locate()?;
    setup::whatever_is_missing()?;
    let mut left_out = setup::install_peers(&cache);
    for told in &left_out {
        eprintln!("left out: {told}");
    }
    let target = target_folder()?;
    let began = (Instant::now(), SystemTime::now());
    let outcome = measure(arguments, &target);
    let measured = results::read(&target.join("criterion"), began.1 - STAMP)?;
    let quality = Quality::read(&target.join("quality"), began.1 - STAMP);
    left_out.extend(quality.left_out());
    tell(arguments, &measured, &quality, &left_out)?;
    eprintln!("measured in {:.0} s", began.0.elapsed().as_secs_f64());
    outcome
}

/// Runs criterion. Its words are for people: with `--json` they go to standard error.
fn measure(arguments: &Arguments, target: &Path) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args([
        "bench",
        "-p",
        "goobster-benches",
        "--benches",
        "--no-fail-fast",
        "--",
    ]);
    cargo.args(filter(&arguments.names));
    cargo.arg("--noplot");
    if arguments.quick {
        let shorter = ["--sample-size=10", "--warm-up-time=0.3", "--measurement-time=1"];
        cargo.args(shorter).env(QUICK_VARIABLE, "1");
    }
    cargo.args(&arguments.criterion);
    cargo.env("CRITERION_HOME", target.join("criterion"));
    if arguments.json {
        cargo.stdout(Stdio::from(io::stderr()));
    }
    shell::run(&mut cargo)
}

/// Criterion's pattern for these comparisons: the whole name of a group.
fn filter(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("^({})/", names.join("|")))
}

/// Prints the comparisons, and writes the report when everything was measured.
fn tell(arguments: &Arguments, measured: &[Measured], quality: &Quality, left_out: &[String]) -> Result<()> {
    let comparisons = results::comparisons(measured);
    let mut out = io::stdout().lock();
    for comparison in &comparisons {
        let line = if arguments.json {
            comparison.json().to_string()
        } else {
            comparison.to_string()
        };
        // A reader that goes away (`| head`) is no failure.
        let _ = writeln!(out, "{line}");
    }
    if arguments.names.is_empty() && arguments.criterion.is_empty() {
        let run = report::Run {
            measured,
            comparisons: &comparisons,
            quality,
            left_out,
            quick: arguments.quick,
        };
        let file = shell::root().join("docs/performance.md");
        report::write(&run, &file)?;
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}

/// Where cargo builds, as cargo itself says.
fn target_folder() -> Result<PathBuf> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let json: serde_json::Value = serde_json::from_str(&text).context("cargo metadata gave no JSON")?;
    json["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata named no target folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_a_pattern_of_whole_groups() {
        assert_eq!(filter(&[]), None);
        let names = ["path".to_owned(), "vad".to_owned()];
        assert_eq!(filter(&names).as_deref(), Some("^(path|vad)/"));
    }
}
