//! DAVE: the group whose members encrypt to each other. The members are `davey` sessions that live here, the bot is at the
//! other end of the voice gateway, and the voice server proposes who comes and goes. One change happens at a time: it is
//! proposed, somebody commits to it, the bot says that it is ready, and then it is executed.
//!
//! Source: <https://daveprotocol.com>.

mod sender;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use davey::{CommitWelcome, DaveSession, MediaType, ProposalsOperationType};
use openmls::prelude::LeafNodeIndex;
use serde_json::json;

use super::room::op;
use crate::world::UserId;
use sender::{Proposal, Sender};

/// The version of the protocol.
const VERSION: NonZeroU16 = NonZeroU16::MIN;
/// The bot commits or becomes ready within this time, or nobody waits for it any longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What ends an encrypted frame.
const MARKER: [u8; 2] = [0xFA, 0xFA];

/// Whose commit wins when the bot and the members commit to the same proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// A member's, which comes at once.
    Member,
    /// The bot's, if it comes in time.
    Bot,
}

/// Something in the group went wrong, on this side or because of what the bot sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("DAVE: {0}")]
pub(super) struct DaveError(String);

impl DaveError {
    fn new(cause: impl Display) -> Self {
        Self(cause.to_string())
    }
}

/// What the bot is to be told, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Text(String),
    Binary(Vec<u8>),
    Executed(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Add(UserId),
    Remove(LeafNodeIndex),
    AddBot(Vec<u8>),
}

/// The change that is under way.
struct Underway {
    change: Change,
    /// The new member's session, until it is welcomed.
    newcomer: Option<DaveSession>,
    stage: Stage,
    since: Instant,
}

enum Stage {
    /// The bot's commit is awaited; a member's would do.
    Commit(Option<CommitWelcome>),
    /// The bot's readiness is awaited.
    Ready { transition: u16, commit: CommitWelcome },
}

/// The group of one room.
pub(super) struct Group {
    channel: u64,
    bot: u64,
    sender: Sender,
    members: BTreeMap<UserId, DaveSession>,
    /// Whether the bot is in the group.
    bot_in: bool,
    /// 0 while nothing is encrypted.
    version: u16,
    /// A change of version that waits for the bot.
    downgrade: Option<u16>,
    epoch: u64,
    next_transition: u16,
    underway: Option<Underway>,
    waiting: VecDeque<Change>,
    winner: Winner,
}

impl Group {
    pub(super) fn new(channel: u64, bot: u64, winner: Winner) -> Result<Self, DaveError> {
        Ok(Self {
            channel,
            bot,
            sender: Sender::new()?,
            members: BTreeMap::new(),
            bot_in: false,
            version: VERSION.get(),
            downgrade: None,
            epoch: 0,
            next_transition: 1,
            underway: None,
            waiting: VecDeque::new(),
            winner,
        })
    }

    /// The version that a new connection is told.
    pub(super) fn version(&self) -> u16 {
        self.version
    }

    /// Whether the bot is in the group and no change is under way.
    pub(super) fn settled(&self) -> bool {
        self.bot_in && self.underway.is_none() && self.downgrade.is_none()
    }

    /// What a new connection is told first.
    pub(super) fn greet(&self) -> Effect {
        Effect::Binary([&[25], self.sender.package.as_slice()].concat())
    }

    /// Somebody came into the channel.
    pub(super) fn add(&mut self, user: UserId, now: Instant) -> Result<Vec<Effect>, DaveError> {
        self.waiting.push_back(Change::Add(user));
        self.proceed(now)
    }

    /// Somebody left it.
    pub(super) fn remove(&mut self, user: UserId, now: Instant) -> Result<Vec<Effect>, DaveError> {
        self.waiting.retain(|c| *c != Change::Add(user));
        if self
            .underway
            .as_ref()
            .is_some_and(|u| u.change == Change::Add(user))
        {
            // A commit that adds them may be on its way to the bot: it takes effect before they are removed again.
            let effects = self.finish(now)?;
            return Ok([effects, self.remove(user, now)?].concat());
        }
        let Some(session) = self.members.remove(&user) else {
            return Ok(Vec::new());
        };
        if self.members.is_empty() && !self.bot_in {
            self.epoch = 0;
            return Ok(Vec::new());
        }
        if let Some(leaf) = leaf_of(&session, user.get()) {
            self.waiting.push_back(Change::Remove(leaf));
        }
        self.proceed(now)
    }

