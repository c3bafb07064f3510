//! `cargo metadata`, reduced to what the checks ask. Read with `serde_json` alone: the typed crate for it would cost a
//! third of this program's build.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `None` for a package of this workspace.
    pub(crate) source: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) has_library: bool,
    /// Names of its normal (not development, not build) dependencies.
    pub(crate) dependencies: Vec<String>,
}

/// The workspace's own packages.
pub(crate) fn workspace() -> Result<Vec<Package>> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    parse(&text)
}

/// Every package of the dependency graph, the workspace's own included.
pub(crate) fn all() -> Result<Vec<Package>> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Package>> {
    let json: Value = serde_json::from_str(text).context("cargo metadata gave no JSON")?;
    let packages = json["packages"]
        .as_array()
        .context("cargo metadata named no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(json: &Value) -> Package {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let list = |key: &str| json[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_library = |kind: &Value| matches!(kind.as_str(), Some("lib" | "rlib" | "proc-macro"));
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        source: text("source"),
        licence: text("license"),
        has_library: list("targets").iter().any(|t| {
            t["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(is_library))
        }),
        dependencies: list("dependencies")
            .iter()
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str().map(str::to_owned))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read() {
        let found = parse(
            r#"{"packages": [{"name": "a", "version": "1.0.0", "source": null, "license": "MIT",
                "targets": [{"kind": ["lib"]}],
                "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]}]}"#,
        )
        .unwrap();
        assert_eq!(found[0].name, "a");
        assert!(found[0].has_library && found[0].source.is_none());
        assert_eq!(found[0].dependencies, ["b"]);
        assert!(parse("no").is_err());
    }
}
