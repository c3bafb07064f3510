//! Limits: how much voice a member may use, how many sessions there may be, and the ports of the stores behind both.
//!
//! Everything here is pure: time is passed in, voice time is counted in whole [`Millis`].

mod error;
mod millis;
mod ports;
mod record;

pub use error::{LimitsError, Refusal};
pub use millis::Millis;
pub use ports::{Ledger, Slots};
pub use record::{
    Charge, Charged, CloseRecord, Closed, Closing, Opening, Recovery, SlotClaim, SlotLease, SlotsHeld, Swept,
    Usage,
};
