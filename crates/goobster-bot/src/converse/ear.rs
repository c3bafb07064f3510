//! One speaker's ear: the listener finds utterances, the planner decides what to decode, and this keeps the samples
//! that a decode may still ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_audio::endpoint::{EndpointConfig, EndpointConfigError};
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_audio::position::Position;
use goobster_audio::vad::VoiceDetector;
use goobster_core::hearing::{Effect, Forming, Heard, HearingConfig, Planner, Ticket, completeness};
use goobster_core::ids::TurnId;
use goobster_core::ports::{AbortFlag, LanguageChoice, RecogniseError, RecogniseRequest, Recognition};
use goobster_core::time::Moment;

use crate::admission::guard::Pass;

/// What an ear tells the room. Times are moments of the room.
#[derive(Debug)]
pub enum Told {
    /// The voice began, or came back after a pause.
    Voice {
        /// The turn it belongs to.
        turn: TurnId,
    },
    /// The voice stopped; the turn may be over.
    Hush {
        /// The turn it belongs to.
        turn: TurnId,
    },
    /// The endpointer is sure that the turn is over; its final caption follows.
    Ended {
        /// The turn.
        turn: TurnId,
        /// Where it began, pre-roll included.
        from: Moment,
        /// Where the detector last heard voice.
        voice_end: Moment,
    },
    /// Decode this, and report with [`Ear::decoded`].
    Decode {
        /// The turn.
        turn: TurnId,
        /// To report with.
        ticket: Ticket,
        /// What to recognise.
        request: RecogniseRequest,
    },
    /// A caption that may still change.
    Partial {
        /// The turn.
        turn: TurnId,
        /// Firm and tentative words.
        forming: Forming,
        /// Where the turn began.
        from: Moment,
        /// How far it covers.
        upto: Moment,
    },
    /// What was said; no text means that nothing was.
    Final {
        /// The turn.
        turn: TurnId,
        /// Where it began.
        from: Moment,
        /// Where the voice stopped.
        voice_end: Moment,
        /// What was heard.
        recognition: Recognition,
    },
    /// The turn could not be recognised.
    Failed {
        /// The turn.
        turn: TurnId,
        /// Why.
        error: RecogniseError,
    },
    /// It was no speech after all.
    Dropped {
        /// The turn.
        turn: TurnId,
    },
    /// Something was said while more people talked than can be followed: nothing of it was recognised.
    NotFollowed,
}

/// Samples of an utterance that has ended but is not captioned yet.
struct Kept {
    from: u64,
    audio: Arc<[f32]>,
}

/// One speaker's ear.
pub struct Ear {
    source: u64,
    /// The room's moment of the first sample.
    origin: Moment,
    listener: Listener,
    planner: Planner,
    /// The seat of whoever is followed.
    pass: Pass,
    seated: bool,
    /// Somebody talks and has no seat yet: the listener keeps what they say.
    unseated: bool,
    language: LanguageChoice,
    prompt: Option<String>,
    kept: HashMap<TurnId, Kept>,
    running: HashMap<Ticket, AbortFlag>,
    /// The first sample of the turn being spoken.
    open_from: u64,
    /// Samples taken in when the planner was last told.
    reported: u64,
    events: Vec<HeardEvent>,
}

