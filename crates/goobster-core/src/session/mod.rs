//! Sessions: one member's conversation with Goobster in a voice channel, from the request to the last released slot.

mod ids;
mod reason;

pub use ids::{ChargeSeq, Epoch, SessionId, SessionIds};
pub use reason::CloseReason;
