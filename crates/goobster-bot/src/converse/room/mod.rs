//! The room: one event loop that carries sound, decodes, turns, words and speech from one part to the next.
//!
//! It decides nothing: the ears say what to decode, the conversation says who is answered and what is spoken, and the
//! witness is told everything that people see. At real pace the clock is the machine's; as fast as it goes, it is the number of
//! frames played, and the loop waits for every decode and every sentence before the next frame, so that the same
//! recordings give the same conversation.
//!
//! [`hold`] plays recordings to their end; [`live`] is the same room in a voice channel, where people come and go.

mod answering;
mod hearing;
pub mod live;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::vad::VoiceDetector;
use goobster_core::conversation::{Conversation, ConversationConfig, Event, LineId, Phase, ReplyId};
use goobster_core::hearing::{HearingConfig, Ticket};
use goobster_core::ids::{TurnId, UserId};
use goobster_core::ports::{
    AbortFlag, LanguageChoice, LimitsLeft, RecogniseError, Recognition, ReplyPiece, RespondError, Responder,
    SpeechToText,
};
use goobster_core::time::{Moment, UtcMillis};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ear::{Ear, Told};
use super::mouth::{Mouth, Spoken, Throat};
use super::playout::{PLAYOUT_RATE, SharedPlayout};
use super::source::{Sound, Source};
use super::speakers::Speaker;
use super::trace::{Seen, TraceSink, Tracing};
use super::turnbook::TurnBook;
use super::witness::Witness;
use crate::admission::guard::Guard;
use crate::cli::exit::Failure;

/// How long a frame lasts.
const FRAME_TIME: Duration = Duration::from_millis(20);

/// Frames of silence between a speaker's recordings: 0.6 s, a breath.
const BREATH: u64 = 30;

/// Frames of rest after which a conversation is over.
const SETTLED: u64 = 25;

/// How long a conversation may go on after the last recording ended: a slow chat server, a long reply, a timer of five
/// minutes that has to ring.
const LONGEST_TAIL: Duration = Duration::from_mins(6);

/// What is kept of the tail to say what a timer says.
const ANNOUNCEMENT: Duration = Duration::from_secs(20);

/// Messages from tasks that may wait; senders wait beyond that.
const INBOX: usize = 256;

/// How fast recordings are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As people speak.
    Real,
    /// As fast as it goes.
    Fast,
}

/// Makes a voice activity detector for each speaker.
pub type DetectorFactory = Arc<dyn Fn() -> Box<dyn VoiceDetector + Send> + Send + Sync>;

/// What plays a room's voice on a clock of its own.
pub trait Loudspeaker: Send + Sync {
    /// Samples a second that it plays.
    fn rate(&self) -> u32;

    /// There is something to play. Told with every frame while there is: it must be cheap, and again is the same as once.
    fn wake(&self, playout: &SharedPlayout<LineId>);
}

/// Says what is left of somebody's voice time, for whoever asks in conversation.
pub type LimitsTold = Arc<dyn Fn() -> Option<LimitsLeft> + Send + Sync>;

/// What a room is made of.
pub struct RoomParts {
    /// What hears.
    pub recogniser: Arc<dyn SpeechToText>,
    /// What speaks.
    pub throat: Throat,
    /// What answers.
    pub responder: Arc<dyn Responder>,
    /// Makes a voice activity detector for each speaker.
    pub detectors: DetectorFactory,
    /// Turn-taking.
    pub conversation: ConversationConfig,
    /// Endpointing.
    pub endpoint: EndpointConfig,
    /// The language to listen for.
    pub language: LanguageChoice,
    /// How fast to play.
    pub pace: Pace,
    /// The wall clock at the first frame.
    pub begun: UtcMillis,
    /// What plays the replies; without one they go to the witness, a frame at a time.
    pub loudspeaker: Option<Arc<dyn Loudspeaker>>,
    /// What is left of the voice time, where there are limits.
    pub limits: Option<LimitsTold>,
    /// Who is followed when more people talk than this machine bears.
    pub guard: Arc<Guard>,
    /// Where the traces of its turns go.
    pub traces: Arc<dyn TraceSink>,
}

