//! Taking a session down: the ordered steps, what each may take, and the decision what to try next.
//!
//! A step that errors, hangs or panics is tried again with back-off, then forced; whatever comes of it, the next step
//! runs. The decisions are pure ([`Attempts`]); `run` carries them out.

mod budget;
pub(super) mod run;

pub use budget::{Attempts, Next, StepBudgets};

use std::sync::Arc;
use std::time::Duration;

/// A step of the cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Stop recognition: nothing is decoded any more.
    Recognition,
    /// Destroy the audio pipeline: buffers and streams.
    Pipeline,
    /// Stop speech: nothing is said any more.
    Speech,
    /// Destroy the voice connection, unless other sessions share the call.
    Connection,
    /// Clean the channel: thread closed, status message edited.
    Channel,
    /// Remove the event listeners.
    Listeners,
    /// Write the close record, forget the session, and give its place back.
    Removal,
}

impl Step {
    /// Every step, in the order in which they run.
    pub const ALL: [Self; 7] = [
        Self::Recognition,
        Self::Pipeline,
        Self::Speech,
        Self::Connection,
        Self::Channel,
        Self::Listeners,
        Self::Removal,
    ];

    /// One word, for metrics' labels and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Recognition => "recognition",
            Self::Pipeline => "pipeline",
            Self::Speech => "speech",
            Self::Connection => "connection",
            Self::Channel => "channel",
            Self::Listeners => "listeners",
            Self::Removal => "removal",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It succeeded in order.
    Done,
    /// It was forced after its attempts failed.
    Forced,
    /// Even force failed: what it owned is given up, and the operator is told.
    Abandoned,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// Which step.
    pub step: Step,
    /// How it ended.
    pub end: StepEnd,
    /// How often it was tried, force not counted.
    pub attempts: u32,
    /// How long it took in all.
    pub took: Duration,
}

/// What went wrong in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptFault {
    /// It said so.
    #[error("{0}")]
    Failed(Arc<str>),
    /// It did not end in its time.
    #[error("it did not end within {0:?}")]
    Hung(Duration),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(Arc<str>),
}
