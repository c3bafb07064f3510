//! What a manager says and refuses when it is made.

#![allow(clippy::unwrap_used, reason = "tests say where they fail")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::LimitsConfig;
use goobster_core::session::{
    BotPermissions, Candidate, ConfigError, Consent, Heard, NewSession, Parts, Refusal, SessionConfig,
    SessionEvent, SessionManager, SessionPorts, StartError, TokioClock, VoiceChannel,
};
use goobster_core::time::UtcMillis;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[allow(dead_code, reason = "the examples use all of it")]
mod local {
    include!("support/local.rs");
}

/// Keeps the message of each `info` line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::INFO
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn manager(limits: LimitsConfig) -> Result<SessionManager, ConfigError> {
    let store = Arc::new(local::Local::new(&LimitsConfig::default()));
    let ports = SessionPorts {
        slots: Arc::clone(&store) as _,
        ledger: store,
        clock: Arc::new(TokioClock::starting_at(UtcMillis::new(1_800_000_000_000))),
        node: 0,
    };
    SessionManager::new(SessionConfig::default(), limits, ports)
}

#[tokio::test]
async fn a_limit_that_can_never_bind_is_said_at_start() {
    let lines = Lines::default();
    let said = tracing::subscriber::with_default(lines.clone(), || manager(LimitsConfig::default()));
    said.unwrap();
    let lines = lines.0.lock().unwrap();
    let never: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("can never bind"))
        .collect();
    assert_eq!(never.len(), 1, "{lines:?}");
    assert!(never[0].starts_with("the voice limit of 2 h"), "{never:?}");
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_by_name() {
    let limits = LimitsConfig {
        per_guild: 0,
        ..LimitsConfig::default()
    };
    let refused = manager(limits).err().unwrap();
    assert!(matches!(refused, ConfigError::Limits { .. }), "{refused:?}");
    assert!(refused.to_string().contains("limits.per_guild"), "{refused}");
}

fn request(user: u64) -> NewSession {
    let candidate = Candidate {
        user: UserId::new(user),
        is_bot: false,
        guild: Some(GuildId::new(7)),
        voice: Some(VoiceChannel {
            id: ChannelId::new(70),
            name: "Lounge".to_owned(),
        }),
        permissions: BotPermissions::ALL,
        consent: Consent::Given,
    };
    NewSession::new(candidate.admit().unwrap(), ChannelId::new(71), Parts::none())
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_can_bear_no_more_refuses_politely_and_running_sessions_go_on() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let busy = Arc::new(AtomicBool::new(false));
    let sessions = manager(LimitsConfig::default()).unwrap();
    let seen = Arc::clone(&busy);
    sessions.guard(Box::new(move || {
        if seen.load(Ordering::Relaxed) {
            return Err(Refusal::Overloaded { speakers: 3 });
        }
        Ok(())
    }));
    let mut events = sessions.subscribe();
    sessions.add(request(1)).await.unwrap();
    busy.store(true, Ordering::Relaxed);
    let refused = sessions.add(request(2)).await.unwrap_err();
    assert_eq!(refused, StartError::Refused(Refusal::Overloaded { speakers: 3 }));
    assert!(
        refused.to_string().contains("3 people talking at once"),
        "{refused}"
    );
    assert!(sessions.is_in_session(UserId::new(1)) && !sessions.is_in_session(UserId::new(2)));
    let mut told = false;
    while let Some(Heard::Event(event)) = events.try_next() {
        told |= matches!(event, SessionEvent::Refused { refusal, .. } if refusal.label() == "overloaded");
    }
    assert!(told);
    busy.store(false, Ordering::Relaxed);
    sessions.add(request(2)).await.unwrap();
    sessions.shutdown().await;
}
