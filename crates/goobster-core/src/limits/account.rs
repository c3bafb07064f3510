//! One member's account: the window, the time of the last charge, and what is set aside for running sessions.

use serde::{Deserialize, Serialize};

use super::{LimitsConfig, Millis, Policy, Refusal, Usage, Window, WindowPolicy};
use crate::session::SessionId;
use crate::time::UtcMillis;

/// Voice time set aside for a running session, so that sessions of one member together never pass the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// For which session.
    pub session: SessionId,
    /// How much.
    pub amount: Millis,
    /// When it lapses by itself, should its session never be heard of again.
    pub until: UtcMillis,
}

/// What is kept of a member. Holds are not stored: after a restart nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// What was used, as the policy counts it.
    pub window: Window,
    /// When the last charge ended.
    pub last: UtcMillis,
    /// Every millisecond ever charged while the member was remembered.
    pub total: Millis,
    /// Whether the member asked to be forgotten: as soon as nothing is counted any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
    /// Set aside for running sessions.
    #[serde(skip)]
    pub holds: Vec<Hold>,
}

/// The arithmetic of accounts under one configuration: pure.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    policy: Policy,
    limit: Millis,
    window: Millis,
    budget: Millis,
    forget_after: Millis,
}

impl Rules {
    /// A hold whose session is silent for this many budgets lapses.
    const HOLD_BUDGETS: u64 = 4;

    /// The rules that the settings ask for.
    pub const fn new(config: &LimitsConfig) -> Self {
        Self {
            policy: Policy::new(config),
            limit: config.voice,
            window: config.window,
            budget: config.budget,
            forget_after: config.forget_after,
        }
    }

    /// The usage at `now`. Settles the account first, which is why it may change.
    #[inline]
    pub fn usage(&self, account: &mut Account, now: UtcMillis) -> Usage {
        self.policy.settle(&mut account.window, now);
        account.holds.retain(|hold| hold.until > now);
        let used = self.policy.used(&account.window, now).min(self.limit);
        let remaining = self.limit.saturating_sub(used);
        Usage {
            limit: self.limit,
            used,
            remaining,
            available: remaining.saturating_sub(Self::held(account, now)),
            resets_at: self.policy.resets_at(&account.window, now),
            window: self.window,
            policy: self.policy.kind(),
        }
    }

    /// Charges `delta` that ended at `at`, whatever is left: what was spoken was spoken.
    #[inline]
    pub fn charge(&self, account: &mut Account, at: UtcMillis, delta: Millis) {
        self.policy.charge(&mut account.window, at, delta);
        account.total = account.total.saturating_add(delta);
        // The clock that was ahead must not keep a member in memory for ever.
        let ahead = account.last.get().saturating_sub(at.get());
        if ahead < 0 || ahead > self.forget_after.get_i64() {
            account.last = at;
        }
    }

    /// Sets time aside for a session, in place of what it had: a budget, or what is left besides the other sessions'.
    pub fn lease(&self, account: &mut Account, session: SessionId, now: UtcMillis) -> Millis {
        let remaining = self.usage(account, now).remaining;
        account
            .holds
            .retain(|hold| hold.session != session && hold.until > now);
        let others = Self::held(account, now);
        let amount = remaining.saturating_sub(others).min(self.budget);
        if !amount.is_zero() {
            account.holds.push(Hold {
                session,
                amount,
                until: now.after(self.hold_time().as_duration()),
            });
        }
        amount
    }

    /// Gives back what was set aside for a session.
    pub fn refund(account: &mut Account, session: SessionId) {
        account.holds.retain(|hold| hold.session != session);
        if account.holds.is_empty() {
            account.holds = Vec::new();
        }
    }

