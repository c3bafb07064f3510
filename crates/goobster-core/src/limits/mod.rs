//! Limits: how much voice a member may use, how many sessions there may be, and the ports of the stores behind both.
//!
//! Everything here is pure: time is passed in, voice time is counted in whole [`Millis`].
//!
//! - [`LimitsConfig`]: the numbers and their defaults; [`never_binding`]: which of them can never matter.
//! - [`WindowPolicy`] with [`FixedWindow`] and [`SlidingWindow`]: how usage is counted over time.
//! - [`Quotas`]: every member's usage, the hot structure; [`Forecast`]: the same in words, before joining.
//! - [`SlotBook`]: who holds a place; [`Books`]: what opening, charging, closing and recovering do.
//! - [`Meter`]: when a running session is charged, warned and stopped.
//! - [`Slots`] and [`Ledger`]: the ports that `goobster-store` implements for memory, an embedded file and Redis.

mod account;
mod binding;
mod books;
mod concurrency;
mod config;
mod error;
mod forecast;
mod meter;
mod millis;
mod policy;
mod ports;
mod quota;
mod record;
mod sharded;
mod sliding;
mod window;

pub use account::{Account, Hold, Rules};
pub use binding::{NeverBinds, announce_never_binding, never_binding};
pub use books::{Books, OpenSession, RECORD_RETENTION};
pub use concurrency::{NodeId, SlotBook};
pub use config::{LimitsConfig, PolicyKind};
pub use error::{LimitsError, Refusal};
pub use forecast::{Forecast, utc_clock};
pub use meter::{Meter, MeterNotice};
pub use millis::Millis;
pub use policy::{Policy, Window};
pub use ports::{Ledger, Slots};
pub use quota::Quotas;
pub use record::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Opening, Recovery, SlotClaim,
    SlotLease, SlotsHeld, Swept, Usage,
};
pub use sliding::{Bucket, SlidingState, SlidingWindow};
pub use window::{FixedState, FixedWindow, WindowPolicy};
