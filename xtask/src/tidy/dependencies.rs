//! Which crate may know which, why each dependency is there, and under which licence it comes.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process;

/// Our crates and what each may depend on, in any kind of dependency. `*`: anything of ours but xtask.
const ALLOWED: &[(&str, &[&str])] = &[
    ("goobster-core", &[]),
    ("goobster-audio", &[]),
    ("goobster-models", &[]),
    ("goobster-brain", &["goobster-core"]),
    ("goobster-speech", &["goobster-core"]),
    ("goobster-store", &["goobster-core"]),
    ("loopback-discord", &[]),
    ("goobster-bot", &["*"]),
    ("goobster-tests", &["*"]),
    ("goobster-benches", &["*"]),
    ("xtask", &["goobster-models"]),
];

/// What `goobster-core` may not touch: it decides, others do.
const IMPURE: &[&str] = &["reqwest", "ureq", "hyper", "symphonia", "opus2", "serenity", "songbird", "redb", "redis"];

/// Licences that ship with a program without a duty beyond a notice; the same list as `deny.toml`.
const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "WTFPL",
    "Zlib",
    "0BSD",
];

fn metadata(extra: &[&str]) -> Result<Value> {
    let text = process::output(process::cargo().args(["metadata", "--format-version", "1"]).args(extra))?;
    serde_json::from_str(&text).context("cargo metadata printed no JSON")
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Dependencies that point the wrong way.
pub(super) fn direction() -> Result<Vec<String>> {
    let metadata = metadata(&["--no-deps"])?;
    let ours: BTreeSet<&str> = packages(&metadata).filter_map(|p| p["name"].as_str()).collect();
    let mut complaints = Vec::new();
    for package in packages(&metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) else {
            complaints.push(format!("{name}: not in the table of allowed dependencies (xtask/src/tidy/dependencies.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(on) && (on == "xtask" || !(allowed.contains(&"*") || allowed.contains(&on))) {
                complaints.push(format!("{name} may not depend on {on}: dependencies point one way"));
            }
            if name == "goobster-core" && IMPURE.contains(&on) {
                complaints.push(format!("goobster-core may not depend on {on}: it decides, others do"));
            }
        }
    }
    Ok(complaints)
}

/// Lines of the workspace's version table that give no reason.
pub(super) fn justified() -> Result<Vec<String>> {
    let text = fs::read_to_string(process::root().join("Cargo.toml")).context("Cargo.toml")?;
    let table = text.lines().enumerate().skip_while(|(_, line)| *line != "[workspace.dependencies]").skip(1);
    Ok(table
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| line.contains('=') && !line.contains("path =") && !line.trim_start().starts_with('#'))
        .filter(|(_, line)| !line.contains(" # "))
        .map(|(number, line)| format!("Cargo.toml:{}: no reason given for: {line}", number + 1))
        .collect())
}

/// Dependencies whose licence is not on the list.
pub(super) fn licences() -> Result<Vec<String>> {
    let metadata = metadata(&[])?;
    Ok(packages(&metadata)
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| {
            let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
            match package["license"].as_str() {
                Some(licence) if permitted(licence) => None,
                Some(licence) => Some(format!("{name}: licence '{licence}' is not on the list")),
                None if package["license_file"].is_string() => Some(format!("{name}: its licence is only a file; read it")),
                None => Some(format!("{name}: no licence")),
            }
        })
        .collect())
}

/// Whether an SPDX expression can be met with the list: every `AND` part must have an `OR` choice that is on it.
fn permitted(expression: &str) -> bool {
    // Old crates write "MIT/Apache-2.0".
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    if expression.contains('(') {
        // With parentheses AND binds the groups; without, OR is the outer operator.
        return plain.split(" AND ").all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())));
    }
    plain.split(" OR ").any(|choice| choice.split(" AND ").all(|one| LICENCES.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::permitted;

    #[test]
    fn licence_expressions_are_read_as_spdx_means_them() {
        for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0", "MIT AND BSD-3-Clause"] {
            assert!(permitted(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-2.0", ""] {
            assert!(!permitted(bad), "{bad}");
        }
    }
}
