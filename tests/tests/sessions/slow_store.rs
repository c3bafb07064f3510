//! A store that answers late: a disk that takes its time to commit, a server far away.

use std::collections::BTreeMap;
use std::time::Duration;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::limits::{Millis, SlotClaim, Slots};
use goobster_core::session::{
    CloseReason, NewSession, Refusal, Replaceable, SessionEvent, SessionId, StartError,
};
use goobster_tests::sessions::admitted;

use crate::fixture::{Fixture, secs};

const SLOW: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn the_last_charge_and_the_place_have_all_of_the_cleanups_time() {
    let mut fixture = Fixture::slow(SLOW);
    let session = fixture.add(1, 1, 1).await.unwrap();
    tokio::time::sleep(secs(17)).await;
    let closed = fixture.end(1).await;
    assert!(!closed.forced, "a slow answer is no failure");
    assert!(closed.cleanup <= secs(5), "{:?}", closed.cleanup);
    assert_eq!(closed.charged, closed.active);
    let record = fixture.record(&session).await;
    assert_eq!(record.charged, closed.active);
    assert_eq!(record.reason, CloseReason::EndedByOwner);
    assert_eq!(fixture.used(1).await, closed.active);
    let lost = fixture.heard().into_iter().find(|event| {
        matches!(
            event,
            SessionEvent::ChargeLost { .. } | SessionEvent::CleanupError { .. }
        )
    });
    assert_eq!(lost, None);
    fixture.assert_nothing_left().await;
    assert!(fixture.used(1).await > Millis::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_hangs_up_the_call_that_waited_for_it() {
    let fixture = Fixture::slow(SLOW);
    fixture.add(1, 1, 1).await.unwrap();
    // The second knocks and is on the call; the first ends while the second's place is being reserved, and does not hang
    // up for its sake; then the second is called off.
    let second = fixture.sessions.clone();
    let parts = fixture.parts(1, BTreeMap::new());
    let request = tokio::spawn(async move {
        let new = NewSession::new(admitted(2, 1, 1), ChannelId::new(9), parts);
        second.add(new).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    // Its guild is full before the store answers.
    for user in 10..17 {
        let claim = SlotClaim {
            session: SessionId::new(1000 + user),
            user: UserId::new(user),
            guild: GuildId::new(1),
        };
        let _ = fixture.store.reserve(claim, secs(60)).await;
    }
    let _ending = fixture.sessions.end(UserId::new(1)).unwrap();
    let refused = request.await.unwrap().unwrap_err();
    assert!(
        matches!(refused, StartError::Refused(Refusal::Limit(_))),
        "{refused:?}"
    );
    tokio::time::sleep(secs(10)).await;
    assert_eq!(fixture.world.lines_up(), 0, "a ghost is on the call");
    assert_eq!(fixture.sessions.calls(), []);
    assert_eq!(fixture.world.parts_alive(), 0);
    assert_eq!(fixture.world.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn work_that_is_replaced_ends_first() {
    let fixture = Fixture::new();
    let session = fixture.add(1, 1, 1).await.unwrap();
    for _ in 0..2 {
        session.fault(Replaceable::Work, "it talks nonsense");
        tokio::time::sleep(secs(1)).await;
    }
    fixture.end(1).await;
    // Two conversations at once would be a violation.
    fixture.assert_nothing_left().await;
}
