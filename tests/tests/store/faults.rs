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
    /// Syncs take until this is false again.
    stalled: AtomicBool,
    /// A sync is under way.
    syncing: AtomicBool,
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

    /// Another disk in its place.
    fn swap(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.durable.lock().unwrap().clone_from(&bytes);
        std::mem::replace(&mut *self.cached.lock().unwrap(), bytes)
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
        self.syncing.store(true, Ordering::SeqCst);
        while self.stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.syncing.store(false, Ordering::SeqCst);
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

/// What a store's file was is gone or another one when the disk comes back: nobody has a fresh quota, and the store goes on
/// with its own file when that returns.
#[tokio::test]
async fn a_store_that_vanishes_is_not_begun_anew() {
    let another = {
        let disk = Disk::new();
        let store = open(&disk).await;
        begin(&store, claim(9, 9, 9), NOW).await;
        store.shut_down().await.unwrap();
        disk.swap(Vec::new())
    };
    for (bytes, what) in [(Vec::new(), "nothing"), (another, "another store")] {
        let disk = Disk::new();
        // Opened twice: the other one's generation is an earlier one.
        open(&disk).await.shut_down().await.unwrap();
        let store = open(&disk).await;
        let epoch = begin(&store, claim(1, 1, 1), NOW).await;
        let ask = async |seq| {
            let five = charge(claim(1, 1, 1), epoch, seq, Millis::from_secs(5), later(5 * seq));
            store.charge(five).await
        };
        ask(1).await.unwrap();
        disk.left.store(1, Ordering::SeqCst);
        ask(2).await.unwrap_err();
        let own = disk.swap(bytes.clone());
        disk.mend();
        // Longer than the writer waits before it tries again.
        for _ in 0..12 {
            let refused = ask(2).await;
            assert!(
                matches!(refused, Err(LimitsError::Unavailable { .. })),
                "{what}: {refused:?}"
            );
            let used = store.usage(UserId::new(1), later(10)).await.unwrap().used;
            assert!(used >= Millis::from_secs(5), "{what}: {used}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let left = disk.swap(own);
        assert_eq!(left.is_empty(), bytes.is_empty(), "{what}: nothing was created");
        let mut answer = ask(2).await;
        for _ in 0..30 {
            if answer.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = ask(2).await;
        }
        let charged = answer.expect("its own file is used again");
        assert_eq!(charged.usage.used, Millis::from_secs(10), "{what}");
    }
}

/// A record is only shown when it is on disk: what is shown never changes.
#[tokio::test]
async fn a_close_record_is_not_shown_before_its_commit() {
    let disk = Disk::new();
    let store = Arc::new(open(&disk).await);
    let epoch = begin(&*store, claim(1, 1, 1), NOW).await;
    disk.stalled.store(true, Ordering::SeqCst);
    let close = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.close(closing(claim(1, 1, 1), epoch, later(5))).await }
    });
    while !disk.syncing.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let early = tokio::time::timeout(Duration::from_millis(200), store.close_record(claim(1, 1, 1))).await;
    assert!(!matches!(early, Ok(Ok(Some(_)))), "{early:?}");
    // The commit fails, so that the close never was.
    disk.left.store(0, Ordering::SeqCst);
    disk.stalled.store(false, Ordering::SeqCst);
    close.await.unwrap().unwrap_err();
    disk.power_cut();
    let record = loop {
        if let Ok(record) = store.close_record(claim(1, 1, 1)).await {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(record, None);
}
