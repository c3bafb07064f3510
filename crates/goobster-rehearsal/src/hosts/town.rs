//! Guilds on every shard, each with a member who asks for a session and talks; and somebody who does not want to be heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use loopback_discord::Loopback;
use loopback_discord::world::act::Act;
use loopback_discord::world::channel::ChannelKind;
use loopback_discord::world::{ApiError, ChannelId, GuildId, MessageId, UserId};
use tokio_util::task::AbortOnDropHandle;

use crate::error::RehearsalError;

/// Guilds that are made in search of the right shards at most.
const TRIES: usize = 10_000;

/// A guild with a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guild {
    pub(super) id: GuildId,
    pub(super) shard: u32,
    pub(super) owner: UserId,
    pub(super) text: ChannelId,
    pub(super) voice: ChannelId,
}

impl Guild {
    /// Its member asks for a session.
    pub(super) fn ask(&self, loopback: &Loopback) {
        let asked = loopback.world(|w| w.interact(self.owner, self.text, Act::command("voice start")));
        if let Err(error) = asked {
            tracing::warn!(%error, "a session could not be asked for");
        }
    }
}

/// Somebody who talks in one guild, and opts out in another, which another host serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet {
    pub(super) user: UserId,
    pub(super) guild: Guild,
    pub(super) elsewhere: Guild,
}

impl Quiet {
    /// What they are called, and so what their captions begin with.
    pub(super) const NAME: &str = "Quiet";

    /// They join.
    pub(super) fn join(loopback: &Loopback, guild: Guild, elsewhere: Guild) -> Result<Self, ApiError> {
        loopback.world(|w| {
            let user = w.add_user(Self::NAME, false);
            w.add_member(guild.id, user)?;
            w.add_member(elsewhere.id, user)?;
            w.join_voice(guild.voice, user, &format!("session-{user}"), (false, false))?;
            Ok(Self {
                user,
                guild,
                elsewhere,
            })
        })
    }

    /// They do not want to be heard any more.
    pub(super) fn opt_out(&self, loopback: &Loopback) -> Result<(), ApiError> {
        let deed = Act::command("privacy optout");
        loopback
            .world(|w| w.interact(self.user, self.elsewhere.text, deed))
            .map(|_| ())
    }

    /// The messages with a caption of theirs.
    pub(super) fn captions(&self, loopback: &Loopback) -> BTreeSet<MessageId> {
        let named = |content: &str| content.contains(Self::NAME);
        loopback.world(|w| {
            let all = w.messages(self.guild.text);
            all.filter(|message| named(&message.content))
                .map(|message| message.id)
                .collect()
        })
    }
}

/// All guilds.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) guilds: Vec<Guild>,
}

impl Town {
    /// Makes guilds until every shard has enough of them.
    pub(super) async fn build(loopback: &Loopback, shards: u32, each: usize) -> Result<Self, RehearsalError> {
        let mut guilds: Vec<Guild> = Vec::new();
        for _ in 0..TRIES {
            if guilds.len() == shards as usize * each {
                break;
            }
            // Ids tell the millisecond, and it tells the shard.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let made = loopback.world(|w| -> Result<Option<Guild>, ApiError> {
                let owner = w.owner();
                let id = w.add_guild("Town", owner)?;
                let shard = u32::try_from((id.get() >> 22) % u64::from(shards)).unwrap_or(0);
                if guilds.iter().filter(|guild| guild.shard == shard).count() >= each {
                    w.remove_guild(id)?;
                    return Ok(None);
                }
                let owner = w.add_user(&format!("Member {}", guilds.len() + 1), false);
                w.add_member(id, owner)?;
                let text = w.add_channel(id, "general", ChannelKind::Text)?;
                let voice = w.add_channel(id, "Square", ChannelKind::Voice)?;
                w.join_voice(voice, owner, &format!("session-{owner}"), (false, false))?;
                Ok(Some(Guild {
                    id,
                    shard,
                    owner,
                    text,
                    voice,
                }))
            })?;
            guilds.extend(made);
        }
        Ok(Self { guilds })
    }

    /// Everybody asks for a session; when each did.
    pub(super) async fn start_sessions(&self, loopback: &Loopback) -> BTreeMap<GuildId, Duration> {
        let mut asked = BTreeMap::new();
        for guild in &self.guilds {
            guild.ask(loopback);
            asked.insert(guild.id, loopback.recorded().elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        asked
    }

    /// What was written in the guilds' channels, shortened: for the word on why something failed.
    pub(super) fn answers(&self, loopback: &Loopback) -> String {
        let lines = self.guilds.iter().map(|guild| {
            let last = loopback.world(|w| w.messages(guild.text).next_back().map(|m| m.content.clone()));
            let connected = loopback.voice_connected(guild.id);
            format!(
                "shard {} connected {connected}: {}",
                guild.shard,
                last.unwrap_or_default()
            )
        });
        lines.collect::<Vec<_>>().join(" / ")
    }

    /// Everybody talks, again and again, until the answer is dropped.
    pub(super) fn talk(
        &self,
        quiet: &Quiet,
        loopback: &Arc<Loopback>,
        frames: &[Vec<u8>],
    ) -> Vec<AbortOnDropHandle<()>> {
        let lasts = Duration::from_millis(20) * u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let talk = |(n, (guild, who)): (usize, (GuildId, UserId))| {
            let (loopback, frames) = (Arc::clone(loopback), frames.to_vec());
            AbortOnDropHandle::new(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(150) * u32::try_from(n).unwrap_or(0)).await;
                loop {
                    // While the bot is not there, nobody hears it.
                    let _ = loopback.speak(guild, who, frames.clone());
                    tokio::time::sleep(lasts + Duration::from_secs(2)).await;
                }
            }))
        };
        let owners = self.guilds.iter().map(|guild| (guild.id, guild.owner));
        let all = owners.chain([(quiet.guild.id, quiet.user)]);
        all.enumerate().map(talk).collect()
    }
}
