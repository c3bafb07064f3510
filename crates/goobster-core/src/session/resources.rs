//! What a session owns, behind object-safe traits: each part can be stopped in order and, if that fails, by force.

use std::any::Any;
use std::sync::Arc;

use super::quarantine::Stuck;
use super::teardown::Step;
use super::{CloseReason, Session};
use crate::ports::{Cause, PortFuture};

/// Which part of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKind {
    /// The message callback or text channel: captions, status message, thread.
    Channel,
    /// The audio pipeline: decoders, buffers, endpointing.
    Pipeline,
    /// The recogniser and its decodes under way.
    Recognition,
    /// The synthesiser and what it is saying.
    Speech,
    /// The event listeners on the call.
    Listeners,
}

impl PartKind {
    /// Every kind, in the order in which a start makes them: the channel first, so that the user sees what happens.
    pub const ALL: [Self; 5] = [
        Self::Channel,
        Self::Pipeline,
        Self::Recognition,
        Self::Speech,
        Self::Listeners,
    ];

    /// The cleanup step that ends this part.
    pub const fn step(self) -> Step {
        match self {
            Self::Channel => Step::Channel,
            Self::Pipeline => Step::Pipeline,
            Self::Recognition => Step::Recognition,
            Self::Speech => Step::Speech,
            Self::Listeners => Step::Listeners,
        }
    }
}

/// What can be replaced inside a living session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Replaceable {
    /// The audio pipeline.
    Pipeline,
    /// The recogniser.
    Recognition,
    /// The synthesiser.
    Speech,
    /// The session's own work (the conversation), which is started again.
    Work,
}

impl Replaceable {
    /// The part behind it; `None` for the work, which is not a part.
    pub const fn part(self) -> Option<PartKind> {
        match self {
            Self::Pipeline => Some(PartKind::Pipeline),
            Self::Recognition => Some(PartKind::Recognition),
            Self::Speech => Some(PartKind::Speech),
            Self::Work => None,
        }
    }

    /// In words: "the recogniser".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Pipeline => "the audio pipeline",
            Self::Recognition => "the recogniser",
            Self::Speech => "the voice",
            Self::Work => "the conversation",
        }
    }
}

/// Why a part is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// The session ends.
    Closing(CloseReason),
    /// It failed and is replaced; the session goes on.
    Reset,
}

/// Why a part could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PartError {
    what: String,
    #[source]
    cause: Option<Cause>,
}

impl PartError {
    /// An error in words: what was being done and what happened.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: None,
        }
    }

    /// The same with the library's own error.
    pub fn caused(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }

    /// The error and its causes on one line, at most 400 characters.
    pub fn report(&self) -> String {
        let mut text = self.what.clone();
        let mut next = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text.chars().take(400).collect()
    }
}

/// A part of a session.
///
/// Every future may be dropped at any await (a time-out aborts it) and every method called again; both must be safe.
pub trait Part: Any + Send + Sync {
    /// Ends it in order and gives back what it holds. Stopping what is stopped is fine.
    ///
    /// # Errors
    /// What could not be ended; the supervisor tries again, then forces it.
    fn stop(&self, cause: StopCause) -> PortFuture<'_, Result<(), PartError>>;

    /// Ends it whatever it takes. Returns the work that cannot be ended (a running inference), which then goes into
    /// quarantine.
    ///
    /// # Errors
    /// What is left behind.
    fn force(&self) -> PortFuture<'_, Result<Vec<Stuck>, PartError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Bytes it holds now: buffers, caches, states.
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// A voice connection: one a call, shared by the sessions of that call. An adapter gets its own type back by
/// downcasting (`connection as &dyn Any`).
pub trait VoiceConnection: Part {
    /// Joins the channel. Called again after a failure.
    ///
    /// # Errors
    /// Why it could not be joined.
    fn open(&self) -> PortFuture<'_, Result<(), PartError>>;
}

/// What the user is told in the session's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Nobody has spoken; the session ends in this time.
    IdleSoon(std::time::Duration),
    /// The voice time runs out in this time.
    LimitSoon(std::time::Duration),
    /// Something failed and is being replaced; the conversation goes on in a moment.
    Recovering(Replaceable),
    /// It is back.
    Recovered(Replaceable),
}

impl std::fmt::Display for Notice {
    /// Plain words for the user.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::limits::Millis;
        match self {
            Self::IdleSoon(left) => {
                write!(
                    f,
                    "Nobody has spoken for a while: the session ends in {}.",
                    Millis::from(*left)
                )
            }
            Self::LimitSoon(left) => write!(f, "You have {} of voice time left.", Millis::from(*left)),
            Self::Recovering(what) => {
                write!(
                    f,
                    "Something went wrong with {}. One moment, I am setting it up again.",
                    what.words()
                )
            }
            Self::Recovered(what) => write!(f, "I am back: {} works again.", what.words()),
        }
    }
}

/// The parts of a session and its work, made when they are needed.
///
/// [`Parts`](super::Parts) builds one from closures.
pub trait SessionParts: Send + Sync + 'static {
    /// The voice connection of the guild's call, not joined yet; asked for only when the guild has no call. It exists
    /// before it is opened, so that a start that is called off half-way leaves something to stop.
    fn connection(&self) -> Arc<dyn VoiceConnection>;

    /// Makes a part; `None` when this session has no such part. Called at the start, again when that fails, and again
    /// when the part is replaced. Whatever is half made must go when the future is dropped.
    ///
    /// # Errors
    /// Why it could not be made.
    fn make<'a>(
        &'a self,
        kind: PartKind,
        session: &'a Arc<Session>,
    ) -> PortFuture<'a, Result<Option<Arc<dyn Part>>, PartError>>;

    /// The session's own work while it is active (the conversation). When it returns, the session ends; when it fails
    /// or panics, it is started again. `None` when others do the work.
    fn work(&self, session: &Arc<Session>) -> Option<PortFuture<'static, Result<(), PartError>>> {
        let _ = session;
        None
    }

    /// Tells the user something in the session's channel.
    ///
    /// # Errors
    /// Why they could not be told.
    fn notify<'a>(
        &'a self,
        session: &'a Arc<Session>,
        notice: Notice,
    ) -> PortFuture<'a, Result<(), PartError>> {
        let _ = (session, notice);
        Box::pin(async { Ok(()) })
    }
}
