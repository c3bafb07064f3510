//! Every event as a log line and in the metrics. The names here are what dashboards are built on.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{counter, gauge, histogram};

use super::events::SessionEvent;
use super::teardown::{AttemptFault, Step, StepEnd, StepReport};
use crate::limits::Millis;

/// The names of the metrics; the manager registers what they mean.
pub mod names {
    /// Counter: sessions that were given a place.
    pub const STARTED: &str = "goobster_sessions_started_total";
    /// Counter by `reason`: sessions that are gone.
    pub const CLOSED: &str = "goobster_sessions_closed_total";
    /// Counter by `reason`: requests for a session that were refused.
    pub const REFUSED: &str = "goobster_sessions_refused_total";
    /// Gauge: sessions that hold a place.
    pub const HELD: &str = "goobster_sessions_held";
    /// Counter by `what`: faults inside sessions, the error rate.
    pub const FAULTS: &str = "goobster_session_faults_total";
    /// Counter by `what`: parts replaced inside running sessions.
    pub const RESETS: &str = "goobster_session_resets_total";
    /// Histogram, seconds: how long sessions were active.
    pub const DURATION: &str = "goobster_session_duration_seconds";
    /// Histogram, bytes: the most memory a session was seen to hold.
    pub const MEMORY: &str = "goobster_session_memory_bytes";
    /// Histogram, seconds: how long cleanups took.
    pub const CLEANUP: &str = "goobster_cleanup_seconds";
    /// Counter by `step`: attempts at cleanup steps that failed.
    pub const CLEANUP_ERRORS: &str = "goobster_cleanup_errors_total";
    /// Counter by `step` and `end` (forced, abandoned): cleanup steps that did not succeed in order.
    pub const CLEANUP_FORCED: &str = "goobster_cleanup_forced_total";
    /// Counter, seconds: voice time charged.
    pub const CHARGED: &str = "goobster_voice_seconds_charged_total";
    /// Counter, milliseconds: voice time the ledger did not take.
    pub const CHARGE_LOST: &str = "goobster_voice_milliseconds_lost_total";
    /// Gauge: pieces of stuck work.
    pub const QUARANTINE: &str = "goobster_quarantine";
    /// Counter: events that slow listeners missed.
    pub const MISSED: &str = "goobster_session_events_missed_total";
    /// Counter by `invariant`: broken invariants. Anything but zero is a bug.
    pub const VIOLATIONS: &str = "goobster_invariant_violations_total";
}

/// Registers what each metric means with the exporter that is installed.
pub fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!(names::STARTED, "Sessions that were given a place");
    counter!(names::CLOSED, "Sessions that are gone, by reason");
    counter!(
        names::REFUSED,
        "Requests for a session that were refused, by reason"
    );
    gauge!(names::HELD, "Sessions that hold a place");
    counter!(names::FAULTS, "Faults inside sessions, by what failed");
    counter!(names::RESETS, "Parts replaced inside running sessions, by part");
    histogram!(names::DURATION, "How long sessions were active, in seconds");
    histogram!(
        names::MEMORY,
        "The most memory a session was seen to hold, in bytes"
    );
    histogram!(names::CLEANUP, "How long cleanups took, in seconds");
    counter!(
        names::CLEANUP_ERRORS,
        "Attempts at cleanup steps that failed, by step"
    );
    counter!(
        names::CLEANUP_FORCED,
        "Cleanup steps that did not succeed in order, by step and end"
    );
    counter!(names::CHARGED, "Voice time charged, in seconds");
    counter!(
        names::CHARGE_LOST,
        "Voice time the ledger did not take, in milliseconds"
    );
    gauge!(names::QUARANTINE, "Pieces of work that cannot be stopped");
    counter!(names::MISSED, "Events that slow listeners missed");
    counter!(names::VIOLATIONS, "Broken invariants, by name");
}

pub(super) fn quarantine(held: usize) {
    gauge!(names::QUARANTINE).set(held as f64);
}

pub(super) fn missed(events: u64) {
    counter!(names::MISSED).increment(events);
    tracing::warn!(events, "a listener is too slow and missed session events");
}

pub(super) fn violation(invariant: &'static str, what: &str) {
    counter!(names::VIOLATIONS, "invariant" => invariant).increment(1);
    tracing::error!(invariant, what, "an invariant is broken: please report this");
}

