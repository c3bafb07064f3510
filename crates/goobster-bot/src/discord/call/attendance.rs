//! What a session owns of its guild's call: the place in it, and how its owner is told things.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::ports::PortFuture;
use goobster_core::session::{
    Notice, Part, PartError, PartKind, Session, SessionParts, StopCause, VoiceConnection,
};

use super::{Call, CallEvent, CallSpec};
use crate::discord::bot::Bot;

/// How long before the limit goodbye is said, so that it is heard to its end.
const GOODBYE: Duration = Duration::from_millis(3500);

/// What somebody wants of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To talk: turns are answered.
    Answers,
    /// Captions alone.
    Captions,
}

/// The parts of a session on Discord.
pub(crate) struct Attendance {
    bot: Arc<Bot>,
    spec: CallSpec,
    wanted: Wanted,
}

impl Attendance {
    pub(crate) fn new(bot: Arc<Bot>, spec: CallSpec, wanted: Wanted) -> Self {
        Self { bot, spec, wanted }
    }
}

fn call_of(session: &Session) -> Option<Call> {
    let connection = session.connection()?;
    let any: &dyn Any = &*connection;
    any.downcast_ref::<Call>().cloned()
}

impl SessionParts for Attendance {
    fn connection(&self) -> Arc<dyn VoiceConnection> {
        Arc::new(Call::new(Arc::clone(&self.bot), self.spec.clone()))
    }

    fn make<'a>(
        &'a self,
        kind: PartKind,
        session: &'a Arc<Session>,
    ) -> PortFuture<'a, Result<Option<Arc<dyn Part>>, PartError>> {
        Box::pin(async move {
            // The place is the last thing that is taken and the first that a caller sees: the others are the call's.
            if kind != PartKind::Speech {
                return Ok(None);
            }
            let call = call_of(session).ok_or_else(|| PartError::new("the call is gone"))?;
            call.tell(CallEvent::Attend {
                session: Arc::clone(session),
                answer: self.wanted == Wanted::Answers,
            });
            let place = Place {
                call,
                session: session.id(),
                left: Mutex::new(false),
            };
            Ok(Some(Arc::new(place) as Arc<dyn Part>))
        })
    }

    fn notify<'a>(
        &'a self,
        session: &'a Arc<Session>,
        notice: Notice,
    ) -> PortFuture<'a, Result<(), PartError>> {
        Box::pin(async move {
            let Some(call) = call_of(session) else {
                return Ok(());
            };
            call.notice(notice.to_string());
            if let Notice::LimitSoon(left) = notice {
                call.tell(CallEvent::Announce(notice.to_string()));
                self.say_goodbye(session, call, left);
            }
            Ok(())
        })
    }
}

impl Attendance {
    /// Says goodbye a moment before the voice time is over, if the session still runs then.
    fn say_goodbye(&self, session: &Arc<Session>, call: Call, left: Duration) {
        let (stopping, session) = (session.stopping().clone(), Arc::clone(session));
        self.bot.tasks().spawn(async move {
            let wait = tokio::time::sleep(left.saturating_sub(GOODBYE));
            if stopping.run_until_cancelled(wait).await.is_some() && session.phase().is_live() {
                call.tell(CallEvent::Announce(
                    "Your voice time is used up. Goodbye!".to_owned(),
                ));
            }
        });
    }
}

/// A session's place in a call.
struct Place {
    call: Call,
    session: goobster_core::session::SessionId,
    left: Mutex<bool>,
}

impl Part for Place {
    fn stop(&self, cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async move {
            let StopCause::Closing(reason) = cause else {
                return Ok(());
            };
            let before = std::mem::replace(
                &mut *self.left.lock().unwrap_or_else(PoisonError::into_inner),
                true,
            );
            if !before {
                self.call.notice(reason.to_string());
                self.call.tell(CallEvent::Unattend {
                    session: self.session,
                    notice: String::new(),
                });
            }
            Ok(())
        })
    }
}
