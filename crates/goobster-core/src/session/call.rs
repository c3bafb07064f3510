//! The call of a guild: Discord allows one, so the sessions of a guild share it, and it is destroyed with its last
//! session. The others in the channel are participants: heard, never charged.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::access::{Refusal, VoiceChannel};
use super::resources::{PartError, SessionParts, VoiceConnection};
use super::session::lock;
use super::{Session, SessionId};
use crate::ids::{GuildId, UserId};

/// The voice connection of a call, opened by whichever session comes first.
#[derive(Default)]
pub(super) struct Line {
    connection: Mutex<Option<Arc<dyn VoiceConnection>>>,
    /// True once it is open. Held while somebody opens it, so that two starts at once open it once.
    open: tokio::sync::Mutex<bool>,
    /// Cancelled when the call is gone.
    pub(super) gone: CancellationToken,
}

impl Line {
    /// Joins the call, or finds it joined. When an opener is aborted half-way the next one takes over.
    pub(super) async fn open(&self, parts: &dyn SessionParts) -> Result<(), PartError> {
        let mut open = self.open.lock().await;
        if !*open {
            let connection = self.connection().unwrap_or_else(|| {
                let made = parts.connection();
                Arc::clone(lock(&self.connection).insert(made))
            });
            connection.open().await?;
            *open = true;
        }
        Ok(())
    }

    /// The connection, joined or being joined.
    pub(super) fn connection(&self) -> Option<Arc<dyn VoiceConnection>> {
        lock(&self.connection).clone()
    }

    pub(super) fn take(&self) -> Option<Arc<dyn VoiceConnection>> {
        lock(&self.connection).take()
    }
}

/// A guild's call.
pub(super) struct Call {
    pub(super) channel: VoiceChannel,
    pub(super) line: Arc<Line>,
    pub(super) members: BTreeSet<SessionId>,
    /// Its last session is destroying it: nobody can join any more.
    closing: bool,
    participants: BTreeSet<UserId>,
}

/// What a guild's call says to somebody who wants in.
pub(super) enum Entry {
    /// They are on it now.
    Joined(Arc<Line>),
    /// It is being destroyed; try again when this is cancelled.
    Wait(Arc<Line>),
}

/// The calls of all guilds. At most one a guild, by construction.
#[derive(Default)]
pub(super) struct Calls(HashMap<GuildId, Call>);

impl Calls {
    /// Puts a session on its guild's call, making one if there is none.
    pub(super) fn join(
        &mut self,
        guild: GuildId,
        channel: &VoiceChannel,
        session: SessionId,
    ) -> Result<Entry, Refusal> {
        let call = self.0.entry(guild).or_insert_with(|| Call {
            channel: channel.clone(),
            line: Arc::default(),
            members: BTreeSet::new(),
            closing: false,
            participants: BTreeSet::new(),
        });
        if call.closing {
            return Ok(Entry::Wait(Arc::clone(&call.line)));
        }
        if call.channel.id != channel.id {
            return Err(Refusal::CallElsewhere {
                channel: call.channel.name.clone(),
            });
        }
        call.members.insert(session);
        Ok(Entry::Joined(Arc::clone(&call.line)))
    }

    /// Takes a session off its call. Gives the line back when it was the last: then it must be destroyed, and
    /// [`remove`](Self::remove)d.
    pub(super) fn leave(&mut self, guild: GuildId, session: SessionId) -> Option<Arc<Line>> {
        let call = self.0.get_mut(&guild)?;
        if !call.members.remove(&session) || !call.members.is_empty() {
            return None;
        }
        call.closing = true;
        Some(Arc::clone(&call.line))
    }

    /// Forgets a destroyed call. By identity: a later call of the same guild is not touched.
    pub(super) fn remove(&mut self, guild: GuildId, line: &Arc<Line>) {
        if self
            .0
            .get(&guild)
            .is_some_and(|call| Arc::ptr_eq(&call.line, line))
        {
            self.0.remove(&guild);
        }
        line.gone.cancel();
    }

