//! Dependencies: each is justified where its version is pinned, comes from crates.io, is licensed as `deny.toml` allows, and is
//! not one that `deny.toml` bans. cargo-deny checks the same and more where it is installed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Findings, spdx};
use crate::metadata::Package;

pub(super) fn check(root: &Path, packages: &[Package], found: &mut Findings) -> Result<()> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml")?;
    justified(&manifest, found);
    let deny = fs::read_to_string(root.join("deny.toml")).context("deny.toml")?;
    let allowed = list(&deny, "allow");
    let banned = list(&deny, "deny");
    for package in packages {
        let Some(source) = &package.source else { continue };
        let name = format!("{} {}", package.name, package.version);
        if !source.starts_with("registry+") {
            found.error(format!("{name} comes from {source}, not from a registry"));
        }
        match &package.licence {
            Some(licence) if spdx::satisfied(licence, &allowed) => {}
            Some(licence) => found.error(format!(
                "{name} is licensed {licence}, which deny.toml does not allow"
            )),
            None => found.error(format!("{name} names no licence")),
        }
        if banned.contains(&package.name) {
            found.error(format!("{name} is banned by deny.toml"));
        }
    }
    Ok(())
}

/// Every line of `[workspace.dependencies]` that pins a version ends in a comment that says why.
fn justified(manifest: &str, found: &mut Findings) {
    let section = manifest
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    for line in section
        .lines()
        .filter(|l| !l.trim_start().starts_with('#') && l.contains('='))
    {
        let comment = line.rsplit_once('#').map_or("", |(_, c)| c.trim());
        if !line.contains("path = ") && comment.len() < 4 {
            found.error(format!(
                "Cargo.toml: no reason is given for `{}`",
                line.split('=').next().unwrap_or_default().trim()
            ));
        }
    }
}

/// The names in `key = [ … ]` of deny.toml: plain strings, or the `name` or `crate` of an inline table.
fn list(toml: &str, key: &str) -> Vec<String> {
    let Some(body) = toml.split(&format!("\n{key} = [")).nth(1) else {
        return Vec::new();
    };
    let body = body.split("\n]").next().unwrap_or_default();
    body.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .filter_map(|l| Some(l.split('"').nth(1)?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\n    \"MIT\", # fine\n    # \"GPL-3.0\",\n    \"ISC\",\n]\n[bans]\ndeny = [\n    { crate = \"openssl-sys\", reason = \"rustls\" },\n]\n";

    #[test]
    fn the_policy_is_read() {
        assert_eq!(list(DENY, "allow"), ["MIT", "ISC"]);
        assert_eq!(list(DENY, "deny"), ["openssl-sys"]);
        assert!(list(DENY, "nothing").is_empty());
    }

    #[test]
    fn each_breach_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("deny.toml"), DENY).unwrap();
        let manifest = "[workspace.dependencies]\n# -- ours\na = { path = \"a\" }\nb = \"1\" # bytes\nc = \"1\"\n\n[x]\nd = \"1\"\n";
        fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
        let package = |name: &str, source: Option<&str>, licence: Option<&str>| Package {
            name: name.into(),
            version: "1.0.0".into(),
            source: source.map(str::to_owned),
            licence: licence.map(str::to_owned),
            has_library: true,
            dependencies: Vec::new(),
        };
        let packages = [
            package("ours", None, None),
            package("good", Some("registry+x"), Some("MIT OR GPL-3.0")),
            package("copyleft", Some("registry+x"), Some("GPL-3.0")),
            package("unlicensed", Some("registry+x"), None),
            package("fork", Some("git+x"), Some("ISC")),
            package("openssl-sys", Some("registry+x"), Some("MIT")),
        ];
        let mut found = Findings::default();
        check(dir.path(), &packages, &mut found).unwrap();
        let expected = ["`c`", "copyleft", "unlicensed", "fork", "openssl-sys"];
        assert_eq!(found.errors.len(), expected.len(), "{found:?}");
        assert!(
            found.errors.iter().zip(expected).all(|(e, x)| e.contains(x)),
            "{found:?}"
        );
    }
}
