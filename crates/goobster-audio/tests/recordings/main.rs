//! Recordings as users have them: every format, damaged ones, and ones made to harm.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.

mod damage;
mod formats;
mod hostile;
mod making;
mod steady;
mod watching;