    /// The bot sent its key package (opcode 26): it wants to be added, or added again.
    pub(super) fn key_package(&mut self, package: &[u8], now: Instant) -> Result<Vec<Effect>, DaveError> {
        if self.members.is_empty() {
            // Alone, it is the group that it has made for itself.
            (self.bot_in, self.epoch) = (true, 0);
            (self.underway, self.version) = (None, VERSION.get());
            return self.proceed(now);
        }
        self.waiting.retain(|c| !matches!(c, Change::AddBot(_)));
        let mut effects = Vec::new();
        let welcomed = self
            .underway
            .as_ref()
            .is_some_and(|u| matches!(u.change, Change::AddBot(_)));
        if self.bot_in || welcomed {
            // It begins anew, so what it was in is left behind.
            effects = self.finish(now)?;
            self.bot_in = false;
            let leaf = self.members.values().find_map(|s| leaf_of(s, self.bot));
            self.waiting.extend(leaf.map(Change::Remove));
        }
        self.waiting.push_back(Change::AddBot(package.to_vec()));
        effects.extend(self.proceed(now)?);
        Ok(effects)
    }

    /// The bot's commit, and the welcome with it (opcode 28).
    pub(super) fn commit(&mut self, bytes: &[u8], now: Instant) -> Result<Vec<Effect>, DaveError> {
        let (commit, welcome) = sender::split_commit(bytes)?;
        match self.underway.take() {
            Some(Underway {
                stage: Stage::Commit(_),
                change,
                newcomer,
                ..
            }) => self.announce(change, newcomer, CommitWelcome { commit, welcome }, now),
            // Somebody else's has won.
            other => {
                self.underway = other;
                Ok(Vec::new())
            }
        }
    }

    /// The bot is ready for a transition (opcode 23).
    pub(super) fn ready(&mut self, transition: u16, now: Instant) -> Result<Vec<Effect>, DaveError> {
        if self.downgrade == Some(transition) {
            (self.downgrade, self.version) = (None, 0);
            return Ok(executed(transition));
        }
        let expected = self.underway.as_ref().is_some_and(
            |u| matches!(u.stage, Stage::Ready { transition: awaited, .. } if awaited == transition),
        );
        if expected {
            self.finish(now)
        } else {
            Ok(Vec::new())
        }
    }

    /// Nobody waits forever for the bot.
    pub(super) fn tick(&mut self, now: Instant) -> Result<Vec<Effect>, DaveError> {
        let late = self
            .underway
            .as_ref()
            .is_some_and(|u| now.duration_since(u.since) > PATIENCE);
        if late { self.finish(now) } else { Ok(Vec::new()) }
    }

    /// Everybody starts a new group: with `version` 1 to go on encrypting or to begin with it.
    pub(super) fn restart(&mut self, now: Instant) -> Result<Vec<Effect>, DaveError> {
        let members: Vec<UserId> = self.members.keys().copied().collect();
        self.members.clear();
        (self.bot_in, self.underway, self.downgrade, self.epoch) = (false, None, None, 0);
        self.waiting = members.into_iter().map(Change::Add).collect();
        let mut effects = vec![Effect::Text(op(
            24,
            &json!({ "epoch": 1, "protocol_version": VERSION }),
        ))];
        effects.extend(self.proceed(now)?);
        Ok(effects)
    }

    /// Nothing is encrypted from end to end any more, once the bot is ready.
    pub(super) fn downgrade(&mut self) -> Vec<Effect> {
        let transition = self.transition();
        self.downgrade = Some(transition);
        vec![Effect::Text(op(
            21,
            &json!({ "transition_id": transition, "protocol_version": 0 }),
        ))]
    }

    fn transition(&mut self) -> u16 {
        let transition = self.next_transition;
        self.next_transition = transition.checked_add(1).unwrap_or(1);
        transition
    }

    /// Begins with changes that wait, until one has to wait for the bot.
    fn proceed(&mut self, now: Instant) -> Result<Vec<Effect>, DaveError> {
        let mut effects = Vec::new();
        while self.underway.is_none()
            && let Some(change) = self.waiting.pop_front()
        {
            effects.extend(self.begin(change, now)?);
        }
        Ok(effects)
    }

    fn begin(&mut self, change: Change, now: Instant) -> Result<Vec<Effect>, DaveError> {
        let mut newcomer = None;
        let proposal = match &change {
            Change::Add(user) => {
                let mut session =
                    DaveSession::new(VERSION, user.get(), self.channel, None).map_err(DaveError::new)?;
                session
                    .set_external_sender(&self.sender.package)
                    .map_err(DaveError::new)?;
                if self.members.is_empty() && !self.bot_in {
                    self.members.insert(*user, session);
                    return Ok(Vec::new());
                }
                let package = session.create_key_package().map_err(DaveError::new)?;
                newcomer = Some(session);
                self.sender
                    .propose(&Proposal::Add(&package), self.channel, self.epoch)?
            }
            Change::AddBot(package) => {
                self.sender
                    .propose(&Proposal::Add(package), self.channel, self.epoch)?
            }
            Change::Remove(leaf) => {
                self.sender
                    .propose(&Proposal::Remove(*leaf), self.channel, self.epoch)?
            }
        };
        let mut effects = Vec::new();
        if self.bot_in {
            effects.push(Effect::Binary([&[27, 0], proposal.as_slice()].concat()));
        }
        let mut first = None;
        for session in self.members.values_mut() {
            let commit = session.process_proposals(ProposalsOperationType::APPEND, &proposal, None);
            first = first.or(commit.map_err(DaveError::new)?);
        }
        let await_bot = self.bot_in && (self.winner == Winner::Bot || first.is_none());
        match first {
            Some(commit) if !await_bot => effects.extend(self.announce(change, newcomer, commit, now)?),
            first => {
                let stage = Stage::Commit(first);
                self.underway = Some(Underway {
                    change,
                    newcomer,
                    stage,
                    since: now,
                });
            }
        }
        Ok(effects)
    }

