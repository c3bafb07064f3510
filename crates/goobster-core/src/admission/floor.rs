//! Who is followed when more people talk at once than a machine has seats for.
//!
//! Whoever talks takes a seat and gives it back when their words are captioned. Without a free seat they stand in line, in the
//! order in which they began to talk: their sound is kept, nothing of it is decoded, and a seat that becomes free is theirs.
//! Who has finished before that is not captioned: that is told, and nothing waits for it. A new turn goes to the end of the
//! line, so nobody keeps a seat by talking on.
//!
//! A call has so many seats at most: its captions go into one channel, which takes about a message a second.
//!
//! Pure, and bounded by the number of passes: one a listener.

use std::collections::{HashMap, VecDeque};

/// One listener's pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PassId {
    /// The call they listen to.
    pub call: u64,
    /// Which of its listeners.
    pub number: u64,
}

/// The seats and the line.
#[derive(Debug, Clone, Default)]
pub struct Floor {
    seats: usize,
    per_call: usize,
    seated: Vec<PassId>,
    line: VecDeque<PassId>,
}

impl Floor {
    /// So many seats, and so many of them in one call at most.
    pub fn new(seats: usize, per_call: usize) -> Self {
        Self {
            seats,
            per_call,
            ..Self::default()
        }
    }

    /// There are so many seats from now on. Nobody is made to get up.
    pub fn set_seats(&mut self, seats: usize) {
        self.seats = seats;
    }

    /// How many seats there are.
    pub fn seats(&self) -> usize {
        self.seats
    }

    /// How many there are for one call.
    pub fn per_call(&self) -> usize {
        self.per_call.min(self.seats)
    }

    /// How many are taken; more than there are only after they became fewer.
    pub fn taken(&self) -> usize {
        self.seated.len()
    }

    /// How many stand in line.
    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// How many of them would have a seat if the machine had more: their call has room.
    pub fn unserved(&self) -> usize {
        let mut calls = self.calls();
        let would = |pass: &&PassId| {
            let there = calls.entry(pass.call).or_default();
            *there += 1;
            *there <= self.per_call
        };
        self.line.iter().filter(would).count()
    }

    /// Somebody begins a turn; whether they have a seat. A seat that they still hold goes to who stands in line.
    pub fn begin(&mut self, pass: PassId) -> bool {
        self.leave(pass);
        self.ask(pass)
    }

    /// Somebody in the middle of a turn asks again; whether they have a seat.
    pub fn ask(&mut self, pass: PassId) -> bool {
        if self.seated.contains(&pass) {
            return true;
        }
        if !self.line.contains(&pass) {
            self.line.push_back(pass);
        }
        if !self.is_next(pass) {
            return false;
        }
        self.line.retain(|it| *it != pass);
        self.seated.push(pass);
        true
    }

    /// Whether there is a seat when everybody before them who may sit has sat down.
    fn is_next(&self, pass: PassId) -> bool {
        let mut free = self.seats.saturating_sub(self.seated.len());
        let mut calls = self.calls();
        for before in &self.line {
            let there = calls.entry(before.call).or_default();
            let sits = free > 0 && *there < self.per_call;
            if *before == pass || free == 0 {
                return sits;
            }
            if sits {
                free -= 1;
                *there += 1;
            }
        }
        false
    }

    /// Seats taken in each call.
    fn calls(&self) -> HashMap<u64, usize> {
        let mut calls = HashMap::new();
        for pass in &self.seated {
            *calls.entry(pass.call).or_default() += 1;
        }
        calls
    }

