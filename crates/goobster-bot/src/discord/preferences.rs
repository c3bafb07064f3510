//! What is remembered between runs beside quotas: guild settings, who opted out, and which calls were open.
//!
//! One small JSON file, rewritten as a whole: into a temporary file that takes its place, so a crash leaves the old one or
//! the new one. A damaged file is an error at start and is left as it is: opt-outs must not be forgotten silently.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::time::UtcMillis;
use serde::{Deserialize, Deserializer, Serialize};

use super::bot::now;
use crate::cli::exit::Failure;
use crate::custody;

/// The file's name in the data folder.
pub(crate) const FILE: &str = "preferences.json";

/// The largest file that is read: a million opt-outs.
const LARGEST: u64 = 32 << 20;

/// Who may start a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Starters {
    /// Everybody.
    #[default]
    Everyone,
    /// Who has Manage Server or Move Members.
    Moderators,
    /// Who has this role (or Manage Server).
    Role(u64),
}

/// A guild's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GuildSettings {
    /// The language people speak: a code, or "auto".
    pub(crate) language: Option<String>,
    /// The voice that answers.
    pub(crate) voice: Option<String>,
    /// The name that calls Goobster.
    pub(crate) wake_name: Option<String>,
    /// Who may start a session.
    pub(crate) starters: Starters,
}

/// A call that was open when the file was written: what a restart has to tidy up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenCall {
    /// The voice channel.
    pub(crate) voice: ChannelId,
    /// Where it was written about.
    pub(crate) text: ChannelId,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Contents {
    guilds: BTreeMap<GuildId, GuildSettings>,
    /// Who does not want to be heard, and when they said so or were last met.
    #[serde(deserialize_with = "opt_outs")]
    opted_out: BTreeMap<UserId, UtcMillis>,
    calls: BTreeMap<GuildId, OpenCall>,
}

/// How old the date of an opt-out may be before it is written anew.
const MET_EVERY: Duration = Duration::from_hours(24);

/// Reads opt-outs with their dates, or the list without dates that earlier versions wrote: those begin to count now.
fn opt_outs<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<UserId, UtcMillis>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Dated(BTreeMap<UserId, UtcMillis>),
        List(Vec<UserId>),
    }
    Ok(match Written::deserialize(from)? {
        Written::Dated(dated) => dated,
        Written::List(list) => list.into_iter().map(|user| (user, now())).collect(),
    })
}

/// The preferences; clones share one file.
#[derive(Debug, Clone)]
pub(crate) struct Preferences {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    contents: Mutex<Contents>,
    /// Held while the file is written, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

impl Preferences {
    /// Reads the preferences of a data folder; there are none at first.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        custody::file(&path)?;
        let mut text = String::new();
        let contents = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Contents::default(),
            Err(error) => return Err(Failure::Failed(format!("{}: {error}", path.display()))),
            Ok(file) => file
                .take(LARGEST)
                .read_to_string(&mut text)
                .map_err(|error| error.to_string())
                .and_then(|_| serde_json::from_str(&text).map_err(|error| error.to_string()))
                .map_err(|error| {
                    Failure::BadInput(format!(
                        "{}: {error}. It holds who does not want to be heard, so it is not thrown away: mend it, or move it \
                         elsewhere to begin without it",
                        path.display()
                    ))
                })?,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                contents: Mutex::new(contents),
                writing: Mutex::default(),
            }),
        })
    }

    /// The file's own words, for a backup; `None` when there is no file.
    ///
    /// # Errors
    /// As [`Preferences::open`].
    pub(crate) fn text(folder: &Path) -> Result<Option<String>, Failure> {
        let preferences = Self::open(folder)?;
        let path = &preferences.inner.path;
        if !path.exists() {
            return Ok(None);
        }
        let written = preferences.read(serde_json::to_string_pretty);
        written
            .map(Some)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }

    /// Makes the file what a backup holds.
    ///
    /// # Errors
    /// Words that are no preferences; a folder that cannot be written.
    pub(crate) fn put_back(folder: &Path, text: &str) -> Result<(), Failure> {
        let contents: Contents = serde_json::from_str(text)
            .map_err(|error| Failure::BadInput(format!("the preferences in the backup: {error}")))?;
        let inner = Inner {
            path: folder.join(FILE),
            contents: Mutex::new(contents),
            writing: Mutex::default(),
        };
        inner.write().map_err(|cause| Failure::output(&inner.path, cause))
    }

    /// A guild's defaults.
    pub(crate) fn guild(&self, guild: GuildId) -> GuildSettings {
        self.read(|contents| contents.guilds.get(&guild).cloned().unwrap_or_default())
    }

    /// Whether somebody does not want to be heard, anywhere.
    pub(crate) fn opted_out(&self, user: UserId) -> bool {
        self.read(|contents| contents.opted_out.contains_key(&user))
    }

    /// The calls that were open when the last run ended without closing them.
    pub(crate) fn open_calls(&self) -> BTreeMap<GuildId, OpenCall> {
        self.read(|contents| contents.calls.clone())
    }

    /// Changes a guild's defaults, and answers when that is on the disk.
    pub(crate) async fn set_guild(
        &self,
        guild: GuildId,
        change: impl FnOnce(&mut GuildSettings),
    ) -> std::io::Result<()> {
        self.change(|contents| change(contents.guilds.entry(guild).or_default()))
            .await
    }

    /// Remembers whether somebody does not want to be heard, and answers when that is on the disk.
    pub(crate) async fn set_opted_out(&self, user: UserId, out: bool) -> std::io::Result<()> {
        self.change(|contents| {
            if out {
                contents.opted_out.insert(user, now());
            } else {
                contents.opted_out.remove(&user);
            }
        })
        .await
    }

    /// Somebody who opted out was met: their choice is remembered from now on for as long as it is kept.
    pub(crate) async fn met(&self, user: UserId, now: UtcMillis) -> std::io::Result<()> {
        self.change(|contents| {
            if let Some(at) = contents.opted_out.get_mut(&user)
                && now.since(*at) >= MET_EVERY
            {
                *at = now;
            }
        })
        .await
    }

    /// Forgets the opt-outs of those who were not met for longer than `kept`; how many.
    pub(crate) async fn expire(&self, now: UtcMillis, kept: Duration) -> std::io::Result<usize> {
        let mut gone = 0;
        self.change(|contents| {
            let before = contents.opted_out.len();
            contents.opted_out.retain(|_, at| now.since(*at) < kept);
            gone = before - contents.opted_out.len();
        })
        .await?;
        Ok(gone)
    }

    /// Remembers a call, or that it is over.
    pub(crate) async fn set_call(&self, guild: GuildId, call: Option<OpenCall>) -> std::io::Result<()> {
        self.change(|contents| match call {
            Some(call) => {
                contents.calls.insert(guild, call);
            }
            None => {
                contents.calls.remove(&guild);
            }
        })
        .await
    }

    /// Forgets a guild that removed the bot.
    pub(crate) async fn forget_guild(&self, guild: GuildId) -> std::io::Result<()> {
        self.change(|contents| {
            contents.guilds.remove(&guild);
            contents.calls.remove(&guild);
        })
        .await
    }

    fn read<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.inner.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn change(&self, change: impl FnOnce(&mut Contents)) -> std::io::Result<()> {
        {
            let mut contents = self.inner.contents.lock().unwrap_or_else(PoisonError::into_inner);
            let before = contents.clone();
            change(&mut contents);
            if *contents == before {
                return Ok(());
            }
        }
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || inner.write())
            .await
            .map_err(std::io::Error::other)?
    }
}

