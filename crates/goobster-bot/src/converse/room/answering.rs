//! What the conversation wants done: replies started and called off, lines spoken and played.

use std::sync::Arc;

use goobster_core::conversation::{
    Effect, Event, Ignored, LineId, Outcome, ReplyId, ReplyKind, ReplyRequest,
};
use goobster_core::ids::TurnId;
use goobster_core::ports::{AbortFlag, RespondError, RespondRequest, Responder};
use tokio::sync::mpsc;

use super::{Message, OpenReply, Room, seen};
use crate::admission::contained::contained;
use crate::cli::exit::Failure;
use crate::converse::mouth::Spoken;
use crate::converse::playout::{PLAYOUT_FRAME, PlayoutEvent};
use crate::converse::trace::Seen;
use crate::converse::turnbook::TurnTimes;
use crate::converse::witness::{Reply, TurnEnd};

impl Room<'_> {
    /// Draws a frame of the reply, where nobody else does, and tells what began and ended.
    pub(super) fn play(&mut self) -> Result<(), Failure> {
        if let Some(loudspeaker) = &self.parts.loudspeaker {
            if let Some(playout) = self.mouth.waiting_sound() {
                loudspeaker.wake(playout);
            }
        } else {
            let mut sound = [0.0; PLAYOUT_FRAME];
            self.mouth.draw(&mut sound);
            self.witness.sound(&sound)?;
        }
        for event in self.mouth.events() {
            match event {
                PlayoutEvent::Began(line) => {
                    self.line_began(line);
                    self.converse(Event::LineStarted { line })?;
                }
                PlayoutEvent::Ended(line) => self.converse(Event::LineFinished { line })?,
            }
        }
        match self.mouth.progress() {
            Some((line, played)) if self.frame.is_multiple_of(5) => {
                self.converse(Event::LineProgress { line, played })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn line_began(&mut self, line: LineId) {
        let now = self.now();
        let Some(of) = self.lines.get(&line) else {
            return;
        };
        let Some(reply) = self.replies.get_mut(of) else {
            return;
        };
        reply.began.get_or_insert(now);
        self.tracing.see(now, Seen::Audible { reply: of.get() });
        for turn in &reply.turns {
            if let Some(times) = self.book.get_mut(*turn) {
                times.audible.get_or_insert(now);
            }
        }
    }

    pub(super) fn spoken(&mut self, line: LineId, spoken: Spoken) -> Result<(), Failure> {
        if let Spoken::Voice(Some(notice)) = &spoken {
            self.witness.trouble(notice)?;
        }
        if let Spoken::Samples(_) = &spoken {
            let now = self.now();
            if let Some(reply) = self.lines.get(&line) {
                self.tracing.see(now, Seen::Synthesised { reply: reply.get() });
            }
            for turn in self
                .lines
                .get(&line)
                .and_then(|r| self.replies.get(r))
                .map(|r| r.turns.clone())
                .unwrap_or_default()
            {
                if let Some(times) = self.book.get_mut(turn) {
                    times.synthesised.get_or_insert(now);
                }
            }
        }
        match self.mouth.report(line, spoken) {
            None => Ok(()),
            Some(error) => {
                self.troubles.voice += 1;
                crate::monitoring::measured::error("voice");
                self.witness
                    .trouble(&format!("a sentence was not spoken: {error}"))?;
                self.converse(Event::LineFailed { line })
            }
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> Result<(), Failure> {
        match effect {
            Effect::ReplyOpened {
                reply, turns, kind, ..
            } => {
                tracing::debug!(reply = reply.get(), ?kind, "a reply begins");
                self.trace(Seen::ReplyOpened {
                    reply: reply.get(),
                    turns: turns.clone(),
                    kind: seen::kind(kind),
                });
                if kind != ReplyKind::Answer {
                    let now = self.now();
                    for turn in &turns {
                        if let Some(times) = self.book.get_mut(*turn) {
                            times.answered.get_or_insert(now);
                        }
                    }
                }
                let open = OpenReply {
                    turns,
                    abort: AbortFlag::new(),
                    began: None,
                    shown: String::new(),
                };
                self.replies.insert(reply, open);
                Ok(())
            }
            Effect::StartReply { reply, request } => {
                self.start_reply(reply, *request);
                Ok(())
            }
            Effect::CancelReply { reply } => {
                if let Some(open) = self.replies.get(&reply) {
                    open.abort.raise();
                }
                Ok(())
            }
            Effect::Speak {
                reply,
                line,
                text,
                language,
            } => {
                self.lines.insert(line, reply);
                self.trace(Seen::Sentence { reply: reply.get() });
                self.mouth.say(line, text, language);
                Ok(())
            }
            Effect::StopPlayout { .. } => {
                self.mouth.stop();
                Ok(())
            }
            Effect::ShowReply { reply, text, .. } => {
                let Some(open) = self.replies.get_mut(&reply) else {
                    return Ok(());
                };
                let new = text
                    .strip_prefix(open.shown.as_str())
                    .unwrap_or(&text)
                    .trim()
                    .to_owned();
                open.shown = text;
                if new.is_empty() {
                    Ok(())
                } else {
                    self.witness.reply_grows(reply, &new)
                }
            }
            Effect::ReplyClosed {
                reply,
                outcome,
                text,
                spoken,
            } => self.reply_closed(reply, outcome, &text, &spoken),
            Effect::TurnIgnored { turn, why, .. } => {
                self.trace(Seen::Over {
                    turn,
                    outcome: word(why),
                });
                let now = self.now();
                if self.book.get_mut(turn).is_none() && self.shown.contains(&turn) {
                    // No speech after all, but words of it were shown.
                    self.book.open(TurnTimes::new(turn, String::new(), now, now));
                }
                self.close_turn(turn, Some(why))
            }
            _ => Ok(()),
        }
    }

    fn reply_closed(
        &mut self,
        reply: ReplyId,
        outcome: Outcome,
        text: &str,
        spoken: &str,
    ) -> Result<(), Failure> {
        self.lines.retain(|_, owner| *owner != reply);
        self.trace(Seen::ReplyClosed {
            reply: reply.get(),
            outcome: seen::outcome(outcome),
            go_on: outcome == Outcome::Superseded,
        });
        let Some(open) = self.replies.remove(&reply) else {
            return Ok(());
        };
        open.abort.raise();
        let now = self.now();
        self.witness.reply(&Reply {
            reply,
            turns: &open.turns,
            outcome,
            text,
            spoken,
            from: open.began,
            upto: now,
            language: self.language(),
        })?;
        if outcome == Outcome::Superseded {
            // Its turns are answered together with what was said next.
            return Ok(());
        }
        open.turns
            .iter()
            .try_for_each(|turn| self.close_turn(*turn, None))
    }

    pub(super) fn close_turn(&mut self, turn: TurnId, ignored: Option<Ignored>) -> Result<(), Failure> {
        self.shown.remove(&turn);
        let Some(times) = self.book.get_mut(turn).filter(|times| !times.closed) else {
            return Ok(());
        };
        times.closed = true;
        let ignored = if times.failed {
            Some("not_understood")
        } else {
            ignored.map(word)
        };
        self.witness.turn(&TurnEnd { times, ignored })
    }

    pub(super) fn start_reply(&mut self, reply: ReplyId, request: ReplyRequest) {
        let Some(open) = self.replies.get(&reply) else {
            return;
        };
        let request = RespondRequest {
            turn: request.utterance,
            history: request.history,
            language: request.language,
            wake_name: self.parts.conversation.wake_name.clone(),
            limits: self.parts.limits.as_ref().and_then(|told| told()),
            // The dice of a conversation differ from one to the next, and a test knows when its own began.
            seed: self.parts.begun.get().unsigned_abs().wrapping_add(reply.get()),
            abort: open.abort.clone(),
        };
        self.running += 1;
        self.trace(Seen::Asked { reply: reply.get() });
        let (responder, inbox) = (Arc::clone(&self.parts.responder), self.inbox.clone());
        tokio::spawn(async move {
            let relayed = contained(async { relay(reply, responder.as_ref(), request, &inbox).await }).await;
            let result = relayed.unwrap_or_else(|what| {
                tracing::error!(what, "a responder panicked");
                let what = format!("it panicked: {what}");
                Err(RespondError::BadAnswer {
                    url: responder.name(),
                    what,
                })
            });
            let _ = inbox.send(Message::ReplyOver { reply, result }).await;
        });
    }
}

/// Why a turn gets no answer, in a word for machines.
fn word(why: Ignored) -> &'static str {
    match why {
        Ignored::Empty => "empty",
        Ignored::NotAddressed => "not_addressed",
        Ignored::Hushed => "hushed",
        Ignored::Muted => "muted",
        Ignored::QueueFull => "queue_full",
        _ => "other",
    }
}

/// Passes a responder's pieces on until it is done or called off.
async fn relay(
    reply: ReplyId,
    responder: &dyn Responder,
    request: RespondRequest,
    inbox: &mpsc::Sender<Message>,
) -> Result<(), RespondError> {
    let abort = request.abort.clone();
    let mut pieces = responder.respond(request).await?;
    while let Some(piece) = pieces.recv().await {
        if abort.is_raised() {
            return Err(RespondError::Aborted);
        }
        if inbox.send(Message::Reply { reply, piece: piece? }).await.is_err() {
            return Err(RespondError::Aborted);
        }
    }
    Ok(())
}