/// What tasks report.
enum Message {
    Decoded {
        who: UserId,
        /// The number of their seat: somebody who sat down anew has a new ear, which begins to count decodes anew.
        seat: u64,
        turn: TurnId,
        ticket: Ticket,
        result: Result<Recognition, RecogniseError>,
    },
    Reply {
        reply: ReplyId,
        piece: ReplyPiece,
    },
    ReplyOver {
        reply: ReplyId,
        result: Result<(), RespondError>,
    },
}

/// A speaker and their ear.
struct Seat {
    source: Box<dyn Source>,
    ear: Ear,
    over: bool,
    /// Whether voice is being heard, and how many frames of it in this turn.
    voice: bool,
    voiced: u64,
    turn: Option<TurnId>,
    /// Whose turns these are, in traces.
    number: u64,
}

/// A reply that is open.
struct OpenReply {
    turns: Vec<TurnId>,
    abort: AbortFlag,
    began: Option<Moment>,
    shown: String,
}

/// A conversation on recordings.
pub struct Room<'w> {
    parts: RoomParts,
    seats: BTreeMap<UserId, Seat>,
    conversation: Conversation,
    mouth: Mouth<LineId>,
    lines: HashMap<LineId, ReplyId>,
    replies: HashMap<ReplyId, OpenReply>,
    book: TurnBook,
    witness: &'w mut dyn Witness,
    inbox: mpsc::Sender<Message>,
    /// Decodes and responders that have not reported.
    running: usize,
    /// Its number among the calls that share the seats.
    call: u64,
    start: Instant,
    frame: u64,
    next_turn: u64,
    told: Vec<Told>,
    /// A frame's samples, kept for the next frame.
    sound: Vec<f32>,
    /// Turns of which a partial caption was shown, until they are over.
    shown: HashSet<TurnId>,
    troubles: Troubles,
    tracing: Tracing,
    /// How many have sat down.
    sat: u64,
}

/// What failed in a conversation that went on all the same; people were told aloud where that was possible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Replies that the brain failed to give.
    pub brain: usize,
    /// Turns that the recogniser failed at.
    pub hearing: usize,
    /// Sentences that could not be spoken.
    pub voice: usize,
}

/// How a conversation went.
#[derive(Debug)]
pub struct Outcome {
    /// When everything happened.
    pub book: TurnBook,
    /// How long it lasted, in audio time.
    pub audio: Duration,
    /// How long it took.
    pub wall: Duration,
    /// What failed.
    pub troubles: Troubles,
    /// The first recording that could not be played to its end.
    pub failure: Option<Failure>,
}

/// Holds the conversation to its end.
pub async fn hold(
    parts: RoomParts,
    speakers: Vec<Speaker>,
    witness: &mut dyn Witness,
) -> Result<Outcome, Failure> {
    let (inbox, mut messages) = mpsc::channel(INBOX);
    let (speech, mut spoken) = mpsc::channel(INBOX);
    let mut room = Room::new(parts, witness, inbox, speech);
    for (number, speaker) in (1_u64..).zip(speakers) {
        room.sit(UserId::new(number), Box::new(speaker))?;
    }
    let mut failure = None;
    let mut settled = 0;
    let mut tail = 0;
    loop {
        let fast = room.parts.pace == Pace::Fast;
        if fast && !room.is_busy() {
            room.next_frame().await?;
        } else {
            let due = room.start + FRAME_TIME * u32::try_from(room.frame + 1).unwrap_or(u32::MAX);
            tokio::select! {
                biased;
                Some(message) = messages.recv() => {
                    room.message(message)?;
                    continue;
                }
                Some((line, spoken)) = spoken.recv() => {
                    room.spoken(line, spoken)?;
                    continue;
                }
                () = tokio::time::sleep_until(due), if !fast => room.next_frame().await?,
            }
        }
        for seat in room.seats.values_mut() {
            failure = failure.or_else(|| seat.source.take_failure());
            if let Some(notice) = seat.source.take_notice() {
                room.witness.trouble(&notice)?;
            }
        }
        let over = room.seats.values().all(|seat| seat.over);
        tail = if over { tail + 1 } else { 0 };
        let wait = rings_in_time(room.timer(), room.now(), FRAME_TIME * tail);
        settled = if over && room.is_at_rest() && !wait {
            settled + 1
        } else {
            0
        };
        if settled >= SETTLED || FRAME_TIME * tail > LONGEST_TAIL {
            break;
        }
    }
    for turn in room.book.unclosed() {
        room.close_turn(turn, None)?;
    }
    if room.timer().is_some() {
        room.witness
            .trouble("the conversation ended before a timer rang: it would have been too long a wait")?;
    }
    let (audio, wall) = (
        FRAME_TIME * u32::try_from(room.frame).unwrap_or(u32::MAX),
        room.start.elapsed(),
    );
    Ok(Outcome {
        book: room.book,
        audio,
        wall,
        troubles: room.troubles,
        failure,
    })
}

