//! The ledger's rules: what opening, charging, closing and recovering do. Pure, and safe to share between threads;
//! stores wrap it and add durability.

use serde::{Deserialize, Serialize};

use super::account::{Account, Rules};
use super::sharded::Sharded;
use super::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, LimitsConfig, LimitsError, Millis,
    Opening, Quotas, Recovery, SlotClaim, Usage,
};
use crate::ids::UserId;
use crate::session::{ChargeSeq, CloseReason, Epoch, SessionId};
use crate::time::UtcMillis;

/// A session that is being charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// The session, its owner and its guild.
    pub claim: SlotClaim,
    /// The epoch it runs under.
    pub epoch: Epoch,
    /// When it was opened.
    pub opened_at: UtcMillis,
    /// When the last charge ended; `opened_at` before the first.
    pub last_tick: UtcMillis,
    /// The last charge's number.
    pub last_seq: ChargeSeq,
    /// The sum of its charges.
    pub charged: Millis,
}

impl OpenSession {
    /// How it ends at `at`; a crash ends at the last tick instead.
    pub fn close(self, reason: CloseReason, at: UtcMillis) -> CloseRecord {
        let closed_at = if reason == CloseReason::Crashed {
            self.last_tick
        } else {
            at.max(self.last_tick)
        };
        CloseRecord {
            claim: self.claim,
            epoch: self.epoch,
            opened_at: self.opened_at,
            closed_at,
            last_tick: self.last_tick,
            last_seq: self.last_seq,
            charged: self.charged,
            reason,
        }
    }
}

/// The books: every member's quota, every open session, every close record.
///
/// Fencing is the caller's: it refuses stale epochs before it calls (see [`SlotBook`](super::SlotBook)).
#[derive(Debug)]
pub struct Books {
    quotas: Quotas,
    open: Sharded<SessionId, OpenSession>,
    closed: Sharded<SessionId, CloseRecord>,
}

/// How long a close record is kept: a week.
pub const RECORD_RETENTION: Millis = Millis::from_hours(7 * 24);

impl Books {
    /// Empty books.
    pub fn new(config: &LimitsConfig) -> Self {
        Self {
            quotas: Quotas::new(config),
            open: Sharded::new(),
            closed: Sharded::new(),
        }
    }

