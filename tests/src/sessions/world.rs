//! What is really there during a run, seen from outside the session manager: parts that were made and not ended, calls
//! that are connected, permits that are held.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::plan::Fault;

/// The state of the outside.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    /// One permit a recogniser: what a stuck inference keeps.
    pub permits: Arc<Semaphore>,
    /// How many there are.
    pub permit_count: usize,
    /// Cancelled when stuck inferences return at last.
    pub returns: CancellationToken,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    parts_alive: usize,
    lines_up: BTreeMap<u64, usize>,
    violations: Vec<String>,
}

impl World {
    /// An empty world whose chance comes from `seed`.
    pub fn new(seed: u64, permit_count: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                rng: StdRng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
                parts_alive: 0,
                lines_up: BTreeMap::new(),
                violations: Vec::new(),
            }),
            permits: Arc::new(Semaphore::new(permit_count)),
            permit_count,
            returns: CancellationToken::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&self, percent: u32) -> bool {
        self.state().rng.random_range(0..100) < percent
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.state().rng.random_range(0..bound)
    }

    /// A fault in so many of a hundred cases.
    pub fn fault(&self, percent: u32) -> Option<Fault> {
        if !self.chance(percent) {
            return None;
        }
        let kind = self.below(Fault::KINDS.len() as u64) as usize;
        Some(Fault::KINDS[kind])
    }

    /// A part was made.
    pub fn made(&self) {
        self.state().parts_alive += 1;
    }

    /// A part is gone, in whatever way.
    pub fn gone(&self) {
        let mut state = self.state();
        match state.parts_alive.checked_sub(1) {
            Some(left) => state.parts_alive = left,
            None => state.violations.push("a part was ended twice".to_owned()),
        }
    }

    /// Parts that were made and are not gone.
    pub fn parts_alive(&self) -> usize {
        self.state().parts_alive
    }

    /// A guild's call was joined. Discord allows one.
    pub fn line_up(&self, guild: u64) {
        let mut state = self.state();
        let lines = state.lines_up.entry(guild).or_default();
        *lines += 1;
        if *lines > 1 {
            let words = format!("guild {guild} has {lines} calls at once");
            state.violations.push(words);
        }
    }

    /// A guild's call was left.
    pub fn line_down(&self, guild: u64) {
        *self.state().lines_up.entry(guild).or_default() -= 1;
    }

    /// Calls that are connected.
    pub fn lines_up(&self) -> usize {
        self.state().lines_up.values().sum()
    }

    /// Notes something that must not be.
    pub fn violation(&self, words: impl Into<String>) {
        self.state().violations.push(words.into());
    }

    /// Everything that must not be and was.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }
}
