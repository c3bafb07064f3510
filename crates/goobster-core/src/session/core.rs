//! What the manager and the supervisors share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Refusal;
use super::clock::{Monotonic, WallClock};
use super::config::SessionConfig;
use super::events::EventHub;
use super::ids::SessionIds;
use super::quarantine::Quarantine;
use super::registry::Registry;
use super::teardown::run::StepContext;
use crate::limits::{Ledger, LimitsConfig, LimitsError, Slots};

/// Says whether a new session may be, for reasons of the machine: see [`SessionManager::guard`](super::SessionManager::guard).
pub type Doorkeeper = Box<dyn Fn() -> Result<(), Refusal> + Send + Sync>;

/// The shared state.
pub(super) struct Core {
    pub(super) config: SessionConfig,
    pub(super) limits: LimitsConfig,
    pub(super) clock: Monotonic,
    pub(super) wall: Arc<dyn WallClock>,
    pub(super) slots: Arc<dyn Slots>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) registry: Registry,
    pub(super) events: EventHub,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) ids: SessionIds,
    pub(super) doorkeeper: OnceLock<Doorkeeper>,
    /// Milliseconds of voice charged so far, for the metric in whole seconds.
    pub(super) voice: AtomicU64,
}

impl Core {
    pub(super) fn steps(&self) -> StepContext<'_> {
        StepContext {
            clock: self.clock,
            tasks: &self.tasks,
            quarantine: &self.quarantine,
        }
    }

    /// One call to a store, bounded.
    pub(super) async fn store<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, LimitsError>>,
    ) -> Result<T, LimitsError> {
        let within = self.config.store_timeout;
        match tokio::time::timeout(within, call).await {
            Ok(answer) => answer,
            Err(_) => Err(LimitsError::Unavailable {
                what: format!("{what}: no answer within {within:?}"),
                cause: None,
            }),
        }
    }

    /// The same, and once more when the store was unavailable: every call to a store may be repeated unchanged.
    pub(super) async fn store_retrying<T, F>(
        &self,
        what: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, LimitsError>
    where
        F: Future<Output = Result<T, LimitsError>>,
    {
        match self.store(what, call()).await {
            Err(error) if matches!(error, LimitsError::Unavailable { .. }) => {
                tracing::warn!(%error, "trying once more");
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.store(what, call()).await
            }
            answer => answer,
        }
    }
}