impl Ear {
    /// An ear for the speaker number `source`, whose first sample is of the room's moment `origin`.
    #[expect(
        clippy::too_many_arguments,
        reason = "what an ear is made of, each of a type of its own"
    )]
    pub fn new(
        source: u64,
        origin: Moment,
        pass: Pass,
        endpoint: &EndpointConfig,
        hearing: HearingConfig,
        detector: Box<dyn VoiceDetector + Send>,
        language: LanguageChoice,
        prompt: Option<String>,
    ) -> Result<Self, EndpointConfigError> {
        Ok(Self {
            source,
            origin,
            listener: Listener::new(endpoint, detector)?,
            planner: Planner::new(hearing),
            pass,
            seated: false,
            unseated: false,
            language,
            prompt,
            kept: HashMap::new(),
            running: HashMap::new(),
            open_from: 0,
            reported: 0,
            events: Vec::new(),
        })
    }

    /// Whether nothing is being spoken and nothing waits to be captioned.
    pub fn is_quiet(&self) -> bool {
        self.planner.is_quiet()
    }

    /// Whether someone is in the middle of a turn.
    pub fn is_open(&self) -> bool {
        self.planner.open_turn().is_some()
    }

    /// Takes in samples; `next_turn` numbers a turn that begins.
    pub fn hear(&mut self, now: Moment, samples: &[f32], next_turn: &mut u64, told: &mut Vec<Told>) {
        let mut events = std::mem::take(&mut self.events);
        self.listener.push(samples, &mut |event| events.push(event));
        for event in events.drain(..) {
            self.event(now, event, next_turn, told);
        }
        self.events = events;
        if self.unseated && self.pass.ask() {
            self.seat(now, next_turn, told);
        }
        self.get_up();
        self.planner.set_partials(self.pass.partials());
        // A partial is asked for ten times a second at most; the planner needs no finer clock. Nor does it begin in a dip
        // of the voice: a decode cannot be stopped inside the encoder, and if the dip is the end, the final waits for it.
        let upto = self.listener.position().samples();
        if self.is_open() && self.listener.hears_voice() && upto - self.reported >= 1600 {
            self.reported = upto;
            let upto = self.so_far_end();
            self.step(now, Heard::Audio { upto }, told);
        }
    }

    /// Ends the turn being spoken, as at the end of a recording.
    pub fn flush(&mut self, now: Moment, next_turn: &mut u64, told: &mut Vec<Told>) {
        let mut events = Vec::new();
        self.listener.flush(&mut |event| events.push(event));
        for event in events {
            self.event(now, event, next_turn, told);
        }
        self.get_up();
    }

    /// Nobody wants to know any more: calls off the decodes under way and forgets the samples.
    pub fn call_off(&mut self) {
        for (_, abort) in self.running.drain() {
            abort.raise();
        }
        self.kept.clear();
        (self.seated, self.unseated) = (false, false);
        self.pass.leave();
    }

    /// Takes in the result of a decode.
    pub fn decoded(
        &mut self,
        now: Moment,
        ticket: Ticket,
        result: Result<Recognition, RecogniseError>,
        told: &mut Vec<Told>,
    ) {
        self.running.remove(&ticket);
        let heard = match result {
            Ok(recognition) => Heard::Decoded { ticket, recognition },
            Err(error) => Heard::Failed { ticket, error },
        };
        self.step(now, heard, told);
        self.get_up();
    }

    /// Gives the seat back once everything that was said is captioned.
    fn get_up(&mut self) {
        if self.seated && self.planner.is_quiet() {
            self.seated = false;
            self.pass.leave();
        }
    }

    /// There is a seat for what is being said: it is a turn from its first sample on.
    fn seat(&mut self, now: Moment, next_turn: &mut u64, told: &mut Vec<Told>) {
        self.unseated = false;
        let Some(from) = self.listener.utterance_so_far().map(|so_far| so_far.start) else {
            return self.pass.leave();
        };
        self.begin(now, from.samples(), next_turn, told);
    }

    fn begin(&mut self, now: Moment, from: u64, next_turn: &mut u64, told: &mut Vec<Told>) {
        let turn = TurnId::new(*next_turn);
        *next_turn += 1;
        self.seated = true;
        self.open_from = from;
        self.reported = self.listener.position().samples();
        self.step(now, Heard::Started { turn, from }, told);
        told.push(Told::Voice { turn });
    }

    fn event(&mut self, now: Moment, event: HeardEvent, next_turn: &mut u64, told: &mut Vec<Told>) {
        match event {
            HeardEvent::Started { at } => {
                if !self.pass.begin() {
                    (self.seated, self.unseated) = (false, true);
                    return;
                }
                let so_far = self.listener.utterance_so_far();
                let from = so_far.map_or(at, |so_far| so_far.start).samples();
                self.begin(now, from, next_turn, told);
            }
            HeardEvent::Paused { at } => {
                let Some(turn) = self.planner.open_turn() else {
                    return;
                };
                told.push(Told::Hush { turn });
                let upto = self.so_far_end();
                self.step(
                    now,
                    Heard::Paused {
                        at: at.samples(),
                        upto,
                    },
                    told,
                );
            }
            HeardEvent::Resumed { .. } => {
                let Some(turn) = self.planner.open_turn() else {
                    return;
                };
                told.push(Told::Voice { turn });
                self.step(now, Heard::Resumed, told);
            }
            HeardEvent::Ended(utterance) => {
                if self.unseated {
                    self.unseated = false;
                    if !self.pass.ask() {
                        self.pass.leave();
                        told.push(Told::NotFollowed);
                        return;
                    }
                    self.begin(now, utterance.start.samples(), next_turn, told);
                }
                let Some(turn) = self.planner.open_turn() else {
                    return;
                };
                let from = utterance.start.samples();
                self.kept.insert(
                    turn,
                    Kept {
                        from,
                        audio: utterance.audio.to_shared(),
                    },
                );
                told.push(Told::Hush { turn });
                told.push(Told::Ended {
                    turn,
                    from: self.moment(from),
                    voice_end: self.moment(utterance.voice_end.samples()),
                });
                let ended = Heard::Ended {
                    from,
                    voice_end: utterance.voice_end.samples(),
                    upto: utterance.end().samples(),
                };
                self.step(now, ended, told);
            }
            // A turn that found no free buffer never began for the planner.
            HeardEvent::Refused { at } => {
                tracing::warn!(
                    source = self.source,
                    at_s = at.seconds(),
                    "no buffer free: an utterance was lost"
                );
            }
            HeardEvent::Discarded { .. } if self.unseated => {
                self.unseated = false;
                self.pass.leave();
            }
            HeardEvent::Discarded { .. } => {
                self.step(now, Heard::Discarded, told);
            }
            other => tracing::debug!(?other, "an event that conversation does not use"),
        }
    }

    fn step(&mut self, now: Moment, heard: Heard, told: &mut Vec<Told>) {
        for effect in self.planner.step(now, heard) {
            match effect {
                Effect::Decode {
                    ticket,
                    turn,
                    class,
                    from,
                    upto,
                } => {
                    let Some(audio) = self.cut(turn, from, upto) else {
                        let error = RecogniseError::BadRequest("its samples are gone".to_owned());
                        self.step(now, Heard::Failed { ticket, error }, told);
                        continue;
                    };
                    let abort = AbortFlag::new();
                    self.running.insert(ticket, abort.clone());
                    let request = RecogniseRequest {
                        audio,
                        language: self.language,
                        class,
                        source: self.source,
                        prompt: self.prompt.clone(),
                        abort,
                    };
                    told.push(Told::Decode {
                        turn,
                        ticket,
                        request,
                    });
                }
                // A speculative decode runs as soon as a core is free; there is nothing to raise once it does.
                Effect::Promote { .. } => {}
                Effect::Abort { ticket } => {
                    if let Some(flag) = self.running.remove(&ticket) {
                        flag.raise();
                    }
                }
                // Words that form a whole sentence end the turn sooner than words that break off.
                Effect::HeardSoFar { text, language, .. } => {
                    self.listener.words_read(completeness(&text, language));
                }
                Effect::PartialCaption {
                    turn,
                    forming,
                    from,
                    upto,
                } => {
                    told.push(Told::Partial {
                        turn,
                        forming,
                        from: self.moment(from),
                        upto: self.moment(upto),
                    });
                }
                Effect::FinalCaption {
                    turn,
                    from,
                    voice_end,
                    recognition,
                    ..
                } => {
                    self.kept.remove(&turn);
                    told.push(Told::Final {
                        turn,
                        from: self.moment(from),
                        voice_end: self.moment(voice_end),
                        recognition,
                    });
                }
                Effect::FinalFailed { turn, error, .. } => {
                    self.kept.remove(&turn);
                    told.push(Told::Failed { turn, error });
                }
                Effect::Dropped { turn } => told.push(Told::Dropped { turn }),
            }
        }
    }

    /// One past the last sample of the turn being spoken that a decode could cover.
    fn so_far_end(&self) -> u64 {
        self.listener.utterance_so_far().map_or(self.open_from, |so_far| {
            so_far.start.samples() + so_far.audio.len() as u64
        })
    }

    /// The samples `from..upto` of a turn, from the open utterance or a kept one.
    fn cut(&self, turn: TurnId, from: u64, upto: u64) -> Option<Arc<[f32]>> {
        let slice = |start: u64, audio: &[f32]| {
            let begin = usize::try_from(from.checked_sub(start)?).ok()?;
            let end = usize::try_from(upto.checked_sub(start)?).ok()?.min(audio.len());
            audio.get(begin..end).map(Arc::from)
        };
        if let Some(kept) = self.kept.get(&turn) {
            return if from == kept.from && upto - from == kept.audio.len() as u64 {
                Some(Arc::clone(&kept.audio))
            } else {
                slice(kept.from, &kept.audio)
            };
        }
        let so_far = self.listener.utterance_so_far()?;
        slice(so_far.start.samples(), so_far.audio)
    }

    fn moment(&self, samples: u64) -> Moment {
        let since = Duration::from_millis(Position::new(samples).millis());
        self.origin.after(since)
    }
}
