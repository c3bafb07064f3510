//! When somebody last spoke: one atomic stamp a session, written fifty times a second a speaker from the receiving
//! thread, read by the supervisor.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Moment;

/// The stamp of the last speech in a session.
///
/// It fills two 64-byte cache lines of its own, because processors fetch lines in pairs: two threads that touch two
/// sessions never share one.
#[derive(Debug)]
#[repr(align(128))]
pub struct Activity {
    heard: AtomicU64,
}

impl Activity {
    /// A stamp that begins at `now`: joining counts as activity.
    pub const fn new(now: Moment) -> Self {
        Self {
            heard: AtomicU64::new(now.as_millis()),
        }
    }

    /// Somebody spoke at `now`. From any thread, without a lock; an earlier moment than the stamp changes nothing, so
    /// threads whose clocks disagree cannot move it back.
    #[inline]
    pub fn touch(&self, now: Moment) {
        // Frames of the same millisecond need no write, so that the line stays shared between readers.
        if now.as_millis() > self.heard.load(Ordering::Relaxed) {
            self.heard.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// A frame arrived at `now`. Only speech counts: Discord sends silence frames, and an open microphone in a quiet
    /// room must not keep a session alive.
    #[inline]
    pub fn frame(&self, now: Moment, speech: bool) {
        if speech {
            self.touch(now);
        }
    }

    /// When somebody last spoke.
    #[inline]
    pub fn last(&self) -> Moment {
        Moment::from_millis(self.heard.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_frames_do_not_count() {
        let activity = Activity::new(Moment::from_millis(10));
        activity.frame(Moment::from_millis(50), false);
        assert_eq!(activity.last(), Moment::from_millis(10));
        activity.frame(Moment::from_millis(50), true);
        assert_eq!(activity.last(), Moment::from_millis(50));
    }

    #[test]
    fn the_stamp_never_moves_back_whichever_thread_comes_last() {
        let activity = Activity::new(Moment::ZERO);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let activity = &activity;
                scope.spawn(move || {
                    for tick in 0..10_000 {
                        activity.touch(Moment::from_millis(tick * 4 + thread));
                        assert!(activity.last().as_millis() >= tick * 4 + thread);
                    }
                });
            }
        });
        assert_eq!(activity.last().as_millis(), 9_999 * 4 + 3);
    }

    #[test]
    fn a_stamp_has_its_cache_lines_to_itself() {
        assert_eq!(size_of::<Activity>(), 128);
        assert_eq!(align_of::<Activity>(), 128);
    }
}
