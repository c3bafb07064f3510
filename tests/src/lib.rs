//! Shared fixtures of the workspace tests.

pub mod recordings;
pub mod redis_server;
pub mod sessions;
pub mod signals;
