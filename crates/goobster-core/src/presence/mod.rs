//! Life in a voice channel: whether the link holds, who is there, and when a call is over.
//!
//! A pure state machine, `step(now, event) -> effects`. A link that breaks is mended by joining anew, a bounded number of
//! times and within a bounded time; a bot that was thrown out stays out; a call without people, and a session without its
//! owner, end after a grace time. Nothing here joins after the call has ended.

mod event;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use event::{EndCause, PresenceEffect, PresenceEvent};

use crate::ids::{ChannelId, UserId};
use crate::time::Moment;

/// Joins are counted over this time.
const WINDOW: Duration = Duration::from_mins(10);

/// The pause before the first attempt to come back; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// How a call behaves when something happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceConfig {
    /// How long nobody else may be there: a minute.
    pub alone_after: Duration,
    /// How long a session waits for its owner to come back: a minute.
    pub owner_grace: Duration,
    /// How long mending the link may take: 10 s.
    pub recover_within: Duration,
    /// How long Discord may take to say where the bot was moved, before it counts as thrown out: 2 s.
    pub moved_within: Duration,
    /// Joins in ten minutes at most: 12. More is a storm.
    pub joins: usize,
    /// For the jitter of the pauses.
    pub seed: u64,
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self {
            alone_after: Duration::from_mins(1),
            owner_grace: Duration::from_mins(1),
            recover_within: Duration::from_secs(10),
            moved_within: Duration::from_secs(2),
            joins: 12,
            seed: 0,
        }
    }
}

/// The link to the voice server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// It holds.
    Up,
    /// It broke at this moment. The next attempt is due at `next`, or one is under way.
    Down {
        since: Moment,
        attempts: u32,
        next: Option<Moment>,
    },
}

/// The life of one call.
#[derive(Debug, Clone)]
pub struct Presence {
    config: PresenceConfig,
    channel: ChannelId,
    link: Link,
    /// Discord says that the bot is in no channel, since then.
    out_since: Option<Moment>,
    /// Whether the gateway can tell.
    told: bool,
    people: BTreeSet<UserId>,
    /// The sessions' owners, and since when each is away.
    owners: BTreeMap<UserId, Option<Moment>>,
    alone_since: Option<Moment>,
    joins: VecDeque<Moment>,
    ended: bool,
    random: u64,
}

impl Presence {
    /// A call that has just joined a channel.
    pub const fn new(config: PresenceConfig, channel: ChannelId) -> Self {
        Self {
            config,
            channel,
            link: Link::Up,
            out_since: None,
            told: true,
            people: BTreeSet::new(),
            owners: BTreeMap::new(),
            alone_since: None,
            joins: VecDeque::new(),
            ended: false,
            random: config.seed | 1,
        }
    }

    /// The channel that the call is in.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Whether the link holds.
    pub const fn is_up(&self) -> bool {
        matches!(self.link, Link::Up)
    }

    /// When to send a [`PresenceEvent::Tick`].
    pub fn deadline(&self) -> Option<Moment> {
        if self.ended {
            return None;
        }
        let out = self.out_since.map(|at| at.after(self.out_for()));
        let alone = self.alone_since.map(|at| at.after(self.config.alone_after));
        let away = self
            .owners
            .values()
            .flatten()
            .min()
            .map(|at| at.after(self.config.owner_grace));
        let (next, lost) = match self.link {
            Link::Up => (None, None),
            // While it is not known whether the bot was thrown out, it does not come back.
            Link::Down { since, next, .. } => (
                next.filter(|_| self.out_since.is_none()),
                Some(since.after(self.config.recover_within)),
            ),
        };
        [out, alone, away, next, lost].into_iter().flatten().min()
    }

    /// Takes in what happened, and says what is to be done.
    pub fn step(&mut self, now: Moment, event: PresenceEvent) -> Vec<PresenceEffect> {
        let mut effects = Vec::new();
        if self.ended {
            return effects;
        }
        match event {
            PresenceEvent::Connected => {
                self.link = Link::Up;
                self.out_since = None;
            }
            PresenceEvent::LinkLost { close_code } => self.lost(now, close_code, &mut effects),
            PresenceEvent::JoinFailed => self.failed(now, &mut effects),
            PresenceEvent::BotState { channel } => {
                self.told = true;
                match channel {
                    Some(channel) => self.placed(now, channel, &mut effects),
                    None => {
                        self.out_since.get_or_insert(now);
                    }
                }
            }
            PresenceEvent::GatewayLost => self.told = false,
            PresenceEvent::GatewayBack => {
                self.told = true;
                self.out_since = self.out_since.map(|_| now);
            }
            PresenceEvent::GatewayAnew { channel } => {
                self.told = true;
                if let Some(channel) = channel {
                    self.placed(now, channel, &mut effects);
                } else {
                    self.come_back(now);
                }
            }
            PresenceEvent::Present { who } => {
                self.people.insert(who);
                self.alone_since = None;
                if let Some(away) = self.owners.get_mut(&who)
                    && away.take().is_some()
                {
                    effects.push(PresenceEffect::OwnerBack { owner: who });
                }
            }
            PresenceEvent::Absent { who } => self.absent(now, who, &mut effects),
            PresenceEvent::OwnerSet { who } => {
                let away = (!self.people.contains(&who)).then_some(now);
                self.owners.entry(who).or_insert(away);
            }
            PresenceEvent::OwnerUnset { who } => {
                self.owners.remove(&who);
            }
            PresenceEvent::ChannelDeleted | PresenceEvent::GuildGone => {
                self.end(EndCause::ChannelGone, &mut effects);
            }
            PresenceEvent::Tick => {}
        }
        self.due(now, &mut effects);
        effects
    }

