//! The last moments before someone speaks, kept so that first syllables are whole.

use std::collections::VecDeque;

use crate::pool::PooledAudio;

/// The most recent samples, a fixed number of them at most.
#[derive(Debug)]
pub(super) struct History {
    samples: VecDeque<f32>,
    limit: usize,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            samples: VecDeque::with_capacity(limit),
            limit,
        }
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        let kept = &samples[samples.len().saturating_sub(self.limit)..];
        let surplus = (self.samples.len() + kept.len()).saturating_sub(self.limit);
        self.samples.drain(..surplus);
        self.samples.extend(kept);
    }

    /// As if silence had been pushed for long.
    pub(super) fn fill_with_silence(&mut self) {
        self.samples.clear();
        self.samples.resize(self.limit, 0.0);
    }

    /// Appends the last `count` samples, or all there are.
    pub(super) fn copy_last(&self, count: usize, to: &mut PooledAudio) {
        let skip = self.samples.len().saturating_sub(count);
        let (old, new) = self.samples.as_slices();
        to.append(&old[skip.min(old.len())..]);
        to.append(&new[skip.saturating_sub(old.len())..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::AudioPool;

    #[test]
    fn the_last_samples_come_back_in_order() {
        let pool = AudioPool::new(1, 100);
        let mut history = History::new(10);
        let copied = |history: &History, count| {
            let mut buffer = pool.take().unwrap();
            history.copy_last(count, &mut buffer);
            buffer.to_vec()
        };
        for chunk in [&[1.0, 2.0, 3.0][..], &[4.0; 6], &[5.0, 6.0, 7.0]] {
            history.push(chunk);
        }
        assert_eq!(copied(&history, 4), [4.0, 5.0, 6.0, 7.0]);
        assert_eq!(
            copied(&history, 99),
            [3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 5.0, 6.0, 7.0]
        );
        history.push(&[8.0; 30]);
        assert_eq!(copied(&history, 99), [8.0; 10]);
        history.fill_with_silence();
        assert_eq!(copied(&history, 3), [0.0; 3]);
    }
}
