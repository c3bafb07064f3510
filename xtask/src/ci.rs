//! `cargo xtask ci`: everything a change must pass, each step timed, all of them run even when one fails.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{instructions, shell, test, tidy};

/// A feature that a user may choose, and what a machine must have to compile it.
struct Feature {
    name: &'static str,
    needs: &'static [Need],
}

#[derive(Debug, Clone, Copy)]
enum Need {
    /// A development package, by its name for pkg-config.
    Library(&'static str),
    Program(&'static str),
    MacOs,
}

impl Need {
    fn name(self) -> &'static str {
        match self {
            Self::Library(name) | Self::Program(name) => name,
            Self::MacOs => "macOS",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Library(name) => shell::succeeds(shell::command("pkg-config").args(["--exists", name])),
            Self::Program(name) => shell::which(name).is_some(),
            Self::MacOs => cfg!(target_os = "macos"),
        }
    }
}

/// The features of the binary, each compiled alone: they link different things and know nothing of each other.
const FEATURES: [Feature; 6] = [
    Feature {
        name: "host-voice",
        needs: &[Need::Library("alsa"), Need::Library("speech-dispatcher")],
    },
    Feature {
        name: TRIED,
        needs: &[],
    },
    Feature {
        name: "openblas",
        needs: &[Need::Library("openblas")],
    },
    Feature {
        name: "cuda",
        needs: &[Need::Program("nvcc")],
    },
    Feature {
        name: "vulkan",
        needs: &[Need::Library("vulkan"), Need::Program("glslc")],
    },
    Feature {
        name: "metal",
        needs: &[Need::MacOs],
    },
];

/// The feature that is not only compiled but tested.
const TRIED: &str = "otel";

/// A step's name and what it does; it returns what it left out, each with the reason.
type Step = (&'static str, fn() -> Result<Vec<String>>);

struct Outcome {
    step: &'static str,
    took: Duration,
    result: Result<Vec<String>, String>,
}

impl Outcome {
    /// The step's lines in the table: how it ended, and below that what it left out.
    fn lines(&self) -> String {
        let (word, left_out) = match &self.result {
            Ok(left_out) => ("ok", left_out.as_slice()),
            Err(error) => (error.as_str(), &[][..]),
        };
        let first = format!("{:<9} {:>7.1}  {word}", self.step, self.took.as_secs_f64());
        let rest = left_out.iter().map(|line| format!("{:19}{line}", ""));
        std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn run() -> Result<()> {
    let steps: [Step; 8] = [
        ("fmt", || {
            whole(shell::run(shell::cargo().args(["fmt", "--all", "--check"])))
        }),
        ("tidy", || whole(tidy::run())),
        ("clippy", || {
            crate::setup::whatever_is_missing()?;
            whole(shell::run(shell::cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])))
        }),
        ("test", || whole(test::run(&test::Arguments::everything()))),
        ("docs", || {
            whole(shell::run(
                shell::cargo()
                    .args(["doc", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ))
        }),
        ("counts", || {
            crate::setup::whatever_is_missing()?;
            instructions::check()
        }),
        ("features", features),
        ("deny", deny),
    ];
    let mut outcomes = Vec::new();
    for (step, action) in steps {
        eprintln!("\n== {step}");
        let began = Instant::now();
        let result = action().map_err(|e| format!("{e:#}"));
        if let Err(error) = &result {
            eprintln!("{step} failed: {error}");
        }
        outcomes.push(Outcome {
            step,
            took: began.elapsed(),
            result,
        });
    }
    println!("\nstep      seconds  result");
    for o in &outcomes {
        println!("{}", o.lines());
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|o| o.result.is_err())
        .map(|o| o.step)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("failed: {}", failed.join(", "))
    }
}

/// A step that leaves nothing out.
fn whole(result: Result<()>) -> Result<Vec<String>> {
    result.map(|()| Vec::new())
}

/// The features a user may choose compile, as far as this machine has what they need.
fn features() -> Result<Vec<String>> {
    let (chosen, skipped) = choose(Need::is_there);
    for feature in chosen.into_iter().filter(|feature| *feature != TRIED) {
        shell::run(shell::cargo().args(["check", "-p", "goobster-bot", "--features", feature]))?;
    }
    // Nothing but this crate is built anew: all else is as the tests had it.
    let feature = format!("goobster-bot/{TRIED}");
    shell::run(shell::cargo().args([
        "test",
        "--workspace",
        "--features",
        &feature,
        "--lib",
        "--test",
        "traces",
        "--",
        "traces",
    ]))?;
    Ok(skipped)
}

/// The features to compile, and a line about each that cannot be here.
fn choose(is_there: impl Fn(Need) -> bool) -> (Vec<&'static str>, Vec<String>) {
    let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
    for feature in FEATURES {
        let lacking = feature.needs.iter().copied().filter(|need| !is_there(*need));
        let lacking: Vec<_> = lacking.map(Need::name).collect();
        if lacking.is_empty() {
            chosen.push(feature.name);
        } else {
            skipped.push(format!(
                "{}: skipped, this machine has no {}",
                feature.name,
                lacking.join(" and no ")
            ));
        }
    }
    (chosen, skipped)
}

/// Licences, bans and sources, by cargo-deny where it is installed and by our own reading of the graph where it is not;
/// advisories when their database can be had.
fn deny() -> Result<Vec<String>> {
    deny_by(
        shell::succeeds(shell::cargo().args(["deny", "--version"])),
        || shell::succeeds(shell::cargo().args(["deny", "fetch", "db"])),
        |checks| shell::run(shell::cargo().args(["deny", "check"]).args(checks)),
    )
}

fn deny_by(
    installed: bool,
    fetch: impl Fn() -> bool,
    check: impl Fn(&[&str]) -> Result<()>,
) -> Result<Vec<String>> {
    if !installed {
        return Ok(vec![
            "advisories: skipped, cargo-deny is not installed (licences, bans and sources: see tidy)"
                .to_owned(),
        ]);
    }
    check(&["bans", "licenses", "sources"])?;
    if !fetch() {
        return Ok(vec![
            "advisories: skipped, the database cannot be reached".to_owned(),
        ]);
    }
    check(&["--disable-fetch", "advisories"])?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn features_that_cannot_be_compiled_are_named_with_the_reason() {
        let (chosen, skipped) = choose(|need| need.name() == "alsa");
        assert_eq!(chosen, ["otel"]);
        assert_eq!(
            skipped[0],
            "host-voice: skipped, this machine has no speech-dispatcher"
        );
        assert_eq!(
            skipped[3],
            "vulkan: skipped, this machine has no vulkan and no glslc"
        );
        assert_eq!(skipped.len(), FEATURES.len() - 1);
        assert_eq!(choose(|_| true).0.len(), FEATURES.len());
    }

    #[test]
    fn every_feature_of_the_binary_is_there() {
        let manifest = std::fs::read_to_string(shell::root().join("crates/goobster-bot/Cargo.toml")).unwrap();
        let section = manifest.split("[features]").nth(1).unwrap();
        let section = section.split("\n[").next().unwrap();
        let mut named: Vec<&str> = section
            .lines()
            .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
            .filter(|name| *name != "default")
            .collect();
        let mut ours = FEATURES.map(|feature| feature.name);
        named.sort_unstable();
        ours.sort_unstable();
        assert_eq!(named, ours);
    }

    #[test]
    fn what_was_left_out_stands_in_the_table() {
        let outcome = Outcome {
            step: "features",
            took: Duration::from_millis(1500),
            result: Ok(vec!["cuda: skipped, this machine has no nvcc".to_owned()]),
        };
        let table = outcome.lines();
        assert!(
            table.starts_with("features ") && table.contains("1.5  ok\n"),
            "{table}"
        );
        assert!(
            table.ends_with("  cuda: skipped, this machine has no nvcc"),
            "{table}"
        );
    }

    #[test]
    fn advisories_are_checked_when_their_database_can_be_had() {
        let run = |installed: bool, reachable: bool, vulnerable: bool| {
            let ran = RefCell::new(Vec::new());
            let result = deny_by(
                installed,
                || reachable,
                |checks| {
                    ran.borrow_mut().push(checks.join(" "));
                    if vulnerable && checks.contains(&"advisories") {
                        bail!("an advisory");
                    }
                    Ok(())
                },
            );
            (result.map_err(|e| e.to_string()), ran.into_inner().join("; "))
        };
        assert_eq!(
            run(true, true, false),
            (
                Ok(Vec::new()),
                "bans licenses sources; --disable-fetch advisories".into()
            )
        );
        assert_eq!(run(true, true, true).0, Err("an advisory".to_owned()));
        assert_eq!(
            run(true, false, true),
            (
                Ok(vec![
                    "advisories: skipped, the database cannot be reached".to_owned()
                ]),
                "bans licenses sources".into()
            )
        );
        let (left_out, ran) = run(false, true, true);
        assert!(left_out.unwrap()[0].contains("not installed") && ran.is_empty());
    }
}
