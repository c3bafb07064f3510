//! Sessions on a store that is slow, refuses late, or is damaged: nothing is lost that there was time for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{LimitsConfig, LimitsError, Millis, Refusal};
use goobster_core::session::teardown::{Step, StepEnd};
use goobster_core::session::{Phase, SessionConfig, SessionEvent, StartError};
use goobster_store::{MemoryStore, Resilient, WhenDown};
use goobster_tests::sessions::{Fault, StepFaults};

use crate::fixture::{Fixture, secs};
use crate::scripted::{Call, Does, ScriptedStore, down};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn full() -> LimitsError {
    Refusal::GuildSlots { held: 8, limit: 8 }.into()
}

fn lost(events: &[SessionEvent]) -> Vec<Millis> {
    let amounts = events.iter().filter_map(|event| match event {
        SessionEvent::ChargeLost { amount, .. } => Some(*amount),
        _ => None,
    });
    amounts.collect()
}

/// The call's owner goes while another member's place on it is being reserved, and then that member is refused: whoever
/// is the last on a call hangs up, session or not.
#[tokio::test(start_paused = true)]
async fn a_refused_request_that_is_the_last_on_a_call_hangs_up() {
    let (fixture, store) = Fixture::scripted(Duration::ZERO);
    let slow_stop = StepFaults {
        attempts: [Fault::Error, Fault::Hang, Fault::Error].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(None, slow_stop)]));
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    store.next(Call::Reserve, [Does::Fails(secs(1), full)]);
    let second = fixture.add(2, 1, 1);
    let ends = async {
        tokio::time::sleep(millis(100)).await;
        fixture.end(1).await;
        assert_eq!(
            fixture.world.lines_up(),
            1,
            "somebody may still get a place on it"
        );
        // A third member waits until the call is gone; one guild never has two (the world watches).
        tokio::time::sleep(millis(950)).await;
        fixture.add(3, 1, 2).await.unwrap();
    };
    let (refused, ()) = tokio::join!(second, ends);
    assert!(matches!(refused, Err(StartError::Refused(_))), "{refused:?}");
    assert_eq!(fixture.world.lines_up(), 1);
    fixture.end(3).await;
    fixture.assert_nothing_left().await;
}

/// Every call to the store takes a fifth of a second, as with a busy disk: the parts are gone at once, and what they
/// left of the cleanup delay is the store's.
#[tokio::test(start_paused = true)]
async fn a_slow_store_gets_the_last_charge_and_the_close_record() {
    let (mut fixture, _store) = Fixture::scripted(millis(200));
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(millis(7_001)).await;
    let closed = fixture.end(1).await;
    assert_eq!(closed.active, Millis::new(7_001));
    assert_eq!(closed.charged, closed.active);
    assert!(!closed.forced, "{closed:?}");
    assert!(closed.cleanup < secs(1), "{:?}", closed.cleanup);
    let record = fixture.record(&session).await;
    assert_eq!((record.charged, record.reason), (closed.active, closed.reason));
    assert_eq!(lost(&fixture.heard()), []);
    fixture.assert_nothing_left().await;
}

