//! Taking turns: who is answered, when Goobster speaks, and when it stops.
//!
//! [`Conversation`] is a pure state machine. Any transport (Discord, files, a microphone) tells it what happens as
//! [`Event`]s and carries out the [`Effect`]s it returns; [`Conversation::deadline`] says when it wants a
//! [`Event::Tick`] if nothing happens before.
//!
//! - Alone with one person, every turn is answered. With more people, only turns that name the wake name (by sound,
//!   see [`WakeName`]) or that follow a reply to the same speaker within a few seconds.
//! - Replies are spoken line by line as they are made ([`Lines`]). Who speaks over one for long enough stops it; a
//!   cough does not; a noise in which nothing is recognised only delays it.
//! - What is kept as said by Goobster is what was really heard.
//!
//! Invariants (the property tests hold the machine to them): at most one reply is open; each opened reply closes
//! exactly once; after its close, none of its lines is spoken; queues and history are bounded; when events stop, it
//! comes to rest.

mod address;
mod config;
mod effect;
mod event;
mod floor;
mod history;
mod lines;
mod machine;
mod phrases;
mod reply;
#[cfg(test)]
mod tests;
mod wake;

pub use address::{is_hum, is_hush};
pub use config::ConversationConfig;
pub use effect::{Effect, Ignored, Outcome, ReplyKind, ReplyRequest};
pub use event::{Event, Failure};
pub use lines::Lines;
pub use machine::{Conversation, Phase};
pub use phrases::{Phrase, phrase};
pub use wake::{Closeness, WakeName};

/// A reply: an answer, a "Yes?", an announcement. Unique within a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyId(u64);

/// One spoken line of a reply. Unique within a conversation: a line that is spoken again after a false interruption
/// has a new id, so late news of the old one cannot be mistaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(u64);

impl ReplyId {
    /// The number, for logs and JSON.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl LineId {
    /// The line of an announcement that no conversation asked for (the n-th of its room): it is played like any other,
    /// and events about it are ignored.
    pub const fn announcement(number: u64) -> Self {
        Self(u64::MAX - number)
    }

    /// The number, for logs and JSON.
    pub const fn get(self) -> u64 {
        self.0
    }
}