/// Whether a timer is worth waiting for when the recordings ended `tail` ago: it rings, and can be heard, within the
/// longest tail. One that cannot is not waited for at all.
fn rings_in_time(timer: Option<Moment>, now: Moment, tail: Duration) -> bool {
    timer.is_some_and(|at| tail + at.since(now) + ANNOUNCEMENT <= LONGEST_TAIL)
}

impl<'w> Room<'w> {
    fn new(
        parts: RoomParts,
        witness: &'w mut dyn Witness,
        inbox: mpsc::Sender<Message>,
        speech: mpsc::Sender<(LineId, Spoken)>,
    ) -> Self {
        let rate = parts.loudspeaker.as_ref().map_or(PLAYOUT_RATE, |it| it.rate());
        let call = parts.guard.call();
        Self {
            seats: BTreeMap::new(),
            conversation: Conversation::new(parts.conversation.clone()),
            mouth: Mouth::new(parts.throat.clone(), rate, speech),
            tracing: Tracing::new(seen::random(), Arc::clone(&parts.traces)),
            sat: 0,
            parts,
            lines: HashMap::new(),
            replies: HashMap::new(),
            book: TurnBook::default(),
            witness,
            inbox,
            running: 0,
            call,
            start: Instant::now(),
            frame: 0,
            next_turn: 1,
            told: Vec::new(),
            sound: Vec::new(),
            shown: HashSet::new(),
            troubles: Troubles::default(),
        }
    }

    /// Gives somebody a seat: from now on they are heard.
    fn sit(&mut self, who: UserId, source: Box<dyn Source>) -> Result<(), Failure> {
        let (now, name) = (self.now(), source.name().to_owned());
        let origin = FRAME_TIME * u32::try_from(self.frame).unwrap_or(u32::MAX);
        let ear = Ear::new(
            who.get(),
            Moment::ZERO.after(origin),
            self.parts.guard.pass(self.call),
            &self.parts.endpoint,
            HearingConfig::default(),
            (self.parts.detectors)(),
            self.parts.language,
            None,
        )
        .map_err(|e| Failure::Configuration(e.to_string()))?;
        self.conversation.step(now, Event::Joined { who, name });
        self.sat += 1;
        let seat = Seat {
            source,
            ear,
            over: false,
            voice: false,
            voiced: 0,
            turn: None,
            number: self.sat,
        };
        self.seats.insert(who, seat);
        Ok(())
    }

    fn now(&self) -> Moment {
        match self.parts.pace {
            Pace::Real => Moment::ZERO.after(self.start.elapsed()),
            Pace::Fast => Moment::from_millis(self.frame * 20),
        }
    }

    /// Whether something runs that the next frame must wait for when there is no clock.
    fn is_busy(&self) -> bool {
        self.running > 0 || self.mouth.is_making()
    }

