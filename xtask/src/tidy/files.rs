//! Files: comments at the head of modules, length, strays, and paths that only exist on one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Findings;
use crate::shell;

/// Longer files are reported: they probably hold two things.
const LONG: usize = 400;

/// What may stand at the top of the repository.
const TOP: [&str; 25] = [
    ".cargo",
    ".ci",
    ".config",
    ".dockerignore",
    ".gitattributes",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "crates",
    "deny.toml",
    "deploy",
    "docs",
    "fuzz",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
];
const TOP_TOO: &str = "xtask";

/// Beginnings of paths of somebody's machine. Spelt in halves so that this file passes its own check.
const MACHINE_PATHS: [&str; 4] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/home", "/"),
    concat!("C:\\", "Users"),
];
/// A path of a machine that everybody has in mind: documentation may show it.
const EXAMPLE_PATHS: [&str; 2] = [concat!("/home", "/you"), concat!("/home", "/user")];

pub(super) fn check(root: &Path, found: &mut Findings) -> Result<()> {
    for file in tracked(root)? {
        let shown = file.display().to_string();
        let top = shown.split('/').next().unwrap_or_default();
        if !TOP.contains(&top) && top != TOP_TOO {
            found.error(format!("{shown}: does not belong at the top of the repository"));
        }
        let Ok(text) = fs::read_to_string(root.join(&file)) else {
            continue;
        };
        if file.extension().is_some_and(|e| e == "rs") {
            check_source(&shown, &text, found);
        }
        check_paths(&shown, &text, found);
    }
    Ok(())
}

/// Every file that git knows or would add; without git (an unpacked archive) every file outside `target`.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    if shell::which("git").is_some() && root.join(".git").exists() {
        return Ok(shell::output(&mut git)?
            .lines()
            .map(PathBuf::from)
            .filter(|f| root.join(f).is_file())
            .collect());
    }
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with(".git") {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                files.push(relative.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn check_source(name: &str, text: &str, found: &mut Findings) {
    // A file made to be included cannot have an inner comment; a plain one says the same.
    let included = name.contains("/tests/support/") && text.starts_with("// ");
    if !text.starts_with("//!") && !included {
        found.error(format!(
            "{name}: begins without a `//!` comment that says what lives there and why"
        ));
    }
    let lines = text.lines().count();
    if lines > LONG {
        found.note(format!(
            "{name}: {lines} lines; over {LONG} it usually holds two things"
        ));
    }
}

fn check_paths(name: &str, text: &str, found: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        for path in MACHINE_PATHS {
            let hit = line.match_indices(path).any(|(at, _)| {
                let free = at == 0
                    || !line[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}'));
                free && !EXAMPLE_PATHS.iter().any(|e| line[at..].starts_with(e))
            });
            if hit {
                found.error(format!(
                    "{name}:{}: a path of somebody's machine ({path})",
                    number + 1
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_comment_and_a_long_one_are_found() {
        let mut found = Findings::default();
        check_source("a.rs", "fn main() {}\n", &mut found);
        check_source("b.rs", &format!("//! b\n{}", "\n".repeat(LONG)), &mut found);
        check_source("c.rs", "//! c\n", &mut found);
        assert_eq!(found.errors.len(), 1);
        assert!(found.errors[0].starts_with("a.rs"));
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].starts_with("b.rs: 401 lines"));
    }

    #[test]
    fn paths_of_a_machine_are_found_and_look_alikes_are_not() {
        let mut found = Findings::default();
        let bad = ["see ", MACHINE_PATHS[0], "x\n", "a=", MACHINE_PATHS[2], "me/x"].concat();
        check_paths("a.md", &bad, &mut found);
        assert_eq!(found.errors.len(), 2, "{found:?}");
        let mut found = Findings::default();
        let good = ["docs", MACHINE_PATHS[0], "x ", EXAMPLE_PATHS[0], "/models"].concat();
        check_paths("a.md", &good, &mut found);
        assert_eq!(found.errors, [""; 0]);
    }
}
