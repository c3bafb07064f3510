//! One behavioural test-suite, run against every store under both policies.

use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Forget, Forgotten, LimitsError, Millis, Opening, PolicyKind, Refusal, SlotsHeld,
};
use goobster_core::session::{CloseReason, Epoch};
use goobster_core::time::UtcMillis;

use super::fixture::{
    NOW, Store, Subject, begin, begin_held, charge, claim, closing, later, limits, subjects,
};

/// Runs a test against every store and policy, and says which one failed.
macro_rules! everywhere {
    ($name:ident, $test:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for policy in [PolicyKind::Fixed, PolicyKind::Sliding] {
                for subject in subjects(&limits(policy)).await {
                    let Subject { name, store, .. } = &subject;
                    println!("{name}, {policy:?}");
                    ($test)(&**store, policy).await;
                }
            }
        }
    };
}

async fn used(store: &dyn Store, user: u64, now: UtcMillis) -> Millis {
    store.usage(UserId::new(user), now).await.unwrap().used
}

everywhere!(
    nobody_has_used_anything_at_first,
    async |store: &dyn Store, policy| {
        let usage = store.usage(UserId::new(1), NOW).await.unwrap();
        assert_eq!(
            (usage.used, usage.remaining),
            (Millis::ZERO, Millis::from_mins(30))
        );
        assert_eq!((usage.available, usage.resets_at), (Millis::from_mins(30), None));
        assert_eq!(usage.policy, policy);
    }
);

everywhere!(a_replay_changes_nothing, async |store: &dyn Store, _| {
    let claim = claim(1, 1, 1);
    let epoch = begin(store, claim, NOW).await;
    let first = charge(claim, epoch, 1, Millis::from_secs(5), later(5));
    let second = charge(claim, epoch, 2, Millis::from_secs(5), later(10));
    assert!(store.charge(first).await.unwrap().applied);
    assert!(!store.charge(first).await.unwrap().applied);
    assert!(store.charge(second).await.unwrap().applied);
    assert!(
        !store.charge(first).await.unwrap().applied,
        "an older one neither"
    );
    assert_eq!(used(store, 1, later(10)).await, Millis::from_secs(10));
    let record = store
        .close(closing(claim, epoch, later(11)))
        .await
        .unwrap()
        .record;
    assert_eq!(
        (record.charged, record.last_seq.get()),
        (Millis::from_secs(10), 2)
    );
    assert!(
        !store.charge(second).await.unwrap().applied,
        "not even after the close"
    );
    let late = store
        .charge(charge(claim, epoch, 3, Millis::from_secs(5), later(15)))
        .await;
    assert!(matches!(late, Err(LimitsError::SessionClosed { .. })), "{late:?}");
    assert_eq!(used(store, 1, later(15)).await, Millis::from_secs(10));
});

everywhere!(a_session_is_closed_exactly_once, async |store: &dyn Store, _| {
    let claim = claim(1, 1, 1);
    let epoch = begin(store, claim, NOW).await;
    assert_eq!(store.close_record(claim).await.unwrap(), None);
    store
        .charge(charge(claim, epoch, 1, Millis::from_secs(5), later(5)))
        .await
        .unwrap();
    let first = store.close(closing(claim, epoch, later(7))).await.unwrap();
    assert!(first.first && first.durable);
    assert_eq!(
        (
            first.record.opened_at,
            first.record.last_tick,
            first.record.closed_at
        ),
        (NOW, later(5), later(7))
    );
    let mut again = closing(claim, epoch, later(60));
    again.reason = CloseReason::IdleTimeout;
    let again = store.close(again).await.unwrap();
    assert!(!again.first);
    assert_eq!(again.record, first.record, "the record never changes");
    assert_eq!(store.close_record(claim).await.unwrap(), Some(first.record));
    let reopened = store
        .open(Opening {
            claim,
            epoch,
            at: later(60),
        })
        .await;
    assert!(
        matches!(reopened, Err(LimitsError::SessionClosed { .. })),
        "{reopened:?}"
    );
});