/// A store that does not answer for longer than a cleanup may take: the session is gone in time, says what is not
/// charged, and the charge and the record are written all the same when the store is back.
#[tokio::test(start_paused = true)]
async fn a_store_that_answers_after_the_cleanup_still_gets_what_is_left() {
    let (mut fixture, store) = Fixture::scripted(Duration::ZERO);
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(millis(7_001)).await;
    store.next(Call::Charge, [Does::Fails(millis(1_900), down); 3]);
    let closed = fixture.end(1).await;
    assert!(closed.cleanup <= secs(5), "{:?}", closed.cleanup);
    assert_eq!(closed.charged, Millis::from_secs(5));
    assert_eq!(lost(&fixture.heard()), [Millis::new(2_001)]);
    assert_eq!(
        fixture.sessions.leftovers(0).tasks,
        1,
        "it is still being written"
    );
    tokio::time::sleep(secs(5)).await;
    let record = fixture.record(&session).await;
    assert_eq!((record.charged, record.reason), (closed.active, closed.reason));
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_last_charges() {
    let (fixture, store) = Fixture::scripted(Duration::ZERO);
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(millis(7_001)).await;
    store.next(Call::Charge, [Does::Fails(millis(1_900), down); 3]);
    let shutdown = fixture.sessions.shutdown().await;
    assert_eq!((shutdown.ended, shutdown.left), (1, 0));
    assert_eq!(fixture.sessions.leftovers(0).tasks, 0);
    assert_eq!(fixture.record(&session).await.charged, Millis::new(7_001));
}

/// A store that never comes back is waited for, and not for ever.
#[tokio::test(start_paused = true)]
async fn a_dead_store_holds_nothing_for_ever() {
    let (fixture, store) = Fixture::scripted(Duration::ZERO);
    fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(millis(7_001)).await;
    store.next(Call::Charge, vec![Does::Hangs; 1_000]);
    store.next(Call::Release, vec![Does::Hangs; 1_000]);
    let began = tokio::time::Instant::now();
    let shutdown = fixture.sessions.shutdown().await;
    assert_eq!((shutdown.ended, shutdown.left), (1, 0));
    assert!(began.elapsed() <= secs(11), "{:?}", began.elapsed());
    assert_eq!(fixture.sessions.leftovers(0).tasks, 0);
}

/// A place that is being reserved when everything goes down is given back before the shutdown is over.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_starts_under_way() {
    let (fixture, store) = Fixture::scripted(Duration::ZERO);
    store.next(Call::Reserve, [Does::After(millis(1_500))]);
    let start = fixture.add(1, 1, 1);
    let shutdown = async {
        tokio::time::sleep(millis(100)).await;
        let shutdown = fixture.sessions.shutdown().await;
        let held = fixture.held().await as usize;
        goobster_core::invariant::nothing_left(fixture.sessions.leftovers(held)).unwrap();
        shutdown
    };
    let (started, shutdown) = tokio::join!(start, shutdown);
    assert!(started.is_err());
    assert_eq!((shutdown.ended, shutdown.left), (0, 0));
}

/// The user is told that the operator knows: then the operator must be told.
#[tokio::test(start_paused = true)]
async fn a_damaged_store_is_told_to_the_operator() {
    let damaged = || LimitsError::Corrupt {
        what: "a row".to_owned(),
        advice: "repair it".to_owned(),
        cause: None,
    };
    let (mut fixture, store) = Fixture::scripted(Duration::ZERO);
    store.next(Call::Reserve, [Does::Fails(Duration::ZERO, damaged)]);
    let failed = fixture.add(1, 1, 1).await.unwrap_err();
    assert!(failed.to_string().contains("The operator has been told"));
    let told = fixture.heard();
    let [
        SessionEvent::NotStarted {
            user, what, cause, ..
        },
    ] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    assert_eq!((*user, *what), (UserId::new(1), "reserving a place"));
    assert!(cause.contains("a row"), "{cause}");
    fixture.assert_nothing_left().await;
}

/// The store goes away in the middle of sessions, behind the port that remembers: they go on, the one that ends
/// meanwhile ends in order, nobody new comes in, and every millisecond is written when the store is back.
#[tokio::test(start_paused = true)]
async fn an_outage_in_the_middle_of_sessions_loses_nothing() {
    let limits = LimitsConfig::default();
    let store = MemoryStore::new(&limits).unwrap();
    let scripted = ScriptedStore::new(store.clone(), Duration::ZERO);
    let resilient = Resilient::new(scripted, &limits, WhenDown::Refuse);
    let fixture = Fixture::on(store, &limits, SessionConfig::default(), 0);
    let mut fixture = fixture.through(Arc::new(resilient.clone()));
    let stays = fixture.add(1, 1, 1).await.unwrap();
    let goes = fixture.add(2, 1, 1).await.unwrap();
    tokio::time::sleep(millis(7_001)).await;
    resilient.store().outage(true);
    tokio::time::sleep(millis(30_002)).await;
    let went = fixture.end(2).await;
    assert_eq!(
        (went.active, went.charged),
        (Millis::new(37_003), Millis::new(37_003))
    );
    let refused = fixture.add(3, 2, 1).await.unwrap_err();
    assert_eq!(
        refused,
        goobster_core::session::Refusal::Limit(Refusal::StoreDown).into()
    );
    tokio::time::sleep(secs(20)).await;
    assert_eq!(stays.phase(), Phase::Active);
    assert_eq!(
        fixture.used(1).await,
        Millis::from_secs(5),
        "nothing is written yet"
    );
    resilient.store().outage(false);
    tokio::time::sleep(secs(6)).await;
    assert_eq!(resilient.waiting(), 0);
    let record = fixture.record(&goes).await;
    assert_eq!((record.charged, record.reason), (went.active, went.reason));
    fixture.add(3, 2, 1).await.unwrap();
    fixture.end(3).await;
    let stayed = fixture.end(1).await;
    assert_eq!(stayed.charged, stayed.active);
    assert_eq!(fixture.record(&stays).await.charged, stayed.active);
    assert_eq!(fixture.used(1).await, stayed.active);
    assert_eq!(lost(&fixture.heard()), []);
    fixture.assert_nothing_left().await;
}