    /// Refuses a member who has nothing left.
    ///
    /// # Errors
    /// [`Refusal::VoiceUsedUp`].
    pub fn admit(usage: &Usage) -> Result<(), Refusal> {
        if usage.available.is_zero() {
            let used = usage.limit.saturating_sub(usage.available);
            return Err(Refusal::VoiceUsedUp {
                used,
                limit: usage.limit,
                resets_at: usage.resets_at,
            });
        }
        Ok(())
    }

    /// Whether the member may be forgotten: not charged for the configured time, or having asked for it; and nothing counted,
    /// nothing set aside.
    pub fn is_stale(&self, account: &mut Account, now: UtcMillis) -> bool {
        self.policy.settle(&mut account.window, now);
        if account.last.get().saturating_sub(now.get()) > self.forget_after.get_i64() {
            account.last = now;
        }
        let long_ago = now.get().saturating_sub(account.last.get()) >= self.forget_after.get_i64();
        (long_ago || account.forget)
            && self.policy.used(&account.window, now).is_zero()
            && Self::held(account, now).is_zero()
    }

    /// How long a hold lasts without its session being heard of.
    pub const fn hold_time(&self) -> Millis {
        Millis::new(self.budget.get().saturating_mul(Self::HOLD_BUDGETS))
    }

    fn held(account: &Account, now: UtcMillis) -> Millis {
        let live = account.holds.iter().filter(|hold| hold.until > now);
        live.fold(Millis::ZERO, |sum, hold| sum.saturating_add(hold.amount))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: UtcMillis = UtcMillis::new(1_800_000_000_000);

    fn rules(voice: Millis) -> Rules {
        Rules::new(&LimitsConfig {
            voice,
            ..LimitsConfig::default()
        })
    }

    #[test]
    fn reported_usage_saturates_and_the_ledger_keeps_every_millisecond() {
        let rules = rules(Millis::from_secs(10));
        let mut account = Account::default();
        rules.charge(&mut account, START, Millis::new(10_001));
        let usage = rules.usage(&mut account, START);
        assert_eq!(
            (usage.used, usage.remaining),
            (Millis::from_secs(10), Millis::ZERO)
        );
        assert_eq!(account.total, Millis::new(10_001));
        assert_eq!(
            account.window,
            Window::Fixed(crate::limits::FixedState {
                start: Some(UtcMillis::new(START.get() - 10_001)),
                used: Millis::new(10_001),
            })
        );
    }

    #[test]
    fn sessions_of_one_member_share_what_is_left() {
        let rules = rules(Millis::from_secs(20));
        let mut account = Account::default();
        let (a, b) = (SessionId::new(1), SessionId::new(2));
        assert_eq!(rules.lease(&mut account, a, START), Millis::from_secs(15));
        assert_eq!(rules.lease(&mut account, b, START), Millis::from_secs(5));
        assert_eq!(rules.usage(&mut account, START).available, Millis::ZERO);
        assert_eq!(
            rules.lease(&mut account, a, START),
            Millis::from_secs(15),
            "a lease replaces the last one"
        );
        Rules::refund(&mut account, a);
        assert_eq!(rules.usage(&mut account, START).available, Millis::from_secs(15));
        let later = START.after(Duration::from_mins(1));
        assert_eq!(
            rules.usage(&mut account, later).available,
            Millis::from_secs(20),
            "a lost hold lapses"
        );
    }

    #[test]
    fn a_member_is_forgotten_three_hours_after_the_last_charge() {
        let rules = rules(Millis::from_hours(2));
        let mut account = Account::default();
        rules.charge(&mut account, START, Millis::from_secs(1));
        let almost = START.after(Duration::from_secs(3 * 3600 - 1));
        assert!(!rules.is_stale(&mut account, almost));
        assert!(rules.is_stale(&mut account, START.after(Duration::from_hours(3))));
        assert!(
            !rules.is_stale(&mut account, UtcMillis::new(0)),
            "a clock set back forgets nobody at once"
        );
        assert!(rules.is_stale(&mut account, UtcMillis::new(0).after(Duration::from_hours(3))));
    }
}
