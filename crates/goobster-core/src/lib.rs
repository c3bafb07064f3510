//! The decisions of Goobster, and the ports that the other crates implement.
//!
//! Nothing here touches a network, a file, a process or a sound card. Time and randomness are passed in, so every
//! decision is a pure function of `(state, now, event)` and every test is deterministic.
//!
//! - [`ids`], [`time`], [`language`]: the newtypes everyone shares.
//! - [`admission`]: how many people a machine can follow at once, and what gives way under load.
//! - [`cluster`]: which host holds which shards of the gateway, and how long it may believe so.
//! - [`conversation`]: taking turns, as a pure state machine.
//! - [`captions`]: what is written in a channel, and when. [`consent`]: who is heard. [`presence`]: life in a voice
//!   channel. [`health`]: whether everybody who sends is heard.
//! - [`hearing`]: when to decode what of one speaker's audio.
//! - [`invariant`]: what must always hold, asked by tests, soak and production alike.
//! - [`limits`]: how much voice a member may use, how many sessions there may be, and the stores' ports.
//! - [`ports`]: what the outside must provide: recogniser, synthesiser, responder.
//! - [`session`]: who holds a conversation, what it owns, and how it ends.
//! - [`transcript`]: captions and their export as SubRip, WebVTT, JSON and text.

pub mod admission;
pub mod captions;
pub mod cluster;
pub mod consent;
pub mod conversation;
pub mod health;
pub mod hearing;
pub mod ids;
pub mod invariant;
pub mod language;
pub mod limits;
pub mod ports;
pub mod presence;
pub mod session;
pub mod time;
pub mod transcript;