    /// The quotas in these books.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// A member's usage.
    pub fn usage(&self, user: UserId, now: UtcMillis) -> Usage {
        self.quotas.check(user, now)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// As [`Ledger::open`](super::Ledger::open).
    pub fn open(&self, opening: Opening) -> Result<Charged, LimitsError> {
        let Opening { claim, epoch, at } = opening;
        if self.closed.lock(claim.session).contains_key(&claim.session) {
            return Err(LimitsError::SessionClosed {
                session: claim.session,
            });
        }
        let mut part = self.open.lock(claim.session);
        let known = part.get(&claim.session);
        match known {
            Some(row) if row.claim != claim || row.epoch != epoch => {
                return Err(LimitsError::Conflict {
                    session: claim.session,
                });
            }
            Some(_) => {}
            None => Rules::admit(&self.quotas.check(claim.user, at))?,
        }
        let applied = known.is_none();
        part.entry(claim.session).or_insert(OpenSession {
            claim,
            epoch,
            opened_at: at,
            last_tick: at,
            last_seq: ChargeSeq::default(),
            charged: Millis::ZERO,
        });
        let (usage, granted) = self
            .quotas
            .charge_and_lease(claim.user, claim.session, at, Millis::ZERO);
        Ok(Charged {
            applied,
            usage,
            granted,
            durable: true,
        })
    }

    /// Charges an open session.
    ///
    /// # Errors
    /// As [`Ledger::charge`](super::Ledger::charge).
    pub fn charge(&self, charge: Charge) -> Result<Charged, LimitsError> {
        let Charge {
            claim,
            epoch,
            seq,
            delta,
            at,
        } = charge;
        let session = claim.session;
        let mut part = self.open.lock(session);
        let Some(row) = part.get_mut(&session) else {
            drop(part);
            return self.charge_after_close(charge);
        };
        if row.claim != claim || row.epoch != epoch {
            return Err(LimitsError::Conflict { session });
        }
        let applied = seq > row.last_seq;
        let delta = if applied { delta } else { Millis::ZERO };
        let at = if applied {
            at.max(row.last_tick)
        } else {
            row.last_tick
        };
        if applied {
            (row.last_seq, row.last_tick) = (seq, at);
            row.charged = row.charged.saturating_add(delta);
        }
        // Still under the session's lock: a close that comes next gives back what is leased here.
        let (usage, granted) = self
            .quotas
            .charge_and_lease(claim.user, session, charge.at, delta);
        Ok(Charged {
            applied,
            usage,
            granted,
            durable: true,
        })
    }

    /// A charge to a session that is not open: a replay of one that counted, or too late.
    #[cold]
    fn charge_after_close(&self, charge: Charge) -> Result<Charged, LimitsError> {
        let session = charge.claim.session;
        let record = self.closed.lock(session).get(&session).copied();
        match record {
            None => Err(LimitsError::UnknownSession { session }),
            Some(record) if record.claim != charge.claim => Err(LimitsError::Conflict { session }),
            Some(record) if record.epoch == charge.epoch && charge.seq <= record.last_seq => {
                let usage = self.quotas.check(charge.claim.user, charge.at);
                Ok(Charged {
                    applied: false,
                    usage,
                    granted: Millis::ZERO,
                    durable: true,
                })
            }
            Some(_) => Err(LimitsError::SessionClosed { session }),
        }
    }

    /// The record of a session that is closed already, for the claim it belongs to.
    ///
    /// # Errors
    /// [`LimitsError::Conflict`].
    pub fn closed(&self, claim: SlotClaim) -> Result<Option<CloseRecord>, LimitsError> {
        let record = self.closed.lock(claim.session).get(&claim.session).copied();
        match record {
            Some(record) if record.claim != claim => Err(LimitsError::Conflict {
                session: claim.session,
            }),
            record => Ok(record),
        }
    }

    /// Closes a session; the first close wins.
    ///
    /// # Errors
    /// As [`Ledger::close`](super::Ledger::close).
    pub fn close(&self, closing: Closing) -> Result<Closed, LimitsError> {
        let Closing {
            claim,
            epoch,
            at,
            reason,
        } = closing;
        let session = claim.session;
        let mut part = self.open.lock(session);
        if let Some(record) = self.closed(claim)? {
            self.quotas.refund(claim.user, session, at);
            return Ok(Closed {
                record,
                first: false,
                durable: true,
            });
        }
        let Some(row) = part.get(&session).copied() else {
            return Err(LimitsError::UnknownSession { session });
        };
        if row.claim != claim || row.epoch != epoch {
            return Err(LimitsError::Conflict { session });
        }
        let record = row.close(reason, at);
        self.closed.lock(session).insert(session, record);
        part.remove(&session);
        self.quotas.refund(claim.user, session, at);
        Ok(Closed {
            record,
            first: true,
            durable: true,
        })
    }

    /// Closes as crashed every open session that `alive` does not know.
    pub fn recover(&self, mut alive: impl FnMut(&OpenSession) -> bool) -> Recovery {
        let rows: Vec<OpenSession> = self.open_sessions();
        let mut recovery = Recovery::default();
        for row in rows {
            if alive(&row) {
                recovery.alive += 1;
                continue;
            }
            let OpenSession {
                claim,
                epoch,
                last_tick,
                ..
            } = row;
            // Whoever closed it meanwhile wrote its record: not ours to report.
            if let Ok(Closed {
                record, first: true, ..
            }) = self.close(Closing {
                claim,
                epoch,
                at: last_tick,
                reason: CloseReason::Crashed,
            }) {
                recovery.crashed.push(record);
            }
        }
        recovery
            .crashed
            .sort_by_key(|record| (record.opened_at, record.claim.session));
        recovery
    }

    /// Forgets stale members and old records; returns which.
    pub fn sweep(&self, now: UtcMillis) -> (Vec<UserId>, Vec<SessionId>) {
        let mut records = Vec::new();
        self.closed.retain(|session, record| {
            let keep = now.since(record.closed_at) < RECORD_RETENTION.as_duration();
            if !keep {
                records.push(*session);
            }
            keep
        });
        (self.quotas.forget_stale(now), records)
    }

    /// Forgets a member: the close records at once (which ones), the usage as `when` says. An open session keeps its usage.
    pub fn forget(&self, user: UserId, when: Forget, now: UtcMillis) -> (Forgotten, Vec<SessionId>) {
        let mut records = Vec::new();
        self.closed.retain(|session, record| {
            let keep = record.claim.user != user;
            if !keep {
                records.push(*session);
            }
            keep
        });
        let open = self.open_sessions();
        let open = open.iter().filter(|row| row.claim.user == user).count();
        let when = if open == 0 { when } else { Forget::WhenWindowEnds };
        let forgotten = Forgotten {
            records: records.len(),
            open,
            usage_kept: self.quotas.forget(user, when, now),
        };
        (forgotten, records)
    }

    /// Every open session, in no order.
    pub fn open_sessions(&self) -> Vec<OpenSession> {
        self.open
            .parts()
            .flat_map(|part| part.values().copied().collect::<Vec<_>>())
            .collect()
    }

    /// An open session's row, for a store to write.
    pub fn open_session(&self, session: SessionId) -> Option<OpenSession> {
        self.open.lock(session).get(&session).copied()
    }

    /// A close record, for a store to write.
    pub fn close_record(&self, session: SessionId) -> Option<CloseRecord> {
        self.closed.lock(session).get(&session).copied()
    }

    /// Puts a stored account back.
    pub fn restore_account(&self, user: UserId, account: Account) {
        self.quotas.restore(user, account);
    }

    /// Puts a stored open session back.
    pub fn restore_open(&self, row: OpenSession) {
        self.open.lock(row.claim.session).insert(row.claim.session, row);
    }

    /// Puts a stored close record back.
    pub fn restore_closed(&self, record: CloseRecord) {
        self.closed
            .lock(record.claim.session)
            .insert(record.claim.session, record);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::GuildId;

    const NOW: UtcMillis = UtcMillis::new(1_800_000_000_000);

    fn claim(session: u64) -> SlotClaim {
        SlotClaim {
            session: SessionId::new(session),
            user: UserId::new(session % 3),
            guild: GuildId::new(1),
        }
    }

    fn charge(session: u64, seq: u64, delta: u64, at: UtcMillis) -> Charge {
        let seq = ChargeSeq::new(seq);
        Charge {
            claim: claim(session),
            epoch: Epoch::new(1),
            seq,
            delta: Millis::new(delta),
            at,
        }
    }

    fn opening(session: u64) -> Opening {
        Opening {
            claim: claim(session),
            epoch: Epoch::new(1),
            at: NOW,
        }
    }

    #[test]
    fn a_session_is_charged_while_it_runs_and_not_only_at_its_end() {
        let books = Books::new(&LimitsConfig::default());
        books.open(opening(1)).unwrap();
        let charged = books.charge(charge(1, 1, 5_000, NOW)).unwrap();
        assert_eq!(charged.usage.used, Millis::new(5_000));
        assert_eq!(
            books.open_session(SessionId::new(1)).unwrap().charged,
            Millis::new(5_000)
        );
    }

    #[test]
    fn a_member_without_time_is_refused_and_one_at_the_limit_is_granted_nothing() {
        let books = Books::new(&LimitsConfig {
            voice: Millis::from_secs(20),
            ..LimitsConfig::default()
        });
        let opened = books.open(opening(1)).unwrap();
        assert_eq!(opened.granted, Millis::from_secs(15));
        let charged = books.charge(charge(1, 1, 20_001, NOW)).unwrap();
        assert_eq!(
            (charged.granted, charged.usage.remaining),
            (Millis::ZERO, Millis::ZERO)
        );
        assert!(matches!(books.open(opening(4)), Err(LimitsError::Refused(_))));
        assert!(books.open(opening(2)).is_ok(), "another member is not affected");
    }

    proptest! {
        /// Replays, closes and recoveries in any order: what a member used is the sum of the distinct charges that were
        /// applied, every session has at most one record, and the record's sum is the session's.
        #[test]
        fn sums_hold_under_replay(
            steps in prop::collection::vec((0_u8..8, 0_u64..6, 1_u64..12, 1_u64..2_000), 1..150),
        ) {
            let books = Books::new(&LimitsConfig::default());
            let mut model: std::collections::HashMap<u64, (u64, u64)> = std::collections::HashMap::new();
            let mut closed: std::collections::HashMap<u64, CloseRecord> = std::collections::HashMap::new();
            for (what, session, seq, delta) in steps {
                match what {
                    0 => {
                        let opened = books.open(opening(session));
                        if closed.contains_key(&session) {
                            prop_assert!(opened.is_err());
                        } else {
                            prop_assert_eq!(opened.unwrap().applied, !model.contains_key(&session));
                            model.entry(session).or_default();
                        }
                    }
                    7 => {
                        let closing = Closing {
                            claim: claim(session), epoch: Epoch::new(1), at: NOW, reason: CloseReason::EndedByOwner,
                        };
                        if let Ok(answer) = books.close(closing) {
                            let first = closed.insert(session, answer.record);
                            prop_assert_eq!(answer.first, first.is_none());
                            prop_assert_eq!(first.unwrap_or(answer.record), answer.record, "the record never changes");
                        }
                    }
                    _ => {
                        let answer = books.charge(charge(session, seq, delta, NOW));
                        let known = model.get(&session).copied();
                        match (known, closed.contains_key(&session)) {
                            (None, _) => prop_assert!(answer.is_err()),
                            (Some((last, _)), true) => prop_assert_eq!(answer.is_ok(), seq <= last),
                            (Some((last, sum)), false) => {
                                prop_assert_eq!(answer.unwrap().applied, seq > last);
                                if seq > last {
                                    model.insert(session, (seq, sum + delta));
                                }
                            }
                        }
                    }
                }
                for user in 0..3 {
                    let sessions = model.iter().filter(|(session, _)| **session % 3 == user);
                    let sum: u64 = sessions.map(|(_, (_, sum))| sum).sum();
                    let total = books.quotas().account(UserId::new(user)).map_or(0, |account| account.total.get());
                    prop_assert_eq!(total, sum);
                }
            }
            books.recover(|_| false);
            for (session, (_, sum)) in model {
                let record = books.closed(claim(session)).unwrap().unwrap();
                prop_assert_eq!(record.charged.get(), sum);
            }
            prop_assert!(books.open_sessions().is_empty());
        }
    }
}
