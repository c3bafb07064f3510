//! How long people waited, for the status page: a histogram without locks, of the whole run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// The upper edges of the buckets, in milliseconds; what is longer is in one more.
const EDGES: [u64; 10] = [250, 500, 750, 1000, 1250, 1500, 2000, 3000, 5000, 10_000];

/// From the end of speech to its final caption.
pub(crate) static CAPTION: Latency = Latency::new();
/// From the end of speech to the first sound of its reply.
pub(crate) static REPLY: Latency = Latency::new();

/// A histogram.
pub(crate) struct Latency {
    counts: [AtomicU64; EDGES.len() + 1],
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    /// How many in all.
    count: u64,
    /// The edge below which half of them are; `null` for none, or when that is beyond the last edge.
    p50_ms: Option<u64>,
    /// The edge below which 95 of 100 are.
    p95_ms: Option<u64>,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bucket {
    /// Up to here; `null` for all that is longer.
    upto_ms: Option<u64>,
    count: u64,
}

impl Latency {
    const fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; EDGES.len() + 1],
        }
    }

    pub(crate) fn record(&self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = EDGES
            .iter()
            .position(|edge| millis <= *edge)
            .unwrap_or(EDGES.len());
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counted(&self) -> Counted {
        let counts: Vec<u64> = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        let edges = EDGES.iter().copied().map(Some).chain([None]);
        let below = |percent: u64| {
            let wanted = (total * percent).div_ceil(100).max(1);
            let mut seen = 0;
            edges.clone().zip(&counts).find_map(|(edge, count)| {
                seen += count;
                (seen >= wanted).then_some(edge)
            })?
        };
        Counted {
            count: total,
            p50_ms: below(50),
            p95_ms: below(95),
            buckets: edges
                .clone()
                .zip(&counts)
                .map(|(upto_ms, &count)| Bucket { upto_ms, count })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_by_their_length() {
        let latency = Latency::new();
        assert_eq!((latency.counted().count, latency.counted().p50_ms), (0, None));
        for millis in [100, 250, 251, 900, 20_000] {
            latency.record(Duration::from_millis(millis));
        }
        let counted = latency.counted();
        let counts: Vec<u64> = counted.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!(counts, [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            (counted.count, counted.p50_ms, counted.p95_ms),
            (5, Some(500), None)
        );
    }
}