impl Inner {
    fn write(&self) -> std::io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = self
            .contents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &contents)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUILD: GuildId = GuildId::new(7);
    const ADA: UserId = UserId::new(1);

    #[tokio::test]
    async fn what_was_set_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let preferences = Preferences::open(folder.path()).unwrap();
        preferences.set_opted_out(ADA, true).await.unwrap();
        preferences
            .set_guild(GUILD, |guild| guild.starters = Starters::Role(9))
            .await
            .unwrap();
        let call = OpenCall {
            voice: ChannelId::new(70),
            text: ChannelId::new(71),
        };
        preferences.set_call(GUILD, Some(call)).await.unwrap();
        let again = Preferences::open(folder.path()).unwrap();
        assert!(again.opted_out(ADA) && !again.opted_out(UserId::new(2)));
        assert_eq!(again.guild(GUILD).starters, Starters::Role(9));
        assert_eq!(again.open_calls()[&GUILD], call);
        again.set_opted_out(ADA, false).await.unwrap();
        again.forget_guild(GUILD).await.unwrap();
        let last = Preferences::open(folder.path()).unwrap();
        assert!(!last.opted_out(ADA) && last.open_calls().is_empty());
        assert_eq!(last.guild(GUILD), GuildSettings::default());
    }

    #[tokio::test]
    async fn an_opt_out_is_kept_as_long_as_it_is_said_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        // As earlier versions wrote it.
        std::fs::write(folder.path().join(FILE), "{\"opted_out\": [1, 2]}").unwrap();
        let preferences = Preferences::open(folder.path()).unwrap();
        assert!(preferences.opted_out(ADA));
        let kept = Duration::from_hours(24 * 30);
        let later = |days: u64| now().after(Duration::from_hours(24 * days));
        assert_eq!(preferences.expire(later(29), kept).await.unwrap(), 0);
        // One of them is met again, which counts from then on.
        preferences.met(ADA, later(20)).await.unwrap();
        preferences.met(UserId::new(3), later(20)).await.unwrap();
        assert_eq!(preferences.expire(later(31), kept).await.unwrap(), 1);
        let again = Preferences::open(folder.path()).unwrap();
        assert!(again.opted_out(ADA) && !again.opted_out(UserId::new(2)) && !again.opted_out(UserId::new(3)));
        assert_eq!(again.expire(later(51), kept).await.unwrap(), 1);
        assert!(!Preferences::open(folder.path()).unwrap().opted_out(ADA));
    }

    #[test]
    fn a_damaged_file_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "{\"opted_out\": [1, ").unwrap();
        let failure = Preferences::open(folder.path()).unwrap_err();
        assert_eq!(failure.code(), 3);
        assert!(failure.to_string().contains("preferences.json"), "{failure}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"opted_out\": [1, ");
    }
}
