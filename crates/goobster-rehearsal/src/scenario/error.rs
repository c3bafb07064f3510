//! What is wrong with a scenario: what, where, and what to do.

use std::fmt;

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file as it was named, if it came from one.
    pub place: Option<String>,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl ScenarioError {
    pub(super) fn new(line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            place: None,
            line: Some(line),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The same with the name of the file.
    #[must_use]
    pub fn in_file(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.as_deref().unwrap_or("the scenario"))?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.what)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.remedy)
        }
    }
}

impl std::error::Error for ScenarioError {}
