//! What must always hold about sessions and limits, written once: whoever checks it (the model, the tests, the soak, a
//! closing session, a shutdown) asks these predicates.

use std::fmt;
use std::time::Duration;

use crate::limits::Millis;
use crate::session::SessionId;

/// The invariants, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// I1: the places held are the sessions that are not closed.
    SlotsMatchSessions,
    /// I2: the ledger's sum is the active time within one tick, and exactly that once a session is settled.
    LedgerMatchesActiveTime,
    /// I3: exactly one close record a session.
    OneCloseRecord,
    /// I4: closing ends within its budget.
    ClosingWithinBudget,
    /// I5: after quiesce no task is alive and every map is empty.
    NothingLeft,
    /// I6: what may be running and stuck is bounded, and shown.
    QuarantineBounded,
}

impl Invariant {
    /// A short name for metrics' labels and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::SlotsMatchSessions => "slots_match_sessions",
            Self::LedgerMatchesActiveTime => "ledger_matches_active_time",
            Self::OneCloseRecord => "one_close_record",
            Self::ClosingWithinBudget => "closing_within_budget",
            Self::NothingLeft => "nothing_left",
            Self::QuarantineBounded => "quarantine_bounded",
        }
    }
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", invariant.label())]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// The numbers that do not fit.
    pub what: String,
}

fn violated(invariant: Invariant, what: fmt::Arguments<'_>) -> Result<(), Violation> {
    Err(Violation {
        invariant,
        what: what.to_string(),
    })
}

/// I1. `in_flight` places are being reserved or given back just now, so that the two sides may differ by that many.
///
/// # Errors
/// The two numbers.
pub fn slots_match(held: usize, not_closed: usize, in_flight: usize) -> Result<(), Violation> {
    if held.abs_diff(not_closed) > in_flight {
        return violated(
            Invariant::SlotsMatchSessions,
            format_args!("{held} places held, {not_closed} sessions not closed, {in_flight} in flight"),
        );
    }
    Ok(())
}

/// I2 for a running session whose ledger answers: what is not charged yet is at most one `tick`.
///
/// # Errors
/// The amounts.
pub fn charged_within_a_tick(
    session: SessionId,
    active: Millis,
    charged: Millis,
    tick: Millis,
) -> Result<(), Violation> {
    if charged > active || active.saturating_sub(charged) > tick {
        return violated(
            Invariant::LedgerMatchesActiveTime,
            format_args!("session {session}: active {active}, charged {charged}, tick {tick}"),
        );
    }
    Ok(())
}

/// I2 for a settled session: to the millisecond.
///
/// # Errors
/// The amounts.
pub fn settled_exactly(session: SessionId, active: Millis, charged: Millis) -> Result<(), Violation> {
    if charged != active {
        return violated(
            Invariant::LedgerMatchesActiveTime,
            format_args!(
                "session {session}: active {} ms, charged {} ms",
                active.get(),
                charged.get()
            ),
        );
    }
    Ok(())
}

/// I3.
///
/// # Errors
/// How many there are.
pub fn one_close_record(session: SessionId, records: usize) -> Result<(), Violation> {
    if records != 1 {
        return violated(
            Invariant::OneCloseRecord,
            format_args!("session {session}: {records} close records"),
        );
    }
    Ok(())
}

/// I4.
///
/// # Errors
/// Both times.
pub fn closed_within(session: SessionId, took: Duration, budget: Duration) -> Result<(), Violation> {
    if took > budget {
        return violated(
            Invariant::ClosingWithinBudget,
            format_args!("session {session}: closing took {took:?} of {budget:?}"),
        );
    }
    Ok(())
}

/// What is left after everything was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// Tasks that are alive and not accounted for in the quarantine.
    pub tasks: usize,
    /// Requests without a place.
    pub starting: usize,
    /// Sessions in the table.
    pub sessions: usize,
    /// Users in the table.
    pub users: usize,
    /// Calls.
    pub calls: usize,
    /// Places held.
    pub slots: usize,
}

/// I5.
///
/// # Errors
/// Everything that is left.
pub fn nothing_left(left: Leftovers) -> Result<(), Violation> {
    if left != Leftovers::default() {
        return violated(Invariant::NothingLeft, format_args!("{left:?}"));
    }
    Ok(())
}

/// I6: stuck work holds its permits, so that running and stuck inferences together never outnumber them.
///
/// # Errors
/// The numbers.
pub fn quarantine_bounded(stuck: usize, running: usize, permits: usize) -> Result<(), Violation> {
    if stuck + running > permits {
        return violated(
            Invariant::QuarantineBounded,
            format_args!("{stuck} stuck and {running} running on {permits} permits"),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId::new(7);

    #[test]
    fn each_predicate_can_fail() {
        let ms = Millis::new;
        assert!(slots_match(3, 3, 0).is_ok() && slots_match(3, 4, 1).is_ok());
        assert_eq!(
            slots_match(2, 3, 0).unwrap_err().invariant,
            Invariant::SlotsMatchSessions
        );
        assert!(charged_within_a_tick(ID, ms(7_000), ms(5_000), ms(5_000)).is_ok());
        assert!(charged_within_a_tick(ID, ms(10_001), ms(5_000), ms(5_000)).is_err());
        assert!(
            charged_within_a_tick(ID, ms(5_000), ms(5_001), ms(5_000)).is_err(),
            "overcharged"
        );
        assert!(settled_exactly(ID, ms(5), ms(5)).is_ok() && settled_exactly(ID, ms(5), ms(4)).is_err());
        assert!(one_close_record(ID, 1).is_ok());
        assert!(one_close_record(ID, 0).is_err() && one_close_record(ID, 2).is_err());
        let secs = Duration::from_secs;
        assert!(closed_within(ID, secs(5), secs(5)).is_ok() && closed_within(ID, secs(6), secs(5)).is_err());
        assert!(nothing_left(Leftovers::default()).is_ok());
        assert!(
            nothing_left(Leftovers {
                calls: 1,
                ..Leftovers::default()
            })
            .is_err()
        );
        assert!(quarantine_bounded(1, 1, 2).is_ok() && quarantine_bounded(2, 1, 2).is_err());
    }

    #[test]
    fn a_violation_names_its_invariant_and_numbers() {
        let words = slots_match(2, 3, 0).unwrap_err().to_string();
        assert_eq!(
            words,
            "slots_match_sessions: 2 places held, 3 sessions not closed, 0 in flight"
        );
    }
}
