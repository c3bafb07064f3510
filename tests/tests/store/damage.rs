//! Damaged files: refused with a clear error, never read as a fresh quota, and repaired as far as possible.

use std::path::Path;
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{Ledger, LimitsConfig, LimitsError, Millis, PolicyKind};
use goobster_store::{EmbeddedStore, RepairMode, check, repair};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::{NOW, begin, charge, claim, closing, later, limits};

async fn open(path: &Path) -> Result<EmbeddedStore, LimitsError> {
    EmbeddedStore::open(path, &limits(PolicyKind::Fixed), Duration::ZERO).await
}

/// A store in which 40 members have used a minute each, one session is open and one closed.
async fn filled(path: &Path) {
    let limits = LimitsConfig {
        total: 100,
        per_guild: 100,
        ..limits(PolicyKind::Fixed)
    };
    let store = EmbeddedStore::open(path, &limits, Duration::ZERO).await.unwrap();
    for user in 1..=40 {
        let epoch = begin(&store, claim(user, user, 1), NOW).await;
        store
            .charge(charge(
                claim(user, user, 1),
                epoch,
                1,
                Millis::from_mins(1),
                later(60),
            ))
            .await
            .unwrap();
        if user != 1 {
            store
                .close(closing(claim(user, user, 1), epoch, later(60)))
                .await
                .unwrap();
        }
    }
    store.shut_down().await.unwrap();
}

async fn minutes_used(store: &EmbeddedStore) -> u64 {
    let mut sum = 0;
    for user in 1..=40 {
        sum += store
            .usage(UserId::new(user), later(60))
            .await
            .unwrap()
            .used
            .get();
    }
    sum / 60_000
}

#[tokio::test]
async fn a_sound_store_is_checked_without_being_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    filled(&path).await;
    let before = std::fs::read(&path).unwrap();
    let report = check(&path).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!(
        (report.accounts, report.open, report.closed, report.format),
        (40, 1, 39, 1)
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let store = open(&path).await.unwrap();
    let in_use = check(&path).unwrap_err().to_string();
    assert!(in_use.contains("stop Goobster first"), "{in_use}");
    assert_eq!(minutes_used(&store).await, 40);
}

#[tokio::test]
async fn files_that_are_no_store_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    for (bytes, what) in [
        (Vec::new(), "an empty file"),
        (b"redb".to_vec(), "a torn header"),
        (vec![0; 8_192], "zeroes"),
        (b"#!/bin/sh\necho hello\n".repeat(400), "something else"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path).await.expect_err(what);
        assert!(matches!(error, LimitsError::Corrupt { .. }), "{what}: {error}");
        assert!(check(&path).is_err(), "{what}");
        assert!(
            repair(&path, RepairMode::Salvage).is_err(),
            "{what}: nothing to salvage"
        );
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}: left as it was");
    }
}

#[tokio::test]
async fn half_written_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let mut dice = StdRng::seed_from_u64(7);
    for _ in 0..40 {
        let kept = dice.random_range(1..whole.len());
        std::fs::write(&path, &whole[..kept]).unwrap();
        match open(&path).await {
            Err(LimitsError::Corrupt { .. }) => {}
            Err(other) => panic!("{kept} bytes kept: {other:?}"),
            Ok(store) => {
                assert_eq!(
                    minutes_used(&store).await,
                    40,
                    "{kept} bytes kept: opened, then with everything in it"
                );
                store.shut_down().await.unwrap();
            }
        }
    }
}

/// Flips bits all over the file. Either the store refuses, or nobody has lost anything.
#[tokio::test]
async fn flipped_bits_never_give_anybody_a_fresh_quota() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let in_use: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
    let mut dice = StdRng::seed_from_u64(11);
    let (mut refused, mut fine) = (0, 0);
    for turn in 0..120 {
        let mut damaged = whole.clone();
        // Most of the file is empty pages: half of the flips go where something is.
        let at = if turn % 2 == 0 {
            in_use[dice.random_range(0..in_use.len())]
        } else {
            dice.random_range(0..whole.len())
        };
        damaged[at] ^= 1 << dice.random_range(0..8);
        std::fs::write(&path, &damaged).unwrap();
        match open(&path).await {
            Err(LimitsError::Corrupt { .. }) => refused += 1,
            Err(other) => panic!("byte {at}: {other:?}"),
            Ok(store) => {
                assert_eq!(minutes_used(&store).await, 40, "byte {at} of {}", whole.len());
                fine += 1;
                store.shut_down().await.unwrap();
            }
        }
    }
    assert!(refused >= 5 && fine >= 5, "{refused} refused, {fine} fine");
}

#[tokio::test]
async fn a_repair_keeps_what_can_be_read_and_a_copy_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    filled(&path).await;
    // A row that makes no sense, written by something that knows the format.
    {
        let db = redb::Database::open(&path).unwrap();
        let txn = db.begin_write().unwrap();
        let table: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("accounts");
        txn.open_table(table)
            .unwrap()
            .insert(7, b"{\"window\":".as_slice())
            .unwrap();
        txn.commit().unwrap();
    }
    let refused = open(&path).await.unwrap_err().to_string();
    assert!(refused.contains("account of user 7"), "{refused}");
    let report = check(&path).unwrap();
    assert_eq!(report.problems.len(), 1, "{report}");

    let damaged = std::fs::read(&path).unwrap();
    let repaired = repair(&path, RepairMode::Salvage).unwrap();
    assert_eq!(
        (repaired.kept.accounts, repaired.lost.len()),
        (39, 1),
        "{repaired:?}"
    );
    assert!(repaired.kept.is_sound());
    assert_eq!(
        std::fs::read(&repaired.backup).unwrap(),
        damaged,
        "the copy is the damaged file"
    );
    let store = open(&path).await.unwrap();
    assert_eq!(minutes_used(&store).await, 39);
    assert_eq!(
        store.recover(later(60)).await.unwrap().crashed.len(),
        1,
        "the open session is still known"
    );
}

#[tokio::test]
async fn starting_over_is_only_done_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, vec![7; 10_000]).unwrap();
    let refused = repair(&path, RepairMode::Salvage).unwrap_err().to_string();
    assert!(refused.contains("--start-over"), "{refused}");
    let repaired = repair(&path, RepairMode::StartOver).unwrap();
    assert_eq!(std::fs::read(&repaired.backup).unwrap(), vec![7; 10_000]);
    assert_eq!(minutes_used(&open(&path).await.unwrap()).await, 0);
}

#[tokio::test]
async fn a_newer_format_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    filled(&path).await;
    {
        let db = redb::Database::open(&path).unwrap();
        let txn = db.begin_write().unwrap();
        let table: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        txn.open_table(table).unwrap().insert("format", 2).unwrap();
        txn.commit().unwrap();
    }
    let refused = open(&path).await.unwrap_err().to_string();
    assert!(
        refused.contains("format 2") && refused.contains("newer Goobster"),
        "{refused}"
    );
}
