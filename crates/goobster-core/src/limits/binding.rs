//! Limits that can never bind: found at start and said in words, so that nobody relies on one.

use std::fmt;

use super::{LimitsConfig, Millis};

/// A configured limit that no use can ever reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeverBinds {
    /// As much voice as fits into a window is allowed.
    Voice {
        /// The limit.
        voice: Millis,
        /// The window.
        window: Millis,
        /// Sessions a member may have at once.
        sessions: u32,
        /// Voice that fits into a window with so many sessions.
        fits: Millis,
    },
    /// A member may have more sessions than there are in total.
    PerUser {
        /// The limit.
        limit: u32,
        /// All sessions.
        total: u32,
    },
    /// A guild may have more sessions than there are in total.
    PerGuild {
        /// The limit.
        limit: u32,
        /// All sessions.
        total: u32,
    },
}

impl fmt::Display for NeverBinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voice {
                voice,
                window,
                sessions,
                fits,
            } => write!(
                f,
                "the voice limit of {voice} in every {window} can never bind: with {sessions} session{} a member at \
                 most {fits} of voice fits into {window}; set limits.voice below that, or limits.per_user higher, if \
                 it should",
                if *sessions == 1 { "" } else { "s" }
            ),
            Self::PerUser { limit, total } => write!(
                f,
                "the limit of {limit} sessions a member can never bind: there are only {total} sessions in total"
            ),
            Self::PerGuild { limit, total } => write!(
                f,
                "the limit of {limit} sessions a server can never bind: there are only {total} sessions in total"
            ),
        }
    }
}

/// The limits that can never bind.
pub fn never_binding(config: &LimitsConfig) -> Vec<NeverBinds> {
    let LimitsConfig {
        voice,
        window,
        per_user,
        per_guild,
        total,
        ..
    } = *config;
    let mut found = Vec::new();
    let sessions = per_user.min(total);
    let fits = Millis::new(window.get().saturating_mul(u64::from(sessions)));
    if voice >= fits {
        found.push(NeverBinds::Voice {
            voice,
            window,
            sessions,
            fits,
        });
    }
    if per_user > total {
        found.push(NeverBinds::PerUser {
            limit: per_user,
            total,
        });
    }
    if per_guild > total {
        found.push(NeverBinds::PerGuild {
            limit: per_guild,
            total,
        });
    }
    found
}

/// Says each limit that can never bind in one `info` line. Call it once at start.
pub fn announce_never_binding(config: &LimitsConfig) {
    for limit in never_binding(config) {
        tracing::info!("{limit}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_voice_limit_cannot_bind_and_says_so() {
        let found = never_binding(&LimitsConfig::default());
        assert_eq!(found.len(), 1);
        let words = found[0].to_string();
        assert!(
            words.starts_with("the voice limit of 2 h in every 1 h can never bind"),
            "{words}"
        );
        assert!(
            words.contains("with 1 session a member at most 1 h of voice fits"),
            "{words}"
        );
        assert!(!words.contains('\n'));
    }

    #[test]
    fn limits_that_bind_are_not_announced() {
        let three = LimitsConfig {
            per_user: 3,
            ..LimitsConfig::default()
        };
        assert_eq!(never_binding(&three), []);
        let short = LimitsConfig {
            voice: Millis::from_mins(59),
            ..LimitsConfig::default()
        };
        assert_eq!(never_binding(&short), []);
        let tiny = LimitsConfig {
            total: 2,
            per_user: 3,
            ..LimitsConfig::default()
        };
        assert_eq!(never_binding(&tiny).len(), 3);
    }
}
