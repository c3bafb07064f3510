//! `cargo xtask network`: whom a bot contacts when `network = "discord-only"`. A rehearsal runs in a network namespace that has
//! nothing but its own loopback, and every connect of the bot is logged by strace; an address that is not the loopback Discord's
//! fails it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::product::Passed;
use crate::{setup, shell};

/// Played when nothing else is asked for: real engines, a conversation.
const SCENARIO: &str = "conversation";

pub(crate) fn run(passed: &Passed) -> Result<()> {
    if !answers(Command::new("strace").arg("-V")) {
        bail!("strace is not installed: it logs what the bot contacts (Debian: apt-get install strace)");
    }
    setup::whatever_is_missing()?;
    let program = built()?;
    let mut rehearse = vec![
        "--offline",
        "rehearse",
        "--network",
        "discord-only",
        "--log-connects",
    ];
    rehearse.extend(["--out", "target/network"]);
    if passed.arguments.is_empty() {
        rehearse.extend(["--scenario", SCENARIO]);
    }
    rehearse.extend(passed.arguments.iter().map(String::as_str));
    let mut command = if can_isolate() {
        println!("in a network namespace with nothing but a loopback of its own");
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            "ip link set lo up && exec \"$@\"",
            "sh",
        ]);
        unshare.arg(&program);
        unshare
    } else {
        println!("no network namespace can be made here: in this machine's own network");
        Command::new(&program)
    };
    command.current_dir(shell::root()).args(rehearse);
    shell::run(&mut command)
}

/// Whether this user may make a network namespace and raise its loopback.
fn can_isolate() -> bool {
    answers(Command::new("unshare").args(["--map-root-user", "--net", "ip", "link", "set", "lo", "up"]))
}

fn answers(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Builds the product and says where it is. Cargo's progress is shown.
fn built() -> Result<PathBuf> {
    let package = ["build", "--release", "-p", "goobster-bot", "--bin", "goobster"];
    shell::run(shell::cargo().args(package))?;
    let told = shell::output(shell::cargo().args(package).arg("--message-format=json"))?;
    told.lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no program")
}
