//! System packages: which are missing, and how this machine gets them.
//!
//! As root or with sudo the package manager installs them. Otherwise cmake comes from PyPI into the cache (whisper.cpp
//! and libopus build with it just as well), and for what only an administrator can install the exact command is printed.

use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{self, Ended, answers};

/// A program that must be on the machine, and the package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tool {
    /// The program looked for on PATH.
    pub(super) program: &'static str,
    /// Debian's package.
    pub(super) package: &'static str,
    /// What needs it.
    pub(super) why: &'static str,
    /// Whether PyPI has it for those who cannot install packages.
    on_pypi: bool,
}

/// What the build needs.
pub(super) const BUILD: &[Tool] = &[
    Tool { program: "g++", package: "g++", why: "compiles whisper.cpp", on_pypi: false },
    Tool { program: "make", package: "make", why: "builds whisper.cpp and libopus", on_pypi: true },
    Tool { program: "cmake", package: "cmake", why: "builds whisper.cpp and libopus", on_pypi: true },
];

/// What only the tests need.
pub(super) const TESTS: &[Tool] =
    &[Tool { program: "redis-server", package: "redis-server", why: "the stores' tests run a real one", on_pypi: false }];

/// cmake and ninja from PyPI, for those who cannot install packages: pinned, so that every machine builds alike.
const PYPI: &[&str] = &["cmake==3.31.6", "ninja==1.11.1.4"];

/// Those of `tools` that are not on PATH (nor in the cache, for what PyPI has).
pub(super) fn missing(tools: &[Tool], cache: &Path) -> Vec<Tool> {
    let private = private_cmake(cache);
    tools.iter().filter(|tool| !on_path(tool.program) && !(tool.on_pypi && private.is_some())).copied().collect()
}

/// Installs what is missing, or ends with the command that an administrator must type (exit code 4).
pub(super) fn install(missing: &[Tool], cache: &Path) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    for tool in missing {
        eprintln!("missing: {} ({})", tool.package, tool.why);
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    match administrator() {
        Some(prefix) if on_path("apt-get") => apt_get(&prefix, &packages),
        _ if missing.iter().all(|tool| tool.on_pypi) => from_pypi(cache),
        _ => Err(Ended::new(by_hand(&packages), 4).into()),
    }
}

/// The variables that make cargo's build scripts find a cmake that set-up put into the cache.
pub(super) fn environment(cache: &Path) -> Vec<(String, String)> {
    let Some(cmake) = private_cmake(cache).filter(|_| !on_path("cmake")) else { return Vec::new() };
    let tools = cache.join("tools");
    let path = env::var("PATH").unwrap_or_default();
    vec![
        ("CMAKE".to_owned(), cmake.display().to_string()),
        ("CMAKE_GENERATOR".to_owned(), "Ninja".to_owned()),
        // The packages' wrapper scripts import their Python modules from here.
        ("PYTHONPATH".to_owned(), tools.display().to_string()),
        ("PATH".to_owned(), format!("{path}:{}", tools.join("bin").display())),
    ]
}

fn private_cmake(cache: &Path) -> Option<PathBuf> {
    let cmake = cache.join("tools/cmake/data/bin/cmake");
    (cmake.is_file() && cache.join("tools/bin/ninja").is_file()).then_some(cmake)
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// How to become the administrator: nothing before the command for root, `sudo` where it works, or not at all.
fn administrator() -> Option<Vec<&'static str>> {
    let uid = Command::new("id").arg("-u").output().ok()?;
    if uid.stdout.starts_with(b"0\n") {
        return Some(Vec::new());
    }
    if answers("sudo", &["-n", "true"]) {
        return Some(vec!["sudo", "-n"]);
    }
    // A person at the terminal can type a password; a script cannot.
    (on_path("sudo") && std::io::stdin().is_terminal()).then(|| vec!["sudo"])
}

fn apt_get(prefix: &[&str], packages: &[&str]) -> Result<()> {
    let run = |words: &[&str]| {
        let line: Vec<&str> = prefix.iter().chain(words).copied().collect();
        let mut command = process::command(line[0]);
        process::run(command.args(&line[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = || {
        let mut words = vec!["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends"];
        words.extend(packages);
        run(&words)
    };
    // A fresh machine has no package lists; an old one has stale ones. Either way one update mends it.
    if install().is_err() {
        run(&["apt-get", "update", "--quiet=2"])
            .and_then(|()| install())
            .with_context(|| by_hand(packages))?;
    }
    Ok(())
}

fn from_pypi(cache: &Path) -> Result<()> {
    eprintln!("not the administrator here: cmake and ninja come from PyPI into {}", cache.join("tools").display());
    let mut pip = process::command("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    process::run(pip.arg(cache.join("tools")).args(PYPI))
        .with_context(|| by_hand(&BUILD.iter().map(|tool| tool.package).collect::<Vec<_>>()))
}

fn by_hand(packages: &[&str]) -> String {
    format!(
        "ask the administrator of this machine to type:\n\n    apt-get update && apt-get install --yes {}\n\n\
         (on other systems: the packages of the same purpose), then run this again",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_type_names_every_package() {
        let text = by_hand(&["g++", "cmake"]);
        assert!(text.contains("apt-get install --yes g++ cmake"), "{text}");
    }

    #[test]
    fn a_private_cmake_counts_only_when_it_is_complete() {
        let dir = env::temp_dir().join(format!("goobster-xtask-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("tools/cmake/data/bin")).unwrap();
        std::fs::create_dir_all(dir.join("tools/bin")).unwrap();
        std::fs::write(dir.join("tools/cmake/data/bin/cmake"), "").unwrap();
        assert_eq!(private_cmake(&dir), None);
        std::fs::write(dir.join("tools/bin/ninja"), "").unwrap();
        assert!(private_cmake(&dir).is_some());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
