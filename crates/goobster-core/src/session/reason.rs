//! Why a session ended: one typed reason, with the words that the user reads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// Why a session ended. Stored in its close record, so the names are for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CloseReason {
    /// Its owner asked for it.
    EndedByOwner,
    /// A moderator asked for it.
    EndedByModerator(UserId),
    /// Nobody spoke for the session timeout.
    IdleTimeout,
    /// The owner's voice time for this window is used up.
    LimitReached,
    /// It could not be started: the call or a part could not be opened.
    StartFailed,
    /// It was ended, or its reservation ran out, before it had begun.
    NeverStarted,
    /// The voice connection was lost and could not be had back.
    ConnectionLost,
    /// A part failed too often for a reset to help.
    Faulted,
    /// Goobster is shutting down.
    ShuttingDown,
    /// The process died; closed on restart at its last tick.
    Crashed,
    /// Another process holds the place now: this one was away too long.
    Fenced,
    /// Goobster was disconnected from the voice channel.
    Kicked,
    /// The voice channel or its guild is gone.
    ChannelGone,
    /// Nobody else was in the voice channel any more.
    LeftAlone,
    /// Its owner left the voice channel and did not come back.
    OwnerLeft,
    /// Discord ended the call, or does not let Goobster take part in it.
    CallEnded,
}

impl CloseReason {
    /// A short name for metrics' labels and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::EndedByOwner => "ended_by_owner",
            Self::EndedByModerator(_) => "ended_by_moderator",
            Self::IdleTimeout => "idle_timeout",
            Self::LimitReached => "limit_reached",
            Self::StartFailed => "start_failed",
            Self::NeverStarted => "never_started",
            Self::ConnectionLost => "connection_lost",
            Self::Faulted => "faulted",
            Self::ShuttingDown => "shutting_down",
            Self::Crashed => "crashed",
            Self::Fenced => "fenced",
            Self::Kicked => "kicked",
            Self::ChannelGone => "channel_gone",
            Self::LeftAlone => "left_alone",
            Self::OwnerLeft => "owner_left",
            Self::CallEnded => "call_ended",
        }
    }

    /// Whether something went wrong, as opposed to an end that somebody or a rule asked for.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::StartFailed
                | Self::ConnectionLost
                | Self::Faulted
                | Self::Crashed
                | Self::Fenced
                | Self::CallEnded
        )
    }
}

impl fmt::Display for CloseReason {
    /// Plain words for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndedByOwner => "The session was ended by its owner.",
            Self::EndedByModerator(_) => "The session was ended by a moderator.",
            Self::IdleTimeout => "The session ended because nobody had spoken for a while.",
            Self::LimitReached => "The session ended because the voice time for now is used up.",
            Self::StartFailed => "The session could not be started.",
            Self::NeverStarted => "The session ended before it had begun.",
            Self::ConnectionLost => "The session ended because the voice connection was lost.",
            Self::Faulted => "The session ended because something in it kept failing.",
            Self::ShuttingDown => "The session ended because Goobster is shutting down.",
            Self::Crashed => "The session ended because Goobster had to restart.",
            Self::Fenced => "The session ended because another Goobster took over.",
            Self::Kicked => "The session ended because I was disconnected from the voice channel.",
            Self::ChannelGone => "The session ended because the voice channel is gone.",
            Self::LeftAlone => "The session ended because nobody was left in the voice channel.",
            Self::OwnerLeft => "The session ended because its owner left the voice channel.",
            Self::CallEnded => "The session ended because Discord ended the call.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_reason_reads_back() {
        for reason in [
            CloseReason::EndedByModerator(UserId::new(7)),
            CloseReason::Crashed,
        ] {
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(
                serde_json::from_str::<CloseReason>(&text).unwrap(),
                reason,
                "{text}"
            );
        }
        assert_eq!(
            serde_json::to_string(&CloseReason::IdleTimeout).unwrap(),
            r#""idle_timeout""#
        );
    }
}
