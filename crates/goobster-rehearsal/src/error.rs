//! Why there was no rehearsal. What a rehearsal *finds* is no error: it stands in its outcome.

use std::path::PathBuf;

use goobster_audio::AudioError;
use loopback_discord::StartError;
use loopback_discord::world::ApiError;

use crate::scenario::ScenarioError;

/// Why there was no rehearsal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The scenario makes no sense.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A recording is neither a file nor one of the samples.
    #[error("{name}: there is no such file and no such sample recording; samples: {samples}")]
    UnknownRecording {
        /// What was asked for.
        name: String,
        /// The samples that there are.
        samples: String,
    },
    /// A recording cannot be used.
    #[error(transparent)]
    Recording(#[from] AudioError),
    /// A recording could not be encoded.
    #[error("{name}: Opus refuses it: {source}")]
    Opus {
        /// The recording.
        name: String,
        /// Why.
        source: opus2::Error,
    },
    /// The loopback Discord did not start.
    #[error("the loopback Discord did not start: {0}")]
    Start(#[from] StartError),
    /// The loopback Discord refused something that every guild has.
    #[error("the guild could not be made: {0}")]
    Guild(#[from] ApiError),
    /// The bot did not start, or was not ready in time.
    #[error("{what}; the last it said:\n{said}")]
    Bot {
        /// What happened.
        what: String,
        /// The end of its standard error.
        said: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Calls are to be logged, and there is nothing to log them with.
    #[error("logging connects needs strace, which is not installed (Debian: apt-get install strace)")]
    NoTracer,
    /// Work on another thread did not come back.
    #[error("reading recordings was broken off")]
    BrokenOff,
}

impl RehearsalError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}
