//! `goobster store backup` and `restore`, on a file and on a real Redis server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{
    Charge, Closing, Ledger, LimitsConfig, Millis, NodeId, Opening, SlotClaim, Slots,
};
use goobster_core::session::{ChargeSeq, CloseReason, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::{EmbeddedStore, RedisOptions, RedisStore};

use super::*;

#[allow(dead_code, unreachable_pub)] // shared with the tests across crates, which use more of it
#[path = "../../../../tests/src/redis_server.rs"]
mod redis_server;

const ADA: UserId = UserId::new(1);
const USED: u64 = 90_000;

fn now() -> UtcMillis {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    UtcMillis::new(i64::try_from(since.as_millis()).unwrap())
}

/// A session of a minute and a half, closed; and one that stays open when `open`.
async fn talk<S: Slots + Ledger>(store: &S, first: u64, open: bool) {
    for (session, close) in [(first, true), (first + 1, false)] {
        if !close && !open {
            return;
        }
        let claim = SlotClaim {
            session: SessionId::new(session),
            user: ADA,
            guild: GuildId::new(7),
        };
        let lease = store.reserve(claim, Duration::from_secs(2)).await.unwrap();
        let lease = store.confirm(lease).await.unwrap();
        let (epoch, at) = (lease.epoch, now());
        store.open(Opening { claim, epoch, at }).await.unwrap();
        let charge = Charge {
            claim,
            epoch,
            seq: ChargeSeq::new(1),
            delta: Millis::new(if close { USED } else { 0 }),
            at,
        };
        store.charge(charge).await.unwrap();
        if close {
            let reason = CloseReason::EndedByOwner;
            let closing = Closing {
                claim,
                epoch,
                at,
                reason,
            };
            store.close(closing).await.unwrap();
            store.release(lease).await.unwrap();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, &LimitsConfig::default(), Duration::ZERO)
        .await
        .unwrap()
}

fn in_folder(data: &Path, args: &[&str]) -> Output {
    goobster()
        .env("GOOBSTER_DATA", data)
        .arg("store")
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_store_comes_back_from_its_backup_with_what_was_used_and_who_opted_out() {
    let dir = tempfile::tempdir().unwrap();
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    std::fs::create_dir(&data).unwrap();
    let backup = dir.path().join("goobster.backup");
    let backup = backup.to_str().unwrap();
    std::fs::write(data.join("preferences.json"), "{\"opted_out\": [42]}").unwrap();
    let runtime = runtime();
    let store = runtime.block_on(open(&data.join("goobster.redb")));
    runtime.block_on(talk(&store, 10, true));

    // The file belongs to the process that has it open.
    let refused = in_folder(&data, &["backup", backup]);
    assert_eq!(code(&refused), 1, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("stop"), "{}", stderr(&refused));
    assert!(!Path::new(backup).exists());
    runtime.block_on(store.shut_down()).unwrap();

    let made = in_folder(&data, &["backup", backup]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert!(
        stdout(&made).contains("1 members, 1 open sessions, 1 records of sessions, 1 files"),
        "{}",
        stdout(&made)
    );
    let again = in_folder(&data, &["backup", backup]);
    assert_eq!(code(&again), 3, "nothing is overwritten: {}", stderr(&again));

    let restored = in_folder(&other, &["restore", backup]);
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    let preferences = std::fs::read_to_string(other.join("preferences.json")).unwrap();
    assert!(preferences.contains("42"), "{preferences}");
    let path = other.join("goobster.redb");
    let used = |store: &EmbeddedStore| runtime.block_on(store.usage(ADA, now())).unwrap().used;
    let store = runtime.block_on(open(&path));
    assert_eq!(used(&store), Millis::new(USED));
    let recovered = runtime.block_on(store.recover(now())).unwrap();
    assert_eq!(
        recovered.crashed.len(),
        1,
        "the session that was open is closed as crashed"
    );
    runtime.block_on(talk(&store, 20, false));
    assert_eq!(used(&store), Millis::new(2 * USED));

    // A store that is there is not replaced without a word, and never under a bot that runs.
    for (force, exit, word) in [(false, 3, "--force"), (true, 1, "stop")] {
        let args: &[&str] = if force {
            &["restore", backup, "--force"]
        } else {
            &["restore", backup]
        };
        let refused = in_folder(&other, args);
        assert_eq!(code(&refused), exit, "{}", stderr(&refused));
        assert!(stderr(&refused).contains(word), "{}", stderr(&refused));
    }
    assert_eq!(used(&store), Millis::new(2 * USED));
    runtime.block_on(store.shut_down()).unwrap();
    let forced = in_folder(&other, &["restore", backup, "--force"]);
    assert_eq!(code(&forced), 0, "{}", stderr(&forced));
    assert!(
        other.join("goobster.redb.replaced-1").is_file(),
        "what was there is kept"
    );
    let store = runtime.block_on(open(&path));
    assert_eq!(used(&store), Millis::new(USED));
}

#[test]
fn a_backup_that_was_changed_or_is_newer_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let good = dir.path().join("good");
    let runtime = runtime();
    std::fs::create_dir(&data).unwrap();
    let store = runtime.block_on(open(&data.join("goobster.redb")));
    runtime.block_on(talk(&store, 10, false));
    runtime.block_on(store.shut_down()).unwrap();
    assert_eq!(code(&in_folder(&data, &["backup", good.to_str().unwrap()])), 0);
    let text = std::fs::read_to_string(&good).unwrap();
    let other = dir.path().join("other");
    for (wrong, word) in [
        (text.replace("90000", "90001"), "checksum"),
        (text.lines().next().unwrap().to_owned() + "\n", "seal"),
        (
            text.replace("\"goobster_backup\":1", "\"goobster_backup\":2"),
            "newer",
        ),
        ("no backup at all".to_owned(), "no backup"),
        (String::new(), "empty"),
    ] {
        let file = dir.path().join("wrong");
        std::fs::write(&file, wrong).unwrap();
        let refused = in_folder(&other, &["restore", file.to_str().unwrap()]);
        assert_eq!(code(&refused), 3, "{word}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(word), "{word}: {}", stderr(&refused));
        assert!(!other.exists(), "{word}");
    }
}

#[test]
fn a_store_on_a_server_is_backed_up_under_bots_and_restored_without_them() {
    let server = redis_server::RedisServer::start();
    let runtime = runtime();
    let connect = || async {
        let options = RedisOptions {
            lease: Duration::from_secs(2),
            ..RedisOptions::default()
        };
        RedisStore::connect(&server.url(), NodeId::new(5), &LimitsConfig::default(), options)
            .await
            .unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("b");
    let act = |args: &[&str]| {
        goobster()
            .env("GOOBSTER_DATA", dir.path())
            .env("GOOBSTER_STORE_REDIS", server.url())
            .args(["store", args[0]])
            .arg(&backup)
            .args(&args[1..])
            .output()
            .unwrap()
    };
    let store = Arc::new(runtime.block_on(connect()));
    runtime.block_on(talk(store.as_ref(), 10, true));
    let made = act(&["backup"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert!(
        stdout(&made).contains("1 members, 1 open sessions"),
        "{}",
        stdout(&made)
    );

    // Places are leases: they end with the process that held them.
    std::thread::sleep(Duration::from_millis(2_100));
    runtime.block_on(talk(store.as_ref(), 20, true));
    let used = || runtime.block_on(store.usage(ADA, now())).unwrap().used;
    assert_eq!(used(), Millis::new(2 * USED));
    let refused = act(&["restore", "--force"]);
    assert_eq!(code(&refused), 1, "a session is open: {}", stderr(&refused));
    let begun = std::time::Instant::now();
    let refused = loop {
        let refused = act(&["restore"]);
        if code(&refused) != 1 || begun.elapsed() > Duration::from_secs(20) {
            break refused;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(used(), Millis::new(2 * USED));
    let restored = act(&["restore", "--force"]);
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    assert_eq!(used(), Millis::new(USED));
    let recovered = runtime.block_on(store.recover(now())).unwrap();
    assert_eq!(recovered.crashed.len(), 1);

    // A file's store is another thing.
    let file = dir.path().join("goobster.redb");
    let refused = goobster()
        .env("GOOBSTER_DATA", dir.path())
        .args(["store", "restore"])
        .arg(&backup)
        .output()
        .unwrap();
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("Redis") && !file.exists(),
        "{}",
        stderr(&refused)
    );
}
