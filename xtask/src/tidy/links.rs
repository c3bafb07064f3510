//! Relative links in the documentation lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Findings;

pub(super) fn check(root: &Path, found: &mut Findings) -> Result<()> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
        .map(|n| root.join(n))
        .to_vec();
    if let Ok(entries) = fs::read_dir(root.join("docs")) {
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "md") {
                pages.push(path);
            }
        }
    }
    for page in pages.iter().filter(|p| p.is_file()) {
        let text = fs::read_to_string(page)?;
        let folder = page.parent().unwrap_or(root);
        let name = page.strip_prefix(root).unwrap_or(page).display().to_string();
        for link in relative_links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            if !target.exists() {
                found.error(format!("{name}: the link to {link} leads nowhere"));
            } else if !anchor.is_empty()
                && target.is_file()
                && !has_anchor(&fs::read_to_string(&target)?, anchor)
            {
                found.error(format!("{name}: {link} names a heading that is not there"));
            }
        }
    }
    Ok(())
}

/// The targets of `[text](target)` outside code that are no addresses.
fn relative_links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("    ") {
            continue;
        }
        let mut rest = line;
        while let Some((_, tail)) = rest.split_once("](") {
            let Some((target, after)) = tail.split_once(')') else {
                break;
            };
            rest = after;
            let target = target.split_whitespace().next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target);
            }
        }
    }
    links
}

/// Whether a page has a heading whose anchor, as hosts of Markdown make it, is `anchor`.
fn has_anchor(text: &str, anchor: &str) -> bool {
    text.lines().filter(|l| l.starts_with('#')).any(|line| {
        let slug: String = line
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
                _ => None,
            })
            .collect();
        slug == anchor
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text = "see [a](docs/a.md#x) and [b](https://b.example) [c](c.md \"title\")\n```\n[d](d.md)\n```\n    [e](e.md)\n";
        assert_eq!(relative_links(text), ["docs/a.md#x", "c.md"]);
    }

    #[test]
    fn dead_links_and_headings_are_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("docs")).unwrap();
        fs::write(
            dir.path().join("docs/a.md"),
            "# Two Words, here\n[up](../README.md)",
        )
        .unwrap();
        let readme = "[ok](docs/a.md#two-words-here) [bad](docs/a.md#three) [gone](docs/b.md)";
        fs::write(dir.path().join("README.md"), readme).unwrap();
        let mut found = Findings::default();
        check(dir.path(), &mut found).unwrap();
        assert_eq!(found.errors.len(), 2, "{found:?}");
        assert!(found.errors[0].contains("docs/a.md#three") && found.errors[1].contains("docs/b.md"));
    }
}
