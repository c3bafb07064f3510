//! What a call is told about its surroundings, and what it has to do.

use std::fmt;
use std::time::Duration;

use crate::ids::{ChannelId, UserId};
use crate::session::CloseReason;

/// What happened. People are never bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceEvent {
    /// The voice link holds: at first, or again.
    Connected,
    /// The voice link broke and the voice library does not mend it; the code it was closed with, if there was one.
    LinkLost {
        /// Discord's close code.
        close_code: Option<u16>,
    },
    /// An attempt to come back ([`PresenceEffect::Join`]) failed.
    JoinFailed,
    /// The gateway says where the bot is. What is merely the bot's own coming back is not told.
    BotState {
        /// The channel, if any.
        channel: Option<ChannelId>,
    },
    /// The gateway is lost: what it does not say means nothing.
    GatewayLost,
    /// The gateway goes on where it was; whatever happened meanwhile is told now.
    GatewayBack,
    /// The gateway began anew, and says where the bot is. A new session is in no voice channel: the call comes back.
    GatewayAnew {
        /// The channel, if any.
        channel: Option<ChannelId>,
    },
    /// Somebody is in the bot's channel.
    Present {
        /// Who.
        who: UserId,
    },
    /// They are not any more.
    Absent {
        /// Who.
        who: UserId,
    },
    /// Somebody has a session on the call.
    OwnerSet {
        /// Who.
        who: UserId,
    },
    /// They have none any more.
    OwnerUnset {
        /// Who.
        who: UserId,
    },
    /// The voice channel was deleted.
    ChannelDeleted,
    /// The bot is not in the guild any more.
    GuildGone,
    /// Time has passed.
    Tick,
}

/// Why a call, or a session on it, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndCause {
    /// The bot was thrown out of the channel.
    Kicked,
    /// The channel or the guild is gone.
    ChannelGone,
    /// Nobody else is there.
    LeftAlone,
    /// The session's owner left.
    OwnerLeft,
    /// The link could not be mended.
    ConnectionLost,
    /// Discord wants an encryption that the voice library does not speak.
    EncryptionRequired,
    /// Discord ended the call.
    CallEnded,
}

impl EndCause {
    /// What is recorded about the session.
    pub const fn reason(self) -> CloseReason {
        match self {
            Self::Kicked => CloseReason::Kicked,
            Self::ChannelGone => CloseReason::ChannelGone,
            Self::LeftAlone => CloseReason::LeftAlone,
            Self::OwnerLeft => CloseReason::OwnerLeft,
            Self::ConnectionLost => CloseReason::ConnectionLost,
            Self::EncryptionRequired | Self::CallEnded => CloseReason::CallEnded,
        }
    }
}

impl fmt::Display for EndCause {
    /// Words for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kicked => "the bot was disconnected from the channel",
            Self::ChannelGone => "the channel is gone",
            Self::LeftAlone => "nobody else is there",
            Self::OwnerLeft => "the session's owner left",
            Self::ConnectionLost => "the voice link could not be mended",
            Self::EncryptionRequired => "Discord wants another end-to-end encryption (close code 4017)",
            Self::CallEnded => "Discord ended the call",
        })
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceEffect {
    /// Leave the channel and join it anew; the answer is [`PresenceEvent::Connected`] or [`PresenceEvent::JoinFailed`].
    Join {
        /// The channel.
        channel: ChannelId,
    },
    /// The bot was moved: look who is there.
    MovedTo {
        /// The new channel.
        channel: ChannelId,
    },
    /// End somebody's session.
    EndSession {
        /// Whose.
        owner: UserId,
        /// Why.
        why: EndCause,
    },
    /// End every session of the call. The last effect there is.
    EndCall {
        /// Why.
        why: EndCause,
    },
    /// A session's owner left; it waits for them.
    OwnerAway {
        /// Who.
        owner: UserId,
    },
    /// They came back.
    OwnerBack {
        /// Who.
        owner: UserId,
    },
    /// Nobody else is there.
    Alone {
        /// The call ends in this time.
        ends_in: Duration,
    },
}
