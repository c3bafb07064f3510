//! One trace a turn: what happened between the first sample of somebody's words and the last of the reply, as spans.
//!
//! `book` decides where a turn and its steps begin and end; it is a pure function of what the room sees. A [`TraceSink`] takes
//! the traces that are over. A trace is made when its turn is over, not while it runs: that speech had ended, or that
//! a noise was none, is known only later than it was so.
//!
//! A field holds a number or a word of this program, never text from elsewhere: no caption, reply or name can get into a trace.

mod book;
mod build;
mod seen;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use goobster_core::time::Moment;

pub use book::TraceBook;
pub use seen::Seen;

/// The names of the spans. `docs/monitoring.md` tells what they mean.
pub mod span {
    /// The whole turn; the root.
    pub const TURN: &str = "turn";
    /// From the first sample of the utterance to the end of speech.
    pub const LISTEN: &str = "listen";
    /// From the end of speech until the endpointer was sure.
    pub const ENDPOINT: &str = "endpoint";
    /// A speculative or final decode.
    pub const DECODE: &str = "decode";
    /// From the endpointer's decision to the final caption.
    pub const RECOGNISE: &str = "recognise";
    /// From the final caption until turn-taking decided.
    pub const DECIDE: &str = "decide";
    /// A reply, from the decision to its end.
    pub const REPLY: &str = "reply";
    /// The responder's work on it.
    pub const RESPOND: &str = "respond";
    /// From its first sentence being handed to the voice to the first samples.
    pub const SYNTHESISE: &str = "synthesise";
    /// From its first audible sample to its end.
    pub const PLAY: &str = "play";

    /// All of them, a parent before its children.
    pub const ALL: [&str; 10] = [
        TURN, LISTEN, ENDPOINT, DECODE, RECOGNISE, DECIDE, REPLY, RESPOND, SYNTHESISE, PLAY,
    ];
}

/// The names of the fields.
pub mod field {
    /// Which turn of the conversation, from 1.
    pub const TURN: &str = "goobster.turn";
    /// Who spoke: a number that holds for this stay in this conversation only.
    pub const SPEAKER: &str = "goobster.speaker";
    /// A random number that the turns of one conversation share.
    pub const CONVERSATION: &str = "goobster.conversation";
    /// How the turn, decode or reply ended.
    pub const OUTCOME: &str = "goobster.outcome";
    /// The class of a decode.
    pub const CLASS: &str = "goobster.class";
    /// How much audio was decoded, in milliseconds.
    pub const AUDIO: &str = "goobster.audio_ms";
    /// Which reply of the conversation.
    pub const REPLY: &str = "goobster.reply";
    /// What kind of reply.
    pub const KIND: &str = "goobster.kind";
    /// How many turns a reply answers together.
    pub const TURNS: &str = "goobster.turns";
    /// Steps that are not in the trace because there were too many.
    pub const LEFT_OUT: &str = "goobster.left_out";

    /// All of them.
    pub const ALL: [&str; 10] = [
        TURN,
        SPEAKER,
        CONVERSATION,
        OUTCOME,
        CLASS,
        AUDIO,
        REPLY,
        KIND,
        TURNS,
        LEFT_OUT,
    ];
}

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A word of this program.
    Word(&'static str),
}

/// A moment within a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// `pause`, `resume`, `partial` or `first_words`.
    pub name: &'static str,
    /// When.
    pub at: Moment,
}

/// A span that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its name, one of [`span`].
    pub name: &'static str,
    /// The place of its parent in the trace, which is before its own; `None` for the root.
    pub parent: Option<usize>,
    /// When it began.
    pub from: Moment,
    /// When it ended; never before it began, and never after its parent.
    pub upto: Moment,
    /// What is known of it.
    pub fields: Vec<(&'static str, Value)>,
    /// What happened within it.
    pub marks: Vec<Mark>,
    /// Whether it failed.
    pub failed: bool,
}

/// A turn that is over: its root span first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnTrace {
    /// The spans, parents before children.
    pub spans: Vec<Span>,
}

impl TurnTrace {
    /// The first span of this name.
    pub fn find(&self, name: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.name == name)
    }

    /// What a field of the root says.
    pub fn field(&self, name: &str) -> Option<Value> {
        let root = self.spans.first()?;
        root.fields
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}

/// Takes the traces of turns that are over. It must not wait: the room does.
pub trait TraceSink: Send + Sync {
    /// Takes a trace; `now` is the room's moment, to tell the time of day of the others by.
    fn take(&self, trace: &TurnTrace, now: Moment);
}

/// The book of a room and where its traces go. Turns that are open when it is dropped (the session ended, or failed) end then.
pub(crate) struct Tracing {
    book: TraceBook,
    sink: Arc<dyn TraceSink>,
    last: Moment,
}

impl Tracing {
    pub(crate) fn new(conversation: u32, sink: Arc<dyn TraceSink>) -> Self {
        Self {
            book: TraceBook::new(conversation),
            sink,
            last: Moment::ZERO,
        }
    }

    pub(crate) fn see(&mut self, now: Moment, seen: Seen) {
        self.last = now;
        for trace in self.book.see(now, seen) {
            self.sink.take(&trace, now);
        }
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        for trace in self.book.end_all(self.last, "session_ended") {
            self.sink.take(&trace, self.last);
        }
    }
}