    /// Somebody without a session was heard; remembered up to `most` people.
    pub(super) fn heard(&mut self, guild: GuildId, user: UserId, most: usize) {
        if let Some(call) = self.0.get_mut(&guild)
            && call.participants.len() < most
        {
            call.participants.insert(user);
        }
    }

    pub(super) fn get(&self, guild: GuildId) -> Option<&Call> {
        self.0.get(&guild)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&GuildId, &Call)> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Call {
    pub(super) fn info(&self, guild: GuildId) -> CallInfo {
        CallInfo {
            guild,
            channel: self.channel.clone(),
            sessions: self.members.iter().copied().collect(),
            participants: self.participants.iter().copied().collect(),
        }
    }
}

/// A call, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInfo {
    /// Its guild.
    pub guild: GuildId,
    /// Its voice channel.
    pub channel: VoiceChannel,
    /// The sessions that share it.
    pub sessions: Vec<SessionId>,
    /// People who were heard in it without a session of their own; never charged.
    pub participants: Vec<UserId>,
}

/// Who somebody in a call is.
#[derive(Debug, Clone)]
pub enum Role {
    /// They have this session, and are charged for it.
    Owner(Arc<Session>),
    /// They are heard in somebody else's call; never charged.
    Participant,
    /// The guild has no call.
    Stranger,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;

    fn channel(id: u64, name: &str) -> VoiceChannel {
        VoiceChannel {
            id: ChannelId::new(id),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_call_is_shared_and_destroyed_with_its_last_session() {
        let (guild, lounge) = (GuildId::new(1), channel(1, "Lounge"));
        let mut calls = Calls::default();
        let [first, second] = [SessionId::new(1), SessionId::new(2)];
        let Ok(Entry::Joined(line)) = calls.join(guild, &lounge, first) else {
            panic!()
        };
        let Ok(Entry::Joined(same)) = calls.join(guild, &lounge, second) else {
            panic!()
        };
        assert!(Arc::ptr_eq(&line, &same));
        assert!(calls.leave(guild, first).is_none());
        assert!(calls.leave(guild, first).is_none(), "leaving twice is once");
        assert!(calls.leave(guild, second).is_some());
        assert!(matches!(calls.join(guild, &lounge, first), Ok(Entry::Wait(_))));
        calls.remove(guild, &line);
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn another_channel_is_refused_with_the_calls_name() {
        let (guild, mut calls) = (GuildId::new(1), Calls::default());
        assert!(
            calls
                .join(guild, &channel(1, "Lounge"), SessionId::new(1))
                .is_ok()
        );
        let refused = calls.join(guild, &channel(2, "Games"), SessionId::new(2)).err();
        assert_eq!(
            refused,
            Some(Refusal::CallElsewhere {
                channel: "Lounge".to_owned()
            })
        );
    }

    #[test]
    fn removing_an_old_call_leaves_the_new_one() {
        let (guild, lounge) = (GuildId::new(1), channel(1, "Lounge"));
        let mut calls = Calls::default();
        let Ok(Entry::Joined(old)) = calls.join(guild, &lounge, SessionId::new(1)) else {
            panic!()
        };
        calls.leave(guild, SessionId::new(1));
        calls.remove(guild, &old);
        calls.join(guild, &lounge, SessionId::new(2)).ok().unwrap();
        calls.remove(guild, &old);
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn participants_are_bounded() {
        let (guild, mut calls) = (GuildId::new(1), Calls::default());
        calls
            .join(guild, &channel(1, "Lounge"), SessionId::new(1))
            .ok()
            .unwrap();
        for user in 0..1000 {
            calls.heard(guild, UserId::new(user), 200);
        }
        assert_eq!(calls.get(guild).unwrap().participants.len(), 200);
    }
}
