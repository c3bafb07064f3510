//! Where to cut a turn that is too long: in the longest pause of its last seconds, never in the middle of a word.

use std::collections::VecDeque;

use super::WindowHeard;

/// A window of the recent past, and whether it counted as voice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    pub(super) heard: WindowHeard,
    pub(super) voiced: bool,
}

/// The last windows of a turn, oldest first; a fixed number of them.
#[derive(Debug)]
pub(super) struct RecentWindows {
    windows: VecDeque<Remembered>,
    limit: usize,
}

impl RecentWindows {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            windows: VecDeque::with_capacity(limit),
            limit,
        }
    }

    pub(super) fn push(&mut self, heard: WindowHeard, voiced: bool) {
        if self.windows.len() == self.limit {
            self.windows.pop_front();
        }
        self.windows.push_back(Remembered { heard, voiced });
    }

    pub(super) fn clear(&mut self) {
        self.windows.clear();
    }

    /// The last `count` windows, oldest first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &Remembered> {
        self.windows.iter().skip(self.windows.len().saturating_sub(count))
    }

    /// Forgets all but the last `count` windows.
    pub(super) fn keep_last(&mut self, count: usize) {
        self.windows.drain(..self.windows.len().saturating_sub(count));
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// How many windows to leave after the cut: the cut goes into the middle of the longest unvoiced run (the later
    /// of two equal ones); in speech without any pause, into the quietest moment.
    pub(super) fn best_cut(&self) -> usize {
        let total = self.windows.len();
        self.longest_pause()
            .or_else(|| self.quietest())
            .map_or(0, |index| total - index)
    }

    fn longest_pause(&self) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        let mut run = 0;
        for (index, window) in self.windows.iter().enumerate() {
            run = if window.voiced { 0 } else { run + 1 };
            if run >= 2 && best.is_none_or(|(longest, _)| run >= longest) {
                best = Some((run, index + 1));
            }
        }
        best.map(|(run, end)| end - run / 2)
    }

    /// The middle of the three neighbouring windows with the least power: a single window may fall between two
    /// periods of a deep voice.
    fn quietest(&self) -> Option<usize> {
        let power = |index: usize| self.windows.get(index).map_or(f32::MAX, |w| w.heard.power);
        (1..self.windows.len().saturating_sub(1))
            .map(|i| (i, power(i - 1) + power(i) + power(i + 1)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(pattern: &str) -> RecentWindows {
        let mut recent = RecentWindows::new(100);
        for c in pattern.chars() {
            let power = if c == '.' {
                0.0
            } else {
                c.to_digit(10).map_or(0.5, |d| d as f32 / 10.0)
            };
            recent.push(
                WindowHeard {
                    probability: 0.5,
                    power,
                },
                c != '.',
            );
        }
        recent
    }

    #[test]
    fn the_cut_goes_into_the_middle_of_the_longest_pause() {
        assert_eq!(windows("xxx..xxxx....xxx.x").best_cut(), "..xxx.x".len());
        assert_eq!(
            windows("xx..xx..xx").best_cut(),
            ".xx".len(),
            "the later of two equal ones"
        );
    }

    #[test]
    fn without_a_pause_the_quietest_moment_is_cut() {
        assert_eq!(windows("9996215999").best_cut(), "15999".len());
        assert_eq!(
            windows("99919992219").best_cut(),
            "219".len(),
            "one quiet window is not yet a quiet moment"
        );
    }

    #[test]
    fn only_the_last_windows_are_remembered() {
        let mut recent = RecentWindows::new(4);
        for _ in 0..10 {
            recent.push(WindowHeard::default(), true);
        }
        assert_eq!((recent.len(), recent.last(3).count()), (4, 3));
        assert_eq!(RecentWindows::new(4).best_cut(), 0);
    }
}
