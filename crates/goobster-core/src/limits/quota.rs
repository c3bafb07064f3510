//! Quotas of many members at once: the hot structure behind every store. One short lock an operation.

use super::account::{Account, Rules};
use super::sharded::Sharded;
use super::{Forget, LimitsConfig, Millis, Usage};
use crate::ids::UserId;
use crate::session::SessionId;
use crate::time::UtcMillis;

/// Voice quotas of all members, for any number of threads.
///
/// ```
/// use goobster_core::ids::UserId;
/// use goobster_core::limits::{LimitsConfig, Millis, Quotas};
/// use goobster_core::time::UtcMillis;
///
/// let quotas = Quotas::new(&LimitsConfig::default());
/// let (ada, now) = (UserId::new(1), UtcMillis::new(1_800_000_000_000));
/// assert_eq!(quotas.check(ada, now).remaining, Millis::from_hours(2));
/// let usage = quotas.charge(ada, now, Millis::from_mins(42));
/// assert_eq!(usage.remaining, Millis::from_mins(78));
/// ```
#[derive(Debug)]
pub struct Quotas {
    rules: Rules,
    accounts: Sharded<UserId, Account>,
}

impl Quotas {
    /// Nobody has used anything yet.
    pub fn new(config: &LimitsConfig) -> Self {
        Self {
            rules: Rules::new(config),
            accounts: Sharded::new(),
        }
    }

    /// A member's usage at `now`. Asking remembers nobody.
    #[inline]
    pub fn check(&self, user: UserId, now: UtcMillis) -> Usage {
        match self.accounts.lock(user).get_mut(&user) {
            Some(account) => self.rules.usage(account, now),
            None => self.rules.usage(&mut Account::default(), now),
        }
    }

    /// Charges `delta` of voice time that ended at `at`, to anybody, checked before or not; returns the usage after it.
    #[inline]
    pub fn charge(&self, user: UserId, at: UtcMillis, delta: Millis) -> Usage {
        self.with(user, at, |rules, account| {
            rules.charge(account, at, delta);
            rules.usage(account, at)
        })
    }

    /// Charges, then sets the next budget aside for the session: `(usage, granted)`.
    pub fn charge_and_lease(
        &self,
        user: UserId,
        session: SessionId,
        at: UtcMillis,
        delta: Millis,
    ) -> (Usage, Millis) {
        self.with(user, at, |rules, account| {
            rules.charge(account, at, delta);
            let granted = rules.lease(account, session, at);
            (rules.usage(account, at), granted)
        })
    }

    /// Gives back what was set aside for a session that ended at `at`.
    pub fn refund(&self, user: UserId, session: SessionId, at: UtcMillis) {
        if let Some(account) = self.accounts.lock(user).get_mut(&user) {
            Rules::refund(account, session);
            self.rules.usage(account, at);
        }
    }

    /// Forgets the members who were not charged for the configured time; returns who they were.
    pub fn forget_stale(&self, now: UtcMillis) -> Vec<UserId> {
        let mut gone = Vec::new();
        self.accounts.retain(|user, account| {
            let stale = self.rules.is_stale(account, now);
            if stale {
                gone.push(*user);
            }
            !stale
        });
        gone
    }

    /// Forgets a member's usage as soon as that is possible; whether it is still kept.
    pub fn forget(&self, user: UserId, when: Forget, now: UtcMillis) -> bool {
        let mut part = self.accounts.lock(user);
        let Some(account) = part.get_mut(&user) else {
            return false;
        };
        account.forget = true;
        let kept = when == Forget::WhenWindowEnds && !self.rules.is_stale(account, now);
        if !kept {
            part.remove(&user);
        }
        kept
    }

    /// A member's account, for a store to write; `None` for a member who was never charged.
    pub fn account(&self, user: UserId) -> Option<Account> {
        self.accounts.lock(user).get(&user).cloned()
    }

    /// Puts a member's stored account back.
    pub fn restore(&self, user: UserId, account: Account) {
        self.accounts.lock(user).insert(user, account);
    }

    /// How many members are remembered.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn with<T>(&self, user: UserId, at: UtcMillis, act: impl FnOnce(&Rules, &mut Account) -> T) -> T {
        let mut part = self.accounts.lock(user);
        let account = part.entry(user).or_insert_with(|| Account {
            last: at,
            ..Account::default()
        });
        act(&self.rules, account)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ADA: UserId = UserId::new(1);
    const NOW: UtcMillis = UtcMillis::new(1_800_000_000_000);

    #[test]
    fn usage_of_a_member_who_was_never_checked_is_not_dropped() {
        let quotas = Quotas::new(&LimitsConfig::default());
        quotas.charge(ADA, NOW, Millis::from_secs(7));
        assert_eq!(quotas.check(ADA, NOW).used, Millis::from_secs(7));
    }

    #[test]
    fn the_window_resets_for_reading_and_for_charging_too() {
        let quotas = Quotas::new(&LimitsConfig::default());
        let next_window = NOW.after(Duration::from_hours(1));
        quotas.charge(ADA, NOW, Millis::from_secs(7));
        assert_eq!(
            quotas.check(ADA, next_window).used,
            Millis::ZERO,
            "reading resets"
        );
        assert_eq!(
            quotas.charge(ADA, next_window, Millis::from_secs(2)).used,
            Millis::from_secs(2),
            "charging resets"
        );
    }

    #[test]
    fn asking_remembers_nobody() {
        let quotas = Quotas::new(&LimitsConfig::default());
        for user in 0..1_000 {
            quotas.check(UserId::new(user), NOW);
        }
        assert!(quotas.is_empty());
    }

    #[test]
    fn stale_members_are_forgotten_and_no_other() {
        let quotas = Quotas::new(&LimitsConfig::default());
        quotas.charge(ADA, NOW, Millis::from_secs(1));
        let later = NOW.after(Duration::from_hours(2));
        quotas.charge(UserId::new(2), later, Millis::from_secs(1));
        assert_eq!(quotas.forget_stale(NOW.after(Duration::from_hours(3))), [ADA]);
        assert_eq!(quotas.len(), 1);
    }

    #[test]
    fn charges_of_many_threads_all_count() {
        let quotas = Quotas::new(&LimitsConfig::default());
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let quotas = &quotas;
                scope.spawn(move || {
                    for turn in 0..1_000 {
                        quotas.charge(UserId::new((thread + turn) % 3), NOW, Millis::new(1));
                    }
                });
            }
        });
        let sum: u64 = (0..3)
            .map(|user| quotas.check(UserId::new(user), NOW).used.get())
            .sum();
        assert_eq!(sum, 4_000);
    }
}
