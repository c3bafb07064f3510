//! How a command ends: one failure type, and the exit code that each kind means.

use std::path::PathBuf;
use std::process::ExitCode;

use goobster_audio::AudioError;
use goobster_core::ports::{RecogniseError, RespondError, SynthesiseError};
use goobster_models::ModelError;

use crate::config::Problem;

/// Why a command failed. Each kind has its own exit code; the message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Something that no other kind names went wrong.
    #[error("{0}")]
    Failed(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file that was given is not what the command can use.
    #[error("{0}")]
    BadInput(String),
    /// A model, a voice or a system package is missing.
    #[error("{0}")]
    SetupMissing(String),
    /// The configuration is wrong.
    #[error("{0}")]
    Configuration(String),
    /// Settings are wrong, each at its place.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// An audio file could not be read to its end; the message begins with its name.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// An output could not be written.
    #[error("cannot write {}: {cause}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// A model could not be had.
    #[error(transparent)]
    Models(#[from] ModelError),
    /// Speech recognition failed.
    #[error(transparent)]
    Recognise(#[from] RecogniseError),
    /// Speech synthesis failed.
    #[error(transparent)]
    Synthesise(#[from] SynthesiseError),
    /// The brain failed.
    #[error(transparent)]
    Respond(#[from] RespondError),
    /// Whoever read our output has gone (`goobster … | head`): not worth a message.
    #[error("the reader of the output has gone")]
    ReaderGone,
}

impl Failure {
    /// The process's exit code: 1 failure, 2 usage, 3 bad input, 4 set-up missing, 5 configuration.
    pub fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Usage(_) | Self::Synthesise(SynthesiseError::NoSuchVoice { .. }) => 2,
            Self::BadInput(_)
            | Self::Audio(_)
            | Self::Recognise(RecogniseError::BadRequest(_))
            | Self::Synthesise(SynthesiseError::NothingToSay | SynthesiseError::TooLong { .. }) => 3,
            Self::SetupMissing(_)
            | Self::Models(_)
            | Self::Recognise(RecogniseError::Model { .. })
            | Self::Synthesise(SynthesiseError::Voice { .. }) => 4,
            Self::Configuration(_) | Self::Problems(_) | Self::Respond(RespondError::Configuration(_)) => 5,
            Self::Failed(_)
            | Self::Output { .. }
            | Self::Recognise(_)
            | Self::Synthesise(_)
            | Self::Respond(_) => 1,
        }
    }

    /// An output that could not be written; a closed pipe is the reader's own choice.
    pub fn output(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::Output {
            path: path.into(),
            cause,
        }
    }

    /// Tells the user on stderr, with every cause, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if let Self::Problems(problems) = self {
            // Each begins with its place, as compilers tell it: editors jump there.
            for problem in problems {
                super::terminal::complain(&problem.to_string());
            }
        } else if !matches!(self, Self::ReaderGone) {
            let mut text = format!("error: {self}");
            let mut cause = std::error::Error::source(self);
            while let Some(error) = cause {
                let more = error.to_string();
                if !text.contains(&more) {
                    text.push_str("\n  because: ");
                    text.push_str(&more);
                }
                cause = error.source();
            }
            super::terminal::complain(&text);
        }
        ExitCode::from(self.code())
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_documented_code() {
        let kinds = [
            (Failure::Failed(String::new()), 1),
            (Failure::Usage(String::new()), 2),
            (Failure::BadInput(String::new()), 3),
            (Failure::SetupMissing(String::new()), 4),
            (Failure::Configuration(String::new()), 5),
            (Failure::Problems(Vec::new()), 5),
            (Failure::ReaderGone, 0),
            (Failure::Respond(RespondError::Configuration(String::new())), 5),
            (Failure::Respond(RespondError::Aborted), 1),
            (
                Failure::Recognise(RecogniseError::Model {
                    what: String::new(),
                    cause: None,
                }),
                4,
            ),
            (Failure::Synthesise(SynthesiseError::NothingToSay), 3),
        ];
        for (failure, code) in kinds {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }

    #[test]
    fn a_closed_pipe_is_not_a_failure() {
        let gone = Failure::output("stdout", std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.code(), 0);
        let full = Failure::output("a.wav", std::io::ErrorKind::StorageFull.into());
        assert_eq!(full.code(), 1);
        assert!(full.to_string().contains("a.wav"));
    }
}
