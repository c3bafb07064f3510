//! Sessions under fire: parts and stores that fail as planned, and the run that checks every invariant afterwards.
//! The soak and the tests share it; a seed decides everything.

mod parts;
mod plan;
mod run;
mod store;
mod world;

pub use parts::{Chance, PlannedParts, StepFaults};
pub use plan::{Action, Fault, Plan, Target};
pub use run::{Outcome, admitted, run_plan, run_seed};
pub use store::FaultyStore;
pub use world::World;
