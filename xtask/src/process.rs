//! Running programs: from the workspace's root, with their output shown, and an error that names what failed.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context as _, Result};

/// A command that ended badly, with the exit code to pass on.
#[derive(Debug)]
pub(crate) struct Ended {
    what: String,
    code: u8,
}

impl Ended {
    /// An end with a message of our own.
    pub(crate) fn new(what: impl Into<String>, code: u8) -> Self {
        Self { what: what.into(), code }
    }

    /// The code that xtask itself ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    fn of(what: String, status: ExitStatus) -> Self {
        // A signal, or a code that a shell would take for one, is a plain failure.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| (1..100).contains(code));
        Self { what: format!("{what} ended with {status}"), code: code.unwrap_or(1) }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Ended {}

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    // xtask lives one folder below the root.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// A command that runs in the workspace's root.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs us, with the environment that set-up chose for native builds.
pub(crate) fn cargo() -> Command {
    let mut command = command(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    for (name, value) in crate::setup::build_environment() {
        command.env(name, value);
    }
    command
}

/// Runs a command with its output shown; an unhappy end is an [`Ended`].
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let what = describe(command);
    let status = command.status().with_context(|| format!("cannot start {what}"))?;
    if status.success() { Ok(()) } else { Err(Ended::of(what, status).into()) }
}

/// Runs a command and gives what it printed on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {what}"))?;
    if !output.status.success() {
        return Err(Ended::of(what, output.status).into());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what} printed something that is no text"))
}

/// Whether a program answers when called quietly.
pub(crate) fn answers(program: &str, args: &[&str]) -> bool {
    command(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_else(|| OsStr::new("?"));
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
