//! Why a session did not start.

use std::sync::Arc;

use super::{CloseReason, Refusal};

/// Why a session did not start. Its words can be shown to the user as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something could not be opened, retries included. What was opened before is cleaned up.
    #[error(
        "I could not start the session: {what} failed. The operator has been told; try again in a while."
    )]
    Failed {
        /// What was being done: "joining the call".
        what: &'static str,
        /// Why, for the operator.
        cause: Arc<str>,
    },
    /// It was ended while it was starting.
    #[error("The start was called off.")]
    CalledOff(CloseReason),
}
