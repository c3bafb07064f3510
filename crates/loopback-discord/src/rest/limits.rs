//! Rate limits of messages: how many may be created and edited in a place in a time, told in headers and enforced.
//!
//! Source: <https://discord.com/developers/docs/topics/rate-limits>.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Buckets remembered; old ones are forgotten beyond that.
const MAX_BUCKETS: usize = 4_096;

/// What a bucket says to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// Whether the request may pass.
    pub(crate) passes: bool,
    /// Requests that the bucket holds.
    pub(crate) limit: u32,
    /// How many of them are left.
    pub(crate) remaining: u32,
    /// Until the bucket is full again.
    pub(crate) reset_after: Duration,
    /// The same as Unix time in milliseconds.
    pub(crate) reset_ms: u64,
}

#[derive(Debug)]
struct Bucket {
    full_again_ms: u64,
    remaining: u32,
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    rate: Option<(u32, Duration)>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    pub(crate) fn new(rate: Option<(u32, Duration)>) -> Self {
        Self {
            rate,
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one request from the bucket that a request falls into; none if it falls into none.
    pub(crate) fn take(&self, method: &str, segments: &[&str], now_ms: u64) -> Option<Verdict> {
        let (limit, window) = self.rate?;
        let key = key(method, segments)?;
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, b| b.full_again_ms > now_ms);
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            full_again_ms: 0,
            remaining: limit,
        });
        if bucket.full_again_ms <= now_ms {
            *bucket = Bucket {
                full_again_ms: now_ms + window_ms,
                remaining: limit,
            };
        }
        let passes = bucket.remaining > 0;
        bucket.remaining = bucket.remaining.saturating_sub(1);
        Some(Verdict {
            passes,
            limit,
            remaining: bucket.remaining,
            reset_after: Duration::from_millis(bucket.full_again_ms - now_ms),
            reset_ms: bucket.full_again_ms,
        })
    }
}

/// The bucket of a request: its kind and the channel, or the token of the interaction.
fn key(method: &str, segments: &[&str]) -> Option<String> {
    match (method, segments) {
        ("POST", ["channels", channel, "messages"]) => Some(format!("create {channel}")),
        ("PATCH", ["channels", channel, "messages", _]) => Some(format!("edit {channel}")),
        ("POST", ["webhooks", _, token]) => Some(format!("follow {token}")),
        ("PATCH", ["webhooks", _, token, "messages", _]) => Some(format!("revise {token}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(Some((2, Duration::from_secs(5))));
        let take = |now| buckets.take("POST", &["channels", "1", "messages"], now).unwrap();
        assert_eq!((take(1_000).remaining, take(1_001).remaining), (1, 0));
        let refused = take(2_000);
        assert!(!refused.passes);
        assert_eq!(refused.reset_after, Duration::from_secs(4));
        assert!(take(6_000).passes);
        let other = |segments: &[&str], method| buckets.take(method, segments, 2_000).map(|v| v.passes);
        assert_eq!(other(&["channels", "2", "messages"], "POST"), Some(true));
        assert_eq!(other(&["channels", "1", "messages", "9"], "PATCH"), Some(true));
        assert_eq!(other(&["channels", "1"], "GET"), None);
    }
}
