//! `cargo xtask instructions`: how many instructions each audio kernel takes, against the counts in `instructions.json`.
//!
//! A clock says nothing on a busy machine; valgrind counts the same every time, and shows processors an AVX2 machine
//! without AVX-512. Counts hold for one compiler: with another rustc nothing is compared, with another C compiler not what
//! is written in C.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use goobster_models::{Cache, manifest};
use serde::{Deserialize, Serialize};

use crate::shell;

/// The profile of the example: see the root `Cargo.toml`.
const PROFILE: &str = "kernels";
/// How often a kernel runs in each of the two runs whose difference counts.
const TIMES: [u64; 2] = [100, 600];
/// A count may differ by this much, in per cent.
const TOLERANCE: u64 = 3;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the counts instead of comparing them
    #[arg(long)]
    update: bool,
}

/// A kernel of the example.
struct Kernel {
    name: &'static str,
    /// Its arithmetic is written in C.
    in_c: bool,
    needs_weights: bool,
}

const KERNELS: [Kernel; 3] = [
    Kernel {
        name: "decimate",
        in_c: false,
        needs_weights: false,
    },
    Kernel {
        name: "silero",
        in_c: false,
        needs_weights: true,
    },
    Kernel {
        name: "opus",
        in_c: true,
        needs_weights: false,
    },
];

/// The counts of one machine's compilers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    rustc: String,
    cc: String,
    /// Instructions for one frame, window or packet.
    kernels: BTreeMap<String, u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(why) = impossible() {
        bail!("{why}");
    }
    let counted = count()?;
    for (kernel, instructions) in &counted.kernels {
        println!("{kernel:<10} {instructions:>9}");
    }
    if arguments.update {
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        return fs::write(file(), text).with_context(|| format!("cannot write {}", file().display()));
    }
    for told in compare(&committed()?, &counted)? {
        eprintln!("{told}");
    }
    Ok(())
}

/// The step of `ci`: what was left out, each with the reason.
pub(crate) fn check() -> Result<Vec<String>> {
    if let Some(why) = impossible() {
        return Ok(vec![format!("skipped, {why}")]);
    }
    compare(&committed()?, &count()?)
}

/// Why nothing can be counted here.
fn impossible() -> Option<String> {
    if shell::which("valgrind").is_none() {
        return Some("valgrind is not installed".to_owned());
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return None;
    }
    Some("this processor has no AVX2".to_owned())
}

fn file() -> PathBuf {
    shell::root().join("xtask/instructions.json")
}

fn committed() -> Result<Counts> {
    let text = fs::read_to_string(file()).with_context(|| format!("cannot read {}", file().display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no counts", file().display()))
}

/// What differs too much is an error; what could not be compared is told.
fn compare(committed: &Counts, counted: &Counts) -> Result<Vec<String>> {
    if committed.rustc != counted.rustc {
        return Ok(vec![format!(
            "not compared: the counts are of {}, this is {}; `cargo xtask instructions --update` counts anew",
            committed.rustc, counted.rustc
        )]);
    }
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for kernel in KERNELS {
        let count = |counts: &Counts| counts.kernels.get(kernel.name).copied();
        let (Some(before), Some(now)) = (count(committed), count(counted)) else {
            wrong.push(format!("{} has no count", kernel.name));
            continue;
        };
        if kernel.in_c && committed.cc != counted.cc {
            told.push(format!(
                "{}: not compared, its C compiler was {}",
                kernel.name, committed.cc
            ));
            continue;
        }
        let percent = (now as f64 / before.max(1) as f64 - 1.0) * 100.0;
        // In whole numbers: exactly so much is still borne.
        if now.abs_diff(before) * 100 > before * TOLERANCE {
            wrong.push(format!(
                "{}: {before} became {now} ({percent:+.1} %)",
                kernel.name
            ));
        }
    }
    ensure!(
        wrong.is_empty(),
        "instructions differ by more than {TOLERANCE} %: {}. If that is meant: `cargo xtask instructions --update`",
        wrong.join("; ")
    );
    Ok(told)
}

fn count() -> Result<Counts> {
    let example = build()?;
    let weights = Cache::locate()?.path_of(&manifest::SILERO);
    let mut kernels = BTreeMap::new();
    for kernel in KERNELS {
        let runs = TIMES.map(|times| instructions(&example, &kernel, times, &weights));
        let [few, many] = runs;
        let (few, many) = (few?, many?);
        let each = many
            .checked_sub(few)
            .with_context(|| format!("{}: more runs took fewer instructions", kernel.name))?;
        kernels.insert(kernel.name.to_owned(), each / (TIMES[1] - TIMES[0]));
    }
    Ok(Counts {
        rustc: first_line(
            Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())).arg("-V"),
        )?,
        cc: first_line(Command::new("cc").arg("--version"))?,
        kernels,
    })
}

fn first_line(command: &mut Command) -> Result<String> {
    let text = shell::output(command)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Builds the example, and says where it is.
fn build() -> Result<PathBuf> {
    let output = shell::output(shell::cargo().args([
        "build",
        "--profile",
        PROFILE,
        "-p",
        "goobster-audio",
        "--example",
        "kernels",
        "--message-format=json-render-diagnostics",
    ]))?;
    output
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "kernels")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say where the example is")
}

/// All instructions of one run.
fn instructions(example: &Path, kernel: &Kernel, times: u64, weights: &Path) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(example)
        .args([kernel.name, &times.to_string()])
        .stdin(Stdio::null());
    if kernel.needs_weights {
        command.arg(weights);
    }
    let output = command.output().context("cannot run valgrind")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} failed under valgrind: {told}",
        kernel.name
    );
    collected(&told).with_context(|| format!("valgrind did not say how much it counted: {told}"))
}

/// The number behind `Collected :`.
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(decimate: u64, opus: u64) -> Counts {
        let kernels = [("decimate", decimate), ("silero", 1000), ("opus", opus)];
        Counts {
            rustc: "rustc 1".to_owned(),
            cc: "cc 1".to_owned(),
            kernels: kernels.map(|(name, count)| (name.to_owned(), count)).into(),
        }
    }

    #[test]
    fn three_per_cent_are_borne_and_more_is_an_error_that_says_how_to_accept_it() {
        let before = counts(1000, 1000);
        assert!(compare(&before, &counts(1030, 970)).unwrap().is_empty());
        for worse in [counts(1031, 1000), counts(969, 1000), counts(1000, 1100)] {
            let error = compare(&before, &worse).unwrap_err().to_string();
            assert!(
                error.contains("--update") && error.contains("1000 became"),
                "{error}"
            );
        }
        let mut lacking = before.clone();
        lacking.kernels.remove("silero");
        assert!(compare(&before, &lacking).is_err());
    }

    #[test]
    fn other_compilers_are_not_compared() {
        let before = counts(1000, 1000);
        let mut other = counts(1000, 5000);
        other.cc = "cc 2".to_owned();
        assert_eq!(compare(&before, &other).unwrap().len(), 1);
        other.kernels.insert("decimate".to_owned(), 5000);
        assert!(compare(&before, &other).is_err());
        other.rustc = "rustc 2".to_owned();
        assert_eq!(compare(&before, &other).unwrap().len(), 1);
    }

    #[test]
    fn valgrinds_count_is_read() {
        let told = "==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==7== nothing"), None);
    }

    #[test]
    fn the_committed_counts_are_complete() {
        let committed = committed().unwrap();
        for kernel in KERNELS {
            assert!(committed.kernels.contains_key(kernel.name), "{}", kernel.name);
        }
    }
}
