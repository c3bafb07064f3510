//! Guild settings and opt-outs in the register that hosts share. Each host keeps a copy and brings it up to date every second,
//! so that looking somebody up costs nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goobster_core::cluster::{Changes, Edition, Over, Register};
use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::LimitsError;
use goobster_core::time::UtcMillis;

use super::{Contents, GuildSettings};

/// The register, and up to where this host knows it.
#[derive(Debug)]
pub(super) struct Shared {
    register: Arc<dyn Register>,
    /// Held while changes are read and applied, so that an older state never replaces a newer one.
    known: tokio::sync::Mutex<Edition>,
    /// Who opted out elsewhere and was not asked for yet.
    opted_out: Mutex<BTreeSet<UserId>>,
    /// Who asked somewhere to be forgotten and was not asked for yet.
    forgotten: Mutex<BTreeSet<UserId>>,
}

/// What an entry of the register tells.
#[derive(Debug, PartialEq)]
enum Entry {
    OptOut(UserId, Option<UtcMillis>),
    Guild(GuildId, Option<GuildSettings>),
    /// Somebody asked to be forgotten. It is struck out as soon as it was written: what others see is that it went.
    Forget(UserId),
}

fn forget_key(user: UserId) -> String {
    format!("forget:{user}")
}

fn user_key(user: UserId) -> String {
    format!("opted-out:{user}")
}

fn guild_key(guild: GuildId) -> String {
    format!("guild:{guild}")
}

impl Entry {
    /// Reads an entry; none when it is of a kind that this version does not know.
    fn read(key: &str, text: Option<&str>, now: UtcMillis) -> Option<Self> {
        let (kind, id) = key.split_once(':')?;
        let id: u64 = id.parse().ok()?;
        match kind {
            // Whatever the date: who is in the list does not want to be heard.
            "opted-out" => Some(Self::OptOut(
                UserId::new(id),
                text.map(|text| text.parse().map_or(now, UtcMillis::new)),
            )),
            "forget" => Some(Self::Forget(UserId::new(id))),
            "guild" => {
                let settings = text.and_then(|text| {
                    let read = serde_json::from_str(text);
                    read.inspect_err(
                        |error| tracing::warn!(guild = id, %error, "a guild's settings cannot be read"),
                    )
                    .ok()
                });
                Some(Self::Guild(GuildId::new(id), settings))
            }
            _ => None,
        }
    }
}

impl Shared {
    pub(super) fn new(register: Arc<dyn Register>) -> Self {
        Self {
            register,
            known: tokio::sync::Mutex::default(),
            opted_out: Mutex::default(),
            forgotten: Mutex::default(),
        }
    }

    /// Takes over what a host remembered alone; what the register knows already stays.
    pub(super) async fn take_over(&self, alone: &Contents) -> Result<(), LimitsError> {
        for (user, at) in &alone.opted_out {
            self.keep_opt_out(*user, *at).await?;
        }
        for (guild, settings) in &alone.guilds {
            let text = written(settings)?;
            self.register
                .put(&guild_key(*guild), Some(&text), Over::Nothing)
                .await?;
        }
        Ok(())
    }

    /// Brings a copy up to date.
    pub(super) async fn refresh(&self, copy: &Mutex<Contents>, now: UtcMillis) -> Result<(), LimitsError> {
        let mut known = self.known.lock().await;
        let changes = self.register.since(*known).await?;
        let went_back = changes.upto < *known;
        for (user, at) in self.apply(&changes, went_back, copy, now) {
            self.keep_opt_out(user, at).await?;
        }
        // Not before everything is written back: what fails is tried again.
        *known = changes.upto;
        Ok(())
    }

    /// Writes an opt-out unless the register has one.
    async fn keep_opt_out(&self, user: UserId, at: UtcMillis) -> Result<(), LimitsError> {
        let text = at.get().to_string();
        let put = self
            .register
            .put(&user_key(user), Some(&text), Over::Nothing)
            .await;
        put.map(|_| ())
    }

