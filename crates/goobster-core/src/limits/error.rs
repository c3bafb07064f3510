//! What can go wrong at the limits' ports: refusals that are said to people, and failures of the store.

use super::Millis;
use crate::ids::GuildId;
use crate::ports::Cause;
use crate::session::{Epoch, SessionId};
use crate::time::UtcMillis;

/// Why a session may not start: a typed reason whose words can be shown as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The member has as many sessions as one member may have.
    #[error("you already have {held} of {limit} voice sessions; end one first")]
    UserSlots {
        /// Sessions the member holds.
        held: u32,
        /// Sessions a member may hold.
        limit: u32,
    },
    /// The guild has as many sessions as one guild may have.
    #[error("this server already has {held} of {limit} voice sessions; try again when one has ended")]
    GuildSlots {
        /// Sessions the guild holds.
        held: u32,
        /// Sessions a guild may hold.
        limit: u32,
    },
    /// Every place there is is taken.
    #[error("all {limit} voice sessions are taken just now; try again in a while")]
    TotalSlots {
        /// Sessions held in total.
        held: u32,
        /// Sessions there may be in total.
        limit: u32,
    },
    /// Another process serves this guild's call and is still alive.
    #[error("this server's voice is being served by another process; try again in a minute")]
    GuildElsewhere {
        /// The guild.
        guild: GuildId,
    },
    /// The member's voice time is used up.
    #[error("your voice time is used up ({used} of {limit})")]
    VoiceUsedUp {
        /// What was used, at most `limit`.
        used: Millis,
        /// What may be used in a window.
        limit: Millis,
        /// When there is voice time again.
        resets_at: Option<UtcMillis>,
    },
    /// The store cannot be reached, and new sessions are refused meanwhile.
    #[error("voice is unavailable for a moment: the limits cannot be checked; try again soon")]
    StoreDown,
}

/// What can go wrong at a store of limits.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// A limit says no; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The lease is no longer held: it timed out, or was released. The session must end.
    #[error("the place of session {session} was lost: it was not renewed in time")]
    LeaseLost {
        /// Whose lease it was.
        session: SessionId,
    },
    /// The caller's fencing epoch is stale: another process has taken the guild over. The session must end without
    /// writing anything more.
    #[error("guild {guild} was taken over (epoch {current}, ours {held}): this process no longer serves it")]
    Fenced {
        /// The guild that was taken over.
        guild: GuildId,
        /// The epoch the caller holds.
        held: Epoch,
        /// The epoch that is current.
        current: Epoch,
    },
    /// The session was closed before (by recovery, for example): nothing more can be charged to it.
    #[error("session {session} is closed already")]
    SessionClosed {
        /// The session.
        session: SessionId,
    },
    /// No session of that id was opened.
    #[error("session {session} was never opened in the ledger")]
    UnknownSession {
        /// The session.
        session: SessionId,
    },
    /// The id is in use for something else: another user, guild or epoch.
    #[error("session {session} is already in use with different owner, guild or epoch")]
    Conflict {
        /// The session.
        session: SessionId,
    },
    /// The store cannot be reached or did not answer in time. Whether the operation happened is unknown: repeat it
    /// unchanged, which is safe.
    #[error("the store of limits is unavailable: {what}")]
    Unavailable {
        /// What was being done, and where.
        what: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
    /// The stored data cannot be trusted. It is never read as "nothing used".
    #[error("the store of limits is damaged: {what}. {advice}")]
    Corrupt {
        /// What is wrong, and where.
        what: String,
        /// What to do about it.
        advice: String,
        /// The library's own error.
        #[source]
        cause: Option<Cause>,
    },
    /// The settings are wrong.
    #[error("the limits are not configured right: {0}")]
    Configuration(String),
}

impl LimitsError {
    /// An [`Unavailable`](Self::Unavailable) with its cause.
    pub fn unavailable(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Unavailable {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }

    /// Whether the same call may succeed later without anything being changed by a person.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Refused(Refusal::StoreDown))
    }

    /// Whether the session this was about must end at once: its place or its guild is lost, or it is closed.
    pub fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::LeaseLost { .. } | Self::Fenced { .. } | Self::SessionClosed { .. }
        )
    }
}
