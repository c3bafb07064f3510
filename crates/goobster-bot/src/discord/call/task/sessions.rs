//! The sessions on the call, and the room that serves them.

use std::sync::{Arc, PoisonError};

use goobster_core::presence::PresenceEvent;
use goobster_core::session::{CloseReason, Session, SessionId};

use super::{Attendee, CallTask, ROOMS};
use crate::cli::exit::Failure;
use crate::converse::room::Troubles;
use crate::converse::room::live::Order;

impl CallTask {
    pub(super) async fn attend(&mut self, session: &Arc<Session>, answer: bool) {
        let (id, owner) = (session.id(), session.owner());
        self.state.attendees.push(Attendee {
            session: id,
            owner,
            answer,
        });
        self.desk
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(session));
        self.presence(PresenceEvent::OwnerSet { who: owner }).await;
        self.answer_if_wanted().await;
    }

    pub(super) async fn unattend(&mut self, session: SessionId, notice: String) {
        let Some(index) = self.state.attendees.iter().position(|it| it.session == session) else {
            return;
        };
        let gone = self.state.attendees.remove(index);
        self.desk
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|it| it.id() != session);
        if !notice.is_empty() {
            self.desk.captioner().notice(notice);
        }
        if !self.state.attendees.iter().any(|it| it.owner == gone.owner) {
            self.presence(PresenceEvent::OwnerUnset { who: gone.owner }).await;
        }
        self.answer_if_wanted().await;
    }

    /// Turns are answered while anybody's session wants answers; captions alone want none.
    pub(super) async fn answer_if_wanted(&mut self) {
        let answer = self.state.attendees.iter().any(|it| it.answer);
        self.order(Order::Answer(answer)).await;
    }

    pub(super) async fn announce(&mut self, text: String) {
        let language = self.bot.spoken_language(self.spec.guild);
        self.order(Order::Announce { text, language }).await;
    }

    pub(super) async fn room_over(&mut self, result: Result<Troubles, Failure>) {
        self.state.orders = None;
        let Err(failure) = result else { return };
        tracing::error!(guild = %self.spec.guild, %failure, "the conversation failed");
        if self.state.rooms > ROOMS {
            self.bot
                .sessions()
                .end_call(self.spec.guild, CloseReason::Faulted);
            return;
        }
        self.desk
            .captioner()
            .notice("Something went wrong with my hearing. One moment, I am setting it up again.");
        self.open_room();
        for who in self.state.streams.everybody() {
            self.hear(who).await;
        }
        self.answer_if_wanted().await;
    }
}