everywhere!(opening_twice_is_opening_once, async |store: &dyn Store, _| {
    let claim = claim(1, 1, 1);
    let epoch = begin(store, claim, NOW).await;
    store
        .charge(charge(claim, epoch, 1, Millis::from_secs(5), later(5)))
        .await
        .unwrap();
    let again = store
        .open(Opening {
            claim,
            epoch,
            at: later(6),
        })
        .await
        .unwrap();
    assert!(!again.applied);
    assert_eq!(
        store
            .close(closing(claim, epoch, later(7)))
            .await
            .unwrap()
            .record
            .charged,
        Millis::from_secs(5)
    );
});

everywhere!(
    the_limit_is_reached_and_every_millisecond_kept,
    async |store: &dyn Store, _| {
        let claim = claim(1, 1, 1);
        let epoch = begin(store, claim, NOW).await;
        let mut at = NOW;
        for seq in 1..=5 {
            at = at.after(Duration::from_mins(6));
            let charged = store
                .charge(charge(claim, epoch, seq, Millis::from_mins(6), at))
                .await
                .unwrap();
            assert_eq!(charged.granted.is_zero(), seq == 5, "tick {seq}: {charged:?}");
        }
        let over = at.after(Duration::from_secs(1));
        let charged = store
            .charge(charge(claim, epoch, 6, Millis::from_secs(1), over))
            .await
            .unwrap();
        assert_eq!(
            (charged.usage.used, charged.granted),
            (Millis::from_mins(30), Millis::ZERO),
            "usage saturates"
        );
        let record = store.close(closing(claim, epoch, over)).await.unwrap().record;
        assert_eq!(
            record.charged,
            Millis::new(30 * 60_000 + 1_000),
            "the ledger keeps it all"
        );
        let other = super::fixture::claim(2, 1, 1);
        let refused = store
            .open(Opening {
                claim: other,
                epoch,
                at: over,
            })
            .await;
        assert!(
            matches!(refused, Err(LimitsError::Refused(Refusal::VoiceUsedUp { .. }))),
            "{refused:?}"
        );
        assert!(matches!(store.close_record(other).await, Ok(None)));
        let unknown = store.charge(charge(other, epoch, 1, Millis::new(1), over)).await;
        assert!(
            matches!(unknown, Err(LimitsError::UnknownSession { .. })),
            "a refused one was not opened: {unknown:?}"
        );
    }
);

everywhere!(
    usage_falls_when_the_window_is_over,
    async |store: &dyn Store, policy| {
        let claim = claim(1, 1, 1);
        let epoch = begin(store, claim, NOW).await;
        store
            .charge(charge(claim, epoch, 1, Millis::from_mins(10), later(600)))
            .await
            .unwrap();
        store
            .charge(charge(claim, epoch, 2, Millis::from_mins(10), later(3_000)))
            .await
            .unwrap();
        let after_an_hour = used(store, 1, later(3_601)).await;
        match policy {
            PolicyKind::Fixed => assert_eq!(after_an_hour, Millis::ZERO, "as a whole"),
            PolicyKind::Sliding => assert_eq!(
                after_an_hour,
                Millis::from_mins(20),
                "a minute's bucket at a time"
            ),
        }
        if policy == PolicyKind::Sliding {
            assert_eq!(
                used(store, 1, later(3_600 + 600 + 60)).await,
                Millis::from_mins(10)
            );
        }
        assert_eq!(used(store, 1, later(3_000 + 3_600 + 60)).await, Millis::ZERO);
    }
);

