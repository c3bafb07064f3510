//! The store that the bot keeps quotas and sessions in: a file of its own, or a Redis that several share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goobster_core::limits::{Ledger, LimitsConfig, LimitsError, NodeId, Slots};
use goobster_store::{EmbeddedStore, RedisOptions, RedisRegister, RedisStore, Resilient, WhenDown};

use super::preferences::Preferences;
use crate::cli::exit::Failure;
use crate::config::Store;
use crate::custody;

/// The store's file in the data folder.
pub(crate) const FILE: &str = "goobster.redb";

/// Names another data folder than the user's.
const FOLDER_VARIABLE: &str = "GOOBSTER_DATA";

/// How long what a slow store has not taken may hold up the end of the process.
const FLUSH: Duration = Duration::from_secs(3);

/// Where the bot keeps what must survive it: `GOOBSTER_DATA`, else the user's data folder.
///
/// # Errors
/// A system without home folders.
pub(crate) fn data_folder() -> Result<PathBuf, Failure> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    directories::ProjectDirs::from("", "", "goobster")
        .map(|dirs| dirs.data_dir().to_owned())
        .ok_or_else(|| {
            Failure::Configuration(format!(
                "the system names no home folder: set {FOLDER_VARIABLE} to a folder"
            ))
        })
}

/// What is remembered between runs: in the folder, and where a server is configured, what hosts share is there.
///
/// # Errors
/// A file that cannot be read or is damaged; a server that cannot be reached.
pub(crate) async fn preferences(config: &Store, folder: &Path) -> Result<Preferences, Failure> {
    let Some(url) = &config.redis else {
        return Preferences::open(folder);
    };
    let register = RedisRegister::connect(url, &config.prefix, config.patience)
        .await
        .map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    Preferences::open_shared(folder, Arc::new(register)).await
}

/// How long a store may take to show that it can be written.
const PROBE: Duration = Duration::from_secs(3);

/// An open store.
#[derive(Clone)]
pub(crate) enum Opened {
    /// One file.
    File(Resilient<EmbeddedStore>),
    /// A server.
    Server(Resilient<RedisStore>),
}

impl Opened {
    /// Opens the store that is configured.
    ///
    /// # Errors
    /// A damaged file, a file that another process has open, a server that cannot be reached.
    pub(crate) async fn open(config: &Store, folder: &Path, limits: &LimitsConfig) -> Result<Self, Failure> {
        if let Some(url) = &config.redis {
            // Drawn at each start, so that a process that comes back is not taken for the one that died.
            let node = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
            let options = RedisOptions {
                prefix: config.prefix.clone(),
                lease: config.lease,
                patience: config.patience,
                ..RedisOptions::default()
            };
            let store = RedisStore::connect(url, NodeId::new(node), limits, options)
                .await
                .map_err(|error| Failure::Failed(format!("the store: {error}")))?;
            return Ok(Self::Server(Resilient::new(store, limits, WhenDown::Refuse)));
        }
        let path = config.file.clone().unwrap_or_else(|| folder.join(FILE));
        custody::file(&path)?;
        let shown = path.display().to_string();
        let store = EmbeddedStore::open(path, limits, config.commit_interval)
            .await
            .map_err(|error| match error {
                LimitsError::Corrupt { ref advice, .. } if advice.contains("repair") => Failure::BadInput(
                    format!("{error}\n`goobster store repair --file {shown}` keeps what it can"),
                ),
                // One of a newer version is not damaged.
                LimitsError::Corrupt { .. } => Failure::BadInput(error.to_string()),
                LimitsError::Unavailable { .. } => Failure::Failed(format!(
                    "the store {shown} cannot be opened: {error}. Does another goobster run with it?"
                )),
                other => Failure::Configuration(other.to_string()),
            })?;
        Ok(Self::File(Resilient::alone(store, limits, WhenDown::Refuse)))
    }

    /// Its two ports.
    pub(crate) fn ports(&self) -> (Arc<dyn Slots>, Arc<dyn Ledger>) {
        match self {
            Self::File(store) => (Arc::new(store.clone()), Arc::new(store.clone())),
            Self::Server(store) => (Arc::new(store.clone()), Arc::new(store.clone())),
        }
    }

    /// How many sessions' charges wait for the store.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::File(store) => store.waiting(),
            Self::Server(store) => store.waiting(),
        }
    }

    /// Whether it can be written now: it answers, and where it is a file, its folder takes another.
    pub(crate) async fn is_writable(&self, folder: &Path) -> bool {
        let (slots, _) = self.ports();
        let answers = tokio::time::timeout(PROBE, slots.held()).await;
        if !matches!(answers, Ok(Ok(_))) {
            return false;
        }
        if matches!(self, Self::Server(_)) {
            return true;
        }
        let folder = folder.to_owned();
        let written = tokio::task::spawn_blocking(move || {
            use std::io::Write as _;
            let mut probe = tempfile::NamedTempFile::new_in(folder)?;
            probe.write_all(b"goobster")?;
            probe.as_file().sync_data()
        });
        matches!(tokio::time::timeout(PROBE, written).await, Ok(Ok(Ok(()))))
    }

    /// Writes what waits.
    pub(crate) async fn flush(&self) {
        let flushing = async {
            match self {
                Self::File(store) => store.flush().await,
                Self::Server(store) => store.flush().await,
            }
        };
        match tokio::time::timeout(FLUSH, flushing).await {
            Ok(Ok(0)) => {}
            Ok(Ok(waiting)) => tracing::error!(waiting, "sessions whose charges the store did not take"),
            Ok(Err(error)) => tracing::error!(%error, "the store did not take the last charges"),
            Err(_) => tracing::error!("the store takes too long for the last charges"),
        }
    }
}
