//! Permissions and how a member's are computed: everyone's role, the member's roles, then the channel's overwrites.
//!
//! Source: <https://discord.com/developers/docs/topics/permissions#permission-overwrites>.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use serde::{Serialize, Serializer};

use super::channel::{Channel, OverwriteTarget};
use super::guild::Guild;
use super::id::{RoleId, UserId};

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);
    /// Everything, whatever overwrites say.
    pub const ADMINISTRATOR: Self = Self(1 << 3);
    /// Edit channels.
    pub const MANAGE_CHANNELS: Self = Self(1 << 4);
    /// Edit the guild.
    pub const MANAGE_GUILD: Self = Self(1 << 5);
    /// See a channel; without it nothing else there.
    pub const VIEW_CHANNEL: Self = Self(1 << 10);
    /// Write in a text channel.
    pub const SEND_MESSAGES: Self = Self(1 << 11);
    /// Delete messages of others.
    pub const MANAGE_MESSAGES: Self = Self(1 << 13);
    /// Messages with embeds.
    pub const EMBED_LINKS: Self = Self(1 << 14);
    /// Messages with files.
    pub const ATTACH_FILES: Self = Self(1 << 15);
    /// Read what was written before.
    pub const READ_MESSAGE_HISTORY: Self = Self(1 << 16);
    /// Join a voice channel.
    pub const CONNECT: Self = Self(1 << 20);
    /// Speak in it.
    pub const SPEAK: Self = Self(1 << 21);
    /// Disconnect or move others.
    pub const MOVE_MEMBERS: Self = Self(1 << 24);
    /// Slash commands.
    pub const USE_APPLICATION_COMMANDS: Self = Self(1 << 31);
    /// Archive and delete threads of others.
    pub const MANAGE_THREADS: Self = Self(1 << 34);
    /// Open threads that all see.
    pub const CREATE_PUBLIC_THREADS: Self = Self(1 << 35);
    /// Open threads for the invited.
    pub const CREATE_PRIVATE_THREADS: Self = Self(1 << 36);
    /// Write in threads.
    pub const SEND_MESSAGES_IN_THREADS: Self = Self(1 << 38);
    /// Every bit Discord has given a meaning.
    pub const ALL: Self = Self((1 << 53) - 1);

    /// What everyone may do in a guild that nobody has changed, as far as it is modelled here.
    pub const EVERYONE: Self = Self(
        Self::VIEW_CHANNEL.0
            | Self::SEND_MESSAGES.0
            | Self::EMBED_LINKS.0
            | Self::ATTACH_FILES.0
            | Self::READ_MESSAGE_HISTORY.0
            | Self::CONNECT.0
            | Self::SPEAK.0
            | Self::USE_APPLICATION_COMMANDS.0
            | Self::CREATE_PUBLIC_THREADS.0
            | Self::CREATE_PRIVATE_THREADS.0
            | Self::SEND_MESSAGES_IN_THREADS.0,
    );

    /// The set with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `wanted` are in it.
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Whether none are in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Permissions {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Permissions {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({:#x})", self.0)
    }
}

/// As Discord writes them: decimal digits in a string.
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What `user` may do in the guild as a whole; none if they are no member.
pub fn in_guild(guild: &Guild, user: UserId) -> Permissions {
    if guild.owner == user {
        return Permissions::ALL;
    }
    let Some(member) = guild.members.get(&user) else {
        return Permissions::NONE;
    };
    let roles = member
        .roles
        .iter()
        .chain([&guild.everyone()])
        .copied()
        .collect::<Vec<_>>();
    let granted = roles
        .iter()
        .filter_map(|r| guild.roles.get(r))
        .fold(Permissions::NONE, |sum, role| sum | role.permissions);
    if granted.contains(Permissions::ADMINISTRATOR) {
        Permissions::ALL
    } else {
        granted
    }
}

/// What `user` may do in `channel`. A thread is governed by the overwrites of the channel it hangs from: pass that one.
pub fn in_channel(guild: &Guild, channel: &Channel, user: UserId) -> Permissions {
    let base = in_guild(guild, user);
    if base == Permissions::ALL {
        return base;
    }
    let Some(member) = guild.members.get(&user) else {
        return Permissions::NONE;
    };
    let of_roles = |wanted: &dyn Fn(RoleId) -> bool| {
        channel
            .overwrites
            .iter()
            .fold(
                (Permissions::NONE, Permissions::NONE),
                |(allow, deny), o| match o.target {
                    OverwriteTarget::Role(role) if wanted(role) => (allow | o.allow, deny | o.deny),
                    _ => (allow, deny),
                },
            )
    };
    let mut granted = base;
    let mut apply = |(allow, deny): (Permissions, Permissions)| granted = (granted & !deny) | allow;
    apply(of_roles(&|role| role == guild.everyone()));
    apply(of_roles(&|role| {
        role != guild.everyone() && member.roles.contains(&role)
    }));
    for o in channel
        .overwrites
        .iter()
        .filter(|o| o.target == OverwriteTarget::Member(user))
    {
        apply((o.allow, o.deny));
    }
    if granted.contains(Permissions::VIEW_CHANNEL) {
        granted
    } else {
        Permissions::NONE
    }
}
