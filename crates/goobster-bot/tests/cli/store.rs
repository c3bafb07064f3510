//! `goobster store forget`: a member's data deleted on request, from a real store.

use std::time::Duration;

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{
    Charge, Closing, Ledger as _, LimitsConfig, Millis, Opening, SlotClaim, Slots as _,
};
use goobster_core::session::{ChargeSeq, CloseReason, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::EmbeddedStore;

use super::{code, goobster, stderr, stdout};

/// A store in which members 1 and 2 have talked for a minute each; member 1's bot died meanwhile.
async fn filled(path: &std::path::Path) {
    let config = LimitsConfig::default();
    let store = EmbeddedStore::open(path, &config, Duration::ZERO).await.unwrap();
    let at = UtcMillis::new(jiff::Timestamp::now().as_millisecond());
    for member in [1, 2] {
        let claim = SlotClaim {
            session: SessionId::new(member),
            user: UserId::new(member),
            guild: GuildId::new(9),
        };
        let lease = store.reserve(claim, Duration::from_secs(5)).await.unwrap();
        let epoch = store.confirm(lease).await.unwrap().epoch;
        store.open(Opening { claim, epoch, at }).await.unwrap();
        let (seq, delta) = (ChargeSeq::new(1), Millis::from_mins(1));
        store
            .charge(Charge {
                claim,
                epoch,
                seq,
                delta,
                at,
            })
            .await
            .unwrap();
        if member == 2 {
            let reason = CloseReason::EndedByOwner;
            store
                .close(Closing {
                    claim,
                    epoch,
                    at,
                    reason,
                })
                .await
                .unwrap();
        }
    }
    store.shut_down().await.unwrap();
}

async fn used(path: &std::path::Path, member: u64) -> Millis {
    let store = EmbeddedStore::open(path, &LimitsConfig::default(), Duration::ZERO)
        .await
        .unwrap();
    let now = UtcMillis::new(jiff::Timestamp::now().as_millisecond());
    let used = store.usage(UserId::new(member), now).await.unwrap().used;
    store.shut_down().await.unwrap();
    used
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_forgotten_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("goobster.redb");
    filled(&path).await;
    std::fs::write(folder.path().join("preferences.json"), "{\"opted_out\": [1, 2]}").unwrap();
    let forget = |arguments: &[&str]| {
        goobster()
            .args(["store", "forget"])
            .args(arguments)
            .env("GOOBSTER_DATA", folder.path())
            .env("GOOBSTER_STORE_FILE", &path)
            .output()
            .unwrap()
    };
    let output = forget(&["1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("1 record(s)"), "{}", stdout(&output));
    assert_eq!(used(&path, 1).await, Millis::ZERO);
    assert_eq!(used(&path, 2).await, Millis::from_mins(1));
    let preferences = || std::fs::read_to_string(folder.path().join("preferences.json")).unwrap();
    assert!(preferences().contains("[1, 2]"), "an opt-out stays");

    let output = forget(&["1", "--opt-out-too"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let left: serde_json::Value = serde_json::from_str(&preferences()).unwrap();
    let left: Vec<&String> = left["opted_out"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["2"]);

    // A bot that runs has the file, and is asked itself.
    let running = EmbeddedStore::open(&path, &LimitsConfig::default(), Duration::ZERO)
        .await
        .unwrap();
    let output = forget(&["2"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("another goobster"),
        "{}",
        stderr(&output)
    );
    running.shut_down().await.unwrap();
}