    /// Tells the bot whose commit won; without the bot the change is executed at once.
    fn announce(
        &mut self,
        change: Change,
        newcomer: Option<DaveSession>,
        commit: CommitWelcome,
        now: Instant,
    ) -> Result<Vec<Effect>, DaveError> {
        let transition = self.transition();
        let number = transition.to_be_bytes();
        let mut effects = Vec::new();
        if self.bot_in {
            effects.push(Effect::Binary(
                [&[29], number.as_slice(), commit.commit.as_slice()].concat(),
            ));
        } else if let (Change::AddBot(_), Some(welcome)) = (&change, &commit.welcome) {
            effects.push(Effect::Binary(
                [&[30], number.as_slice(), welcome.as_slice()].concat(),
            ));
        }
        let concerned = !effects.is_empty();
        let stage = Stage::Ready { transition, commit };
        self.underway = Some(Underway {
            change,
            newcomer,
            stage,
            since: now,
        });
        if !concerned {
            effects.extend(self.finish(now)?);
        }
        Ok(effects)
    }

    /// Executes the change that is under way.
    fn finish(&mut self, now: Instant) -> Result<Vec<Effect>, DaveError> {
        let Some(Underway {
            change,
            newcomer,
            stage,
            ..
        }) = self.underway.take()
        else {
            return Ok(Vec::new());
        };
        let (transition, commit) = match stage {
            Stage::Ready { transition, commit } => (transition, commit),
            Stage::Commit(Some(commit)) => {
                let mut effects = self.announce(change, newcomer, commit, now)?;
                effects.extend(self.finish(now)?);
                return Ok(effects);
            }
            // The bot alone could have committed.
            Stage::Commit(None) => return self.proceed(now),
        };
        for session in self.members.values_mut() {
            session.process_commit(&commit.commit).map_err(DaveError::new)?;
        }
        self.epoch += 1;
        match change {
            Change::Add(user) => {
                if let (Some(mut session), Some(welcome)) = (newcomer, &commit.welcome) {
                    session.process_welcome(welcome).map_err(DaveError::new)?;
                    self.members.insert(user, session);
                }
            }
            Change::AddBot(_) => (self.bot_in, self.version) = (true, VERSION.get()),
            Change::Remove(_) => {}
        }
        let mut effects = if self.bot_in {
            executed(transition)
        } else {
            Vec::new()
        };
        effects.extend(self.proceed(now)?);
        Ok(effects)
    }

    /// A frame as its speaker sends it; none while the speaker shares no keys with anybody.
    pub(super) fn encrypt(&mut self, user: UserId, frame: &[u8]) -> Option<Vec<u8>> {
        if self.version == 0 {
            return Some(frame.to_vec());
        }
        self.members
            .get_mut(&user)?
            .encrypt_opus(frame)
            .ok()
            .map(std::borrow::Cow::into_owned)
    }

    /// What the bot said, and whether it was encrypted; none if nobody can read it (yet).
    pub(super) fn decrypt(&mut self, frame: &[u8]) -> Option<(Vec<u8>, bool)> {
        if !frame.ends_with(&MARKER) {
            return Some((frame.to_vec(), false));
        }
        let open = |s: &mut DaveSession| s.decrypt(self.bot, MediaType::AUDIO, frame).ok();
        self.members.values_mut().find_map(open).map(|opus| (opus, true))
    }
}

fn executed(transition: u16) -> Vec<Effect> {
    vec![
        Effect::Text(op(22, &json!({ "transition_id": transition }))),
        Effect::Executed(transition),
    ]
}

/// Where a user is in the tree.
fn leaf_of(session: &DaveSession, user: u64) -> Option<LeafNodeIndex> {
    let group = session.group()?;
    let is = |m: &openmls::group::Member| m.credential.serialized_content() == user.to_be_bytes();
    group.members().find(is).map(|m| m.index)
}

#[cfg(test)]
mod tests;