/// The removal is a step like the others: tried three times, then given up in order, and gone on with behind it.
#[tokio::test(start_paused = true)]
async fn the_removal_survives_each_fault() {
    let faults = [Does::Fails(Duration::ZERO, down), Does::Hangs, Does::Panics];
    for fault in faults {
        for times in [1, 3] {
            let (mut fixture, store) = Fixture::scripted(Duration::ZERO);
            let session = fixture.add(1, 1, 1).await.unwrap();
            tokio::time::sleep(millis(7_001)).await;
            store.next(Call::Release, vec![fault; times]);
            let closed = fixture.end(1).await;
            assert!(closed.cleanup <= secs(5), "{fault:?} {:?}", closed.cleanup);
            assert_eq!(fixture.record(&session).await.charged, closed.active);
            let events = fixture.heard();
            let steps = events.iter().find_map(|event| match event {
                SessionEvent::Cleaned { steps, .. } => Some(steps),
                _ => None,
            });
            let removal = steps.unwrap().last().unwrap();
            let end = if times == 1 {
                StepEnd::Done
            } else {
                StepEnd::Forced
            };
            assert_eq!(
                (removal.step, removal.end),
                (Step::Removal, end),
                "{fault:?} x{times}"
            );
            let errors = events.iter().filter(|event| {
                matches!(
                    event,
                    SessionEvent::CleanupError {
                        step: Step::Removal,
                        ..
                    }
                )
            });
            assert_eq!(errors.count(), times, "{fault:?}");
            // On one process a place has no lease that would free it: it is given back behind the session.
            tokio::time::sleep(secs(6)).await;
            assert_eq!(fixture.held().await, 0, "{fault:?} x{times}");
            fixture.assert_nothing_left().await;
        }
    }
}

/// A member who begins with little voice time left hears of it at once, and is not cut off in silence.
#[tokio::test(start_paused = true)]
async fn a_session_that_begins_with_little_left_is_warned_at_once() {
    let limits = LimitsConfig {
        voice: Millis::from_secs(3),
        ..LimitsConfig::default()
    };
    let mut fixture = Fixture::with(&limits, SessionConfig::default(), None);
    let session = fixture.add(1, 1, 1).await.unwrap();
    let warned: Vec<_> = fixture
        .heard()
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::LimitWarning { left, .. } => Some(left),
            _ => None,
        })
        .collect();
    assert_eq!(warned, [secs(3)]);
    session.closed().await;
    let more = fixture.heard();
    assert!(
        !more
            .iter()
            .any(|event| matches!(event, SessionEvent::LimitWarning { .. }))
    );
}

/// An end that comes while a request becomes a session finds one or the other, never neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_between_request_and_session_is_never_lost() {
    let fixture = Arc::new(Fixture::new());
    for round in 0..3_000 {
        let parts = goobster_core::session::Parts::none();
        let adding = Arc::clone(&fixture);
        let start = tokio::spawn(async move { adding.add_with(1, 1, 1, parts).await.map(drop) });
        while fixture.sessions.counts().starting == 0 && !start.is_finished() {
            std::hint::spin_loop();
        }
        // From here on it is a request or a session, until somebody ends it.
        assert!(fixture.sessions.end(UserId::new(1)).is_ok(), "round {round}");
        let _ = start.await.unwrap();
        while fixture.sessions.counts() != goobster_core::session::Counts::default() {
            tokio::task::yield_now().await;
        }
    }
}
