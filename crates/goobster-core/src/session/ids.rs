//! Which session: identities that outlive a process, so that a late cleanup or an old charge can never be taken for
//! the user's next session.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::time::UtcMillis;

/// One session, for ever: no two sessions of any process share it.
///
/// The bits are the process's start (41 bits of milliseconds since 2026-01-01 UTC, good until 2095), a node number
/// (8 bits) and a count (15 bits); a count that overflows carries into the milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(u64);

impl SessionId {
    /// Wraps the number as it was stored.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number to store.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    /// Sixteen hexadecimal digits, as logs and `status` show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A fencing token: it rises each time a session's place is handed out, and a store refuses what carries an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// Wraps the number as it was stored.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number to store.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The token that fences this one off.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which charge of a session: counts from 1. `(session, epoch, seq)` names a charge, so a replay changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChargeSeq(u64);

impl ChargeSeq {
    /// Wraps the number as it was stored.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number to store.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the charge after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ChargeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Hands out [`SessionId`]s that differ between processes and between restarts.
#[derive(Debug)]
pub struct SessionIds {
    base: u64,
    count: AtomicU32,
}

impl SessionIds {
    /// 2026-01-01T00:00:00Z.
    const ORIGIN: i64 = 1_767_225_600_000;
    const COUNT_BITS: u32 = 15;
    const NODE_BITS: u32 = 8;

    /// Ids of the process that started at `started`; `node` tells processes apart that start in the same millisecond.
    pub fn new(started: UtcMillis, node: u8) -> Self {
        let millis = u64::try_from(started.get().saturating_sub(Self::ORIGIN)).unwrap_or(0);
        let stamp = (millis << Self::NODE_BITS) | u64::from(node);
        Self {
            base: stamp << Self::COUNT_BITS,
            count: AtomicU32::new(0),
        }
    }

    /// The next id; never the same twice.
    pub fn next(&self) -> SessionId {
        let count = u64::from(self.count.fetch_add(1, Ordering::Relaxed));
        let low = (1 << Self::COUNT_BITS) - 1;
        // The carry goes past the node, into the milliseconds: the node's ids stay its own.
        let carry = (count >> Self::COUNT_BITS) << (Self::COUNT_BITS + Self::NODE_BITS);
        SessionId(self.base.wrapping_add(carry).wrapping_add(count & low))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: UtcMillis = UtcMillis::new(SessionIds::ORIGIN + 9);

    #[test]
    fn ids_differ_between_nodes_and_past_the_count() {
        let mut seen = HashSet::new();
        for node in [0, 1, 255] {
            let ids = SessionIds::new(NOW, node);
            for _ in 0..70_000 {
                assert!(seen.insert(ids.next()));
            }
        }
    }

    #[test]
    fn a_restart_gets_ids_of_its_own() {
        let before = SessionIds::new(NOW, 0);
        let after = SessionIds::new(UtcMillis::new(NOW.get() + 1), 0);
        assert_ne!(before.next(), after.next());
    }

    #[test]
    fn a_clock_before_the_origin_still_gives_ids() {
        let ids = SessionIds::new(UtcMillis::new(0), 3);
        assert_ne!(ids.next(), ids.next());
    }
}
