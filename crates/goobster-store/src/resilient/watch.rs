//! Whether the store is down, and since when it has answered without a gap: pure.

use std::time::Duration;

use tokio::time::Instant;

/// What this process knows of the store's health.
#[derive(Debug)]
pub(super) struct Watch {
    down: bool,
    /// Since when it has answered, and when it did last.
    answering: Option<(Instant, Instant)>,
    /// Between two answers further apart there may have been an outage that nobody here noticed.
    gap: Duration,
}

impl Watch {
    /// A store that has not answered yet. `grace` is at least a lease, which is renewed three times in its length: what is
    /// shorter than a third of it lets no lease lapse.
    pub(super) fn new(grace: Duration, asked_every: Duration) -> Self {
        Self {
            down: false,
            answering: None,
            gap: (grace / 3).max(asked_every.saturating_mul(3)),
        }
    }

    /// It could not be reached. True when that is news.
    pub(super) fn failed(&mut self) -> bool {
        self.answering = None;
        !std::mem::replace(&mut self.down, true)
    }

    /// It answered a question.
    pub(super) fn answered(&mut self, now: Instant) {
        let since = match self.answering {
            Some((since, last)) if now.duration_since(last) <= self.gap => since,
            _ => now,
        };
        self.answering = Some((since, now));
    }

    /// It took something that had to be written. True when it was down before.
    pub(super) fn worked(&mut self) -> bool {
        std::mem::replace(&mut self.down, false)
    }

    /// For how long it has answered without a gap.
    pub(super) fn steady(&self, now: Instant) -> Duration {
        match self.answering {
            Some((since, last)) if now.duration_since(last) <= self.gap => now.duration_since(since),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_outage_is_news_once() {
        let mut watch = Watch::new(30 * SECOND, SECOND);
        assert!(!watch.worked(), "it was never down");
        for outage in 1..=3 {
            assert!(watch.failed(), "outage {outage}");
            assert!(!watch.failed(), "the same one");
            assert!(watch.worked(), "its end {outage}");
            assert!(!watch.worked());
        }
    }

    #[test]
    fn an_outage_starts_the_time_anew_and_so_does_silence() {
        let start = Instant::now();
        let at = |secs: u32| start + secs * SECOND;
        let mut watch = Watch::new(30 * SECOND, SECOND);
        assert_eq!(
            watch.steady(at(0)),
            Duration::ZERO,
            "a start may follow an outage"
        );
        (0..=40).for_each(|secs| watch.answered(at(secs)));
        assert_eq!(watch.steady(at(40)), 40 * SECOND);
        watch.failed();
        assert_eq!(watch.steady(at(41)), Duration::ZERO);
        (42..=50).for_each(|secs| watch.answered(at(secs)));
        assert_eq!(watch.steady(at(50)), 8 * SECOND);
        // The process itself stood still, and cannot know what became of the store meanwhile.
        assert_eq!(watch.steady(at(61)), Duration::ZERO);
        watch.answered(at(61));
        assert_eq!(watch.steady(at(62)), SECOND);
    }
}
