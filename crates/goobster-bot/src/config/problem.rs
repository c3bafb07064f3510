//! What is wrong with a configuration: where, which key, why, and what to do.

use std::fmt;

/// Where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a file.
    File {
        /// As it was named.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// By an environment variable.
    Variable(String),
    /// By a flag.
    Flag(&'static str),
    /// Nowhere: it is the default.
    Default,
    /// Nowhere: it follows from another setting.
    Follows(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
            Self::Follows(key) => write!(f, "default (follows {key})"),
        }
    }
}

/// One thing that is wrong: `FILE:LINE:COL: key: reason; remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The setting, or what was written in its place.
    pub key: String,
    /// Why it is refused.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            key,
            reason,
            remedy,
        } = self;
        // One line a problem, whatever a key or a value holds.
        let line = format!("{place}: {key}: {reason}; {remedy}");
        f.write_str(&line.replace(['\n', '\r'], " "))
    }
}

/// The line and the column, from 1, of a byte of a text.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
