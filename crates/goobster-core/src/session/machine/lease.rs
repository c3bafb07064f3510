//! When the lease on a session's place has to be renewed, and when it is lost.

use std::time::Duration;

use crate::time::Moment;

/// Watches a lease.
#[derive(Debug, Clone)]
pub(super) struct LeaseWatch {
    good_for: Option<Duration>,
    renewed: Moment,
    /// When to ask next; [`Moment::NEVER`] while an answer is waited for.
    next: Moment,
}

impl LeaseWatch {
    /// How soon a renewal that failed is tried again.
    const RETRY: Duration = Duration::from_secs(1);

    pub(super) fn new(now: Moment, good_for: Option<Duration>) -> Self {
        let mut watch = Self {
            good_for,
            renewed: now,
            next: Moment::NEVER,
        };
        watch.renewed(now, good_for);
        watch
    }

    /// It is good for this long since it was asked for; `None`: for ever. The store counts from some moment between the
    /// question and its answer, and a lease that is believed to be longer than it is would be somebody else's.
    pub(super) fn renewed(&mut self, asked: Moment, good_for: Option<Duration>) {
        self.good_for = good_for;
        self.renewed = asked;
        self.next = good_for.map_or(Moment::NEVER, |span| asked.after(span / 3));
    }

    /// Whether to renew now. Once it says so, it waits for the answer.
    pub(super) fn due(&mut self, now: Moment) -> bool {
        let due = now >= self.next;
        if due {
            self.next = Moment::NEVER;
        }
        due
    }

    /// The renewal was not answered.
    pub(super) fn failed(&mut self, now: Moment) {
        self.next = now.after(Self::RETRY);
    }

    /// Whether it ran out: somebody else may hold the place.
    pub(super) fn lost(&self, now: Moment) -> bool {
        self.good_for.is_some_and(|span| now.since(self.renewed) >= span)
    }

    /// When to look again.
    pub(super) fn wake(&self) -> Moment {
        self.good_for
            .map_or(Moment::NEVER, |span| self.next.min(self.renewed.after(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::from_millis(secs * 1000)
    }

    #[test]
    fn renews_every_third_and_is_lost_when_nobody_answers() {
        let span = Some(Duration::from_secs(30));
        let mut lease = LeaseWatch::new(at(0), span);
        assert_eq!(lease.wake(), at(10));
        assert!(lease.due(at(10)) && !lease.due(at(11)));
        lease.renewed(at(11), span);
        assert_eq!(lease.wake(), at(21));
        assert!(lease.due(at(21)));
        lease.failed(at(22));
        assert_eq!(lease.wake(), at(23));
        assert!(!lease.lost(at(40)) && lease.lost(at(41)));
    }

    #[test]
    fn an_answer_that_comes_late_does_not_lengthen_the_lease() {
        let mut lease = LeaseWatch::new(at(0), Some(Duration::from_secs(6)));
        assert!(lease.due(at(2)));
        // Asked for at 2 s, answered at 7 s: the store may have counted from 2 s on.
        lease.renewed(at(2), Some(Duration::from_secs(6)));
        assert!(!lease.lost(at(7)) && lease.due(at(7)) && lease.lost(at(8)));
    }

    #[test]
    fn a_lease_for_ever_needs_nothing() {
        let mut lease = LeaseWatch::new(at(0), None);
        assert_eq!(lease.wake(), Moment::NEVER);
        assert!(!lease.due(at(1_000_000)) && !lease.lost(at(1_000_000)));
    }
}
