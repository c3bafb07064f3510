//! The conversation on real audio.
//!
//! - [`room`]: the event loop that joins everything; [`ear`] and [`mouth`] are a speaker's hearing and Goobster's voice.
//! - [`source`]: where a seat's sound comes from; [`speakers`]: recordings (or a microphone) played a frame at a time.
//! - [`playout`]: the queue of sentences being heard.
//! - [`witness`], [`reporter`], [`turnbook`]: what people see, what is written down, and when everything happened.
//! - [`trace`]: one trace a turn, for who wants to see where its time went.
//! - [`command`], [`demo`]: `goobster converse` and `goobster demo`; `microphone`: `goobster listen`.

pub mod command;
pub mod demo;
pub mod ear;
#[cfg(feature = "host-voice")]
pub mod microphone;
pub mod mouth;
pub mod playout;
pub mod reporter;
pub mod room;
pub mod source;
pub mod speakers;
pub mod trace;
pub mod turnbook;
pub mod witness;
