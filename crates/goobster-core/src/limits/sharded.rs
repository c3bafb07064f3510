//! A map behind many small locks: callers of different keys almost never wait for one another.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many locks: far more than the cores of any machine this runs on.
const SHARDS: usize = 64;

/// The map's hasher: seeded once a process, so that nobody can choose ids that collide.
type Seeded = rapidhash::fast::RandomState;

/// One lock a cache line, so that neighbours do not slow each other down.
#[repr(align(64))]
struct Shard<K, V>(Mutex<HashMap<K, V, Seeded>>);

/// A concurrent map with one lock for each of 64 parts.
pub(super) struct Sharded<K, V> {
    shards: Box<[Shard<K, V>]>,
    seed: Seeded,
}

impl<K: Copy + Eq + Hash, V> Sharded<K, V> {
    pub(super) fn new() -> Self {
        let seed = Seeded::new();
        let shards = (0..SHARDS).map(|_| Shard(Mutex::new(HashMap::with_hasher(seed))));
        Self {
            shards: shards.collect(),
            seed,
        }
    }

    /// The part of the map that holds this key, locked. Nothing that is done under the lock can leave it half done, so
    /// a panic elsewhere is no reason to refuse it.
    #[inline]
    pub(super) fn lock(&self, key: K) -> MutexGuard<'_, HashMap<K, V, Seeded>> {
        // The upper bits choose the shard: the map itself uses the lower ones.
        let shard = (self.seed.hash_one(key) >> 50) as usize % SHARDS;
        self.shards[shard]
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what `keep` says yes to; returns how many went.
    pub(super) fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) -> usize {
        self.parts().fold(0, |gone, mut part| {
            let before = part.len();
            part.retain(&mut keep);
            if part.capacity() > 4 * (part.len() + 16) {
                part.shrink_to_fit();
            }
            gone + before - part.len()
        })
    }

    /// Every part in turn, locked.
    pub(super) fn parts(&self) -> impl Iterator<Item = MutexGuard<'_, HashMap<K, V, Seeded>>> {
        self.shards
            .iter()
            .map(|shard| shard.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn len(&self) -> usize {
        self.parts().map(|part| part.len()).sum()
    }
}

impl<K: Copy + Eq + Hash, V> std::fmt::Debug for Sharded<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sharded({} entries)", self.len())
    }
}
