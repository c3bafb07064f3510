//! Identities: newtypes, so that a guild can never be passed where a member is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps the number that Discord (or a test) uses.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The number as Discord writes it.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A person: a Discord member, or a file's speaker when there is no Discord.
    UserId
);
id!(
    /// A Discord guild ("server").
    GuildId
);
id!(
    /// A text or voice channel, or a thread.
    ChannelId
);
id!(
    /// One turn of one speaker: what they said between two silences. Unique within a conversation.
    TurnId
);
