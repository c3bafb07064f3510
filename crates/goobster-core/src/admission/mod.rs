//! Admission: how many people talking at once a machine can follow, and what gives way when there are more.
//!
//! - [`mod@capacity`]: from measured costs to a number of speakers. Arithmetic only: whoever measures passes the costs in.
//! - [`ladder`]: what is given up under load, and in which order it comes back: [`Ladder`].
//! - [`floor`]: who is followed when more people talk at once than there are seats: [`Floor`].
//!
//! The three together keep every queue of the hearing short: turns without a seat ask for no decode, so that at most a decode a
//! seat waits, and the seats are as many as the machine can serve.

pub mod capacity;
pub mod floor;
pub mod ladder;

pub use capacity::{Capacity, Costs, Fit, capacity, fit};
pub use floor::{Floor, PassId};
pub use ladder::{Change, Ladder, LadderConfig, Level, Signal};
