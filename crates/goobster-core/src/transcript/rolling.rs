//! The transcript of a running conversation: in order of time, bounded in number and in characters.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::{Caption, CaptionFormat, CaptionKind, CaptionWriter};
use crate::ids::UserId;

/// How much a [`Transcript`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Captions at most.
    pub captions: usize,
    /// Bytes of text and names at most.
    pub bytes: usize,
}

impl Default for Bounds {
    /// About three hours of talk: a caption every second, 4 MiB of text.
    fn default() -> Self {
        Self {
            captions: 10_800,
            bytes: 4 << 20,
        }
    }
}

/// The captions so far. When a bound is passed the oldest go, and [`Transcript::dropped`] counts them.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    captions: VecDeque<Caption>,
    bounds: Bounds,
    bytes: usize,
    dropped: u64,
}

impl Transcript {
    /// An empty transcript.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Adds a caption in its place by start time (after those that start at the same moment). Captions of several
    /// speakers may come in any order. A text of nothing but white space is not kept.
    pub fn push(&mut self, caption: Caption) {
        if caption.text.trim().is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(size(&caption));
        let place = self
            .captions
            .partition_point(|other| other.start <= caption.start);
        self.captions.insert(place, caption);
        while self.captions.len() > self.bounds.captions || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.captions.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
            self.dropped += 1;
        }
    }

    /// Forgets everything that somebody said, and what they were answered; how many lines of their own there were.
    pub fn forget(&mut self, who: UserId) -> usize {
        let mut lines = 0;
        self.captions.retain(|caption| {
            let theirs = caption.whose == Some(who);
            lines += usize::from(theirs && caption.kind == CaptionKind::Speech);
            !theirs
        });
        self.bytes = self.captions.iter().map(size).sum();
        lines
    }

    /// The captions kept, by start time.
    pub fn captions(&self) -> impl DoubleEndedIterator<Item = &Caption> + ExactSizeIterator {
        self.captions.iter()
    }

    /// How many were dropped because of the bounds.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }

    /// Writes everything kept.
    pub fn write<W: Write>(&self, format: CaptionFormat, sink: W) -> io::Result<W> {
        let mut writer = CaptionWriter::new(format, sink)?;
        for caption in &self.captions {
            writer.append(caption)?;
        }
        writer.finish()
    }
}

fn size(caption: &Caption) -> usize {
    caption.text.len() + caption.speaker.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transcript::caption;

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let mut transcript = Transcript::new(Bounds {
            captions: 2,
            bytes: 1000,
        });
        for start in [5, 1, 9] {
            transcript.push(caption("a", start, start + 1, "word"));
        }
        let starts: Vec<u64> = transcript.captions().map(|c| c.start.as_millis()).collect();
        assert_eq!((starts.as_slice(), transcript.dropped()), ([5, 9].as_slice(), 1));
    }

    #[test]
    fn who_is_forgotten_takes_their_lines_and_their_answers_along_whatever_others_are_called() {
        let mut transcript = Transcript::default();
        let (one, other) = (UserId::new(1), UserId::new(2));
        for (start, whose, kind) in [
            (1, Some(one), CaptionKind::Speech),
            (2, Some(one), CaptionKind::Reply),
            (3, Some(other), CaptionKind::Speech),
            (4, None, CaptionKind::Reply),
        ] {
            transcript.push(Caption {
                kind,
                whose,
                ..caption("Ann", start, start + 1, "word")
            });
        }
        assert_eq!(transcript.forget(one), 1);
        let left: Vec<u64> = transcript.captions().map(|c| c.start.as_millis()).collect();
        assert_eq!(left, [3, 4]);
        assert_eq!(transcript.bytes, 2 * ("Ann".len() + "word".len()));
        assert_eq!(transcript.forget(one), 0);
    }

    #[test]
    fn a_caption_larger_than_the_bound_is_not_kept() {
        let mut transcript = Transcript::new(Bounds {
            captions: 10,
            bytes: 20,
        });
        transcript.push(caption("a", 0, 1, &"long ".repeat(10)));
        assert!(transcript.is_empty());
        transcript.push(caption("a", 0, 1, "short"));
        assert_eq!(transcript.captions().len(), 1);
    }

    proptest! {
        #[test]
        fn order_and_bounds_hold(pushes in proptest::collection::vec((0_u64..100, "[a-z ]{0,12}"), 0..60)) {
            let bounds = Bounds { captions: 10, bytes: 60 };
            let mut transcript = Transcript::new(bounds);
            let mut kept = 0;
            for (start, text) in &pushes {
                kept += u64::from(!text.trim().is_empty());
                transcript.push(caption("n", *start, start + 1, text));
                let starts: Vec<_> = transcript.captions().map(|c| c.start).collect();
                prop_assert!(starts.is_sorted());
                prop_assert!(starts.len() <= bounds.captions);
                prop_assert!(transcript.captions().map(size).sum::<usize>() <= bounds.bytes);
                prop_assert_eq!(transcript.dropped() + starts.len() as u64, kept);
            }
        }
    }
}
