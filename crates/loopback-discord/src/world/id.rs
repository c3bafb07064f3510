//! Snowflakes: the ids of everything on Discord, typed by what they name, and the seeded generator that makes them.
//!
//! A snowflake is 64 bits: milliseconds since 2015, then 22 bits that tell ids of one millisecond apart. Discord's JSON
//! carries it as a string. Source: <https://discord.com/developers/docs/reference#snowflakes>.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Unix time in milliseconds at which Discord's clock starts: the first second of 2015.
pub const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;
/// Bits below the milliseconds.
const TAIL_BITS: u32 = 22;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) NonZeroU64);

        impl $name {
            /// The id with this number; none for zero, which no snowflake is.
            pub const fn new(raw: u64) -> Option<Self> {
                match NonZeroU64::new(raw) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl From<Snowflake> for $name {
            fn from(raw: Snowflake) -> Self {
                Self(raw.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}

ids! {
    /// A person or a bot.
    UserId
    /// A server, as people call it.
    GuildId
    /// A text channel, voice channel, category or thread.
    ChannelId
    /// A message.
    MessageId
    /// A role; the role that everyone has bears the id of its guild.
    RoleId
    /// A slash command used, a button pressed, a form sent.
    InteractionId
    /// A registered command.
    CommandId
    /// A bot's application.
    ApplicationId
    /// A file of a message.
    AttachmentId
}

/// A fresh snowflake, before it is known what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snowflake(NonZeroU64);

/// Unix time in milliseconds at which a snowflake was made.
pub fn made_at(raw: u64) -> u64 {
    (raw >> TAIL_BITS) + DISCORD_EPOCH_MS
}

/// Makes snowflakes that always grow, the same ones for the same seed and times.
#[derive(Debug, Clone)]
pub struct Snowflakes {
    last: u64,
    /// Spreads the low bits, so that a client which takes ids for small counters is found out.
    salt: u64,
}

impl Snowflakes {
    /// A generator.
    pub fn new(seed: u64) -> Self {
        Self {
            last: 0,
            salt: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48,
        }
    }

    /// The next id, given the Unix time in milliseconds.
    pub fn next(&mut self, now_ms: u64) -> Snowflake {
        let millis = now_ms.saturating_sub(DISCORD_EPOCH_MS).max(1);
        let wanted = (millis << TAIL_BITS) | (self.salt & 0x3FF);
        self.last = wanted.max(self.last + 1);
        Snowflake(NonZeroU64::new(self.last).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn snowflakes_grow_whatever_the_clock_does(seed: u64, times in prop::collection::vec(0u64..1 << 42, 1..200)) {
            let mut made = Snowflakes::new(seed);
            let ids: Vec<u64> = times.iter().map(|t| made.next(*t).0.get()).collect();
            prop_assert!(ids.windows(2).all(|w| w[0] < w[1]));
        }
    }

    #[test]
    fn a_snowflake_tells_its_time_and_a_seed_repeats_it() {
        let now = DISCORD_EPOCH_MS + 123_456_789;
        let id: UserId = Snowflakes::new(7).next(now).into();
        assert_eq!(made_at(id.get()), now);
        assert_eq!(id, UserId::from(Snowflakes::new(7).next(now)));
        assert_ne!(id, UserId::from(Snowflakes::new(8).next(now)));
        assert_eq!(serde_json::json!(id), id.to_string());
        assert_eq!(id.to_string().parse::<UserId>().unwrap(), id);
        assert!("0".parse::<UserId>().is_err() && UserId::new(0).is_none());
    }
}
