//! Names and numbers: those that are there, and those that make sense.

use std::time::Duration;

use super::super::{Member, OWNER, ScenarioError};
use super::Read;

/// Longest time in a scenario, in seconds: a day.
const LONGEST: f64 = 86_400.0;

pub(super) fn member_named(name: &str, members: &[Member], line: usize) -> Read<String> {
    if name == OWNER || members.iter().any(|m| m.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).chain([OWNER]).collect();
    let what = format!("nobody is called '{name}'");
    Err(ScenarioError::new(
        line,
        what,
        format!("members: {}", names.join(", ")),
    ))
}

pub(super) fn known(what: &str, name: &str, all: &[String], line: usize) -> Read<String> {
    if all.iter().any(|c| c == name) {
        return Ok(name.to_owned());
    }
    let told = format!("there is no {what} '{name}'");
    Err(ScenarioError::new(
        line,
        told,
        format!("choose one of {}", all.join(", ")),
    ))
}

pub(super) fn seconds(key: &str, value: f64, line: usize) -> Read<Duration> {
    if (0.0..=LONGEST).contains(&value) {
        return Ok(Duration::from_secs_f64(value));
    }
    let what = format!("{key} = {value} is no time in seconds");
    Err(ScenarioError::new(line, what, "give 0 or more, a day at most"))
}

pub(super) fn share(key: &str, value: f64, line: usize) -> Read<f64> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(ScenarioError::new(
        line,
        format!("{key} = {value} is no share"),
        "give 0 to 1: 0.05 is 5 %",
    ))
}

pub(super) fn percent(key: &str, value: f64, line: usize) -> Read<f64> {
    if (0.0..=1_000.0).contains(&value) {
        return Ok(value);
    }
    Err(ScenarioError::new(
        line,
        format!("{key} = {value} is no percentage"),
        "10 is 10 %",
    ))
}
