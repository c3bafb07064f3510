//! Whether anybody still speaks: warns before the timeout, then calls it.

use std::time::Duration;

use crate::time::Moment;

/// What the monitor sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiet {
    /// Somebody spoke recently enough, or was warned already.
    Fine,
    /// The timeout is this far away; said once for each stretch of quiet.
    Warn { left: Duration },
    /// Nobody spoke for the whole timeout.
    TimedOut,
}

/// Watches the last-speech stamp.
#[derive(Debug, Clone)]
pub(super) struct IdleWatch {
    timeout: Duration,
    warning: Duration,
    interval: Duration,
    looked: Moment,
    heard: Moment,
    warned: bool,
}

impl IdleWatch {
    pub(super) fn new(now: Moment, timeout: Duration, warning: Duration, interval: Duration) -> Self {
        Self {
            timeout,
            warning,
            interval,
            looked: now,
            heard: now,
            warned: false,
        }
    }

    /// The session becomes active: the quiet before that does not count.
    pub(super) fn restart(&mut self, now: Moment) {
        (self.looked, self.heard, self.warned) = (now, now, false);
    }

    /// Looks at the stamp. A stamp older than the one seen before is ignored, so a clock that steps back ends nothing.
    pub(super) fn look(&mut self, now: Moment, heard: Moment) -> Quiet {
        self.looked = now;
        if heard > self.heard {
            self.heard = heard;
            self.warned = false;
        }
        let quiet = now.since(self.heard);
        let left = self.timeout.saturating_sub(quiet);
        if left.is_zero() {
            Quiet::TimedOut
        } else if left <= self.warning && !self.warned {
            self.warned = true;
            Quiet::Warn { left }
        } else {
            Quiet::Fine
        }
    }

    /// When to look again: at the next warning or timeout if nobody speaks, and at least once an interval.
    pub(super) fn wake(&self) -> Moment {
        let end = self.heard.after(self.timeout);
        let due = if self.warned {
            end
        } else {
            end.before(self.warning)
        };
        due.min(self.looked.after(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(secs: u64) -> Moment {
        Moment::from_millis(secs * 1000)
    }

    fn watch() -> IdleWatch {
        IdleWatch::new(at(0), SECOND * 300, SECOND * 60, SECOND * 30)
    }

    #[test]
    fn warns_once_a_stretch_and_times_out_on_the_second() {
        let mut idle = watch();
        assert_eq!(idle.look(at(239), at(0)), Quiet::Fine);
        assert_eq!(idle.wake(), at(240));
        assert_eq!(idle.look(at(240), at(0)), Quiet::Warn { left: SECOND * 60 });
        assert_eq!(idle.look(at(270), at(0)), Quiet::Fine);
        assert_eq!(idle.wake(), at(300));
        assert_eq!(idle.look(at(300), at(0)), Quiet::TimedOut);
    }

    #[test]
    fn speech_re_arms_the_warning() {
        let mut idle = watch();
        assert_eq!(idle.look(at(250), at(0)), Quiet::Warn { left: SECOND * 50 });
        assert_eq!(idle.look(at(260), at(255)), Quiet::Fine);
        assert_eq!(idle.look(at(500), at(255)), Quiet::Warn { left: SECOND * 55 });
    }

    #[test]
    fn a_stamp_that_steps_back_ends_nothing() {
        let mut idle = watch();
        idle.look(at(250), at(249));
        assert_eq!(idle.look(at(301), at(0)), Quiet::Fine);
    }

    #[test]
    fn looks_at_least_once_an_interval() {
        let mut idle = watch();
        idle.look(at(10), at(10));
        assert_eq!(idle.wake(), at(40));
    }
}