everywhere!(
    a_charge_splits_at_the_windows_edge,
    async |store: &dyn Store, policy| {
        let claim = claim(1, 1, 1);
        let epoch = begin(store, claim, NOW).await;
        store
            .charge(charge(claim, epoch, 1, Millis::from_secs(5), later(5)))
            .await
            .unwrap();
        let charged = store
            .charge(charge(claim, epoch, 2, Millis::from_secs(10), later(3_603)))
            .await
            .unwrap();
        if policy == PolicyKind::Fixed {
            assert_eq!(charged.usage.used, Millis::from_secs(3));
            assert_eq!(charged.usage.resets_at, Some(later(7_200)));
        } else {
            assert_eq!(charged.usage.used, Millis::from_secs(15));
        }
        let record = store
            .close(closing(claim, epoch, later(3_603)))
            .await
            .unwrap()
            .record;
        assert_eq!(record.charged, Millis::from_secs(15));
    }
);

everywhere!(
    a_clock_that_steps_back_frees_nothing,
    async |store: &dyn Store, _| {
        let claim = claim(1, 1, 1);
        let epoch = begin(store, claim, NOW).await;
        store
            .charge(charge(claim, epoch, 1, Millis::from_mins(5), later(300)))
            .await
            .unwrap();
        let stepped = UtcMillis::new(NOW.get() - 1_800_000);
        assert_eq!(used(store, 1, stepped).await, Millis::from_mins(5));
        store
            .charge(charge(claim, epoch, 2, Millis::from_mins(5), stepped))
            .await
            .unwrap();
        assert_eq!(
            used(store, 1, stepped).await,
            Millis::from_mins(10),
            "and charges go on counting"
        );
        let long_ago = UtcMillis::new(NOW.get() - 100 * 24 * 3_600_000);
        assert_eq!(
            used(store, 1, long_ago).await,
            Millis::from_mins(10),
            "not even by a hundred days"
        );
        let over = long_ago.after(Duration::from_mins(121));
        assert_eq!(
            used(store, 1, over).await,
            Millis::ZERO,
            "but nobody waits a hundred days for the window's end"
        );
        let record = store.close(closing(claim, epoch, stepped)).await.unwrap().record;
        assert!(record.closed_at >= record.last_tick && record.last_tick >= record.opened_at);
    }
);

everywhere!(
    sessions_of_one_member_share_what_is_left,
    async |store: &dyn Store, _| {
        let (one, two) = (claim(1, 1, 1), claim(2, 1, 1));
        let epoch = begin(store, one, NOW).await;
        let left = Millis::from_mins(30).saturating_sub(Millis::from_secs(20));
        let charged = store
            .charge(charge(one, epoch, 1, left, later(1_780)))
            .await
            .unwrap();
        assert_eq!(charged.granted, Millis::from_secs(15));
        let lease = store.reserve(two, Duration::from_secs(5)).await.unwrap();
        let opened = store
            .open(Opening {
                claim: two,
                epoch: lease.epoch,
                at: later(1_780),
            })
            .await
            .unwrap();
        assert_eq!(opened.granted, Millis::from_secs(5), "the rest");
        assert_eq!(opened.usage.available, Millis::ZERO);
        store.close(closing(one, epoch, later(1_780))).await.unwrap();
        let usage = store.usage(UserId::new(1), later(1_780)).await.unwrap();
        assert_eq!(
            usage.available,
            Millis::from_secs(15),
            "a close gives its budget back"
        );
        assert_eq!(
            used(store, 2, later(1_780)).await,
            Millis::ZERO,
            "nobody else is charged"
        );
    }
);

