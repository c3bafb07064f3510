//! What the ears tell: who speaks, what to decode, what was said.

use std::sync::Arc;
use std::time::Duration;

use goobster_core::conversation::Event;
use goobster_core::hearing::Ticket;
use goobster_core::ids::{TurnId, UserId};
use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, RecogniseError, RecogniseRequest, Recognition};
use goobster_core::time::Moment;

use super::{FRAME_TIME, Message, Room};
use crate::admission::contained::contained;
use crate::cli::exit::Failure;
use crate::converse::ear::Told;
use crate::converse::trace::Seen;
use crate::converse::turnbook::TurnTimes;
use crate::converse::witness::{FinalCaption, PartialCaption};

impl Room<'_> {
    /// Tells the conversation how much voice there is in a turn: what a barge-in is measured by.
    pub(super) fn report_voice(&mut self, who: UserId) -> Result<(), Failure> {
        let Some(seat) = self.seats.get_mut(&who) else {
            return Ok(());
        };
        let (Some(turn), true) = (seat.turn, seat.voice) else {
            return Ok(());
        };
        seat.voiced += 1;
        if !seat.voiced.is_multiple_of(5) {
            return Ok(());
        }
        let voiced = FRAME_TIME * u32::try_from(seat.voiced).unwrap_or(u32::MAX);
        self.converse(Event::Voice { who, turn, voiced })
    }

    pub(super) fn told_by(&mut self, who: UserId, told: &mut Vec<Told>) -> Result<(), Failure> {
        for told in told.drain(..) {
            self.trace_told(who, &told);
            let Some(seat) = self.seats.get_mut(&who) else {
                return Ok(());
            };
            match told {
                Told::Voice { turn } => {
                    seat.voice = true;
                    if seat.turn != Some(turn) {
                        (seat.turn, seat.voiced) = (Some(turn), 0);
                        self.converse(Event::SpeechStarted { who, turn })?;
                    }
                }
                Told::Hush { .. } => seat.voice = false,
                Told::Ended {
                    turn,
                    from,
                    voice_end,
                } => {
                    let mark = seat.source.end_of_speech(from.as_millis(), self.frame * 20);
                    let (ended, name) = (
                        mark.map_or(voice_end, Moment::from_millis),
                        seat.source.name().to_owned(),
                    );
                    let now = self.now();
                    self.trace(Seen::Ended {
                        turn,
                        from,
                        speech_ended: ended,
                    });
                    self.book.open(TurnTimes::new(turn, name, ended, now));
                    self.converse(Event::SpeechStopped { who, turn })?;
                }
                Told::Decode {
                    turn,
                    ticket,
                    request,
                } => {
                    self.decode((who, turn), ticket, request);
                }
                Told::Partial {
                    turn,
                    forming,
                    from,
                    upto,
                } => {
                    let text = [forming.firm.as_str(), forming.tentative.as_str()]
                        .join(" ")
                        .trim()
                        .to_owned();
                    self.shown.insert(turn);
                    self.witness.partial(&PartialCaption {
                        turn,
                        who,
                        speaker: seat.source.name(),
                        forming: &forming,
                        from,
                        upto,
                    })?;
                    self.converse(Event::Partial { who, turn, text })?;
                }
                Told::Final {
                    turn,
                    from,
                    voice_end,
                    recognition,
                } => {
                    self.final_caption(who, turn, (from, voice_end), &recognition)?;
                }
                Told::Failed { turn, error } => {
                    self.troubles.hearing += 1;
                    crate::monitoring::measured::error("hearing");
                    if let Some(times) = self.book.get_mut(turn) {
                        times.failed = true;
                    }
                    self.witness
                        .trouble(&format!("a turn was not understood: {error}"))?;
                    let language = self.language();
                    self.converse(Event::HearingFailed { who, turn, language })?;
                }
                Told::NotFollowed => {
                    let speakers = self.parts.guard.in_a_call();
                    self.witness.not_followed(seat.source.name(), speakers)?;
                }
                Told::Dropped { turn } => {
                    self.witness.dropped(turn)?;
                    self.converse(Event::Nothing { who, turn })?;
                }
            }
        }
        Ok(())
    }

    /// Begins a decode; its end is told to the room.
    fn decode(&mut self, (who, turn): (UserId, TurnId), ticket: Ticket, request: RecogniseRequest) {
        self.running += 1;
        let seat = self.seats.get(&who).map_or(0, |seat| seat.number);
        let (recogniser, inbox) = (Arc::clone(&self.parts.recogniser), self.inbox.clone());
        tokio::spawn(async move {
            let heard = contained(async { recogniser.recognise(request).await }).await;
            // Without an answer the turn would wait for ever.
            let result = heard.unwrap_or_else(|what| {
                tracing::error!(what, "a recogniser panicked");
                let what = format!("the recogniser panicked: {what}");
                Err(RecogniseError::Engine { what, cause: None })
            });
            let message = Message::Decoded {
                who,
                seat,
                turn,
                ticket,
                result,
            };
            let _ = inbox.send(message).await;
        });
    }

    pub(super) fn final_caption(
        &mut self,
        who: UserId,
        turn: TurnId,
        (from, voice_end): (Moment, Moment),
        recognition: &Recognition,
    ) -> Result<(), Failure> {
        let (now, text) = (self.now(), recognition.text());
        if text.is_empty() {
            self.witness.dropped(turn)?;
            return self.converse(Event::Nothing { who, turn });
        }
        if let Some(times) = self.book.get_mut(turn) {
            times.captioned = Some(now);
        }
        self.trace(Seen::Captioned { turn });
        let Some(seat) = self.seats.get(&who) else {
            return Ok(());
        };
        self.witness.caption(&FinalCaption {
            turn,
            who,
            speaker: seat.source.name(),
            from,
            upto: voice_end,
            text: &text,
            language: recognition.language,
            confidence: recognition.confidence(),
        })?;
        let at = self
            .parts
            .begun
            .after(Duration::from_millis(voice_end.as_millis()));
        self.converse(Event::Final {
            who,
            turn,
            text,
            language: recognition.language,
            at,
        })
    }

    pub(super) fn language(&self) -> Language {
        match self.parts.language {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Detect => Language::ENGLISH,
        }
    }
}
