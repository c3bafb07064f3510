//! The numbers of a session: the specification's defaults, each changeable, checked before anything uses them.

use std::time::Duration;

use super::cleanup::OVERHEAD;
use super::teardown::{Step, StepBudgets};

/// How sessions behave. [`SessionConfig::default`] holds the specification's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// How long a cleanup may take in all, retries and force included. Default 5 s.
    pub cleanup_delay: Duration,
    /// How often a session is looked at even when nothing is due. Default 30 s.
    pub monitor_interval: Duration,
    /// How long nobody may speak before the session ends. Default 5 min.
    pub session_timeout: Duration,
    /// How long before the timeout the user is warned. Default 60 s.
    pub idle_warning: Duration,
    /// How long a start may take, from the request to the running session. Default 15 s.
    pub start_timeout: Duration,
    /// How long one call to a store of limits may take. Default 2 s.
    pub store_timeout: Duration,
    /// How often parts may be replaced inside a living session within [`reset_window`](Self::reset_window) before the
    /// session gives up. Default 3.
    pub max_resets: usize,
    /// Resets older than this are forgiven. Default 10 min.
    pub reset_window: Duration,
    /// What each cleanup step may take, retries and force included. Defaults: recognition 1.5 s, pipeline 0.5 s,
    /// speech 0.5 s, connection 1.75 s; channel 0.35 s, listeners 0.05 s and removal 0.1 s make the rest's 0.5 s.
    pub steps: StepBudgets,
    /// How many pieces of stuck work may be in quarantine before new sessions are refused. Default 4.
    pub quarantine_bound: usize,
    /// How many events a slow listener may be behind before it misses some. Default 1024.
    pub events_kept: usize,
    /// How many closed sessions are remembered for `status`. Default 64.
    pub closed_kept: usize,
    /// How many people without a session are remembered as participants of a call. Default 200.
    pub participants_kept: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            cleanup_delay: Duration::from_secs(5),
            monitor_interval: Duration::from_secs(30),
            session_timeout: Duration::from_mins(5),
            idle_warning: Duration::from_mins(1),
            start_timeout: Duration::from_secs(15),
            store_timeout: Duration::from_secs(2),
            max_resets: 3,
            reset_window: Duration::from_mins(10),
            steps: StepBudgets::default(),
            quarantine_bound: 4,
            events_kept: 1024,
            closed_kept: 64,
            participants_kept: 200,
        }
    }
}

/// Why a configuration of sessions is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number that must not be zero.
    #[error("{what} is zero; give at least 1 ms (or 1)")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// A number beyond reason, which would overflow arithmetic or memory.
    #[error("{what} is larger than {most}")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// The largest that is accepted.
        most: &'static str,
    },
    /// The warning would come before the session has begun.
    #[error("idle_warning ({warning:?}) must be shorter than session_timeout ({timeout:?})")]
    WarningBeforeStart {
        /// The warning's lead.
        warning: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// The limits' own settings make no sense.
    #[error("the limits are not configured right: {what}")]
    Limits {
        /// Which setting, and why.
        what: String,
    },
    /// The cleanup steps do not fit.
    #[error(
        "the cleanup steps take {steps:?} in all and {overhead:?} beside them, which is more than cleanup_delay \
         ({delay:?})"
    )]
    StepsTooLong {
        /// The sum of the steps' budgets.
        steps: Duration,
        /// What calling off what is under way takes besides.
        overhead: Duration,
        /// The cleanup's own budget.
        delay: Duration,
    },
}

impl SessionConfig {
    /// Checks that the numbers fit each other.
    ///
    /// # Errors
    /// The first number that does not fit, and what to do about it.
    pub fn check(&self) -> Result<(), ConfigError> {
        const YEAR: Duration = Duration::from_hours(366 * 24);
        let spans = [
            ("cleanup_delay", self.cleanup_delay),
            ("monitor_interval", self.monitor_interval),
            ("session_timeout", self.session_timeout),
            ("start_timeout", self.start_timeout),
            ("store_timeout", self.store_timeout),
        ];
        for (what, span) in spans
            .into_iter()
            .chain(Step::ALL.map(|step| (step.label(), self.steps.of(step))))
        {
            if span < Duration::from_millis(1) {
                return Err(ConfigError::Zero { what });
            }
        }
        let lengths = [
            ("idle_warning", self.idle_warning),
            ("reset_window", self.reset_window),
        ];
        for (what, span) in spans.into_iter().chain(lengths) {
            if span > YEAR {
                return Err(ConfigError::TooLarge { what, most: "a year" });
            }
        }
        let counts = [
            ("events_kept", self.events_kept, 1),
            ("closed_kept", self.closed_kept, 0),
            ("quarantine_bound", self.quarantine_bound, 1),
            ("max_resets", self.max_resets, 0),
            ("participants_kept", self.participants_kept, 0),
        ];
        for (what, count, least) in counts {
            if count < least {
                return Err(ConfigError::Zero { what });
            }
            if count > 1 << 20 {
                return Err(ConfigError::TooLarge {
                    what,
                    most: "1048576",
                });
            }
        }
        if self.idle_warning >= self.session_timeout {
            return Err(ConfigError::WarningBeforeStart {
                warning: self.idle_warning,
                timeout: self.session_timeout,
            });
        }
        let steps = self.steps.total();
        if steps.saturating_add(OVERHEAD) > self.cleanup_delay {
            return Err(ConfigError::StepsTooLong {
                steps,
                overhead: OVERHEAD,
                delay: self.cleanup_delay,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_specifications() {
        let config = SessionConfig::default();
        config.check().unwrap();
        assert_eq!(config.cleanup_delay, Duration::from_secs(5));
        assert_eq!(config.monitor_interval, Duration::from_secs(30));
        assert_eq!(config.session_timeout, Duration::from_mins(5));
        assert_eq!(config.steps.total(), Duration::from_millis(4750));
    }

    #[test]
    fn numbers_that_do_not_fit_each_other_are_refused() {
        let broken = |change: fn(&mut SessionConfig)| {
            let mut config = SessionConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(broken(|c| c.cleanup_delay = Duration::from_secs(4)).contains("4.75s"));
        assert!(broken(|c| c.cleanup_delay = c.steps.total()).contains("30ms beside"));
        assert!(broken(|c| c.idle_warning = c.session_timeout).contains("idle_warning"));
        assert!(broken(|c| c.store_timeout = Duration::ZERO).contains("store_timeout"));
        assert!(broken(|c| c.session_timeout = Duration::MAX).contains("a year"));
        assert!(broken(|c| c.events_kept = 0).contains("events_kept"));
        assert!(broken(|c| c.events_kept = usize::MAX).contains("1048576"));
    }
}
