//! Sessions: one member's conversation with Goobster in a voice channel, from the request to the last released place.
//!
//! A session belongs to the member who started it, and only they are charged. Discord allows one call a guild: a second
//! member in the same channel gets a session on the same call, which is destroyed with its last session; from another
//! channel they are refused with that channel's name.
//!
//! ```
//! # mod local { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/local.rs")); }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! # use goobster_core::ids::{ChannelId, GuildId, UserId};
//! # use goobster_core::limits::LimitsConfig;
//! # use goobster_core::session::*;
//! # use goobster_core::time::UtcMillis;
//! # let clock = Arc::new(TokioClock::starting_at(UtcMillis::new(1_800_000_000_000)));
//! # let limits = LimitsConfig::default();
//! # let store = Arc::new(local::Local::new(&limits));
//! # let ports = SessionPorts { slots: store.clone(), ledger: store, clock, node: 0 };
//! let sessions = SessionManager::new(SessionConfig::default(), limits, ports)?;
//! let mut events = sessions.subscribe();
//!
//! // Somebody asks: they are checked first.
//! let user = UserId::new(41);
//! let admitted = Candidate {
//!     user,
//!     is_bot: false,
//!     guild: Some(GuildId::new(7)),
//!     voice: Some(VoiceChannel { id: ChannelId::new(70), name: "Lounge".into() }),
//!     permissions: BotPermissions::ALL,
//!     consent: Consent::Given,
//! }
//! .admit()?;
//!
//! // Add a session with what it owns.
//! let session = sessions.add(NewSession::new(admitted, ChannelId::new(71), Parts::none())).await?;
//! assert!(sessions.is_in_session(user));
//! assert_eq!(sessions.get(user).unwrap().id(), session.id());
//!
//! // The hot path stamps it; the monitor warns and ends it when nobody speaks.
//! session.touch(sessions.now());
//! assert_eq!(sessions.list()[0].phase, Phase::Active);
//!
//! // End it, and learn how it went.
//! let closed = sessions.end(user)?.closed().await.unwrap();
//! assert_eq!(closed.reason, CloseReason::EndedByOwner);
//! assert!(!sessions.is_in_session(user));
//! while let Some(Heard::Event(event)) = events.try_next() {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//!
//! - [`machine`]: the life of a session as a pure state machine, `step(now, event) -> effects`.
//! - [`teardown`]: the cleanup's steps and budgets, as pure decisions, and the runner that keeps each attempt in a task
//!   of its own.
//! - [`SessionManager`]: the front. Behind it a registry (who is in, under one lock), and one supervisor a session that
//!   feeds the machine, does what it says, and owns the tear-down.
//! - [`SessionParts`], [`Part`]: what a session owns, behind object-safe traits.
//! - [`invariant`](crate::invariant): what must always hold, asked by tests, soak and production alike.

mod access;
mod activity;
mod call;
mod cleanup;
mod clock;
mod config;
mod core;
mod errands;
mod error;
mod events;
mod ids;
pub mod machine;
mod manager;
mod opening;
mod parts;
mod quarantine;
mod reason;
mod registry;
mod resources;
#[allow(clippy::module_inception, reason = "the module of the type `Session`")]
mod session;
mod supervisor;
pub mod teardown;
mod telemetry;

pub use self::core::Doorkeeper;
pub use access::{Actor, Admitted, BotPermissions, Candidate, Consent, Refusal, VoiceChannel, may_end};
pub use activity::Activity;
pub use call::{CallInfo, Role};
pub use clock::{SystemClock, TokioClock, WallClock};
pub use config::{ConfigError, SessionConfig};
pub use error::StartError;
pub use events::{Events, Heard, SessionEvent};
pub use ids::{ChargeSeq, Epoch, SessionId, SessionIds};
pub use machine::Phase;
pub use manager::{Ending, NewSession, SessionInfo, SessionManager, SessionPorts, Shutdown};
pub use parts::Parts;
pub use quarantine::{Quarantine, Stuck};
pub use reason::CloseReason;
pub use registry::Counts;
pub use resources::{
    Notice, Part, PartError, PartKind, Replaceable, SessionParts, StopCause, VoiceConnection,
};
pub use session::{AudioSettings, ClosedSession, Session};
pub use telemetry::{describe as describe_metrics, names as metric_names};
