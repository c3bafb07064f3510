//! A session while it lives: speech keeps it, faults are mended inside it, and it can be watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use goobster_core::ids::{ChannelId, UserId};
use goobster_core::limits::{LimitsConfig, SlotClaim, SlotLease, Slots};
use goobster_core::session::{
    CloseReason, Heard, NewSession, Notice, PartError, PartKind, Parts, Phase, Refusal, Replaceable,
    SessionConfig, SessionEvent, SessionManager, SessionPorts, TokioClock, WallClock,
};
use goobster_core::time::UtcMillis;
use goobster_tests::sessions::{Fault, StepFaults, admitted};

use crate::fixture::{Fixture, secs};

#[tokio::test(start_paused = true)]
async fn speech_keeps_a_session_and_silence_frames_do_not() {
    let fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(secs(60)).await;
        session.activity().frame(fixture.sessions.now(), true);
    }
    assert_eq!(session.phase(), Phase::Active, "twenty minutes of talk");
    for _ in 0..299 {
        tokio::time::sleep(secs(1)).await;
        session.activity().frame(fixture.sessions.now(), false);
    }
    assert_eq!(session.phase(), Phase::Active);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(session.closed().await.reason, CloseReason::IdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_broken_recogniser_is_replaced_inside_the_living_session() {
    let mut fixture = Fixture::new();
    let hangs = StepFaults {
        attempts: [Fault::Hang].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), hangs)]));
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    let before = session.part(PartKind::Recognition).unwrap();
    session.fault(Replaceable::Recognition, "it heard nothing");
    session.fault(Replaceable::Recognition, "twice told is once");
    tokio::time::sleep(secs(2)).await;
    let after = session.part(PartKind::Recognition).unwrap();
    assert!(!Arc::ptr_eq(&before, &after));
    assert_eq!(session.phase(), Phase::Active);
    let events = fixture.heard();
    let count = |wanted: fn(&SessionEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, SessionEvent::Fault { .. })), 1);
    assert_eq!(
        count(|event| matches!(
            event,
            SessionEvent::Reset {
                what: Replaceable::Recognition,
                ..
            }
        )),
        1
    );
    drop((before, after));
    fixture.end(1).await;
    fixture.assert_nothing_left().await;
}

/// An attempt that hung when its reset was called off used to stay behind for ever.
#[tokio::test(start_paused = true)]
async fn a_session_that_ends_in_the_middle_of_a_reset_leaves_no_task() {
    let fixture = Fixture::new();
    let hangs = StepFaults {
        attempts: [Fault::Hang].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), hangs)]));
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    session.fault(Replaceable::Recognition, "planned");
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(session);
    fixture.end(1).await;
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_panics_is_started_again_and_given_up_after_three_times() {
    let mut fixture = Fixture::new();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let told = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&told);
    let parts = Parts::none()
        .work(move |_| {
            let runs = Arc::clone(&counted);
            async move {
                tokio::time::sleep(secs(1)).await;
                assert!(runs.fetch_add(1, Ordering::Relaxed) > 100, "planned panic");
                Ok(())
            }
        })
        .notify(move |_, notice| {
            assert!(matches!(notice, Notice::Recovering(Replaceable::Work)));
            heard.fetch_add(1, Ordering::Relaxed);
        });
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    assert_eq!(session.closed().await.reason, CloseReason::Faulted);
    assert_eq!(runs.load(Ordering::Relaxed), 4, "once and three times again");
    assert_eq!(told.load(Ordering::Relaxed), 3, "the user was told each time");
    let causes = fixture.heard().into_iter().filter_map(|event| match event {
        SessionEvent::Fault { cause, .. } => Some(cause.to_string()),
        _ => None,
    });
    assert!(
        causes
            .into_iter()
            .all(|cause| cause == "it panicked: planned panic")
    );
    fixture.assert_nothing_left().await;
}

/// How many conversations a session has at once, and how many it had.
#[derive(Default)]
struct Conversations {
    running: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
}

struct Conversation(Arc<Conversations>);