    /// Somebody gives up their seat, or their place in line.
    pub fn leave(&mut self, pass: PassId) {
        self.seated.retain(|it| *it != pass);
        self.line.retain(|it| *it != pass);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const ANN: PassId = pass(1);
    const BEN: PassId = pass(2);
    const CLEO: PassId = pass(3);

    const fn pass(number: u64) -> PassId {
        PassId { call: 1, number }
    }

    #[test]
    fn who_began_first_sits_first() {
        let mut floor = Floor::new(1, 9);
        assert!(floor.begin(ANN) && !floor.begin(BEN) && !floor.begin(CLEO));
        assert!(floor.ask(ANN) && !floor.ask(CLEO));
        floor.leave(ANN);
        assert!(!floor.ask(CLEO), "Ben was there before");
        assert!(floor.ask(BEN));
        floor.leave(BEN);
        assert!(floor.ask(CLEO));
    }

    #[test]
    fn nobody_keeps_a_seat_by_talking_on() {
        let mut floor = Floor::new(1, 9);
        assert!(floor.begin(ANN) && floor.begin(ANN));
        assert!(!floor.begin(BEN));
        assert!(!floor.begin(ANN), "the next turn stands in line behind Ben");
        assert!(floor.ask(BEN) && !floor.ask(ANN));
    }

    #[test]
    fn seats_come_and_go() {
        let mut floor = Floor::new(0, 9);
        assert!(!floor.begin(ANN));
        floor.set_seats(2);
        assert!(floor.ask(ANN) && floor.begin(BEN));
        floor.set_seats(1);
        assert!(floor.ask(ANN) && floor.ask(BEN), "nobody is made to get up");
        floor.leave(ANN);
        assert!(!floor.begin(CLEO));
        assert_eq!((floor.taken(), floor.waiting()), (1, 1));
    }

    #[test]
    fn a_full_call_does_not_hold_up_another() {
        let mut floor = Floor::new(3, 2);
        let other = PassId { call: 2, number: 9 };
        assert!(floor.begin(ANN) && floor.begin(BEN));
        assert!(!floor.begin(CLEO), "two of a call");
        assert_eq!(
            (floor.waiting(), floor.unserved()),
            (1, 0),
            "more seats would not help"
        );
        assert!(floor.begin(other));
        floor.leave(ANN);
        assert!(floor.ask(CLEO));
        // Now the machine is full.
        floor.leave(BEN);
        assert!(floor.begin(PassId { call: 2, number: 8 }) && !floor.begin(BEN));
        assert_eq!(floor.unserved(), 1);
    }

    proptest! {
        /// Never more seats than there are, nobody twice, and the line moves in order.
        #[test]
        fn the_floor_keeps_its_order(
            seats in 0_usize..5, per_call in 1_usize..4, steps in prop::collection::vec((0_u8..3, 0_u64..8), 0..200),
        ) {
            let mut floor = Floor::new(seats, per_call);
            for (what, who) in steps {
                let pass = PassId { call: who % 3, number: who };
                let before: Vec<PassId> = floor.line.iter().copied().collect();
                match what {
                    0 => { floor.begin(pass); }
                    1 => { floor.ask(pass); }
                    _ => floor.leave(pass),
                }
                prop_assert!(floor.taken() <= seats && floor.calls().values().all(|there| *there <= per_call));
                let all: Vec<PassId> = floor.seated.iter().chain(&floor.line).copied().collect();
                prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
                let still: Vec<PassId> = before.iter().copied().filter(|it| *it != pass && floor.line.contains(it)).collect();
                let after: Vec<PassId> = floor.line.iter().copied().filter(|it| *it != pass).collect();
                prop_assert_eq!(still, after);
            }
        }

        /// Whoever stands in line sits after everybody before them had one turn.
        #[test]
        fn nobody_starves(seats in 1_usize..4, people in 1_u64..12) {
            let mut floor = Floor::new(seats, 9);
            for who in 0..people {
                floor.begin(pass(who));
            }
            let mut sat = HashSet::new();
            for _ in 0..people {
                for who in 0..people {
                    if floor.ask(pass(who)) {
                        sat.insert(who);
                        // Talks on at once, like everybody.
                        floor.begin(pass(who));
                    }
                }
            }
            prop_assert_eq!(sat.len() as u64, people);
        }
    }
}
