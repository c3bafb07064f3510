//! Building the port's errors: what is wrong in a sentence, the library's own error kept as the cause.

use std::error::Error;

use goobster_core::ports::SynthesiseError;

/// A voice's files or settings are wrong.
pub(super) fn voice_error(what: String) -> SynthesiseError {
    SynthesiseError::Voice { what, cause: None }
}

/// The same, because of another error.
pub(super) fn voice_error_because(
    what: String,
    cause: impl Error + Send + Sync + 'static,
) -> SynthesiseError {
    SynthesiseError::Voice {
        what,
        cause: Some(Box::new(cause)),
    }
}

/// An engine or a server failed.
pub(super) fn engine_error(what: String) -> SynthesiseError {
    SynthesiseError::Engine { what, cause: None }
}

/// An error with its causes, on one line: for messages that name several failures.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
