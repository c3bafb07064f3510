//! Running programs, and finding them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A program that ran and failed.
#[derive(Debug)]
pub(crate) struct Failed {
    command: String,
    code: Option<i32>,
}

impl Failed {
    /// The exit code to pass on: the program's own where it has a meaning of ours, else 1.
    pub(crate) fn code(&self) -> u8 {
        match self.code {
            Some(code @ 1..=5) => code as u8,
            _ => 1,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "`{}` ended with exit code {code}", self.command),
            None => write!(f, "`{}` was killed", self.command),
        }
    }
}

impl std::error::Error for Failed {}

/// A command that, like every build started here, sees the build tools that set-up installed.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, value) in crate::setup::build_environment() {
        command.env(name, value);
    }
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// Installs Python packages into a folder of their own: wheels only, so that nothing is built.
pub(crate) fn pip_install(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
        "--target",
    ]);
    run(pip.arg(folder).args(arguments))
}

/// Runs a command to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failed {
            command: shown,
            code: status.code(),
        }
        .into())
    }
}

/// Whether a command succeeds; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        return Err(Failed {
            command: shown,
            code: output.status.code(),
        }
        .into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn show(command: &Command) -> String {
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .map_or_else(OsString::new, OsString::from),
    ];
    words.extend(command.get_args().map(OsString::from));
    words
        .iter()
        .map(|w| w.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where a program is, by `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()),
    );
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_meaning() {
        let e = run(Command::new("sh").args(["-c", "exit 4"])).unwrap_err();
        assert_eq!(e.downcast_ref::<Failed>().unwrap().code(), 4);
        let e = run(Command::new("sh").args(["-c", "exit 101"])).unwrap_err();
        assert_eq!(e.downcast_ref::<Failed>().unwrap().code(), 1);
        assert!(
            e.to_string()
                .contains("`sh -c exit 101` ended with exit code 101")
        );
    }

    #[test]
    fn programs_are_found_by_path() {
        assert!(which("sh").is_some());
        assert!(which("no-such-program-here").is_none());
        assert!(root().join("Cargo.toml").is_file());
    }
}
