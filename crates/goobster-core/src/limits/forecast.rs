//! The forecast before joining: "you have 42 min left; the window resets at 18:00", as data and in words.

use super::{Millis, PolicyKind, Usage};
use crate::ports::LimitsLeft;
use crate::time::UtcMillis;

/// What a member may expect of a session that starts now.
///
/// ```
/// use goobster_core::ids::UserId;
/// use goobster_core::limits::{Forecast, LimitsConfig, Millis, Quotas};
/// use goobster_core::time::UtcMillis;
///
/// let quotas = Quotas::new(&LimitsConfig::default());
/// let now = UtcMillis::new(1_800_000_000_000);
/// for _session in 0..2 {
///     quotas.charge(UserId::new(1), now, Millis::from_mins(39)); // two sessions at once
/// }
/// let forecast = Forecast::of(&quotas.check(UserId::new(1), now), now);
/// assert_eq!(forecast.words(|_| "18:00".into()), "you have 42 min left; the window resets at 18:00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Voice time that can be used now.
    pub left: Millis,
    /// Voice time that is left, but set aside for the member's running sessions.
    pub set_aside: Millis,
    /// Fixed window: when it ends; sliding: when some time comes back. `None` when nothing was used.
    pub resets_at: Option<UtcMillis>,
    /// When a session that starts now would be stopped at the earliest; `None` when the window resets before that.
    pub stops_at: Option<UtcMillis>,
    usage: Usage,
}

impl Forecast {
    /// The forecast for that usage at `now`.
    pub fn of(usage: &Usage, now: UtcMillis) -> Self {
        let spent = now.after(usage.available.as_duration());
        // A window that has not begun begins with the session.
        let resets_at = usage
            .resets_at
            .unwrap_or_else(|| now.after(usage.window.as_duration()));
        Self {
            left: usage.available,
            set_aside: usage.remaining.saturating_sub(usage.available),
            resets_at: usage.resets_at,
            stops_at: (spent < resets_at).then_some(spent),
            usage: *usage,
        }
    }

    /// In plain words; `clock` says a time as the reader's clock shows it ("18:00", or a Discord timestamp).
    pub fn words(&self, clock: impl Fn(UtcMillis) -> String) -> String {
        let Usage {
            limit,
            window,
            policy,
            ..
        } = self.usage;
        let resets = self.resets_at.map(|at| match policy {
            PolicyKind::Fixed => format!("the window resets at {}", clock(at)),
            PolicyKind::Sliding => format!("more comes back from {} on", clock(at)),
        });
        match (self.left.is_zero(), resets) {
            (false, None) => format!("you have {} of voice in every {window}", self.left),
            (false, Some(resets)) => format!("you have {} left; {resets}", self.left),
            (true, _) if !self.set_aside.is_zero() => {
                format!(
                    "the last {} of your voice time are set aside for your running session",
                    self.set_aside
                )
            }
            (true, None) => format!("your voice time is used up ({limit} in every {window})"),
            (true, Some(resets)) => {
                format!("your voice time is used up ({limit} in every {window}); {resets}")
            }
        }
    }
}

impl From<&Usage> for LimitsLeft {
    fn from(usage: &Usage) -> Self {
        Self {
            left: usage.remaining.as_duration(),
            resets_at: usage.resets_at,
        }
    }
}

/// A time of day in UTC, for where no time zone is known: "18:00 UTC".
pub fn utc_clock(at: UtcMillis) -> String {
    let minutes = at.get().div_euclid(60_000).rem_euclid(24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::limits::{LimitsConfig, Quotas};
    use crate::session::SessionId;

    const ADA: UserId = UserId::new(1);
    /// 2027-01-15 17:00 UTC.
    const NOW: UtcMillis = UtcMillis::new(1_800_032_400_000);

    fn words(quotas: &Quotas) -> String {
        Forecast::of(&quotas.check(ADA, NOW), NOW).words(utc_clock)
    }

    #[test]
    fn every_case_is_said_in_plain_words() {
        let limits = LimitsConfig {
            voice: Millis::from_mins(50),
            ..LimitsConfig::default()
        };
        let quotas = Quotas::new(&limits);
        assert_eq!(words(&quotas), "you have 50 min of voice in every 1 h");
        quotas.charge(ADA, NOW, Millis::from_mins(8));
        assert_eq!(
            words(&quotas),
            "you have 42 min left; the window resets at 17:52 UTC"
        );
        let used_up = "your voice time is used up (50 min in every 1 h); the window resets at 17:52 UTC";
        quotas.charge(ADA, NOW, Millis::from_mins(42));
        assert_eq!(words(&quotas), used_up);
        let sliding = Quotas::new(&LimitsConfig {
            policy: PolicyKind::Sliding,
            ..limits
        });
        sliding.charge(ADA, NOW, Millis::from_mins(8));
        assert_eq!(
            words(&sliding),
            "you have 42 min left; more comes back from 17:53 UTC on"
        );
    }

    #[test]
    fn what_is_set_aside_is_said_too() {
        let quotas = Quotas::new(&LimitsConfig {
            voice: Millis::from_secs(15),
            ..LimitsConfig::default()
        });
        quotas.charge_and_lease(ADA, SessionId::new(1), NOW, Millis::ZERO);
        assert_eq!(
            words(&quotas),
            "the last 15 s of your voice time are set aside for your running session"
        );
    }

    #[test]
    fn it_knows_when_a_session_would_be_stopped() {
        let quotas = Quotas::new(&LimitsConfig {
            voice: Millis::from_mins(50),
            ..LimitsConfig::default()
        });
        let fresh = Forecast::of(&quotas.check(ADA, NOW), NOW);
        assert_eq!(fresh.stops_at, Some(UtcMillis::new(NOW.get() + 50 * 60_000)));
        quotas.charge(ADA, NOW, Millis::from_mins(30));
        let later = UtcMillis::new(NOW.get() + 15 * 60_000);
        assert_eq!(
            Forecast::of(&quotas.check(ADA, later), later).stops_at,
            None,
            "the window resets first"
        );
    }
}
