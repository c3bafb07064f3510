//! The seats of a process: who is followed now, how much is given up, and whether a session more may begin.
//!
//! One for all calls, asked by every ear. Without limits (recordings, a microphone) everybody has a seat.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goobster_core::admission::{Floor, Level, PassId};
use goobster_core::hearing::Partials;
use goobster_core::session::Refusal;

/// How many people can be followed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// With the model that was asked for.
    pub own: usize,
    /// With the smaller one; the same where there is none.
    pub smaller: usize,
    /// In one call at most.
    pub per_call: usize,
}

impl Seats {
    /// As many as ask.
    pub const UNLIMITED: Self = Self {
        own: usize::MAX,
        smaller: usize::MAX,
        per_call: usize::MAX,
    };
}

/// How the seats are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Seats there are.
    pub seats: usize,
    /// Taken ones.
    pub taken: usize,
    /// People who talk and have none.
    pub waiting: usize,
    /// Those of them who would have one if this machine had more; the others' call is full.
    pub unserved: usize,
}

/// What every ear asks.
#[derive(Debug)]
pub struct Guard {
    seats: Seats,
    floor: Mutex<Floor>,
    level: AtomicU8,
    down: AtomicBool,
    next: AtomicU64,
}

impl Guard {
    /// So many seats.
    pub fn new(seats: Seats) -> Arc<Self> {
        Arc::new(Self {
            seats,
            floor: Mutex::new(Floor::new(seats.own, seats.per_call)),
            level: AtomicU8::new(Level::Full.number()),
            down: AtomicBool::new(false),
            next: AtomicU64::new(0),
        })
    }

    /// Seats for everybody.
    pub fn open() -> Arc<Self> {
        Self::new(Seats::UNLIMITED)
    }

    /// So much is given up from now on.
    pub fn set_level(&self, level: Level) {
        self.level.store(level.number(), Ordering::Relaxed);
        let seats = if level >= Level::SmallerModel {
            self.seats.smaller.max(self.seats.own)
        } else {
            self.seats.own
        };
        self.floor().set_seats(seats);
    }

    /// How much is given up.
    pub fn level(&self) -> Level {
        let number = self.level.load(Ordering::Relaxed);
        let found = Level::ALL.into_iter().find(|level| level.number() == number);
        found.unwrap_or_default()
    }

    /// Whether nothing can be recognised.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// How often growing captions may be asked for.
    pub fn partials(&self) -> Partials {
        match self.level() {
            Level::Full => Partials::Full,
            Level::FewerPartials => Partials::Fewer,
            Level::NoPartials | Level::SmallerModel | Level::Refusing => Partials::None,
        }
    }

    /// Whether a session more may begin.
    ///
    /// # Errors
    /// Why not, in words for whoever asked.
    pub fn may_start(&self) -> Result<(), Refusal> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Refusal::HearingDown);
        }
        if self.level() == Level::Refusing {
            return Err(Refusal::Overloaded {
                speakers: self.floor().seats(),
            });
        }
        Ok(())
    }

    /// How the seats are taken.
    pub fn taken(&self) -> Taken {
        let floor = self.floor();
        Taken {
            seats: floor.seats(),
            taken: floor.taken(),
            waiting: floor.waiting(),
            unserved: floor.unserved(),
        }
    }

    /// A number for a call, to make its passes with.
    pub fn call(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A pass for a listener of a call.
    pub fn pass(self: &Arc<Self>, call: u64) -> Pass {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Pass {
            guard: Arc::clone(self),
            id: PassId { call, number },
        }
    }

    /// How many people are followed at once in one call.
    pub fn in_a_call(&self) -> usize {
        self.floor().per_call()
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener's pass; its seat is given back when it is dropped.
#[derive(Debug)]
pub struct Pass {
    guard: Arc<Guard>,
    id: PassId,
}

impl Pass {
    /// A turn begins; whether there is a seat for it.
    pub fn begin(&self) -> bool {
        self.guard.floor().begin(self.id)
    }

    /// A turn without a seat asks again.
    pub fn ask(&self) -> bool {
        self.guard.floor().ask(self.id)
    }

    /// The turn is captioned, or given up.
    pub fn leave(&self) {
        self.guard.floor().leave(self.id);
    }

    /// How often growing captions may be asked for.
    pub fn partials(&self) -> Partials {
        self.guard.partials()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_is_dropped_gives_its_seat_back() {
        let guard = Guard::new(Seats {
            own: 1,
            smaller: 3,
            per_call: 4,
        });
        let (ann, ben) = (guard.pass(1), guard.pass(1));
        assert!(ann.begin() && !ben.begin());
        drop(ann);
        assert!(ben.ask());
        drop(ben);
        let free = Taken {
            seats: 1,
            taken: 0,
            waiting: 0,
            unserved: 0,
        };
        assert_eq!(guard.taken(), free);
    }

    #[test]
    fn each_rung_gives_up_more_and_the_smaller_model_brings_its_seats() {
        let guard = Guard::new(Seats {
            own: 2,
            smaller: 5,
            per_call: 4,
        });
        let mut seen = Vec::new();
        for level in Level::ALL {
            guard.set_level(level);
            assert_eq!(guard.level(), level);
            seen.push((guard.partials(), guard.taken().seats, guard.may_start().is_ok()));
        }
        let expected = [
            (Partials::Full, 2, true),
            (Partials::Fewer, 2, true),
            (Partials::None, 2, true),
            (Partials::None, 5, true),
            (Partials::None, 5, false),
        ];
        assert_eq!(seen, expected);
        guard.set_level(Level::Full);
        guard.set_down(true);
        assert_eq!(guard.may_start(), Err(Refusal::HearingDown));
    }

    #[test]
    fn without_limits_everybody_sits() {
        let guard = Guard::open();
        let passes: Vec<Pass> = (0..100).map(|_| guard.pass(1)).collect();
        assert!(passes.iter().all(Pass::begin));
    }
}
