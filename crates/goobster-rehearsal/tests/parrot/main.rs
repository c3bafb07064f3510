//! Rehearsals of a small bot: one that captions whatever is said with the same words and answers with a tone. What the stage sees,
//! measures, judges and writes down is known beforehand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and what they share, fail loudly; clippy knows only of the functions marked as tests"
)]

mod bot;
mod rehearsals;
