//! The room in a voice channel: people come and go, nobody knows when it ends, and the voice is played by somebody else.

use std::time::Duration;

use goobster_core::conversation::{Event, LineId};
use goobster_core::ids::UserId;
use goobster_core::language::Language;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{FRAME_TIME, INBOX, Room, RoomParts, Troubles};
use crate::cli::exit::Failure;
use crate::converse::source::Source;
use crate::converse::witness::Witness;

/// Frames made up for after a stall of the machine: more would only say what is over.
const CATCH_UP: Duration = Duration::from_secs(1);

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
            Order::Rise { who } => self.rise(who),
            Order::Answer(answer) => self.converse(Event::Mute(!answer)),
            Order::Announce { text, language } => {
                *announced += 1;
                self.mouth.say(LineId::announcement(*announced), text, language);
                Ok(())
            }
            Order::Hush => self.converse(Event::Hush),
        }
    }

    /// Takes somebody's seat away. A turn that they had begun is dropped: nothing of it is shown or answered.
    fn rise(&mut self, who: UserId) -> Result<(), Failure> {
        let Some(mut seat) = self.seats.remove(&who) else {
            return Ok(());
        };
        seat.ear.call_off();
        if let Some(turn) = seat.turn.filter(|_| !seat.ear.is_quiet()) {
            if self.shown.remove(&turn) {
                self.witness.dropped(turn)?;
            }
            self.close_turn(turn, None)?;
        }
        self.converse(Event::Left { who })
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