impl Conversation {
    fn begin(all: Arc<Conversations>) -> Self {
        all.begun.fetch_add(1, Ordering::AcqRel);
        let running = all.running.fetch_add(1, Ordering::AcqRel) + 1;
        all.most.fetch_max(running, Ordering::AcqRel);
        Self(all)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Somebody outside reports the conversation as broken while it still runs: the new one begins when the old one is gone.
#[tokio::test(start_paused = true)]
async fn a_session_never_has_two_conversations_at_once() {
    let fixture = Fixture::new();
    let all = Arc::new(Conversations::default());
    let counted = Arc::clone(&all);
    let parts = Parts::none().work(move |_| {
        let all = Arc::clone(&counted);
        async move {
            let _conversation = Conversation::begin(all);
            std::future::pending().await
        }
    });
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    for begun in 2..=4 {
        tokio::time::sleep(secs(1)).await;
        session.fault(Replaceable::Work, "it says nothing any more");
        tokio::time::sleep(secs(1)).await;
        assert_eq!(all.begun.load(Ordering::Acquire), begun);
        assert_eq!(all.running.load(Ordering::Acquire), 1);
    }
    assert_eq!(all.most.load(Ordering::Acquire), 1);
    fixture.end(1).await;
    assert_eq!(all.running.load(Ordering::Acquire), 0);
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_ends_its_session() {
    let fixture = Fixture::new();
    let parts = Parts::none().work(|_| async {
        tokio::time::sleep(secs(3)).await;
        Ok::<_, PartError>(())
    });
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    assert_eq!(session.closed().await.active.as_duration(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_lost_call_ends_every_session_on_it() {
    let fixture = Fixture::new();
    let sessions = [
        fixture.add(1, 1, 1).await.unwrap(),
        fixture.add(2, 1, 1).await.unwrap(),
    ];
    let other = fixture.add(3, 2, 1).await.unwrap();
    let guild = sessions[0].guild();
    assert_eq!(fixture.sessions.end_call(guild, CloseReason::ConnectionLost), 2);
    for session in sessions {
        assert_eq!(session.closed().await.reason, CloseReason::ConnectionLost);
    }
    assert_eq!(other.phase(), Phase::Active);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_ends_the_session_as_fenced() {
    let limits = LimitsConfig::default();
    let fixture = Fixture::with(&limits, SessionConfig::default(), Some(secs(15)));
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(secs(120)).await;
    assert_eq!(session.phase(), Phase::Active, "renewed in time");
    // Somebody else frees the place behind its back.
    let claim = SlotClaim {
        session: session.id(),
        user: session.owner(),
        guild: session.guild(),
    };
    let stolen = SlotLease {
        claim,
        epoch: session.epoch(),
        good_for: None,
    };
    assert!(fixture.store.release(stolen).await.unwrap());
    assert_eq!(session.closed().await.reason, CloseReason::Fenced);
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_quarantine_lets_nobody_in() {
    let mut config = SessionConfig::default();
    config.quarantine_bound = 1;
    let fixture = Fixture::with(&LimitsConfig::default(), config, None);
    let hangs = StepFaults {
        attempts: [Fault::Hang; 3].into(),
        force: None,
    };
    let mut parts = fixture.parts(1, BTreeMap::from([(Some(PartKind::Recognition), hangs)]));
    parts.stuck = 100;
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    fixture.end(1).await;
    assert_eq!(
        fixture.add(2, 1, 1).await.unwrap_err(),
        Refusal::TooMuchStuck { stuck: 1 }.into()
    );
    fixture.world.returns.cancel();
    tokio::time::sleep(secs(1)).await;
    fixture.add(2, 1, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_list_shows_memory_quiet_and_charges() {
    let fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(secs(12)).await;
    let list = fixture.sessions.list();
    let [info] = list.as_slice() else {
        panic!("{list:?}")
    };
    assert_eq!(
        (info.id, info.owner, info.phase),
        (session.id(), UserId::new(1), Phase::Active)
    );
    assert_eq!((info.active, info.quiet), (secs(12), secs(12)));
    assert_eq!(info.charged.as_duration(), secs(10));
    // Five parts and the connection hold 1,000 bytes each, and the session itself something.
    assert!(
        (6_000..10_000).contains(&info.memory_bytes),
        "{}",
        info.memory_bytes
    );
    drop(session);
    let closed = fixture.end(1).await;
    assert_eq!(fixture.sessions.recent(), [closed]);
}

/// A clock that panics once, in the middle of the supervisor's own work.
struct BrokenOnce(AtomicBool, TokioClock);

impl WallClock for BrokenOnce {
    fn utc(&self) -> UtcMillis {
        assert!(!self.0.swap(false, Ordering::AcqRel), "planned panic");
        self.1.utc()
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_dies_leaves_nothing() {
    let fixture = Fixture::new();
    let inner = TokioClock::starting_at(UtcMillis::new(1_800_000_000_000));
    let clock = Arc::new(BrokenOnce(false.into(), inner));
    let ports = SessionPorts {
        slots: Arc::new(fixture.store.clone()),
        ledger: Arc::new(fixture.store.clone()),
        clock: Arc::clone(&clock) as Arc<dyn WallClock>,
        node: 1,
    };
    let manager = SessionManager::new(SessionConfig::default(), LimitsConfig::default(), ports).unwrap();
    let made_of = fixture.parts(1, BTreeMap::new());
    let session = manager
        .add(NewSession::new(admitted(1, 1, 1), ChannelId::new(9), made_of))
        .await
        .unwrap();
    let mut events = manager.subscribe();
    clock.0.store(true, Ordering::Release);
    let closed = session.closed().await;
    assert_eq!(closed.reason, CloseReason::Faulted);
    // It died at its first tick, with the charge in its hands: what is lost is said.
    let mut lost = Vec::new();
    while let Some(heard) = events.try_next() {
        if let Heard::Event(SessionEvent::ChargeLost { amount, .. }) = heard {
            lost.push(amount.as_duration());
        }
    }
    assert_eq!(lost, [secs(5)]);
    assert_eq!(closed.active.as_duration(), secs(5));
    assert_eq!(fixture.record(&session).await.reason, CloseReason::Faulted);
    drop(session);
    tokio::time::sleep(secs(1)).await;
    let held = fixture.held().await as usize;
    goobster_core::invariant::nothing_left(manager.leftovers(held)).unwrap();
    fixture.assert_nothing_left().await;
}
