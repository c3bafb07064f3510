//! Who holds a place: pure counters with reservations, for one process or for a model of several.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{LimitsConfig, LimitsError, Refusal, SlotClaim, SlotLease, SlotsHeld};
use crate::ids::{GuildId, UserId};
use crate::session::{Epoch, SessionId};
use crate::time::Moment;

/// A process, for as long as it runs: a restart is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u64);

impl NodeId {
    /// Wraps a number that no other process uses: draw it at random at start.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A held place.
#[derive(Debug, Clone, Copy)]
struct Place {
    claim: SlotClaim,
    epoch: Epoch,
    confirmed: bool,
    until: Moment,
}

/// A guild: who serves it, since which take-over, and how many places it holds.
#[derive(Debug, Clone, Copy)]
struct Served {
    by: NodeId,
    epoch: Epoch,
    held: u32,
}

/// Places under the three limits. Every method first gives back what has timed out at `now`.
#[derive(Debug)]
pub struct SlotBook {
    per_user: u32,
    per_guild: u32,
    total: u32,
    first_epoch: Epoch,
    lease: Option<Duration>,
    places: HashMap<SessionId, Place>,
    users: HashMap<UserId, u32>,
    guilds: HashMap<GuildId, Served>,
    deadlines: BTreeSet<(Moment, SessionId)>,
}

impl SlotBook {
    /// No place is held. `first_epoch` is a guild's epoch until it is taken over; `lease` is how long a confirmed place
    /// lasts without being renewed, `None` for until it is released.
    pub fn new(config: &LimitsConfig, first_epoch: Epoch, lease: Option<Duration>) -> Self {
        Self {
            per_user: config.per_user,
            per_guild: config.per_guild,
            total: config.total,
            first_epoch,
            lease,
            places: HashMap::new(),
            users: HashMap::new(),
            guilds: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Reserves a place for `hold`.
    ///
    /// # Errors
    /// As [`Slots::reserve`](super::Slots::reserve).
    pub fn reserve(
        &mut self,
        node: NodeId,
        claim: SlotClaim,
        hold: Duration,
        now: Moment,
    ) -> Result<SlotLease, LimitsError> {
        self.expire(now);
        if let Some(place) = self.places.get(&claim.session).copied() {
            if place.claim != claim
                || self
                    .guilds
                    .get(&claim.guild)
                    .is_some_and(|guild| guild.by != node)
            {
                return Err(LimitsError::Conflict {
                    session: claim.session,
                });
            }
            let until = if place.confirmed {
                place.until
            } else {
                now.after(hold)
            };
            self.set(claim.session, place.confirmed, until);
            return Ok(SlotLease {
                claim,
                epoch: place.epoch,
                good_for: Some(until.since(now)),
            });
        }
        let epoch = self.admit(node, claim)?;
        let until = now.after(hold);
        self.places.insert(
            claim.session,
            Place {
                claim,
                epoch,
                confirmed: false,
                until,
            },
        );
        self.deadlines.insert((until, claim.session));
        *self.users.entry(claim.user).or_default() += 1;
        let guild = self.guilds.entry(claim.guild).or_insert(Served {
            by: node,
            epoch,
            held: 0,
        });
        *guild = Served {
            by: node,
            epoch,
            held: guild.held + 1,
        };
        Ok(SlotLease {
            claim,
            epoch,
            good_for: Some(hold),
        })
    }

    /// Confirms or renews a place: it lasts for another lease.
    ///
    /// # Errors
    /// [`LimitsError::LeaseLost`], or [`LimitsError::Fenced`] when the guild was taken over meanwhile.
    pub fn keep(&mut self, lease: SlotLease, now: Moment) -> Result<SlotLease, LimitsError> {
        self.expire(now);
        self.check_epoch(lease.claim.guild, lease.epoch)?;
        let session = lease.claim.session;
        match self.places.get(&session) {
            Some(place) if place.claim == lease.claim && place.epoch == lease.epoch => {}
            _ => return Err(LimitsError::LeaseLost { session }),
        }
        let until = self.lease.map_or(Moment::NEVER, |lease| now.after(lease));
        self.set(session, true, until);
        Ok(SlotLease {
            good_for: self.lease,
            ..lease
        })
    }

    /// Gives a place back; true when it was held.
    pub fn release(&mut self, lease: SlotLease, now: Moment) -> bool {
        self.expire(now);
        let ours = self
            .places
            .get(&lease.claim.session)
            .is_some_and(|place| place.epoch == lease.epoch);
        ours && self.remove(lease.claim.session)
    }

    /// How many places are held.
    pub fn held(&mut self, now: Moment) -> SlotsHeld {
        self.expire(now);
        let confirmed = self.places.values().filter(|place| place.confirmed).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        SlotsHeld {
            reserved: count(self.places.len() - confirmed),
            confirmed: count(confirmed),
        }
    }

    /// Whether a session holds a place.
    pub fn holds(&mut self, session: SessionId, now: Moment) -> bool {
        self.expire(now);
        self.places.contains_key(&session)
    }

    /// Refuses an epoch older than the guild's.
    ///
    /// # Errors
    /// [`LimitsError::Fenced`].
    pub fn check_epoch(&self, guild: GuildId, held: Epoch) -> Result<(), LimitsError> {
        let current = self
            .guilds
            .get(&guild)
            .map_or(self.first_epoch, |served| served.epoch);
        if held < current {
            Err(LimitsError::Fenced { guild, held, current })
        } else {
            Ok(())
        }
    }

    fn admit(&self, node: NodeId, claim: SlotClaim) -> Result<Epoch, Refusal> {
        let served = self.guilds.get(&claim.guild);
        let epoch = match served {
            None => self.first_epoch,
            Some(guild) if guild.by == node => guild.epoch,
            Some(guild) if guild.held == 0 => guild.epoch.next(),
            Some(_) => return Err(Refusal::GuildElsewhere { guild: claim.guild }),
        };
        let held = served.map_or(0, |guild| guild.held);
        if held >= self.per_guild {
            return Err(Refusal::GuildSlots {
                held,
                limit: self.per_guild,
            });
        }
        let held = self.users.get(&claim.user).copied().unwrap_or(0);
        if held >= self.per_user {
            return Err(Refusal::UserSlots {
                held,
                limit: self.per_user,
            });
        }
        let held = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        if held >= self.total {
            return Err(Refusal::TotalSlots {
                held,
                limit: self.total,
            });
        }
        Ok(epoch)
    }

    fn set(&mut self, session: SessionId, confirmed: bool, until: Moment) {
        if let Some(place) = self.places.get_mut(&session) {
            self.deadlines.remove(&(place.until, session));
            (place.confirmed, place.until) = (confirmed, until);
            if until < Moment::NEVER {
                self.deadlines.insert((until, session));
            }
        }
    }

    fn expire(&mut self, now: Moment) {
        while let Some(&(until, session)) = self.deadlines.first()
            && until <= now
        {
            self.remove(session);
        }
    }

    fn remove(&mut self, session: SessionId) -> bool {
        let Some(place) = self.places.remove(&session) else {
            return false;
        };
        self.deadlines.remove(&(place.until, session));
        if let Some(held) = self.users.get_mut(&place.claim.user) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.users.remove(&place.claim.user);
            }
        }
        if let Some(guild) = self.guilds.get_mut(&place.claim.guild) {
            guild.held = guild.held.saturating_sub(1);
            // A guild that was never taken over needs no memory: the first epoch stands for it.
            if guild.held == 0 && guild.epoch == self.first_epoch && self.lease.is_none() {
                self.guilds.remove(&place.claim.guild);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: NodeId = NodeId::new(1);
    const B: NodeId = NodeId::new(2);
    const HOLD: Duration = Duration::from_secs(10);
    const LEASE: Duration = Duration::from_secs(30);

    fn claim(session: u64, user: u64, guild: u64) -> SlotClaim {
        SlotClaim {
            session: SessionId::new(session),
            user: UserId::new(user),
            guild: GuildId::new(guild),
        }
    }

    fn secs(secs: u64) -> Moment {
        Moment::from_millis(secs * 1000)
    }

    fn book() -> SlotBook {
        let config = LimitsConfig {
            per_user: 1,
            per_guild: 2,
            total: 3,
            ..LimitsConfig::default()
        };
        SlotBook::new(&config, Epoch::new(5), Some(LEASE))
    }

    #[test]
    fn each_limit_refuses_with_its_own_reason() {
        let mut book = book();
        book.reserve(A, claim(1, 1, 1), HOLD, secs(0)).unwrap();
        let refusal = |book: &mut SlotBook, claim| match book.reserve(A, claim, HOLD, secs(0)) {
            Err(LimitsError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refusal(&mut book, claim(2, 1, 2)),
            Refusal::UserSlots { held: 1, limit: 1 }
        );
        book.reserve(A, claim(2, 2, 1), HOLD, secs(0)).unwrap();
        assert_eq!(
            refusal(&mut book, claim(3, 3, 1)),
            Refusal::GuildSlots { held: 2, limit: 2 }
        );
        book.reserve(A, claim(3, 3, 2), HOLD, secs(0)).unwrap();
        assert_eq!(
            refusal(&mut book, claim(4, 4, 3)),
            Refusal::TotalSlots { held: 3, limit: 3 }
        );
    }

    #[test]
    fn a_reservation_times_out_and_a_confirmed_place_does_not() {
        let mut book = book();
        let first = book.reserve(A, claim(1, 1, 1), HOLD, secs(0)).unwrap();
        assert_eq!(book.held(secs(9)).reserved, 1);
        assert_eq!(book.held(secs(10)).total(), 0);
        assert!(matches!(
            book.keep(first, secs(10)),
            Err(LimitsError::LeaseLost { .. })
        ));
        let again = book.reserve(A, claim(1, 1, 1), HOLD, secs(10)).unwrap();
        book.keep(again, secs(15)).unwrap();
        assert_eq!(book.held(secs(44)).confirmed, 1);
        book.keep(again, secs(44)).unwrap();
        assert_eq!(book.held(secs(73)).confirmed, 1, "renewed");
        assert_eq!(book.held(secs(74)).total(), 0, "not renewed in time");
    }

    #[test]
    fn the_same_claim_gets_the_same_place() {
        let mut book = book();
        let first = book.reserve(A, claim(1, 1, 1), HOLD, secs(0)).unwrap();
        let again = book.reserve(A, claim(1, 1, 1), HOLD, secs(1)).unwrap();
        assert_eq!((first.epoch, book.held(secs(1)).total()), (again.epoch, 1));
        let other = book.reserve(A, claim(1, 2, 1), HOLD, secs(1));
        assert!(matches!(other, Err(LimitsError::Conflict { .. })));
        assert!(book.release(first, secs(1)));
        assert!(!book.release(first, secs(1)), "released once");
    }

    #[test]
    fn a_guild_is_served_by_one_process_and_a_take_over_fences_the_other_off() {
        let mut book = book();
        let old = book.reserve(A, claim(1, 1, 1), HOLD, secs(0)).unwrap();
        let old = book.keep(old, secs(0)).unwrap();
        let refused = book.reserve(B, claim(2, 2, 1), HOLD, secs(29));
        assert!(matches!(
            refused,
            Err(LimitsError::Refused(Refusal::GuildElsewhere { .. }))
        ));
        let new = book.reserve(B, claim(2, 2, 1), HOLD, secs(30)).unwrap();
        assert!(new.epoch > old.epoch);
        assert!(matches!(
            book.keep(old, secs(30)),
            Err(LimitsError::Fenced { .. })
        ));
        assert!(book.check_epoch(GuildId::new(1), old.epoch).is_err());
        assert!(!book.release(old, secs(30)), "a stale process releases nothing");
    }

    proptest! {
        /// No limit is ever exceeded, and the counters agree with a count of the places.
        #[test]
        fn counters_agree_with_the_places(
            steps in prop::collection::vec((0_u8..4, 0_u64..12, 0_u64..4, 0_u64..3, 0_u64..20_000, 1_u64..3), 1..200),
        ) {
            let mut book = book();
            let (mut now, mut leases) = (Moment::ZERO, HashMap::new());
            for (what, session, user, guild, wait, node) in steps {
                now = now.after(Duration::from_millis(wait));
                let held_lease = leases.get(&session).copied();
                match (what, held_lease) {
                    (0 | 1, _) => {
                        if let Ok(lease) = book.reserve(NodeId::new(node), claim(session, user, guild), HOLD, now) {
                            leases.insert(session, lease);
                        }
                    }
                    (2, Some(lease)) => drop(book.keep(lease, now)),
                    (_, Some(lease)) => drop(book.release(lease, now)),
                    _ => {}
                }
                let total = book.held(now).total();
                prop_assert!(total <= 3);
                let mut users: HashMap<UserId, u32> = HashMap::new();
                let mut guilds: HashMap<GuildId, u32> = HashMap::new();
                for place in book.places.values() {
                    *users.entry(place.claim.user).or_default() += 1;
                    *guilds.entry(place.claim.guild).or_default() += 1;
                    prop_assert!(place.until > now);
                }
                prop_assert!(users.values().all(|&held| held <= 1) && guilds.values().all(|&held| held <= 2));
                prop_assert_eq!(&users, &book.users);
                for (guild, served) in &book.guilds {
                    prop_assert_eq!(served.held, guilds.get(guild).copied().unwrap_or(0));
                }
            }
        }
    }
}
