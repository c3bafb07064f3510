//! What the voices say, heard by Whisper.
//!
//! The tests need the models and voices of `cargo xtask setup`, and fail naming it when they are missing.

#![allow(clippy::unwrap_used, clippy::expect_used)] // all of this is tests: what fails here is what they find

mod heard;
#[cfg(all(feature = "host-voice", target_os = "linux"))]
mod host;
mod support;
