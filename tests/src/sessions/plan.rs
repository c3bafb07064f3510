//! What goes wrong when, decided by a seed before anything runs.

use std::time::Duration;

use goobster_core::session::{PartKind, Replaceable};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// What one attempt does instead of succeeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It returns an error.
    Error,
    /// It never returns.
    Hang,
    /// It panics while it runs.
    Panic,
    /// It panics before it has even returned a future.
    PanicAtOnce,
    /// It succeeds after this long.
    Slow(Duration),
}

impl Fault {
    /// The kinds that every cleanup step must survive.
    pub const KINDS: [Self; 5] = [
        Self::Error,
        Self::Hang,
        Self::Panic,
        Self::PanicAtOnce,
        Self::Slow(Duration::from_millis(90)),
    ];
}

/// Something that is done to the manager.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Somebody asks for a session.
    Add {
        /// Who.
        user: u64,
        /// Where.
        guild: u64,
        /// In which channel of it.
        channel: u64,
    },
    /// Somebody ends theirs, several times at once.
    End {
        /// Who.
        user: u64,
        /// How often.
        times: u8,
    },
    /// A moderator of a guild ends somebody's.
    Moderate {
        /// Whose.
        user: u64,
        /// The guild the moderator is of.
        guild: u64,
    },
    /// Somebody speaks.
    Speak {
        /// Who.
        user: u64,
    },
    /// A part is reported to have failed.
    Break {
        /// In whose session.
        user: u64,
        /// What.
        what: Replaceable,
    },
    /// The call of a guild is lost.
    LoseCall {
        /// Where.
        guild: u64,
    },
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed it came from.
    pub seed: u64,
    /// What is done, and when after the one before.
    pub actions: Vec<(Duration, Action)>,
    /// How likely each attempt of a part fails, in percent.
    pub part_faults: u32,
    /// How likely each call to the store fails, in percent.
    pub store_faults: u32,
    /// How likely a recogniser that is forced leaves stuck work, in percent.
    pub stuck: u32,
    /// Voice time a member may use, in seconds.
    pub voice_s: u64,
    /// Whether places are leased, as across processes.
    pub leased: bool,
    /// Whether it ends by a shutdown, or by everybody ending theirs.
    pub shut_down: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (users, guilds) = (rng.random_range(1..=6), rng.random_range(1..=2));
        let count = rng.random_range(4..=40);
        let store_faults = *[0, 0, 0, 5, 25].choose(&mut rng).unwrap_or(&0);
        let actions = (0..count)
            .map(|_| (pause(&mut rng), action(&mut rng, users, guilds)))
            .collect();
        Self {
            seed,
            actions,
            part_faults: *[0, 10, 30, 60, 100].choose(&mut rng).unwrap_or(&30),
            store_faults,
            stuck: *[0, 0, 50].choose(&mut rng).unwrap_or(&0),
            voice_s: *[20, 300, 7200].choose(&mut rng).unwrap_or(&7200),
            // A place that could not be given back frees itself only when it is leased.
            leased: store_faults > 0 || rng.random_bool(0.3),
            shut_down: rng.random_bool(0.5),
        }
    }
}

/// Mostly close together, so that things happen at once; sometimes long enough for a timeout.
fn pause(rng: &mut StdRng) -> Duration {
    Duration::from_millis(match rng.random_range(0..10) {
        0..4 => rng.random_range(0..20),
        4..7 => rng.random_range(0..3_000),
        7..9 => rng.random_range(0..30_000),
        _ => rng.random_range(0..400_000),
    })
}

fn action(rng: &mut StdRng, users: u64, guilds: u64) -> Action {
    let (user, guild) = (rng.random_range(1..=users), rng.random_range(1..=guilds));
    match rng.random_range(0..20) {
        0..9 => Action::Add {
            user,
            guild,
            channel: if rng.random_bool(0.85) { 1 } else { 2 },
        },
        9..12 => Action::End {
            user,
            times: rng.random_range(1..=3),
        },
        12 => Action::Moderate { user, guild },
        13..16 => Action::Speak { user },
        16..19 => {
            let what = [
                Replaceable::Pipeline,
                Replaceable::Recognition,
                Replaceable::Speech,
                Replaceable::Work,
            ];
            Action::Break {
                user,
                what: *what.choose(rng).unwrap_or(&Replaceable::Work),
            }
        }
        _ => Action::LoseCall { guild },
    }
}

/// Names a step of the cleanup by the part it ends; `None` for the connection.
pub type Target = Option<PartKind>;