    /// Whether nobody speaks, nothing is being recognised, and nothing is being answered.
    fn is_at_rest(&self) -> bool {
        !self.is_busy()
            && self.mouth.is_silent()
            && self.conversation.phase() == Phase::Listening
            && self.seats.values().all(|seat| seat.ear.is_quiet())
    }

    /// When the next timer rings. A conversation that only listens has no other deadline.
    fn timer(&self) -> Option<Moment> {
        self.conversation
            .deadline()
            .filter(|_| self.conversation.phase() == Phase::Listening)
    }

    async fn next_frame(&mut self) -> Result<(), Failure> {
        let rest = self.is_at_rest();
        let speaking = self.conversation.phase() == Phase::Speaking;
        let present: Vec<UserId> = self.seats.keys().copied().collect();
        for who in present {
            let now = self.now();
            let mut sound = std::mem::take(&mut self.sound);
            sound.clear();
            let mut told = std::mem::take(&mut self.told);
            if let Some(seat) = self.seats.get_mut(&who) {
                seat.over = seat.source.pull(self.frame, rest, BREATH, &mut sound) == Sound::Over;
                if seat.source.hears_us() && speaking {
                    // Without echo cancellation a microphone beside a loudspeaker hears Goobster's own voice.
                    sound.fill(0.0);
                }
                seat.ear.hear(now, &sound, &mut self.next_turn, &mut told);
            }
            self.sound = sound;
            self.told_by(who, &mut told)?;
            self.told = told;
            self.report_voice(who)?;
        }
        self.play()?;
        self.frame += 1;
        if self
            .conversation
            .deadline()
            .is_some_and(|deadline| deadline <= self.now())
        {
            self.converse(Event::Tick)?;
        }
        if self.parts.pace == Pace::Fast {
            // Lets the tasks of this runtime's thread go on.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Decoded {
                who,
                seat: number,
                turn,
                ticket,
                result,
            } => {
                self.running -= 1;
                self.trace(Seen::DecodeOver {
                    turn,
                    ticket: ticket.get(),
                    outcome: seen::decoded(&result),
                });
                if let Err(error @ (RecogniseError::Model { .. } | RecogniseError::BadRequest(_))) = result {
                    return Err(error.into());
                }
                let (now, mut told) = (self.now(), Vec::new());
                // Who has left is not captioned any more.
                let seat = self.seats.get_mut(&who).filter(|seat| seat.number == number);
                if let Some(seat) = seat {
                    seat.ear.decoded(now, ticket, result, &mut told);
                }
                self.told_by(who, &mut told)
            }
            Message::Reply { reply, piece } => match piece {
                ReplyPiece::Text(text) => {
                    self.trace(Seen::Words { reply: reply.get() });
                    let now = self.now();
                    for turn in self
                        .replies
                        .get(&reply)
                        .map(|r| r.turns.clone())
                        .unwrap_or_default()
                    {
                        if let Some(times) = self.book.get_mut(turn) {
                            times.answered.get_or_insert(now);
                        }
                    }
                    self.converse(Event::ReplyText { reply, text })
                }
                ReplyPiece::Timer { after, announcement } => self.converse(Event::ReplyTimer {
                    reply,
                    after,
                    announcement,
                }),
                _ => Ok(()),
            },
            Message::ReplyOver { reply, result } => {
                self.running -= 1;
                self.trace(Seen::Answered {
                    reply: reply.get(),
                    outcome: seen::answered(&result),
                });
                match result {
                    Ok(()) => self.converse(Event::ReplyEnded { reply }),
                    Err(RespondError::Aborted) => Ok(()),
                    Err(error) => {
                        self.troubles.brain += 1;
                        crate::monitoring::measured::error("brain");
                        self.witness.trouble(&error.to_string())?;
                        self.converse(Event::ReplyFailed {
                            reply,
                            why: (&error).into(),
                        })
                    }
                }
            }
        }
    }

    fn converse(&mut self, event: Event) -> Result<(), Failure> {
        let now = self.now();
        for effect in self.conversation.step(now, event) {
            self.carry_out(effect)?;
        }
        Ok(())
    }
}