    /// A new session of the gateway is in no voice channel: the call joins again.
    fn come_back(&mut self, now: Moment) {
        self.out_since = None;
        let next = Some(now.after(self.pause(0)));
        let (since, attempts) = match self.link {
            Link::Up => (now, 0),
            Link::Down { since, attempts, .. } => (since, attempts),
        };
        self.link = Link::Down {
            since,
            attempts,
            next,
        };
    }

    /// The link broke, and the voice library has given up on it.
    fn lost(&mut self, now: Moment, close_code: Option<u16>, effects: &mut Vec<PresenceEffect>) {
        match close_code {
            // Disconnected or moved: the gateway says which.
            Some(4014) => {
                self.out_since.get_or_insert(now);
            }
            Some(4017) => self.end(EndCause::EncryptionRequired, effects),
            Some(4021 | 4022) => self.end(EndCause::CallEnded, effects),
            _ => {
                if self.is_up() {
                    let next = Some(now.after(self.pause(0)));
                    self.link = Link::Down {
                        since: now,
                        attempts: 0,
                        next,
                    };
                }
            }
        }
    }

    /// An attempt to come back failed.
    fn failed(&mut self, now: Moment, effects: &mut Vec<PresenceEffect>) {
        let Link::Down { since, attempts, .. } = self.link else {
            return;
        };
        let attempts = attempts + 1;
        let next = now.after(self.pause(attempts));
        if next.since(since) >= self.config.recover_within {
            self.end(EndCause::ConnectionLost, effects);
        } else {
            self.link = Link::Down {
                since,
                attempts,
                next: Some(next),
            };
        }
    }

    /// The gateway says where the bot is.
    fn placed(&mut self, now: Moment, channel: ChannelId, effects: &mut Vec<PresenceEffect>) {
        let was_out = self.out_since.take().is_some();
        if channel != self.channel {
            self.channel = channel;
            effects.push(PresenceEffect::MovedTo { channel });
        } else if !was_out {
            return;
        }
        // The voice library follows by itself; when it does not, the call is joined anew.
        if was_out && self.is_up() {
            self.link = Link::Down {
                since: now,
                attempts: 0,
                next: Some(now.after(self.config.moved_within)),
            };
        }
    }

    fn absent(&mut self, now: Moment, who: UserId, effects: &mut Vec<PresenceEffect>) {
        if !self.people.remove(&who) {
            return;
        }
        if let Some(away) = self.owners.get_mut(&who) {
            away.get_or_insert(now);
            effects.push(PresenceEffect::OwnerAway { owner: who });
        }
        if self.people.is_empty() {
            self.alone_since = Some(now);
            effects.push(PresenceEffect::Alone {
                ends_in: self.config.alone_after,
            });
        }
    }

    /// How long the bot may seem to be in no channel: until it counts as thrown out, or, while nobody can say, as lost.
    fn out_for(&self) -> Duration {
        if self.told {
            self.config.moved_within
        } else {
            self.config.recover_within
        }
    }

    /// Does what is due at `now`.
    fn due(&mut self, now: Moment, effects: &mut Vec<PresenceEffect>) {
        let passed = |since: Option<Moment>, span: Duration| since.is_some_and(|at| now.since(at) >= span);
        if passed(self.out_since, self.out_for()) {
            let why = if self.told {
                EndCause::Kicked
            } else {
                EndCause::ConnectionLost
            };
            return self.end(why, effects);
        }
        if let Link::Down {
            since,
            attempts,
            next,
        } = self.link
        {
            if now.since(since) >= self.config.recover_within {
                return self.end(EndCause::ConnectionLost, effects);
            }
            // Before it is known whether the bot was thrown out, joining would answer a kick with a return.
            if next.is_some_and(|at| at <= now) && self.out_since.is_none() {
                while self.joins.front().is_some_and(|at| now.since(*at) >= WINDOW) {
                    self.joins.pop_front();
                }
                if self.joins.len() >= self.config.joins {
                    return self.end(EndCause::ConnectionLost, effects);
                }
                self.joins.push_back(now);
                self.link = Link::Down {
                    since,
                    attempts,
                    next: None,
                };
                effects.push(PresenceEffect::Join {
                    channel: self.channel,
                });
            }
        }
        if passed(self.alone_since, self.config.alone_after) {
            return self.end(EndCause::LeftAlone, effects);
        }
        let grace = self.config.owner_grace;
        let gone: Vec<UserId> = self
            .owners
            .iter()
            .filter(|(_, away)| passed(**away, grace))
            .map(|(owner, _)| *owner)
            .collect();
        for owner in gone {
            self.owners.remove(&owner);
            effects.push(PresenceEffect::EndSession {
                owner,
                why: EndCause::OwnerLeft,
            });
        }
    }

    fn end(&mut self, why: EndCause, effects: &mut Vec<PresenceEffect>) {
        if !std::mem::replace(&mut self.ended, true) {
            effects.push(PresenceEffect::EndCall { why });
        }
    }

    /// The pause before an attempt: doubled each time, and between half and all of that, so that the bots of many calls do
    /// not come back at the same moment.
    fn pause(&mut self, attempt: u32) -> Duration {
        // xorshift64 (Marsaglia 2003): spread, not secrecy, is wanted.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let most = PAUSE * 2_u32.saturating_pow(attempt.min(5));
        let share = (self.random >> 32) as f64 / f64::from(u32::MAX);
        most.mul_f64(0.5 + share / 2.0)
    }
}
