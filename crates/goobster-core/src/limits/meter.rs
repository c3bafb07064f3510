//! Live metering of one running session: when to charge, when to warn, when to stop. Pure; its owner does the waiting.

use super::{Charge, Charged, LimitsConfig, Millis, SlotClaim, Usage};
use crate::session::{ChargeSeq, Epoch};
use crate::time::{Moment, UtcMillis};

/// What a session must do after a charge was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeterNotice {
    /// Tell the owner: this much is left.
    Warn {
        /// What is left.
        left: Millis,
    },
    /// The limit is reached: end the session with a clear message.
    LimitReached {
        /// When there is voice time again.
        resets_at: Option<UtcMillis>,
    },
}

/// The meter of one session.
///
/// ```
/// use goobster_core::ids::{GuildId, UserId};
/// use goobster_core::limits::{Books, LimitsConfig, Meter, MeterNotice, Millis, Opening, SlotClaim};
/// use goobster_core::session::{Epoch, SessionId};
/// use goobster_core::time::{Moment, UtcMillis};
///
/// let limits = LimitsConfig { voice: Millis::from_secs(12), warn_before: Millis::from_secs(6), ..Default::default() };
/// let books = Books::new(&limits);
/// let claim = SlotClaim { session: SessionId::new(1), user: UserId::new(2), guild: GuildId::new(3) };
/// let (epoch, began) = (Epoch::new(1), UtcMillis::new(1_800_000_000_000));
///
/// let opened = books.open(Opening { claim, epoch, at: began })?;
/// let mut meter = Meter::start(&limits, claim, epoch, Moment::ZERO, &opened);
/// let mut told = Vec::new();
/// loop {
///     let now = meter.due(); // a session sleeps until then
///     let charge = meter.charge(now, began.after(now.since(Moment::ZERO)));
///     let charged = books.charge(charge)?;
///     match meter.answered(&charged) {
///         Some(notice @ MeterNotice::LimitReached { .. }) => break told.push((now.as_millis(), notice)),
///         Some(notice) => told.push((now.as_millis(), notice)),
///         None => {}
///     }
/// }
/// assert_eq!(told[0], (10_000, MeterNotice::Warn { left: Millis::from_secs(2) }));
/// assert_eq!(told[1].0, 12_000); // stopped at the very millisecond
/// # Ok::<(), goobster_core::limits::LimitsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Meter {
    tick: Millis,
    warn_before: Millis,
    claim: SlotClaim,
    epoch: Epoch,
    /// Everything before this moment is in a charge.
    charged_until: Moment,
    /// The charge that was not answered yet; it is repeated unchanged until it is.
    pending: Option<Charge>,
    last_seq: ChargeSeq,
    /// When what is granted is used up.
    stop_at: Moment,
    /// What the last answer said, and when, for when there is no answer any more.
    known: (Moment, Usage),
    warned: bool,
}

impl Meter {
    /// Starts at `now`, with the ledger's answer to the session's opening.
    pub fn start(
        limits: &LimitsConfig,
        claim: SlotClaim,
        epoch: Epoch,
        now: Moment,
        opened: &Charged,
    ) -> Self {
        Self {
            tick: limits.tick,
            warn_before: limits.warn_before,
            claim,
            epoch,
            charged_until: now,
            pending: None,
            last_seq: ChargeSeq::default(),
            stop_at: now.after(opened.granted.as_duration()),
            known: (now, opened.usage),
            // By `at_start`.
            warned: opened.usage.remaining <= limits.warn_before,
        }
    }

    /// What the owner is told as soon as it has started: that little is left, or nothing.
    pub fn at_start(&self) -> Option<MeterNotice> {
        let (since, usage) = self.known;
        if self.stop_at <= since {
            return Some(MeterNotice::LimitReached {
                resets_at: usage.resets_at,
            });
        }
        self.warned.then_some(MeterNotice::Warn {
            left: usage.remaining,
        })
    }

    /// When to charge next: at the next tick, or at the moment what is granted is used up; after an unanswered charge,
    /// when to repeat it.
    pub fn due(&self) -> Moment {
        if self.pending.is_some() {
            return self.stop_at;
        }
        self.charged_until
            .after(self.tick.as_duration())
            .min(self.stop_at.max(self.charged_until))
    }

    /// Whether there is something to charge at `now`: uncharged time, or an unanswered charge.
    pub fn has_uncharged(&self, now: Moment) -> bool {
        self.pending.is_some() || now > self.charged_until
    }

    /// The charge to send at `now` (`at` is the same moment as wall-clock time). While the last one is unanswered, it is
    /// that one again, unchanged.
    pub fn charge(&mut self, now: Moment, at: UtcMillis) -> Charge {
        if let Some(pending) = self.pending {
            return pending;
        }
        self.last_seq = self.last_seq.next();
        let delta = Millis::from(now.since(self.charged_until));
        let charge = Charge {
            claim: self.claim,
            epoch: self.epoch,
            seq: self.last_seq,
            delta,
            at,
        };
        self.charged_until = self.charged_until.max(now);
        self.pending = Some(charge);
        charge
    }

