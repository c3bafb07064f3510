//! The stand-in against the clients that bots are made of: serenity and songbird as they come from crates.io, in a process of
//! their own that is led here by environment variables alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and what they share, fail loudly; clippy knows only of the functions marked as tests"
)]

mod bot;
mod dave;
mod ear;
mod gateway;
mod rest;
mod sound;
mod support;
mod voice;
