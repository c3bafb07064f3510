//! What became of what was expected: each claim is held against the timeline, and told with what was found.

mod healthy;
mod judge;
mod whereabouts;

use serde::Serialize;
use serde_json::{Value, json};

pub use healthy::{heard_well, lost};
pub use judge::{Evidence, judge};

/// What became of an expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was expected, in words.
    pub expected: String,
    /// Where it stands in the scenario; 0 if it stands in none.
    pub line: usize,
    /// Whether it was so.
    pub met: bool,
    /// What was found.
    pub found: String,
}

impl Verdict {
    /// The line of JSON for it.
    pub fn to_json(&self) -> Value {
        json!({
            "event": "expectation", "expected": self.expected, "line": self.line, "met": self.met, "found": self.found,
        })
    }
}
