//! The room in a voice channel: people come and go, nobody knows when it ends, and the voice is played by somebody else.

use std::time::Duration;

use goobster_core::conversation::{Event, LineId};
use goobster_core::ids::UserId;
use goobster_core::language::Language;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{FRAME_TIME, INBOX, Message, Room, RoomParts, Troubles};
use crate::cli::exit::Failure;
use crate::converse::source::Source;
use crate::converse::trace::Seen;
use crate::converse::witness::Witness;

/// Frames made up for after a stall of the machine: more would only say what is over.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How long the last words may take to be recognised once the conversation is over.
const LAST_WORDS: Duration = Duration::from_millis(1200);

/// What a live room is told.
pub enum Order {
    /// Somebody is heard from now on.
    Sit {
        /// Who.
        who: UserId,
        /// Their sound.
        source: Box<dyn Source>,
    },
    /// Somebody is not heard any more: what was buffered of them is gone.
    Rise {
        /// Who.
        who: UserId,
    },
    /// Whether turns are answered; captions go on either way.
    Answer(bool),
    /// Say this now, after what is being said.
    Announce {
        /// The words.
        text: String,
        /// Their language.
        language: Language,
    },
    /// Stop talking.
    Hush,
    /// Forget what somebody said, and what they are saying.
    Forget {
        /// Who.
        who: UserId,
    },
}

/// Holds a conversation until the orders end.
///
/// # Errors
/// A recogniser that cannot work at all; what the witness could not do.
pub async fn attend(
    parts: RoomParts,
    mut orders: mpsc::Receiver<Order>,
    witness: &mut dyn Witness,
) -> Result<Troubles, Failure> {
    let (inbox, mut messages) = mpsc::channel(INBOX);
    let (speech, mut spoken) = mpsc::channel(INBOX);
    let mut room = Room::new(parts, witness, inbox, speech);
    let mut announced = 0;
    let mut frames = tokio::time::interval(FRAME_TIME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => room.order(order, &mut announced)?,
                None => break,
            },
            Some(message) = messages.recv() => room.message(message)?,
            Some((line, spoken)) = spoken.recv() => room.spoken(line, spoken)?,
            due = frames.tick() => {
                room.next_frame().await?;
                if due.elapsed() > CATCH_UP {
                    frames.reset_at(Instant::now() + FRAME_TIME);
                    room.skip(due.elapsed());
                }
                room.forget();
            }
        }
    }
    room.mouth.stop();
    for reply in room.replies.values() {
        reply.abort.raise();
    }
    // What was said to its end, or nearly, is still written down, but not answered any more.
    room.converse(Event::Mute(true))?;
    let mut told = Vec::new();
    for who in room.seats.keys().copied().collect::<Vec<_>>() {
        let now = room.now();
        if let Some(seat) = room.seats.get_mut(&who) {
            seat.ear.flush(now, &mut room.next_turn, &mut told);
        }
        room.told_by(who, &mut told)?;
    }
    let last_words = async {
        while !room.seats.values().all(|seat| seat.ear.is_quiet()) {
            let Some(message) = messages.recv().await else {
                break;
            };
            if matches!(message, Message::Decoded { .. }) {
                room.message(message)?;
            }
        }
        Ok::<(), Failure>(())
    };
    if let Ok(result) = tokio::time::timeout(LAST_WORDS, last_words).await {
        result?;
    }
    for seat in room.seats.values_mut() {
        seat.ear.call_off();
    }
    Ok(room.troubles)
}

impl Room<'_> {
    fn order(&mut self, order: Order, announced: &mut u64) -> Result<(), Failure> {
        match order {
            Order::Sit { who, source } => {
                self.rise(who)?;
                self.sit(who, source)
            }
            Order::Rise { who } => self.rise(who).map(drop),
            Order::Answer(answer) => self.converse(Event::Mute(!answer)),
            Order::Announce { text, language } => {
                *announced += 1;
                self.mouth.say(LineId::announcement(*announced), text, language);
                Ok(())
            }
            Order::Hush => self.converse(Event::Hush),
            Order::Forget { who } => {
                let source = self.rise(who)?;
                self.converse(Event::Forget { who })?;
                self.witness.forgotten(who)?;
                source.map_or(Ok(()), |source| self.sit(who, source))
            }
        }
    }

    /// Takes somebody's seat away. A turn that they had begun is dropped: nothing of it is shown or answered.
    fn rise(&mut self, who: UserId) -> Result<Option<Box<dyn Source>>, Failure> {
        let Some(mut seat) = self.seats.remove(&who) else {
            return Ok(None);
        };
        seat.ear.call_off();
        if let Some(turn) = seat.turn.filter(|_| !seat.ear.is_quiet()) {
            if self.shown.remove(&turn) {
                self.witness.dropped(turn)?;
            }
            self.trace(Seen::Over {
                turn,
                outcome: "left",
            });
            self.close_turn(turn, None)?;
        }
        self.converse(Event::Left { who })?;
        Ok(Some(seat.source))
    }

    /// Counts frames that were never played, so that the moments of the ears stay those of the room.
    fn skip(&mut self, behind: Duration) {
        let frames = behind.as_millis() / FRAME_TIME.as_millis();
        self.frame += u64::try_from(frames).unwrap_or(0);
    }

    /// Forgets turns that are over: a call may last for days.
    fn forget(&mut self) {
        if self.frame.is_multiple_of(250) {
            self.book.forget_closed();
        }
    }
}
