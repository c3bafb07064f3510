//! Starting, sharing a call, and every order of starting and ending.

use std::collections::BTreeMap;
use std::sync::Arc;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::{self, LimitsConfig, Millis};
use goobster_core::session::{
    Actor, CloseReason, NewSession, PartError, PartKind, Parts, Phase, Refusal, Role, SessionConfig,
    SessionEvent, StartError,
};
use goobster_tests::sessions::{Fault, StepFaults, admitted};

use crate::fixture::{Fixture, secs};

#[tokio::test(start_paused = true)]
async fn a_second_member_shares_the_call_which_goes_with_its_last_session() {
    let fixture = Fixture::new();
    let first = fixture.add(1, 1, 1).await.unwrap();
    let second = fixture.add(2, 1, 1).await.unwrap();
    assert_eq!(fixture.world.lines_up(), 1);
    let calls = fixture.sessions.calls();
    assert_eq!(calls[0].sessions, [first.id(), second.id()]);
    fixture.end(1).await;
    assert_eq!(fixture.world.lines_up(), 1, "the other still talks");
    assert_eq!(second.phase(), Phase::Active);
    fixture.end(2).await;
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn from_another_channel_they_are_refused_with_the_calls_name() {
    let mut fixture = Fixture::new();
    fixture.add(1, 1, 1).await.unwrap();
    let refused = fixture.add(2, 1, 2).await.unwrap_err();
    assert_eq!(
        refused,
        Refusal::CallElsewhere {
            channel: "Channel 1".to_owned()
        }
        .into()
    );
    assert!(refused.to_string().contains("Channel 1"));
    assert!(
        fixture
            .heard()
            .iter()
            .any(|event| matches!(event, SessionEvent::Refused { .. }))
    );
    assert_eq!(fixture.held().await, 1);
}

#[tokio::test(start_paused = true)]
async fn participants_are_heard_and_never_charged() {
    let fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    let guild = GuildId::new(1);
    assert!(
        matches!(fixture.sessions.role(guild, UserId::new(1)), Role::Owner(own) if own.id() == session.id())
    );
    assert!(matches!(
        fixture.sessions.role(guild, UserId::new(2)),
        Role::Participant
    ));
    assert!(matches!(
        fixture.sessions.role(GuildId::new(2), UserId::new(2)),
        Role::Stranger
    ));
    assert_eq!(fixture.sessions.calls()[0].participants, [UserId::new(2)]);
    tokio::time::sleep(secs(30)).await;
    fixture.end(1).await;
    assert_eq!(fixture.used(1).await, Millis::from_secs(30));
    assert_eq!(fixture.used(2).await, Millis::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_user_has_one_session_and_is_told_where() {
    let fixture = Fixture::new();
    fixture.add(1, 1, 1).await.unwrap();
    let again = fixture.add(1, 1, 1).await.unwrap_err();
    assert_eq!(
        again,
        Refusal::AlreadyInSession {
            channel: "Channel 1".to_owned()
        }
        .into()
    );
    let elsewhere = fixture.add(1, 2, 1).await.unwrap_err();
    let slots = limits::Refusal::UserSlots { held: 1, limit: 1 };
    assert_eq!(elsewhere, Refusal::Limit(slots).into());
    assert_eq!(
        fixture.sessions.calls().len(),
        1,
        "the refused request left no call"
    );
}

#[tokio::test(start_paused = true)]
async fn two_requests_at_once_are_one_session() {
    let fixture = Fixture::new();
    let (one, two) = tokio::join!(fixture.add(1, 1, 1), fixture.add(1, 1, 1));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(fixture.held().await, 1);
    fixture.end(1).await;
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn ending_twice_is_ending_once() {
    let mut fixture = Fixture::new();
    fixture.add(1, 1, 1).await.unwrap();
    let first = fixture.sessions.end(UserId::new(1)).unwrap();
    let second = fixture.sessions.end(UserId::new(1)).unwrap();
    let (first, second) = tokio::join!(first.closed(), second.closed());
    assert_eq!(first, second);
    assert_eq!(
        fixture.sessions.end(UserId::new(1)).unwrap_err(),
        Refusal::NoSession
    );
    let closed = |event: &SessionEvent| matches!(event, SessionEvent::Closed { .. });
    assert_eq!(fixture.heard().iter().filter(|event| closed(event)).count(), 1);
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn ending_while_it_starts_leaves_nothing() {
    let fixture = Fixture::new();
    // The recogniser takes a while: the end comes at every stage before.
    for wait in 0..12 {
        let mut parts = fixture.parts(1, BTreeMap::new());
        parts.opening = 30;
        let new = NewSession::new(admitted(1, 1, 1), ChannelId::new(9), parts);
        let sessions = fixture.sessions.clone();
        let start = tokio::spawn(async move { sessions.add(new).await });
        for _ in 0..wait {
            tokio::task::yield_now().await;
        }
        let _ = fixture.sessions.end(UserId::new(1));
        let started = start.await.unwrap();
        if started.is_ok() {
            let _ = fixture.sessions.end(UserId::new(1));
        }
        tokio::time::sleep(secs(6)).await;
        fixture.assert_nothing_left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_being_destroyed_is_waited_for() {
    let fixture = Fixture::new();
    let slow = StepFaults {
        attempts: [Fault::Hang, Fault::Hang, Fault::Hang].into(),
        force: None,
    };
    let parts = fixture.parts(1, BTreeMap::from([(None, slow)]));
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    let _ = fixture.sessions.end(UserId::new(1)).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    // Another member, another channel: the old call is still going down. One guild never has two (the world watches).
    let session = fixture.add(2, 1, 2).await.unwrap();
    assert_eq!(session.phase(), Phase::Active);
    assert_eq!(fixture.world.lines_up(), 1);
    fixture.end(2).await;
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let mut fixture = Fixture::new();
    let parts = Parts::none().part(PartKind::Recognition, |_| -> Result<Arc<NoPart>, _> {
        Err(PartError::caused(
            "no model",
            std::io::Error::other("file not found"),
        ))
    });
    let failed = fixture.add_with(1, 1, 1, parts).await.unwrap_err();
    let StartError::Failed { what, cause } = &failed else {
        panic!("{failed:?}")
    };
    assert_eq!(
        (*what, &**cause),
        ("preparing the recogniser", "no model: file not found")
    );
    tokio::time::sleep(secs(5)).await;
    fixture.assert_nothing_left().await;
    let faults = fixture
        .heard()
        .iter()
        .filter(|event| matches!(event, SessionEvent::Fault { .. }))
        .count();
    assert_eq!(faults, 3, "tried three times, told each time");
}

/// Never made.
struct NoPart;

impl goobster_core::session::Part for NoPart {
    fn stop(
        &self,
        _cause: goobster_core::session::StopCause,
    ) -> goobster_core::ports::PortFuture<'_, Result<(), PartError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_voice_time_is_used_up_is_refused() {
    let limits = LimitsConfig {
        voice: Millis::from_secs(20),
        ..LimitsConfig::default()
    };
    let fixture = Fixture::with(&limits, SessionConfig::default(), None);
    let session = fixture.add(1, 1, 1).await.unwrap();
    assert_eq!(session.closed().await.reason, CloseReason::LimitReached);
    let refused = fixture.add(1, 1, 1).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StartError::Refused(Refusal::Limit(limits::Refusal::VoiceUsedUp { .. }))
        ),
        "{refused:?}"
    );
    tokio::time::sleep(secs(5)).await;
    fixture.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_owner_or_a_moderator_of_the_guild_ends_a_session() {
    let fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    let stranger = Actor::member(UserId::new(2));
    let elsewhere = Actor::moderator(UserId::new(2), GuildId::new(2));
    for actor in [stranger, elsewhere] {
        assert_eq!(
            fixture.sessions.end_session(session.id(), actor).unwrap_err(),
            Refusal::NotYours
        );
    }
    let moderator = Actor::moderator(UserId::new(2), GuildId::new(1));
    let closed = fixture
        .sessions
        .end_session(session.id(), moderator)
        .unwrap()
        .closed()
        .await
        .unwrap();
    assert_eq!(closed.reason, CloseReason::EndedByModerator(UserId::new(2)));
    assert_eq!(fixture.record(&session).await.reason, closed.reason);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_everybody_and_lets_nobody_in() {
    let fixture = Fixture::new();
    for user in 1..=4 {
        fixture.add(user, user, 1).await.unwrap();
    }
    let shutdown = fixture.sessions.shutdown().await;
    assert_eq!((shutdown.ended, shutdown.left), (4, 0));
    assert_eq!(
        fixture.add(9, 9, 1).await.unwrap_err(),
        Refusal::ShuttingDown.into()
    );
    fixture.assert_nothing_left().await;
    assert!(
        fixture
            .sessions
            .recent()
            .iter()
            .all(|closed| closed.reason == CloseReason::ShuttingDown)
    );
}
