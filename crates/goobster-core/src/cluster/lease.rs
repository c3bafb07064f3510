//! How long a host may act on what it holds: the arithmetic of leases, on the host's own monotonic clock.

use std::time::Duration;

use crate::time::Moment;

/// The share of a lease that is left when a host stops: it covers clocks that run at different speeds, a process that is
/// not scheduled for a while, and the time that stopping takes.
const MARGIN: u32 = 5;

/// Renewals that must fit into the time that a host may act: one may fail.
const RENEWALS: u32 = 2;

/// How long leases last, and how often they are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    renew: Duration,
}

/// Times that do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lease of {lease:?} leaves no room for {RENEWALS} renewals every {renew:?}: at most {most:?}")]
pub struct TimingError {
    lease: Duration,
    renew: Duration,
    most: Duration,
}

impl Timing {
    /// Leases of `lease`, renewed every `renew`.
    ///
    /// # Errors
    /// When fewer than two renewals fit into the time that a host may act on a lease.
    pub fn new(lease: Duration, renew: Duration) -> Result<Self, TimingError> {
        let timing = Self { lease, renew };
        let most = timing.good_for() / RENEWALS;
        if renew.is_zero() || renew > most {
            return Err(TimingError { lease, renew, most });
        }
        Ok(timing)
    }

    /// How long the store keeps a shard for a host that is silent.
    pub const fn lease(self) -> Duration {
        self.lease
    }

    /// How often a host renews.
    pub const fn renew(self) -> Duration {
        self.renew
    }

    /// How long a host may act after it *asked* for a renewal that was granted: four fifths of the lease.
    pub fn good_for(self) -> Duration {
        self.lease.saturating_sub(self.margin())
    }

    /// What is left of the lease then, for stopping.
    pub fn margin(self) -> Duration {
        self.lease / MARGIN
    }
}

/// What a host knows of its own leases: when it last asked for a renewal that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    timing: Timing,
    asked: Option<Moment>,
}

impl Tenure {
    /// Nothing was granted yet.
    pub const fn new(timing: Timing) -> Self {
        Self { timing, asked: None }
    }

    /// A renewal that was asked for at `asked` was granted. An answer that comes late does not shorten what is known.
    pub fn granted(&mut self, asked: Moment) {
        self.asked = Some(self.asked.map_or(asked, |known| known.max(asked)));
    }

    /// Everything was given up.
    pub fn gave_up(&mut self) {
        self.asked = None;
    }

    /// When the host must have begun to stop, unless a renewal is granted before; `None` while it holds nothing.
    pub fn until(&self) -> Option<Moment> {
        self.asked.map(|asked| asked.after(self.timing.good_for()))
    }

    /// Whether the host may act on its leases at `now`.
    pub fn holds(&self, now: Moment) -> bool {
        self.until().is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::ZERO.after(Duration::from_millis(ms))
    }

    #[test]
    fn a_renewal_may_fail_once() {
        let lease = Duration::from_secs(15);
        assert!(Timing::new(lease, Duration::from_secs(6)).is_ok());
        assert!(Timing::new(lease, Duration::from_millis(6001)).is_err());
        assert!(Timing::new(lease, Duration::ZERO).is_err());
    }

    #[test]
    fn nothing_is_held_before_the_first_grant_and_after_giving_up() {
        let timing = Timing::new(Duration::from_secs(10), Duration::from_secs(2)).unwrap();
        let mut tenure = Tenure::new(timing);
        assert!(!tenure.holds(at(0)));
        tenure.granted(at(1000));
        assert!(tenure.holds(at(8999)) && !tenure.holds(at(9000)));
        tenure.gave_up();
        assert!(!tenure.holds(at(1000)));
    }

    proptest! {
        /// Whatever answers take, and however the host's clock lags behind the store's by less than a tenth: a host that
        /// acts does so before the store gives its shards away.
        #[test]
        fn nobody_acts_when_the_store_has_given_the_lease_away(
            rounds in prop::collection::vec((0_u64..4000, 0_u64..3000, 0_u64..3000, any::<bool>()), 1..40),
            slow in 90_u64..=110,
        ) {
            let timing = Timing::new(Duration::from_secs(10), Duration::from_secs(2)).unwrap();
            let mut tenure = Tenure::new(timing);
            // The store's time runs at `slow` percent of the host's.
            let (mut now, mut expires) = (0_u64, 0_u64);
            for (pause, there, back, answered) in rounds {
                now += pause;
                let asked = now;
                // The request arrives at the store somewhere between.
                let arrives = (now + there) * slow / 100;
                if expires == 0 || arrives < expires {
                    expires = arrives + 10_000;
                    now += there + back;
                    if answered {
                        tenure.granted(at(asked));
                    }
                }
                for look in [now, now + 500, now + 2000] {
                    prop_assert!(!tenure.holds(at(look)) || look * slow / 100 < expires);
                }
            }
        }
    }
}
