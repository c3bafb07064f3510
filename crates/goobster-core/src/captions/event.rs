//! What the board is told, and what it wants done.

use std::time::Duration;

use crate::conversation::ReplyId;
use crate::ids::TurnId;
use crate::time::UtcMillis;

/// A message on the board. The shell keeps which of the channel's messages it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PostKey(u64);

impl PostKey {
    pub(super) const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number, for logs.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoardFault {
    /// Too many requests: not before this time.
    RetryAfter(Duration),
    /// It may work next time.
    Transient,
    /// The message is gone; for a message that was to be created: the channel.
    Gone,
    /// It will never work.
    Forbidden,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoardEvent {
    /// Somebody's words so far.
    Partial {
        /// The turn.
        turn: TurnId,
        /// Their name.
        speaker: String,
        /// When they began.
        at: UtcMillis,
        /// Words that will stay.
        firm: String,
        /// Words that may change.
        tentative: String,
    },
    /// Somebody's words.
    Final {
        /// The turn.
        turn: TurnId,
        /// Their name.
        speaker: String,
        /// When they began.
        at: UtcMillis,
        /// The words.
        text: String,
    },
    /// The turn was no speech: its message goes.
    Dropped {
        /// The turn.
        turn: TurnId,
    },
    /// A reply, as far as it is made.
    Reply {
        /// Which.
        reply: ReplyId,
        /// When it began.
        at: UtcMillis,
        /// All of its text so far.
        text: String,
        /// Whether it is complete.
        done: bool,
    },
    /// Something to be read by everybody. Mentions of channels and members are kept.
    Notice {
        /// The words.
        text: String,
    },
    /// A message was created.
    Posted {
        /// Which.
        key: PostKey,
    },
    /// It was not.
    PostFailed {
        /// Which.
        key: PostKey,
        /// Why.
        fault: BoardFault,
    },
    /// A message was edited.
    Edited {
        /// Which.
        key: PostKey,
    },
    /// It was not.
    EditFailed {
        /// Which.
        key: PostKey,
        /// Why.
        fault: BoardFault,
    },
    /// A message was deleted.
    Deleted {
        /// Which.
        key: PostKey,
    },
    /// It was not.
    DeleteFailed {
        /// Which.
        key: PostKey,
        /// Why.
        fault: BoardFault,
    },
    /// Nothing new comes: write what is left.
    Close,
    /// Time has passed.
    Tick,
}

/// What is to be done. Each request is answered by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoardEffect {
    /// Create a message.
    Post {
        /// To answer with.
        key: PostKey,
        /// What it says.
        content: String,
    },
    /// Change a message.
    Edit {
        /// Which.
        key: PostKey,
        /// What it says now.
        content: String,
    },
    /// Delete a message.
    Delete {
        /// Which.
        key: PostKey,
    },
    /// Nothing more is asked of this message.
    Forget {
        /// Which.
        key: PostKey,
    },
    /// This could not be written.
    Lost {
        /// What it said.
        what: String,
    },
    /// Everything is written, after [`BoardEvent::Close`].
    Idle,
}