    /// The ledger answered the last charge.
    pub fn answered(&mut self, charged: &Charged) -> Option<MeterNotice> {
        self.pending = None;
        self.known = (self.charged_until, charged.usage);
        self.stop_at = self.charged_until.after(charged.granted.as_duration());
        let left = charged.usage.remaining;
        if charged.granted.is_zero() {
            return Some(MeterNotice::LimitReached {
                resets_at: charged.usage.resets_at,
            });
        }
        if left > self.warn_before {
            self.warned = false;
        } else if !self.warned {
            self.warned = true;
            return Some(MeterNotice::Warn { left });
        }
        None
    }

    /// The ledger could not be reached at `now`, which is `at`: the session goes on under what was known last, until
    /// that is used up. The charge stays to be sent again, a tick later.
    pub fn unanswered(&mut self, now: Moment, at: UtcMillis) -> Option<MeterNotice> {
        let (since, usage) = self.known;
        let ran = Millis::from(now.since(since));
        let reset = usage.resets_at.is_some_and(|resets_at| at >= resets_at);
        let left = if reset { usage.limit } else { usage.remaining }.saturating_sub(ran);
        if left.is_zero() {
            return Some(MeterNotice::LimitReached {
                resets_at: usage.resets_at.filter(|_| !reset),
            });
        }
        self.stop_at = now.after(left.min(self.tick).as_duration());
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::{GuildId, UserId};
    use crate::limits::{Books, Opening};
    use crate::session::SessionId;

    const BEGAN: UtcMillis = UtcMillis::new(1_800_000_000_000);

    fn start(limits: &LimitsConfig) -> (Books, Meter) {
        let claim = SlotClaim {
            session: SessionId::new(1),
            user: UserId::new(2),
            guild: GuildId::new(3),
        };
        let books = Books::new(limits);
        let opened = books
            .open(Opening {
                claim,
                epoch: Epoch::new(1),
                at: BEGAN,
            })
            .unwrap();
        let meter = Meter::start(limits, claim, Epoch::new(1), Moment::ZERO, &opened);
        (books, meter)
    }

    fn at(now: Moment) -> UtcMillis {
        BEGAN.after(now.since(Moment::ZERO))
    }

    #[test]
    fn a_session_is_stopped_mid_session_at_the_very_millisecond() {
        let limits = LimitsConfig {
            voice: Millis::new(3_601_234),
            window: Millis::from_hours(2),
            ..Default::default()
        };
        let (books, mut meter) = start(&limits);
        let mut warned_at = None;
        let stopped = loop {
            let now = meter.due();
            let charged = books.charge(meter.charge(now, at(now))).unwrap();
            match meter.answered(&charged) {
                Some(MeterNotice::Warn { .. }) => assert!(warned_at.replace(now).is_none(), "warned once"),
                Some(MeterNotice::LimitReached { .. }) => break now,
                None => {}
            }
        };
        assert_eq!(stopped.as_millis(), 3_601_234);
        let ahead = stopped.since(warned_at.unwrap());
        assert!(
            ahead > Duration::from_secs(114) && ahead <= Duration::from_mins(2),
            "{ahead:?}"
        );
    }

    #[test]
    fn the_defaults_never_stop_one_session() {
        let (books, mut meter) = start(&LimitsConfig::default());
        for _ in 0..5_000 {
            let now = meter.due();
            let charged = books.charge(meter.charge(now, at(now))).unwrap();
            assert_eq!(meter.answered(&charged), None);
        }
    }

    #[test]
    fn without_a_ledger_a_session_goes_on_until_what_it_knows_is_used_up() {
        let limits = LimitsConfig {
            voice: Millis::from_secs(62),
            warn_before: Millis::from_secs(58),
            ..Default::default()
        };
        let (books, mut meter) = start(&limits);
        let now = meter.due();
        let charged = books.charge(meter.charge(now, at(now))).unwrap();
        assert_eq!(
            meter.answered(&charged),
            Some(MeterNotice::Warn {
                left: Millis::from_secs(57)
            })
        );
        let (mut now, first) = (meter.due(), meter.charge(meter.due(), at(meter.due())));
        while meter.unanswered(now, at(now)).is_none() {
            assert_eq!(
                meter.charge(now, at(now)),
                first,
                "the unanswered charge is repeated unchanged"
            );
            now = meter.due();
        }
        assert_eq!(now.as_millis(), 62_000);
    }

    proptest! {
        /// However late the ticks come and however often they fail, the charges sum up to the time that passed.
        #[test]
        fn charges_sum_up_to_the_time_that_passed(
            ticks in prop::collection::vec((0_u64..20_000, any::<bool>()), 1..60),
        ) {
            let limits = LimitsConfig { voice: Millis::from_hours(5), window: Millis::from_hours(6),
                forget_after: Millis::from_hours(6), ..Default::default() };
            let (books, mut meter) = start(&limits);
            let mut now = Moment::ZERO;
            for (wait, answered) in ticks {
                now = now.after(Duration::from_millis(wait));
                let charge = meter.charge(now, at(now));
                // Without an answer the charge may still have arrived: repeating it must not count twice.
                let charged = books.charge(charge).unwrap();
                if answered {
                    meter.answered(&charged);
                } else {
                    meter.unanswered(now, at(now));
                }
            }
            while meter.has_uncharged(now) {
                let charged = books.charge(meter.charge(now, at(now))).unwrap();
                meter.answered(&charged);
            }
            prop_assert_eq!(books.usage(UserId::new(2), at(now)).used.get(), now.as_millis());
        }
    }
}
