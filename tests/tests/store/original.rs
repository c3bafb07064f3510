//! Every bug of the original rate limiter, each as a test of its name, on the stores that are used in production.

use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Ledger, LimitsConfig, Meter, MeterNotice, Millis, Opening, PolicyKind, never_binding,
};
use goobster_core::time::{Moment, UtcMillis};
use goobster_store::{EmbeddedStore, MemoryStore};

use super::fixture::{NOW, begin, charge, claim, later, limits, subjects};

async fn embedded(folder: &tempfile::TempDir) -> EmbeddedStore {
    let path = folder.path().join("store.redb");
    EmbeddedStore::open(path, &limits(PolicyKind::Fixed), Duration::from_millis(1))
        .await
        .unwrap()
}

/// "Nothing but tests calls it": opening a session is what charges, a session cannot run uncharged.
#[tokio::test]
async fn usage_is_charged_by_running_a_session() {
    let limits = limits(PolicyKind::Fixed);
    let store = MemoryStore::new(&limits).unwrap();
    let epoch = begin(&store, claim(1, 1, 1), NOW).await;
    let opened = store
        .open(Opening {
            claim: claim(1, 1, 1),
            epoch,
            at: NOW,
        })
        .await
        .unwrap();
    let mut meter = Meter::start(&limits, claim(1, 1, 1), epoch, Moment::ZERO, &opened);
    for _ in 0..3 {
        let now = meter.due();
        let at = NOW.after(now.since(Moment::ZERO));
        let charged = store.charge(meter.charge(now, at)).await.unwrap();
        assert_eq!(meter.answered(&charged), None);
    }
    assert_eq!(
        store.usage(UserId::new(1), later(15)).await.unwrap().used,
        Millis::from_secs(15)
    );
}

/// "The window resets only inside `canUseVoice`."
#[tokio::test]
async fn reading_and_charging_reset_the_window_too() {
    for subject in subjects(&limits(PolicyKind::Fixed)).await {
        let store = &*subject.store;
        let epoch = begin(store, claim(1, 1, 1), NOW).await;
        store
            .charge(charge(
                claim(1, 1, 1),
                epoch,
                1,
                Millis::from_mins(20),
                later(1_200),
            ))
            .await
            .unwrap();
        let usage = store.usage(UserId::new(1), later(3_600)).await.unwrap();
        assert_eq!(
            (usage.used, usage.resets_at),
            (Millis::ZERO, None),
            "{}: reading",
            subject.name
        );
        let next = charge(claim(1, 1, 1), epoch, 2, Millis::from_secs(5), later(4_000));
        let charged = store.charge(next).await.unwrap();
        assert_eq!(
            charged.usage.used,
            Millis::from_secs(5),
            "{}: charging",
            subject.name
        );
        assert_eq!(
            charged.usage.resets_at,
            Some(later(3_995 + 3_600)),
            "{}",
            subject.name
        );
    }
}

/// "Usage for a user who was never checked is dropped silently."
#[tokio::test]
async fn a_member_who_was_never_checked_is_charged() {
    for subject in subjects(&limits(PolicyKind::Fixed)).await {
        let store = &*subject.store;
        let epoch = begin(store, claim(1, 77, 1), NOW).await;
        store
            .charge(charge(claim(1, 77, 1), epoch, 1, Millis::from_secs(5), later(5)))
            .await
            .unwrap();
        let used = store.usage(UserId::new(77), later(5)).await.unwrap().used;
        assert_eq!(used, Millis::from_secs(5), "{}", subject.name);
    }
}

/// "2 hours per 1-hour window cannot bind for one real-time session": the defaults stay, and it is said at start.
#[test]
fn a_limit_that_cannot_bind_is_said_in_words() {
    let said: Vec<String> = never_binding(&LimitsConfig::default())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("can never bind"), "{}", said[0]);
}

/// "Usage is charged at the end of a session: a crash loses it all."
#[tokio::test]
async fn a_crash_loses_nothing_that_was_ticked() {
    let folder = tempfile::tempdir().unwrap();
    let store = embedded(&folder).await;
    let epoch = begin(&store, claim(1, 1, 1), NOW).await;
    store
        .charge(charge(claim(1, 1, 1), epoch, 1, Millis::from_secs(5), later(5)))
        .await
        .unwrap();
    store.shut_down().await.unwrap(); // without a close, as after a crash
    let store = embedded(&folder).await;
    assert_eq!(
        store.usage(UserId::new(1), later(6)).await.unwrap().used,
        Millis::from_secs(5)
    );
    let recovery = store.recover(later(6)).await.unwrap();
    assert_eq!(recovery.crashed[0].charged, Millis::from_secs(5));
}

/// "Nobody is stopped mid-session."
#[tokio::test]
async fn a_session_is_stopped_at_the_limit() {
    let limits = LimitsConfig {
        voice: Millis::from_secs(33),
        ..LimitsConfig::default()
    };
    for subject in subjects(&limits).await {
        let store = &*subject.store;
        let claim = claim(1, 1, 1);
        let lease = store.reserve(claim, Duration::from_secs(5)).await.unwrap();
        let opened = store
            .open(Opening {
                claim,
                epoch: lease.epoch,
                at: NOW,
            })
            .await
            .unwrap();
        let mut meter = Meter::start(&limits, claim, lease.epoch, Moment::ZERO, &opened);
        let stopped = loop {
            let now = meter.due();
            let at = UtcMillis::new(NOW.get() + now.as_millis() as i64);
            let charged = store.charge(meter.charge(now, at)).await.unwrap();
            if let Some(MeterNotice::LimitReached { resets_at }) = meter.answered(&charged) {
                assert_eq!(resets_at, Some(later(3_600)), "{}", subject.name);
                break now;
            }
        };
        assert_eq!(stopped.as_millis(), 33_000, "{}", subject.name);
    }
}

/// "A corrupt file resets everybody's quota": see also the module on damage.
#[tokio::test]
async fn a_corrupt_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let torn = b"{\"users\": {\"1\": {\"used\": 12";
    std::fs::write(&path, torn).unwrap();
    let opened = EmbeddedStore::open(&path, &limits(PolicyKind::Fixed), Duration::from_millis(1)).await;
    let words = opened.unwrap_err().to_string();
    assert!(
        words.contains("damaged") && words.contains("goobster store check"),
        "{words}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), torn, "nothing was overwritten");
}

/// "A busy-wait lock with no timeout": a caller that finds the store busy waits without burning a core, and not for ever.
#[tokio::test]
async fn a_store_that_is_in_use_says_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let _first = embedded(&folder).await;
    let limits = limits(PolicyKind::Fixed);
    let second = EmbeddedStore::open(
        folder.path().join("store.redb"),
        &limits,
        Duration::from_millis(1),
    );
    let second = tokio::time::timeout(Duration::from_secs(2), second)
        .await
        .expect("it must not wait");
    let words = second.unwrap_err().to_string();
    assert!(words.contains("in use by another process"), "{words}");
}
