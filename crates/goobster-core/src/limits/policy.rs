//! Either policy behind one type, so that an operator's choice costs no indirection, and a member's stored window
//! survives a change of that choice.

use serde::{Deserialize, Serialize};

use super::{
    FixedState, FixedWindow, LimitsConfig, Millis, PolicyKind, SlidingState, SlidingWindow, WindowPolicy,
};
use crate::time::UtcMillis;

/// The configured policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The fixed window.
    Fixed(FixedWindow),
    /// The sliding window.
    Sliding(SlidingWindow),
}

/// A member's window, whichever policy wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// Of the fixed window.
    Fixed(FixedState),
    /// Of the sliding window.
    Sliding(SlidingState),
}

impl Default for Window {
    fn default() -> Self {
        Self::Fixed(FixedState::default())
    }
}

impl Policy {
    /// The policy that the settings ask for.
    pub const fn new(config: &LimitsConfig) -> Self {
        match config.policy {
            PolicyKind::Fixed => Self::Fixed(FixedWindow::new(config.window)),
            PolicyKind::Sliding => Self::Sliding(SlidingWindow::new(config.window)),
        }
    }

    /// Its name in the settings.
    pub const fn kind(self) -> PolicyKind {
        match self {
            Self::Fixed(_) => PolicyKind::Fixed,
            Self::Sliding(_) => PolicyKind::Sliding,
        }
    }

    /// Rewrites a window of the other policy: what was used is charged again, as a whole, at the time it was last
    /// charged. Nothing is freed by changing the policy.
    #[cold]
    fn adopt(self, window: &mut Window, now: UtcMillis) {
        let (used, last) = match window {
            Window::Fixed(state) => (state.used, state.start.unwrap_or(now)),
            Window::Sliding(state) => {
                let used = state
                    .buckets
                    .iter()
                    .fold(Millis::ZERO, |sum, b| sum.saturating_add(b.used));
                (used, now)
            }
        };
        *window = match self {
            Self::Fixed(_) => Window::Fixed(FixedState {
                start: (!used.is_zero()).then_some(last),
                used,
            }),
            Self::Sliding(policy) => {
                let mut state = SlidingState::default();
                if !used.is_zero() {
                    let index = last.get().div_euclid(policy.grain());
                    state.buckets.push_back(super::Bucket { index, used });
                }
                Window::Sliding(state)
            }
        };
    }
}

impl WindowPolicy for Policy {
    type State = Window;

    #[inline]
    fn charge(&self, state: &mut Window, at: UtcMillis, delta: Millis) {
        match (self, &mut *state) {
            (Self::Fixed(policy), Window::Fixed(state)) => policy.charge(state, at, delta),
            (Self::Sliding(policy), Window::Sliding(state)) => policy.charge(state, at, delta),
            _ => {
                self.adopt(state, at);
                self.charge(state, at, delta);
            }
        }
    }

    #[inline]
    fn settle(&self, state: &mut Window, now: UtcMillis) {
        match (self, &mut *state) {
            (Self::Fixed(policy), Window::Fixed(state)) => policy.settle(state, now),
            (Self::Sliding(policy), Window::Sliding(state)) => policy.settle(state, now),
            _ => {
                self.adopt(state, now);
                self.settle(state, now);
            }
        }
    }

    #[inline]
    fn used(&self, state: &Window, now: UtcMillis) -> Millis {
        match (self, state) {
            (Self::Fixed(policy), Window::Fixed(state)) => policy.used(state, now),
            (Self::Sliding(policy), Window::Sliding(state)) => policy.used(state, now),
            _ => {
                let mut adopted = state.clone();
                self.adopt(&mut adopted, now);
                self.used(&adopted, now)
            }
        }
    }

    #[inline]
    fn resets_at(&self, state: &Window, now: UtcMillis) -> Option<UtcMillis> {
        match (self, state) {
            (Self::Fixed(policy), Window::Fixed(state)) => policy.resets_at(state, now),
            (Self::Sliding(policy), Window::Sliding(state)) => policy.resets_at(state, now),
            _ => {
                let mut adopted = state.clone();
                self.adopt(&mut adopted, now);
                self.resets_at(&adopted, now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_the_policy_frees_nothing() {
        let fixed = Policy::new(&LimitsConfig::default());
        let sliding = Policy::new(&LimitsConfig {
            policy: PolicyKind::Sliding,
            ..LimitsConfig::default()
        });
        let now = UtcMillis::new(10_000_000);
        let mut window = Window::default();
        fixed.charge(&mut window, now, Millis::from_mins(5));
        for policy in [sliding, fixed, sliding] {
            policy.settle(&mut window, now);
            assert_eq!(policy.used(&window, now), Millis::from_mins(5), "{policy:?}");
            let gone = now.after(std::time::Duration::from_hours(3));
            assert_eq!(policy.used(&window, gone), Millis::ZERO, "{policy:?}");
        }
    }
}
