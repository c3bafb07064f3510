//! `goobster store backup` and `restore`: the configured store and the preferences beside it, in one file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use goobster_core::limits::LimitsError;
use goobster_core::time::UtcMillis;
use goobster_store::{Backup, BackupError, Server};

use crate::cli::args::{Store, StoreAction};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::discord::preferences::{self, Preferences};

/// What is wanted with a backup.
#[derive(Debug)]
pub(in crate::cli) enum Keeping {
    /// Make it.
    Backup(PathBuf),
    /// Put it back, over what is there when forced.
    Restore(PathBuf, bool),
}

impl Keeping {
    /// What the arguments want; `None` when they want something else.
    pub(in crate::cli) fn of(args: &Store) -> Option<Self> {
        match &args.action {
            StoreAction::Backup { to } => Some(Self::Backup(to.clone())),
            StoreAction::Restore { from, force } => Some(Self::Restore(from.clone(), *force)),
            StoreAction::Check | StoreAction::Repair { .. } | StoreAction::Forget { .. } => None,
        }
    }
}

/// The store that is meant.
enum Place<'a> {
    File(PathBuf),
    Server(Server<'a>),
}

impl<'a> Place<'a> {
    fn new(args: &Store, config: &'a Config) -> Result<Self, Failure> {
        if let Some(file) = &args.file {
            return Ok(Self::File(file.clone()));
        }
        if let Some(url) = &config.store.redis {
            let prefix = &config.store.prefix;
            return Ok(Self::Server(Server { url, prefix }));
        }
        let file = config.store.file.clone();
        Ok(Self::File(file.map_or_else(crate::discord::store_file, Ok)?))
    }

    /// Its name, without a password.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(server) => format!("the keys {}:* on the Redis server", server.prefix),
        }
    }
}

/// Makes a backup or puts one back.
pub(in crate::cli) async fn keep(
    args: &Store,
    wanted: &Keeping,
    config: &Config,
    terminal: Terminal,
) -> Result<(), Failure> {
    let place = Place::new(args, config)?;
    let folder = crate::discord::data_folder()?;
    match wanted {
        Keeping::Backup(to) => backup(&place, &folder, to, terminal).await,
        Keeping::Restore(from, force) => restore(&place, &folder, from, *force, terminal).await,
    }
}

async fn backup(place: &Place<'_>, folder: &Path, to: &Path, terminal: Terminal) -> Result<(), Failure> {
    // Told before the work; at its end the system refuses once more.
    if to.exists() {
        return Err(Failure::BadInput(format!(
            "{} is there already; a backup overwrites nothing: choose another name",
            to.display()
        )));
    }
    let now = UtcMillis::new(jiff::Timestamp::now().as_millisecond());
    let version = env!("CARGO_PKG_VERSION");
    let made = match place {
        Place::File(path) => Backup::of_file(path, now, version),
        Place::Server(server) => Backup::of_server(*server, now, version).await,
    };
    let mut backup = made.map_err(failed)?;
    if let Some(text) = Preferences::text(folder)? {
        backup.add_file(preferences::FILE, text);
    }
    write(&backup, to).map_err(|cause| Failure::output(to, cause))?;
    let held = backup.held();
    terminal.summary(&serde_json::json!({
        "event": "summary", "backup": to.display().to_string(), "store": place.name(), "held": held,
    }))?;
    terminal.line(&format!("{}: {held}, from {}", to.display(), place.name()))
}

/// Into a file beside, readable by its owner alone, which takes the name when it is whole and on the disk.
fn write(backup: &Backup, to: &Path) -> std::io::Result<()> {
    let folder = to
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut out = BufWriter::new(draft.as_file_mut());
        backup.write(&mut out)?;
        out.flush()?;
    }
    draft.as_file().sync_all()?;
    draft.persist_noclobber(to).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

async fn restore(
    place: &Place<'_>,
    folder: &Path,
    from: &Path,
    force: bool,
    terminal: Terminal,
) -> Result<(), Failure> {
    let file = File::open(from).map_err(|error| Failure::BadInput(format!("{}: {error}", from.display())))?;
    let backup = Backup::read(&mut BufReader::new(file)).map_err(|error| match failed(error) {
        Failure::BadInput(words) => Failure::BadInput(format!("{}: {words}", from.display())),
        other => other,
    })?;
    let settings = backup.file(preferences::FILE);
    let beside = folder.join(preferences::FILE);
    if settings.is_some() && beside.exists() && !force {
        return Err(failed(BackupError::Exists {
            what: beside.display().to_string(),
        }));
    }
    let kept = match place {
        Place::File(path) => backup.restore_file(path, force),
        Place::Server(server) => backup.restore_server(*server, force).await.map(|()| None),
    };
    let kept = kept.map_err(failed)?;
    if let Some(text) = settings {
        std::fs::create_dir_all(folder).map_err(|cause| Failure::output(folder, cause))?;
        Preferences::put_back(folder, text)?;
    }
    let (held, header) = (backup.held(), backup.header());
    terminal.summary(&serde_json::json!({
        "event": "summary", "backup": from.display().to_string(), "store": place.name(), "held": held,
        "made_at": header.made_at, "made_by": header.made_by,
        "replaced": kept.as_ref().map(|kept| kept.display().to_string()),
    }))?;
    if let Some(kept) = kept {
        terminal.line(&format!("the store as it was is {}", kept.display()))?;
    }
    terminal.line(&format!("{} holds again: {held}", place.name()))
}

fn failed(error: BackupError) -> Failure {
    match error {
        BackupError::NoBackup { .. }
        | BackupError::Newer { .. }
        | BackupError::Damaged(_)
        | BackupError::OtherStore { .. }
        | BackupError::Exists { .. }
        | BackupError::Store(LimitsError::Corrupt { .. }) => Failure::BadInput(error.to_string()),
        BackupError::Store(LimitsError::Configuration(_)) => Failure::Configuration(error.to_string()),
        other => Failure::Failed(other.to_string()),
    }
}