/// Logs and counts one event.
pub(super) fn record(event: &SessionEvent) {
    match event {
        SessionEvent::Refused { user, guild, refusal } => {
            counter!(names::REFUSED, "reason" => refusal.label()).increment(1);
            tracing::info!(%user, %guild, reason = refusal.label(), %refusal, "session refused");
        }
        SessionEvent::NotStarted {
            user,
            guild,
            what,
            cause,
        } => {
            counter!(names::FAULTS, "what" => *what).increment(1);
            tracing::error!(%user, %guild, what, %cause, "a session could not be started");
        }
        SessionEvent::Starting { session, user, guild } => {
            counter!(names::STARTED).increment(1);
            gauge!(names::HELD).increment(1.0);
            tracing::info!(%session, %user, %guild, "session starting");
        }
        SessionEvent::Active { session, user } => tracing::info!(%session, %user, "session active"),
        SessionEvent::IdleWarning { session, left } => {
            tracing::info!(%session, ?left, "nobody speaks: the session will time out");
        }
        SessionEvent::TimedOut { session } => tracing::info!(%session, "session timed out"),
        SessionEvent::LimitWarning { session, left } => {
            tracing::info!(%session, ?left, "voice time runs out");
        }
        SessionEvent::LimitReached { session } => tracing::info!(%session, "voice time is used up"),
        SessionEvent::Fault { session, what, cause } => {
            counter!(names::FAULTS, "what" => *what).increment(1);
            tracing::error!(%session, what, %cause, "fault in a session");
        }
        SessionEvent::Reset { session, what } => {
            counter!(names::RESETS, "what" => what.words()).increment(1);
            tracing::warn!(%session, what = what.words(), "replaced inside a running session");
        }
        SessionEvent::Closing { session, reason } => {
            tracing::info!(%session, reason = reason.label(), "session closing");
        }
        SessionEvent::CleanupError {
            session,
            step,
            attempt,
            cause,
        } => {
            counter!(names::CLEANUP_ERRORS, "step" => step.label()).increment(1);
            tracing::error!(%session, %step, attempt, %cause, "cleanup step failed");
        }
        SessionEvent::ChargeLost { session, amount } => {
            counter!(names::CHARGE_LOST).increment(amount.get());
            tracing::error!(%session, %amount, "the ledger did not take the last voice time of a session");
        }
        SessionEvent::Cleaned {
            session,
            took,
            steps,
            forced,
        } => {
            histogram!(names::CLEANUP).record(took.as_secs_f64());
            steps.iter().for_each(cleanup_end);
            tracing::info!(%session, ?took, steps = steps.len(), forced, "session cleaned up");
        }
        SessionEvent::Closed {
            session,
            user,
            reason,
            active,
            charged,
            memory_bytes,
        } => {
            counter!(names::CLOSED, "reason" => reason.label()).increment(1);
            gauge!(names::HELD).decrement(1.0);
            histogram!(names::DURATION).record(active.as_duration().as_secs_f64());
            histogram!(names::MEMORY).record(*memory_bytes as f64);
            tracing::info!(
                %session, %user, reason = reason.label(), %active, %charged, memory_bytes, "session closed"
            );
        }
    }
}

/// Counts and logs an attempt that failed at a cleanup step that belongs to no session.
pub(super) fn cleanup_error(step: Step, attempt: u32, cause: &AttemptFault) {
    counter!(names::CLEANUP_ERRORS, "step" => step.label()).increment(1);
    tracing::error!(%step, attempt, %cause, "cleanup step failed outside a session");
}

/// Counts a cleanup step that did not succeed in order.
pub(super) fn cleanup_end(report: &StepReport) {
    let end = match report.end {
        StepEnd::Done => return,
        StepEnd::Forced => "forced",
        StepEnd::Abandoned => "abandoned",
    };
    counter!(names::CLEANUP_FORCED, "step" => report.step.label(), "end" => end).increment(1);
}

/// Counts voice time as it is charged, in whole seconds; `total` keeps the milliseconds of all charges so far.
pub(super) fn charged(total: &AtomicU64, charge: Millis) {
    let before = total.fetch_add(charge.get(), Ordering::Relaxed);
    let seconds = before.saturating_add(charge.get()) / 1000 - before / 1000;
    counter!(names::CHARGED).increment(seconds);
}
