//! The numbers an operator may set, their defaults, and what is refused.

use serde::{Deserialize, Serialize};

use super::{LimitsError, Millis};

/// How usage is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// A window that starts at the member's first charge and ends as a whole ([`FixedWindow`](super::FixedWindow)).
    #[default]
    Fixed,
    /// The last window's length, at every moment ([`SlidingWindow`](super::SlidingWindow)): no bursts at an edge.
    Sliding,
}

/// Every limit with its default.
///
/// ```
/// use goobster_core::limits::{LimitsConfig, Millis};
///
/// let limits = LimitsConfig { voice: Millis::from_mins(45), total: 12, ..LimitsConfig::default() };
/// limits.validate()?;
/// # Ok::<(), goobster_core::limits::LimitsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Voice time a member may use in one window: 2 h.
    pub voice: Millis,
    /// The window's length: 1 h.
    pub window: Millis,
    /// How usage is counted: a fixed window.
    pub policy: PolicyKind,
    /// A member is forgotten this long after the last charge: 3 h. Not shorter than the window.
    pub forget_after: Millis,
    /// Sessions a member may have at once: 1.
    pub per_user: u32,
    /// Sessions a guild may have at once: 8.
    pub per_guild: u32,
    /// Sessions there may be at once: 32, until the machine's calibration says better.
    pub total: u32,
    /// A running session is charged this often: every 5 s.
    pub tick: Millis,
    /// A running session is warned this long before its limit: 2 min.
    pub warn_before: Millis,
    /// Voice time that is set aside for a running session at a time: 15 s. Not shorter than the tick.
    pub budget: Millis,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            voice: Millis::from_hours(2),
            window: Millis::from_hours(1),
            policy: PolicyKind::Fixed,
            forget_after: Millis::from_hours(3),
            per_user: 1,
            per_guild: 8,
            total: 32,
            tick: Millis::from_secs(5),
            warn_before: Millis::from_mins(2),
            budget: Millis::from_secs(15),
        }
    }
}

impl LimitsConfig {
    /// The longest time any of these may be: one year.
    pub const LONGEST: Millis = Millis::from_hours(24 * 366);

    /// Refuses settings that make no sense, and says which and why.
    ///
    /// # Errors
    /// [`LimitsError::Configuration`] with the setting's name.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let wrong = |what: String| Err(LimitsError::Configuration(what));
        for (name, value) in [
            ("voice", self.voice),
            ("window", self.window),
            ("forget_after", self.forget_after),
            ("tick", self.tick),
            ("budget", self.budget),
        ] {
            if value.is_zero() {
                return wrong(format!("limits.{name} must be more than zero"));
            }
            if value > Self::LONGEST {
                return wrong(format!("limits.{name} is {value}: at most a year is allowed"));
            }
        }
        for (name, value) in [
            ("per_user", self.per_user),
            ("per_guild", self.per_guild),
            ("total", self.total),
        ] {
            if value == 0 {
                return wrong(format!(
                    "limits.{name} must be at least 1, or nobody could ever talk"
                ));
            }
        }
        if self.forget_after < self.window {
            return wrong(format!(
                "limits.forget_after ({}) is shorter than limits.window ({}): forgetting would reset a running window",
                self.forget_after, self.window
            ));
        }
        if self.budget < self.tick {
            return wrong(format!(
                "limits.budget ({}) is shorter than limits.tick ({}): sessions would stop between two ticks",
                self.budget, self.tick
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_specifications() {
        let limits = LimitsConfig::default();
        limits.validate().unwrap();
        assert_eq!(
            (limits.voice, limits.window),
            (Millis::from_hours(2), Millis::from_hours(1))
        );
        assert_eq!(limits.forget_after, Millis::from_hours(3));
        assert_eq!((limits.per_user, limits.per_guild), (1, 8));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let refused = |limits: LimitsConfig| limits.validate().unwrap_err().to_string();
        let good = LimitsConfig::default();
        assert!(
            refused(LimitsConfig {
                voice: Millis::ZERO,
                ..good
            })
            .contains("limits.voice")
        );
        assert!(
            refused(LimitsConfig {
                window: Millis::MAX,
                ..good
            })
            .contains("limits.window")
        );
        assert!(refused(LimitsConfig { per_guild: 0, ..good }).contains("limits.per_guild"));
        assert!(refused(LimitsConfig { total: 0, ..good }).contains("limits.total"));
        assert!(
            refused(LimitsConfig {
                forget_after: Millis::from_mins(1),
                ..good
            })
            .contains("forget_after")
        );
        assert!(
            refused(LimitsConfig {
                budget: Millis::from_secs(1),
                ..good
            })
            .contains("limits.budget")
        );
    }
}
