//! The terms of everything that is compiled in: each crate's licence, and every text that a crate brings along.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// What files with terms begin with, whatever their case.
const NAMES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "notice",
    "unlicense",
    "copyright",
];

/// How deep a crate is searched: the C libraries that some carry have their terms one or two folders down.
const DEPTH: usize = 3;

/// Longer texts are no terms.
const LONGEST: u64 = 512 * 1024;

/// One text: a table of all libraries, then every different text with the names of those it is of.
pub(super) fn of_libraries() -> Result<String> {
    let folders = folders()?;
    let mut table = String::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for (name, licence) in compiled_in()? {
        let _ = writeln!(table, "{name:<44} {licence}");
        let mut found = Vec::new();
        if let Some(folder) = folders.get(&name) {
            search(folder, DEPTH, &mut found);
        }
        if found.is_empty() {
            without.push(name.clone());
        }
        for path in found {
            if let Ok(text) = std::fs::read_to_string(&path) {
                texts
                    .entry(text.trim().replace('\r', ""))
                    .or_default()
                    .insert(name.clone());
            }
        }
    }
    let mut page = format!(
        "Libraries that are compiled into Goobster, and their terms. Where two are named with OR, either may be chosen.\n\n{table}\n"
    );
    if !without.is_empty() {
        let _ = writeln!(
            page,
            "These bring no text along; theirs are the usual ones of the names above: {}\n",
            without.join(", ")
        );
    }
    for (text, names) in &texts {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = writeln!(page, "{}\n{}\n\n{text}\n", "=".repeat(100), names.join(", "));
    }
    Ok(page)
}

/// What the program and its launcher are made of: `name version`, and the licence's name.
fn compiled_in() -> Result<BTreeMap<String, String>> {
    let text = shell::output(shell::cargo().args([
        "tree",
        "--locked",
        "--package",
        "goobster-bot",
        "--edges",
        "normal",
        "--target",
        "x86_64-unknown-linux-gnu",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ]))?;
    Ok(parse_tree(&text))
}

fn parse_tree(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('|')?;
            // Ours say where they are.
            if package.contains('/') {
                return None;
            }
            let mut words = package.split(' ');
            let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
            let licence = licence.trim_end_matches("(*)").trim();
            Some((format!("{name} {version}"), licence.to_owned()))
        })
        .collect()
}

/// Where each crate's source is.
fn folders() -> Result<BTreeMap<String, PathBuf>> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let json: Value = serde_json::from_str(&text).context("cargo metadata gave no JSON")?;
    let packages = json["packages"]
        .as_array()
        .context("cargo metadata named no packages")?;
    Ok(packages
        .iter()
        .filter_map(|package| {
            let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some((name, manifest.parent()?.to_owned()))
        })
        .collect())
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(listed) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        if path.is_dir() {
            if depth > 1 {
                search(&path, depth - 1, found);
            }
        } else if NAMES.iter().any(|known| name.starts_with(known))
            && path.extension().is_none_or(|extension| extension != "rs")
            && path.metadata().is_ok_and(|meta| meta.len() <= LONGEST)
        {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_without_our_own_crates() {
        let text = "goobster-bot v0.1.0 (/x/crates/goobster-bot)|MIT OR Apache-2.0\nring v0.17.14|Apache-2.0 AND ISC\n\
                    ring v0.17.14|Apache-2.0 AND ISC (*)\nserde v1.0.2 (proc-macro)|MIT\n";
        let read = parse_tree(text);
        assert_eq!(read.len(), 2, "{read:?}");
        assert_eq!(read["ring 0.17.14"], "Apache-2.0 AND ISC");
    }

    #[test]
    fn the_terms_of_what_is_compiled_in_are_found() {
        let page = of_libraries().unwrap();
        // The C libraries carry theirs inside the crates that compile them.
        for words in ["The ggml authors", "Xiph.Org", "tokio", "redb"] {
            assert!(page.contains(words), "{words}");
        }
    }
}
