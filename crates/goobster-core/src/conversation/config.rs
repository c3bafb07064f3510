//! What can be set about taking turns.

use std::time::Duration;

/// Settings of a [`Conversation`](super::Conversation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationConfig {
    /// The name Goobster answers to when several people are there.
    pub wake_name: String,
    /// After a reply, its speaker need not say the name for this long.
    pub follow_up: Duration,
    /// Voice over a reply that stops it. A cough has 0.2-0.4 s of voice, "no, wait" about 0.6 s.
    pub barge_in: Duration,
    /// How long a reply that is ready waits for people to finish; an open microphone must not block it for ever.
    pub hold: Duration,
    /// An interruption of which nothing more is heard for this long was none.
    pub interruption: Duration,
    /// A reply of which nothing is heard for this long (no text, no playout) has failed.
    pub stall: Duration,
    /// Lines handed to the voice ahead: the one being played, and the one being made.
    pub lines_ahead: usize,
    /// Turns that wait for their answer at most.
    pub queue: usize,
    /// Exchanges remembered at most.
    pub history_exchanges: usize,
    /// Bytes of text remembered at most.
    pub history_bytes: usize,
    /// Characters of one turn at most; the rest is cut.
    pub turn_chars: usize,
    /// Bytes of one reply at most; a longer one is cut at a line's end and its generation called off.
    pub reply_bytes: usize,
    /// Timers that run at most.
    pub timers: usize,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        Self {
            wake_name: "Goobster".to_owned(),
            follow_up: Duration::from_secs(10),
            barge_in: Duration::from_millis(600),
            hold: Duration::from_secs(4),
            interruption: Duration::from_secs(12),
            stall: Duration::from_mins(2),
            lines_ahead: 2,
            queue: 8,
            history_exchanges: 24,
            history_bytes: 8 * 1024,
            turn_chars: 2000,
            reply_bytes: 8 * 1024,
            timers: 16,
        }
    }
}
