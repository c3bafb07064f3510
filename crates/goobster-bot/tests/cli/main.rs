//! The `goobster` binary as its users run it: exit codes, what goes to stdout and what to stderr.
//!
//! Tests that load a model begin with `inference_`; they need what `cargo xtask setup` fetches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // The helpers of a test are tests too.

mod config;
mod converse;
mod environment;
mod health;
mod keeping;
mod machine;
mod server;
mod store;
mod transcribe;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn goobster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goobster"));
    command
        .env_remove("GOOBSTER_PROFILE")
        .env("GOOBSTER_OFFLINE", "1")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    goobster().args(args).output().expect("the binary starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Every line of stdout as JSON; each must have an `event`.
fn events(output: &Output) -> Vec<Value> {
    let lines: Vec<Value> = stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON: {line}: {e}")))
        .collect();
    assert!(lines.iter().all(|line| line["event"].is_string()), "{lines:?}");
    lines
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// A recording that set-up fetched.
fn recording(name: &str) -> PathBuf {
    let cache = goobster_models::Cache::locate().expect("a cache folder");
    let path = cache.root().join("speech").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask setup`",
        path.display()
    );
    path
}

fn wav(path: &Path, samples: impl IntoIterator<Item = f32>) {
    let mut writer = goobster_audio::wav::WavWriter::create(path, 16_000, 1).unwrap();
    writer.write(&samples.into_iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
}