everywhere!(
    each_limit_of_places_refuses_with_its_reason,
    async |store: &dyn Store, _| {
        let hold = Duration::from_secs(5);
        let refusal = async |claim| match store.reserve(claim, hold).await {
            Err(LimitsError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        for (session, user, guild) in [(1, 1, 1), (2, 1, 1), (3, 2, 1)] {
            store.reserve(claim(session, user, guild), hold).await.unwrap();
        }
        assert_eq!(
            refusal(claim(4, 3, 1)).await,
            Refusal::GuildSlots { held: 3, limit: 3 }
        );
        assert_eq!(
            refusal(claim(4, 1, 2)).await,
            Refusal::UserSlots { held: 2, limit: 2 }
        );
        let last = store.reserve(claim(4, 3, 2), hold).await.unwrap();
        assert_eq!(
            refusal(claim(5, 4, 3)).await,
            Refusal::TotalSlots { held: 4, limit: 4 }
        );
        assert_eq!(
            store.held().await.unwrap(),
            SlotsHeld {
                reserved: 4,
                confirmed: 0
            },
            "a refusal takes nothing"
        );
        store.confirm(last).await.unwrap();
        assert_eq!(
            store.held().await.unwrap(),
            SlotsHeld {
                reserved: 3,
                confirmed: 1
            }
        );
        assert!(store.release(last).await.unwrap());
        assert!(!store.release(last).await.unwrap(), "given back once");
        store.reserve(claim(5, 4, 3), hold).await.unwrap();
    }
);

everywhere!(
    a_reservation_times_out_and_the_same_claim_gets_the_same_place,
    async |store: &dyn Store, _| {
        let hold = Duration::from_secs(1);
        let lease = store.reserve(claim(1, 1, 1), hold).await.unwrap();
        let again = store.reserve(claim(1, 1, 1), hold).await.unwrap();
        assert_eq!(
            (again.epoch, store.held().await.unwrap().total()),
            (lease.epoch, 1)
        );
        let conflict = store.reserve(claim(1, 2, 1), hold).await;
        assert!(
            matches!(conflict, Err(LimitsError::Conflict { .. })),
            "{conflict:?}"
        );
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(store.held().await.unwrap().total(), 0);
        let lost = store.confirm(lease).await;
        assert!(matches!(lost, Err(LimitsError::LeaseLost { .. })), "{lost:?}");
    }
);

everywhere!(
    recovery_closes_what_holds_no_place_at_its_last_tick,
    async |store: &dyn Store, _| {
        let (dead, alive) = (claim(1, 1, 1), claim(2, 2, 1));
        let epoch = begin(store, dead, NOW).await;
        begin(store, alive, NOW).await;
        store
            .charge(charge(dead, epoch, 1, Millis::from_secs(5), later(5)))
            .await
            .unwrap();
        // A process that dies leaves its row open and its place to time out; here the place goes at once.
        let lease = store.reserve(dead, Duration::from_secs(5)).await.unwrap();
        store.release(lease).await.unwrap();
        let recovery = store.recover(later(100)).await.unwrap();
        assert_eq!((recovery.crashed.len(), recovery.alive), (1, 1));
        let record = recovery.crashed[0];
        assert_eq!((record.claim, record.reason), (dead, CloseReason::Crashed));
        assert_eq!(
            (record.closed_at, record.charged),
            (later(5), Millis::from_secs(5)),
            "at its last tick"
        );
        assert_eq!(store.recover(later(100)).await.unwrap().crashed, [], "once");
        assert_eq!(store.close_record(dead).await.unwrap(), Some(record));
        assert_eq!(used(store, 1, later(100)).await, Millis::from_secs(5));
        let late = store
            .charge(charge(dead, epoch, 2, Millis::from_secs(5), later(100)))
            .await;
        assert!(matches!(late, Err(LimitsError::SessionClosed { .. })), "{late:?}");
    }
);

everywhere!(
    what_does_not_fit_together_is_refused,
    async |store: &dyn Store, _| {
        let epoch = begin(store, claim(1, 1, 1), NOW).await;
        let stale = Epoch::new(epoch.get() - 1);
        let fenced = store
            .charge(charge(claim(1, 1, 1), stale, 1, Millis::new(1), NOW))
            .await;
        assert!(matches!(fenced, Err(LimitsError::Fenced { .. })), "{fenced:?}");
        let fenced = store
            .open(Opening {
                claim: claim(2, 1, 1),
                epoch: stale,
                at: NOW,
            })
            .await;
        assert!(matches!(fenced, Err(LimitsError::Fenced { .. })), "{fenced:?}");
        let fenced = store.close(closing(claim(1, 1, 1), stale, NOW)).await;
        assert!(matches!(fenced, Err(LimitsError::Fenced { .. })), "{fenced:?}");
        let conflict = store
            .charge(charge(claim(1, 2, 1), epoch, 1, Millis::new(1), NOW))
            .await;
        assert!(
            matches!(conflict, Err(LimitsError::Conflict { .. })),
            "{conflict:?}"
        );
        let unknown = store.close(closing(claim(9, 1, 1), epoch, NOW)).await;
        assert!(
            matches!(unknown, Err(LimitsError::UnknownSession { .. })),
            "{unknown:?}"
        );
        assert_eq!(used(store, 1, NOW).await, Millis::ZERO);
    }
);

/// A member talks in two sessions; the first is closed.
async fn talked(store: &dyn Store) -> (Epoch, goobster_core::limits::SlotClaim) {
    let (first, second) = (claim(1, 1, 1), claim(2, 1, 1));
    let place = begin_held(store, first, NOW).await;
    store
        .charge(charge(first, place.epoch, 1, Millis::from_secs(60), later(60)))
        .await
        .unwrap();
    let closed = store.close(closing(first, place.epoch, later(60))).await;
    closed.unwrap();
    assert!(store.release(place).await.unwrap());
    let epoch = begin(store, second, later(60)).await;
    store
        .charge(charge(second, epoch, 1, Millis::from_secs(60), later(120)))
        .await
        .unwrap();
    (epoch, second)
}

everywhere!(
    a_member_is_forgotten_at_once_when_the_operator_says_so,
    async |store: &dyn Store, _| {
        let user = UserId::new(1);
        let (epoch, second) = talked(store).await;
        let other = claim(3, 2, 1);
        let theirs = begin(store, other, NOW).await;
        store
            .charge(charge(other, theirs, 1, Millis::from_secs(9), later(9)))
            .await
            .unwrap();
        store.close(closing(other, theirs, later(9))).await.unwrap();

        // What runs goes on, and so does what it costs.
        let asked = store.forget(user, Forget::Now, later(120)).await.unwrap();
        assert_eq!((asked.records, asked.open, asked.usage_kept), (1, 1, true));
        assert_eq!(used(store, 1, later(120)).await, Millis::from_secs(120));
        assert_eq!(store.close_record(claim(1, 1, 1)).await.unwrap(), None);
        store.close(closing(second, epoch, later(120))).await.unwrap();

        let asked = store.forget(user, Forget::Now, later(121)).await.unwrap();
        assert_eq!((asked.records, asked.open, asked.usage_kept), (1, 0, false));
        assert_eq!(used(store, 1, later(121)).await, Millis::ZERO);
        assert_eq!(store.close_record(second).await.unwrap(), None);
        let again = store.forget(user, Forget::Now, later(121)).await.unwrap();
        assert_eq!(again, Forgotten::default(), "asking twice is no error");

        assert_eq!(
            used(store, 2, later(121)).await,
            Millis::from_secs(9),
            "nobody else is"
        );
        assert!(store.close_record(other).await.unwrap().is_some());
    }
);

everywhere!(
    a_member_who_asks_to_be_forgotten_gets_no_voice_time_anew,
    async |store: &dyn Store, _| {
        let user = UserId::new(1);
        let (epoch, second) = talked(store).await;
        store.close(closing(second, epoch, later(120))).await.unwrap();
        let asked = store
            .forget(user, Forget::WhenWindowEnds, later(120))
            .await
            .unwrap();
        assert_eq!((asked.records, asked.open, asked.usage_kept), (2, 0, true));
        assert_eq!(used(store, 1, later(120)).await, Millis::from_secs(120));
        // A later charge does not lengthen how long the member is remembered beyond the window.
        let third = claim(4, 1, 1);
        let epoch = begin(store, third, later(130)).await;
        store
            .charge(charge(third, epoch, 1, Millis::from_secs(5), later(135)))
            .await
            .unwrap();
        store.close(closing(third, epoch, later(135))).await.unwrap();
        assert_eq!(used(store, 1, later(135)).await, Millis::from_secs(125));
    }
);
