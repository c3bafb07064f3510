//! What is remembered between runs beside quotas: guild settings, who opted out, and which calls were open.
//!
//! Where hosts share a Redis server, guild settings and opt-outs are there (`shared`), and the file holds open calls alone.
//! Else all of it is one small JSON file, rewritten as a whole: into a temporary file that takes its place, so a crash
//! leaves the old one or the new one. A damaged file is an error at start and is left as it is: opt-outs must not be forgotten silently.

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::cluster::Register;
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::LimitsError;
use goobster_core::time::UtcMillis;
use serde::{Deserialize, Deserializer, Serialize};

use self::shared::Shared;
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
    // An untagged enum reads keys as text alone.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Dated(BTreeMap<String, UtcMillis>),
        List(Vec<UserId>),
    }
    match Written::deserialize(from)? {
        Written::Dated(dated) => dated
            .into_iter()
            .map(|(user, at)| {
                let id = user.parse().map_err(|_| {
                    serde::de::Error::custom(format!("opted_out names {user:?}, which is no user's id"))
                })?;
                Ok((UserId::new(id), at))
            })
            .collect(),
        Written::List(list) => Ok(list.into_iter().map(|user| (user, now())).collect()),
    }
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
    /// Where guild settings and opt-outs are, if not in the file.
    shared: Option<Shared>,
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
                shared: None,
            }),
        })
    }

    /// Reads the preferences of a data folder, but for what hosts share: that is in the register from now on. What the file
    /// held of it moves there.
    ///
    /// # Errors
    /// As [`Preferences::open`]; a register that cannot be reached.
    pub(crate) async fn open_shared(folder: &Path, register: Arc<dyn Register>) -> Result<Self, Failure> {
        let alone = Self::open(folder)?;
        let contents = alone.read(Contents::clone);
        let shared = Shared::new(register);
        let failed = |error: LimitsError| Failure::Failed(format!("the store: {error}"));
        shared.take_over(&contents).await.map_err(failed)?;
        let moves = !contents.opted_out.is_empty() || !contents.guilds.is_empty();
        let inner = Arc::new(Inner {
            path: alone.inner.path.clone(),
            contents: Mutex::new(contents),
            writing: Mutex::default(),
            shared: Some(shared),
        });
        if moves {
            inner
                .write()
                .map_err(|cause| Failure::output(&inner.path, cause))?;
        }
        let preferences = Self { inner };
        preferences.refresh().await.map_err(failed)?;
        // Those are known from the start.
        preferences.newly_opted_out();
        preferences.newly_forgotten();
        Ok(preferences)
    }

    /// Learns what other hosts wrote.
    ///
    /// # Errors
    /// The register's.
    pub(crate) async fn refresh(&self) -> Result<(), LimitsError> {
        match &self.inner.shared {
            Some(shared) => shared.refresh(&self.inner.contents, now()).await,
            None => Ok(()),
        }
    }

    /// Whether other hosts may write as well.
    pub(crate) fn is_shared(&self) -> bool {
        self.inner.shared.is_some()
    }

    /// Who opted out, here or elsewhere, since this was last asked.
    pub(crate) fn newly_opted_out(&self) -> BTreeSet<UserId> {
        let shared = self.inner.shared.as_ref();
        shared.map(Shared::newly_opted_out).unwrap_or_default()
    }

    /// Who asked to be forgotten, here or elsewhere, since this was last asked.
    pub(crate) fn newly_forgotten(&self) -> BTreeSet<UserId> {
        let shared = self.inner.shared.as_ref();
        shared.map(Shared::newly_forgotten).unwrap_or_default()
    }

    /// Tells the other hosts that somebody asked to be forgotten.
    ///
    /// # Errors
    /// The register's.
    pub(crate) async fn tell_forgotten(&self, user: UserId) -> Result<(), LimitsError> {
        match &self.inner.shared {
            Some(shared) => shared.tell_forgotten(user).await,
            None => Ok(()),
        }
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
            shared: None,
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

    /// Changes a guild's defaults, and answers when that is stored.
    pub(crate) async fn set_guild(
        &self,
        guild: GuildId,
        change: impl FnOnce(&mut GuildSettings),
    ) -> std::io::Result<()> {
        if let Some(shared) = &self.inner.shared {
            // A guild has one host, so nobody else changes it meanwhile.
            let mut settings = self.guild(guild);
            change(&mut settings);
            let stored = shared.put_guild(guild, Some(&settings)).await;
            return self.stored(stored).await;
        }
        self.change(|contents| change(contents.guilds.entry(guild).or_default()))
            .await
    }

    /// Remembers whether somebody does not want to be heard, and answers when that is stored.
    pub(crate) async fn set_opted_out(&self, user: UserId, out: bool) -> std::io::Result<()> {
        if let Some(shared) = &self.inner.shared {
            let stored = shared.put_opt_out(user, out.then(now), None).await;
            return self.stored(stored.map(|_| ())).await;
        }
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
        if let Some(shared) = &self.inner.shared {
            let at = self.read(|contents| contents.opted_out.get(&user).copied());
            return match at.filter(|at| now.since(*at) >= MET_EVERY) {
                None => Ok(()),
                // Unless somebody took it back meanwhile.
                at @ Some(_) => {
                    let stored = shared.put_opt_out(user, Some(now), at).await;
                    self.stored(stored.map(|_| ())).await
                }
            };
        }
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
        if let Some(shared) = &self.inner.shared {
            let opted_out = self.read(|contents| contents.opted_out.clone());
            for (user, at) in opted_out {
                if now.since(at) >= kept {
                    let struck = shared.put_opt_out(user, None, Some(at)).await;
                    gone += usize::from(struck.map_err(std::io::Error::other)?);
                }
            }
            self.stored(Ok(())).await?;
            return Ok(gone);
        }
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
        if let Some(shared) = &self.inner.shared {
            let stored = shared.put_guild(guild, None).await;
            self.stored(stored).await?;
        }
        self.change(|contents| {
            contents.guilds.remove(&guild);
            contents.calls.remove(&guild);
        })
        .await
    }

    /// What was written in the register is learnt from there, in the order of all hosts. What was written is written even
    /// if that fails: it is learnt a second later.
    async fn stored(&self, written: Result<(), LimitsError>) -> std::io::Result<()> {
        written.map_err(std::io::Error::other)?;
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "what was written for all hosts was not read back yet");
        }
        Ok(())
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
        let mut contents = self
            .contents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if self.shared.is_some() {
            contents.guilds.clear();
            contents.opted_out.clear();
        }
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
mod tests;
