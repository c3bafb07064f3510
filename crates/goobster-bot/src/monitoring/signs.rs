//! Signs of life: whether the gateway is up, the models are loaded, the store can be written, and nothing is being ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The signs of one bot.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    shards: Mutex<BTreeMap<u32, bool>>,
    spare: AtomicBool,
    models: AtomicBool,
    deaf: AtomicBool,
    store: AtomicBool,
    draining: AtomicBool,
}

impl Signs {
    /// A shard of the gateway is connected, or is not any more.
    pub(crate) fn shard(&self, shard: u32, up: bool) {
        self.shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(shard, up);
    }

    /// A shard is another host's business now.
    pub(crate) fn shard_gone(&self, shard: u32) {
        self.shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&shard);
    }

    /// Whether other hosts hold every shard, so that this one need not be connected.
    pub(crate) fn spare(&self, spare: bool) {
        self.spare.store(spare, Ordering::Relaxed);
    }

    /// The models are loaded.
    pub(crate) fn models_loaded(&self) {
        self.models.store(true, Ordering::Relaxed);
    }

    /// Whether anything can be recognised.
    pub(crate) fn hearing(&self, hears: bool) {
        self.deaf.store(!hears, Ordering::Relaxed);
    }

    /// Whether the store could be written just now.
    pub(crate) fn store_writable(&self, writable: bool) {
        if self.store.swap(writable, Ordering::Relaxed) && !writable {
            tracing::error!("the store of quotas cannot be written");
        }
    }

    /// Nobody is let in any more.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether every shard that there is is connected, and there is one.
    pub(crate) fn gateway_up(&self) -> bool {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        !shards.is_empty() && shards.values().all(|up| *up)
    }

    pub(crate) fn can_write(&self) -> bool {
        self.store.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// What keeps sessions from being started; nothing when it is ready.
    pub(crate) fn lacking(&self) -> Vec<&'static str> {
        let signs = [
            (self.models.load(Ordering::Relaxed), "the models are being loaded"),
            (!self.deaf.load(Ordering::Relaxed), "speech recognition hangs"),
            (
                self.gateway_up() || self.spare.load(Ordering::Relaxed),
                "not connected to Discord",
            ),
            (self.can_write(), "the store cannot be written"),
            (!self.is_draining(), "going down"),
        ];
        signs
            .into_iter()
            .filter(|(good, _)| !good)
            .map(|(_, lacking)| lacking)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_nothing_is_lacking() {
        let signs = Signs::default();
        assert_eq!(signs.lacking().len(), 3);
        signs.models_loaded();
        signs.store_writable(true);
        signs.shard(0, true);
        assert!(signs.lacking().is_empty());
        signs.shard(1, false);
        assert_eq!(signs.lacking(), ["not connected to Discord"]);
        signs.shard(1, true);
        signs.store_writable(false);
        assert_eq!(signs.lacking(), ["the store cannot be written"]);
        signs.store_writable(true);
        // A host whose shards others hold waits for one to fall silent.
        signs.shard_gone(0);
        signs.shard_gone(1);
        assert_eq!(signs.lacking(), ["not connected to Discord"]);
        signs.spare(true);
        assert!(signs.lacking().is_empty() && !signs.gateway_up());
        signs.drain();
        assert_eq!(signs.lacking(), ["going down"]);
    }
}
