//! A disk that fails: what was answered is there afterwards, what was not may be asked again, and nothing panics.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goobster_core::ids::UserId;
use goobster_core::limits::{Ledger, LimitsError, Millis, PolicyKind};
use goobster_store::EmbeddedStore;
use redb::StorageBackend;

use super::fixture::{NOW, begin, charge, claim, closing, later, limits};

/// A disk with a write cache: what was not synced is lost when the power goes. It can be made to fail.
#[derive(Debug, Default)]
struct Disk {
    durable: Mutex<Vec<u8>>,
    cached: Mutex<Vec<u8>>,
    /// Writes and syncs until the disk fails; `u64::MAX` for never.
    left: AtomicU64,
    broken: AtomicBool,
}

impl Disk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(u64::MAX),
            ..Self::default()
        })
    }

    fn step(&self) -> io::Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        if left != u64::MAX && (left == 0 || self.left.fetch_sub(1, Ordering::SeqCst) == 0) {
            self.broken.store(true, Ordering::SeqCst);
            return Err(io::Error::other("the disk failed"));
        }
        Ok(())
    }

    /// The power goes and comes back: only what was synced is left.
    fn power_cut(&self) {
        let durable = self.durable.lock().unwrap().clone();
        *self.cached.lock().unwrap() = durable;
        self.mend();
    }

    fn mend(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
        self.broken.store(false, Ordering::SeqCst);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.cached.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let cached = self.cached.lock().unwrap();
        let from = cached.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(from.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step()?;
        self.cached.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step()?;
        let cached = self.cached.lock().unwrap().clone();
        *self.durable.lock().unwrap() = cached;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step()?;
        self.cached.lock().unwrap()[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
}

async fn open(disk: &Arc<Disk>) -> EmbeddedStore {
    let disk: Arc<dyn StorageBackend> = Arc::<Disk>::clone(disk);
    EmbeddedStore::open_backend(disk, &limits(PolicyKind::Fixed), Duration::ZERO)
        .await
        .unwrap()
}

/// The disk fails at every single step of a session's life in turn, and the power goes with it. Whatever was answered is
/// there afterwards.
#[tokio::test]
async fn whatever_was_answered_survives_a_failure_at_any_step() {
    let mut failures = 0;
    for fail_at in 0..200 {
        let disk = Disk::new();
        let store = open(&disk).await;
        let epoch = begin(&store, claim(1, 1, 1), NOW).await;
        disk.left.store(fail_at, Ordering::SeqCst);
        let (mut answered, mut asked) = (0, 0);
        for seq in 1..=6 {
            asked = seq;
            match store
                .charge(charge(
                    claim(1, 1, 1),
                    epoch,
                    seq,
                    Millis::from_secs(5),
                    later(5 * seq),
                ))
                .await
            {
                Ok(charged) => {
                    assert!(charged.durable);
                    answered = seq;
                }
                Err(error) => {
                    assert!(error.is_unavailable(), "{error:?}");
                    break;
                }
            }
        }
        let close = store.close(closing(claim(1, 1, 1), epoch, later(40))).await;
        let failed = disk.broken.load(Ordering::SeqCst);
        drop(store.shut_down().await);
        disk.power_cut();

        let store = open(&disk).await;
        let used = store.usage(UserId::new(1), later(40)).await.unwrap().used.get() / 5_000;
        assert!(
            (answered..=asked).contains(&used),
            "step {fail_at}: {answered} answered, {used} kept"
        );
        let crashed = store.recover(later(50)).await.unwrap().crashed.len();
        let record = store
            .close_record(claim(1, 1, 1))
            .await
            .unwrap()
            .expect("one record, whatever happened");
        assert_eq!(
            record.charged.get() / 5_000,
            used,
            "step {fail_at}: session and member agree"
        );
        if let Ok(closed) = close {
            assert_eq!((closed.record, crashed), (record, 0), "step {fail_at}");
        }
        failures += u64::from(failed);
        if !failed {
            break;
        }
    }
    assert!((10..200).contains(&failures), "{failures} failures");
}

/// The disk fails for a while and comes back: the same charge is asked again and counts once.
#[tokio::test]
async fn a_disk_that_comes_back_is_used_again() {
    let disk = Disk::new();
    let store = open(&disk).await;
    let epoch = begin(&store, claim(1, 1, 1), NOW).await;
    let first = charge(claim(1, 1, 1), epoch, 1, Millis::from_secs(5), later(5));
    disk.left.store(1, Ordering::SeqCst);
    let failed = store.charge(first).await.unwrap_err();
    assert!(matches!(failed, LimitsError::Unavailable { .. }), "{failed:?}");
    disk.mend();
    let mut answer = store.charge(first).await;
    for _ in 0..30 {
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = store.charge(first).await;
    }
    answer.expect("the store opens its file again");
    assert_eq!(
        store.usage(UserId::new(1), later(5)).await.unwrap().used,
        Millis::from_secs(5)
    );
    let record = store
        .close(closing(claim(1, 1, 1), epoch, later(6)))
        .await
        .unwrap()
        .record;
    assert_eq!(record.charged, Millis::from_secs(5));
}