    /// Applies changes to a copy; answers the opt-outs that a register which `went_back` has lost.
    fn apply(
        &self,
        changes: &Changes,
        went_back: bool,
        copy: &Mutex<Contents>,
        now: UtcMillis,
    ) -> Vec<(UserId, UtcMillis)> {
        let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
        let before = changes.whole.then(|| {
            copy.guilds.clear();
            std::mem::take(&mut copy.opted_out)
        });
        for (key, text) in &changes.entries {
            match Entry::read(key, text.as_deref(), now) {
                Some(Entry::OptOut(user, Some(at))) => {
                    let is_new = copy.opted_out.insert(user, at).is_none();
                    if is_new && !before.as_ref().is_some_and(|before| before.contains_key(&user)) {
                        lock(&self.opted_out).insert(user);
                    }
                }
                Some(Entry::OptOut(user, None)) => {
                    copy.opted_out.remove(&user);
                    lock(&self.opted_out).remove(&user);
                }
                Some(Entry::Guild(guild, Some(settings))) => {
                    copy.guilds.insert(guild, settings);
                }
                Some(Entry::Guild(guild, None)) => {
                    copy.guilds.remove(&guild);
                }
                Some(Entry::Forget(user)) => {
                    lock(&self.forgotten).insert(user);
                }
                None => {}
            }
        }
        let forgotten: Vec<(UserId, UtcMillis)> = before
            .filter(|_| went_back)
            .into_iter()
            .flatten()
            .filter(|(user, _)| !copy.opted_out.contains_key(user))
            .collect();
        // A server that lost what it had must not make people heard who did not want it.
        copy.opted_out.extend(forgotten.iter().copied());
        forgotten
    }

    /// Who opted out since this was last asked.
    pub(super) fn newly_opted_out(&self) -> BTreeSet<UserId> {
        std::mem::take(&mut *lock(&self.opted_out))
    }

    /// Who asked to be forgotten since this was last asked.
    pub(super) fn newly_forgotten(&self) -> BTreeSet<UserId> {
        std::mem::take(&mut *lock(&self.forgotten))
    }

    /// Tells every host that somebody asked to be forgotten. Nothing of them stays in the register but for an hour the trace
    /// that something was struck out.
    pub(super) async fn tell_forgotten(&self, user: UserId) -> Result<(), LimitsError> {
        let key = forget_key(user);
        self.register.put(&key, Some("asked"), Over::Anything).await?;
        self.register.put(&key, None, Over::Anything).await.map(|_| ())
    }

    /// Writes an opt-out, or strikes it out.
    pub(super) async fn put_opt_out(
        &self,
        user: UserId,
        at: Option<UtcMillis>,
        over: Option<UtcMillis>,
    ) -> Result<bool, LimitsError> {
        let text = at.map(|at| at.get().to_string());
        let old = over.map(|over| over.get().to_string());
        let over = old.as_deref().map_or(Over::Anything, Over::Text);
        self.register.put(&user_key(user), text.as_deref(), over).await
    }

    /// Writes a guild's settings, or forgets them.
    pub(super) async fn put_guild(
        &self,
        guild: GuildId,
        settings: Option<&GuildSettings>,
    ) -> Result<(), LimitsError> {
        let text = settings.map(written).transpose()?;
        let put = self
            .register
            .put(&guild_key(guild), text.as_deref(), Over::Anything)
            .await;
        put.map(|_| ())
    }
}

fn lock(users: &Mutex<BTreeSet<UserId>>) -> MutexGuard<'_, BTreeSet<UserId>> {
    users.lock().unwrap_or_else(PoisonError::into_inner)
}

fn written(settings: &GuildSettings) -> Result<String, LimitsError> {
    serde_json::to_string(settings)
        .map_err(|error| LimitsError::Configuration(format!("a guild's settings: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_heard_by_nobody() {
        let now = UtcMillis::new(7);
        let read = |key, text| Entry::read(key, text, now);
        let user = UserId::new(5);
        assert_eq!(
            read("opted-out:5", Some("3")),
            Some(Entry::OptOut(user, Some(UtcMillis::new(3))))
        );
        assert_eq!(
            read("opted-out:5", Some("nonsense")),
            Some(Entry::OptOut(user, Some(now)))
        );
        assert_eq!(read("opted-out:5", None), Some(Entry::OptOut(user, None)));
        assert_eq!(
            read("guild:6", Some("{")),
            Some(Entry::Guild(GuildId::new(6), None))
        );
        for unknown in ["opted-out", "opted-out:x", "colour:5", ""] {
            assert_eq!(read(unknown, Some("1")), None, "{unknown}");
        }
    }
}
