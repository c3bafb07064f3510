//! What happens to sessions, as a stream that anybody may listen to. Each event is also a structured log line and is
//! counted, in one place, so that the three can never disagree.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::machine::Phase;
use super::resources::Replaceable;
use super::teardown::{AttemptFault, Step, StepReport};
use super::{CloseReason, Refusal, SessionId, telemetry};
use crate::ids::{GuildId, UserId};
use crate::limits::Millis;

/// Something that happened to sessions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Somebody was refused a session.
    Refused {
        /// Who.
        user: UserId,
        /// Where.
        guild: GuildId,
        /// Why.
        refusal: Refusal,
    },
    /// A request failed before it had a place, and not because somebody or a limit said no.
    NotStarted {
        /// Who.
        user: UserId,
        /// Where.
        guild: GuildId,
        /// What was being done.
        what: &'static str,
        /// Why.
        cause: Arc<str>,
    },
    /// A session holds a place and is being started.
    Starting {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// Where.
        guild: GuildId,
    },
    /// A session runs.
    Active {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
    },
    /// Nobody speaks; the session will time out.
    IdleWarning {
        /// Which.
        session: SessionId,
        /// How soon.
        left: Duration,
    },
    /// Nobody spoke for the session timeout; the session cleans up by itself now.
    TimedOut {
        /// Which.
        session: SessionId,
    },
    /// The owner's voice time runs out.
    LimitWarning {
        /// Which.
        session: SessionId,
        /// How soon.
        left: Duration,
    },
    /// The owner's voice time is used up; the session cleans up by itself now.
    LimitReached {
        /// Which.
        session: SessionId,
    },
    /// Something inside a running session failed, or could not be opened.
    Fault {
        /// Which.
        session: SessionId,
        /// What failed, in words.
        what: &'static str,
        /// Why.
        cause: Arc<str>,
    },
    /// A part was replaced inside a running session.
    Reset {
        /// Which.
        session: SessionId,
        /// What was replaced.
        what: Replaceable,
    },
    /// A session begins to close.
    Closing {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// An attempt at a cleanup step failed. It is tried again or forced.
    CleanupError {
        /// Which.
        session: SessionId,
        /// Which step.
        step: Step,
        /// Which attempt, from 1.
        attempt: u32,
        /// What went wrong.
        cause: AttemptFault,
    },
    /// Voice time that the ledger did not take before the session was gone.
    ChargeLost {
        /// Which.
        session: SessionId,
        /// How much.
        amount: Millis,
    },
    /// Every cleanup step has run.
    Cleaned {
        /// Which.
        session: SessionId,
        /// How long it took.
        took: Duration,
        /// What became of each step, in order.
        steps: Arc<[StepReport]>,
        /// Whether any step had to be forced.
        forced: bool,
    },
    /// A session is gone. The last event of a session; exactly one a session.
    Closed {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// Why.
        reason: CloseReason,
        /// How long it was active.
        active: Millis,
        /// What its owner was charged.
        charged: Millis,
        /// The most memory it was seen to hold, in bytes.
        memory_bytes: usize,
    },
}

impl SessionEvent {
    /// The session it is about; `None` when there is none.
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Refused { .. } | Self::NotStarted { .. } => None,
            Self::Starting { session, .. }
            | Self::Active { session, .. }
            | Self::IdleWarning { session, .. }
            | Self::TimedOut { session }
            | Self::LimitWarning { session, .. }
            | Self::LimitReached { session }
            | Self::Fault { session, .. }
            | Self::Reset { session, .. }
            | Self::Closing { session, .. }
            | Self::CleanupError { session, .. }
            | Self::ChargeLost { session, .. }
            | Self::Cleaned { session, .. }
            | Self::Closed { session, .. } => Some(*session),
        }
    }
}

/// Where events go.
#[derive(Debug)]
pub(super) struct EventHub {
    sender: broadcast::Sender<SessionEvent>,
}

impl EventHub {
    pub(super) fn new(kept: usize) -> Self {
        Self {
            sender: broadcast::Sender::new(kept),
        }
    }

    /// Logs it, counts it, and hands it to whoever listens.
    pub(super) fn emit(&self, event: SessionEvent) {
        telemetry::record(&event);
        // Nobody listening is fine.
        let _ = self.sender.send(event);
    }

    pub(super) fn subscribe(&self) -> Events {
        Events {
            receiver: self.sender.subscribe(),
        }
    }
}

/// A listener's view of the events. A listener that is too slow misses the oldest ones and is told how many; it never
/// holds a session up.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<SessionEvent>,
}

/// What a listener gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(SessionEvent),
    /// It was too slow: this many events are gone. Look at [`SessionManager::list`](super::SessionManager::list) for
    /// where things stand.
    Missed(u64),
}

impl Events {
    /// The next event; `None` once the session manager is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.receiver.recv().await {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(missed_some(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// What has come already; `None` when there is nothing.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.receiver.try_recv() {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(missed_some(missed)),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        }
    }
}

fn missed_some(missed: u64) -> Heard {
    telemetry::missed(missed);
    Heard::Missed(missed)
}

/// A place in life as a word, for `status` and logs.
impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_misses_some_and_is_told_how_many() {
        let hub = EventHub::new(4);
        let mut events = hub.subscribe();
        for raw in 0..10 {
            hub.emit(SessionEvent::TimedOut {
                session: SessionId::new(raw),
            });
        }
        assert_eq!(events.next().await, Some(Heard::Missed(6)));
        let session = SessionId::new(6);
        assert_eq!(
            events.next().await,
            Some(Heard::Event(SessionEvent::TimedOut { session }))
        );
        drop(hub);
        for _ in 7..10 {
            assert!(matches!(events.next().await, Some(Heard::Event(_))));
        }
        assert_eq!(events.next().await, None);
    }
}
