//! Each trouble of the JavaScript version's session manager, as a test that would have caught it.

use std::collections::BTreeMap;

use goobster_core::ids::UserId;
use goobster_core::limits::{LimitsConfig, Millis};
use goobster_core::session::{CloseReason, PartKind, Phase, SessionConfig, SessionEvent};
use goobster_tests::sessions::{Fault, StepFaults};

use crate::fixture::{Fixture, secs};

/// There: `sessionTimeout` was emitted, nothing listened, and a timed-out session was never cleaned up.
#[tokio::test(start_paused = true)]
async fn a_timed_out_session_is_cleaned_up_though_nobody_listens() {
    let mut fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    let closed = session.closed().await;
    assert_eq!(closed.reason, CloseReason::IdleTimeout);
    assert_eq!(closed.active, Millis::from_mins(5));
    let events = fixture.heard();
    let at = |wanted: fn(&SessionEvent) -> bool| events.iter().position(wanted).unwrap();
    let warned = at(|event| matches!(event, SessionEvent::IdleWarning { left, .. } if *left == secs(60)));
    let timed_out = at(|event| matches!(event, SessionEvent::TimedOut { .. }));
    let cleaned = at(|event| matches!(event, SessionEvent::Cleaned { forced: false, .. }));
    assert!(warned < timed_out && timed_out < cleaned);
    fixture.assert_nothing_left().await;
}

/// There: `cleanupError` was emitted, and nothing was done about it.
#[tokio::test(start_paused = true)]
async fn a_cleanup_error_is_told_and_tried_again() {
    let mut fixture = Fixture::new();
    let once = StepFaults {
        attempts: [Fault::Error].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Speech), once)]));
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    assert!(!fixture.end(1).await.forced);
    let errors: Vec<_> = fixture
        .heard()
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::CleanupError {
                step, attempt, cause, ..
            } => Some((step, attempt, cause.to_string())),
            _ => None,
        })
        .collect();
    let step = goobster_core::session::teardown::Step::Speech;
    assert_eq!(errors, [(step, 1, "planned error: the cause".to_owned())]);
    fixture.assert_nothing_left().await;
}

/// There: the forced-cleanup timer was never cleared, fired late, and deleted the user's *next* session.
#[tokio::test(start_paused = true)]
async fn a_late_cleanup_never_touches_the_users_next_session() {
    let fixture = Fixture::new();
    let hangs = StepFaults {
        attempts: [Fault::Hang, Fault::Hang, Fault::Hang].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), hangs)]));
    let old = fixture.add_with(1, 1, 1, parts).await.unwrap();
    let _ = fixture.sessions.end(UserId::new(1)).unwrap();
    // Asked for while the old one is closing: it waits for that, and is a session of its own.
    let new = fixture.add(1, 1, 1).await.unwrap();
    assert_ne!(old.id(), new.id());
    assert_eq!(old.phase(), Phase::Closed(CloseReason::EndedByOwner));
    // Ending the old one again, long after, touches nobody.
    for _ in 0..20 {
        let actor = goobster_core::session::Actor::member(UserId::new(1));
        assert!(fixture.sessions.end_session(old.id(), actor).is_err());
        tokio::time::sleep(secs(5)).await;
        assert_eq!(fixture.sessions.get(UserId::new(1)).unwrap().id(), new.id());
        assert_eq!(new.phase(), Phase::Active);
        assert_eq!(fixture.held().await, 1);
    }
    fixture.end(1).await;
    fixture.assert_nothing_left().await;
}

/// There: one `try` around all steps, so that the first failing one skipped the rest and the voice connection leaked.
#[tokio::test(start_paused = true)]
async fn the_first_failing_step_does_not_leak_the_connection() {
    let fixture = Fixture::new();
    let dead = StepFaults {
        attempts: [Fault::Error; 3].into(),
        force: Some(Fault::Error),
    };
    let parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), dead)]));
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    assert_eq!(fixture.world.lines_up(), 1);
    assert!(fixture.end(1).await.forced);
    assert_eq!(fixture.world.lines_up(), 0);
    fixture.assert_nothing_left().await;
}

/// There: "recognition still active" returned early, and such a session was never cleaned up.
#[tokio::test(start_paused = true)]
async fn a_recognition_that_does_not_stop_holds_nothing_up_and_is_quarantined() {
    let fixture = Fixture::new();
    let hangs = StepFaults {
        attempts: [Fault::Hang; 3].into(),
        force: None,
    };
    let mut parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), hangs)]));
    parts.stuck = 100;
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    let closed = fixture.end(1).await;
    assert!(closed.forced && closed.cleanup <= secs(5));
    assert_eq!(fixture.held().await, 0, "the place is free");
    assert_eq!(fixture.sessions.quarantine().list(), ["a planned inference"]);
    assert_eq!(
        fixture.world.permits.available_permits(),
        fixture.world.permit_count - 1,
        "its permit is not"
    );
    fixture.world.returns.cancel();
    tokio::time::sleep(secs(1)).await;
    assert!(fixture.sessions.quarantine().is_empty());
    fixture.assert_nothing_left().await;
}

/// There: sessions lived in memory only; after a crash the bot was a ghost in the channel and nobody knew.
#[tokio::test(start_paused = true)]
async fn a_crash_leaves_no_ghost() {
    let limits = LimitsConfig::default();
    let crashed = Fixture::with(&limits, SessionConfig::default(), Some(secs(30)));
    let store = crashed.store.clone();
    let doomed = {
        // A runtime that dies with everything in it, as a killed process does.
        let (store, limits) = (store.clone(), limits);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async move {
                let process = Fixture::on(store, &limits, SessionConfig::default(), 0);
                let session = process.add(1, 1, 1).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(12_345)).await;
                session
            })
        })
        .await
        .unwrap()
    };
    tokio::time::sleep(secs(60)).await;
    let restarted = Fixture::on(store, &limits, SessionConfig::default(), 75);
    let recovery = restarted.sessions.recover().await.unwrap();
    assert_eq!(recovery.crashed.len(), 1);
    let record = restarted.record(&doomed).await;
    assert_eq!(
        (record.reason, record.charged),
        (CloseReason::Crashed, Millis::from_secs(10)),
        "its last tick"
    );
    assert_eq!(restarted.held().await, 0);
    restarted.add(1, 1, 1).await.unwrap();
}

/// There: usage was charged at the end of a session, so that nobody was stopped in the middle of one.
#[tokio::test(start_paused = true)]
async fn a_session_is_charged_while_it_runs_and_ended_at_the_limit() {
    let limits = LimitsConfig {
        voice: Millis::from_mins(4),
        ..LimitsConfig::default()
    };
    let mut fixture = Fixture::with(&limits, SessionConfig::default(), None);
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(secs(63)).await;
    assert_eq!(fixture.used(1).await, Millis::from_secs(60));
    assert_eq!(session.charged(), Millis::from_secs(60));
    let closed = session.closed().await;
    assert_eq!(
        (closed.reason, closed.charged),
        (CloseReason::LimitReached, Millis::from_mins(4))
    );
    assert!(closed.reason.to_string().contains("used up"), "a clear message");
    let events = fixture.heard();
    let warned =
        |event: &SessionEvent| matches!(event, SessionEvent::LimitWarning { left, .. } if *left <= secs(120));
    assert_eq!(events.iter().filter(|event| warned(event)).count(), 1);
    assert_eq!(fixture.record(&session).await.charged, Millis::from_mins(4));
    fixture.assert_nothing_left().await;
}
