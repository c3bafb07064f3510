//! Shared fixtures of the workspace tests.

pub mod marks;
pub mod recordings;
pub mod signals;
