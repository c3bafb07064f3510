//! The stores of limits: one test-suite against all three, damage and failing disks, kill -9, several processes on one
//! Redis, and an outage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking, in its helpers too"
)]

mod cluster;
mod damage;
mod faults;
mod fixture;
mod hosts;
mod kill9;
mod original;
mod outage;
mod redis_model;
mod register;
mod suite;
