//! Many hosts: several processes share the shards of Discord's gateway, and each shard has one holder.
//!
//! - [`plan`]: how many shards a host should hold, and which it gives away. Pure.
//! - [`Tenure`], [`Timing`]: how long a host may believe that its shards are its own. Pure.
//! - [`Coordinator`]: what the store that they share must do. [`Register`]: what they remember together.
//!
//! A lease is a promise of the store's: until it runs out nobody else gets the shard. The host counts from the moment
//! *before* it asked, and stops a margin earlier, so a host that cannot reach the store is silent before its lease ends.
//! Each lease carries a [`Fence`] that rises with every holder; the store refuses what an older holder writes.

mod lease;
mod ports;
mod register;
mod share;

pub use lease::{Tenure, Timing, TimingError};
pub use ports::{Beat, Claimed, ClusterError, Coordinator, Gate, Lease, OpenCall, Pulse};
pub use register::{Changes, Edition, Over, Register};
pub use share::{Plan, Standing, plan, target};

use std::fmt;

use crate::ids::GuildId;

/// A shard of the gateway: counts from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u32);

impl Shard {
    /// Wraps the number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The shard that a guild is on, of `total`: Discord's own formula, `(guild_id >> 22) % num_shards`
    /// (developer documentation, "Sharding").
    pub fn of(guild: GuildId, total: u32) -> Self {
        let number = (guild.get() >> 22) % u64::from(total.max(1));
        Self(u32::try_from(number).unwrap_or(0))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fencing token of a shard's lease: each holder's is greater than the one's before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fence(u64);

impl Fence {
    /// Wraps the number as it was stored.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number to store.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guild_is_on_one_shard_whatever_the_total() {
        let guild = GuildId::new(613_425_648_685_547_541);
        for total in [1, 2, 16, 1000] {
            assert_eq!(
                u64::from(Shard::of(guild, total).get()),
                (613_425_648_685_547_541 >> 22) % u64::from(total)
            );
        }
        assert_eq!(Shard::of(guild, 0), Shard::new(0));
    }
}
