//! Whisper's tokens into timed segments (pure).

use std::time::Duration;

/// A token as decoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// Its number in the vocabulary.
    pub(super) id: i32,
    /// Its text, maybe a part of a character; empty for special tokens.
    pub(super) bytes: Vec<u8>,
    /// The model's probability for it.
    pub(super) probability: f32,
}

/// Where the kinds of tokens begin in a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds {
    /// End of text: everything below is text.
    pub(super) end_of_text: i32,
    /// The timestamp 0.00 s; later ones follow in steps of 20 ms.
    pub(super) first_timestamp: i32,
}

/// A stretch of text between two timestamps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretch {
    pub(super) start: Duration,
    pub(super) end: Duration,
    pub(super) text: String,
    /// The sum of the natural logarithms of the text tokens' probabilities.
    pub(super) log_probability: f32,
    /// How many text tokens.
    pub(super) tokens: usize,
}

impl Stretch {
    /// The geometric mean of the token probabilities, `0.0..=1.0`.
    pub(super) fn confidence(&self) -> f32 {
        if self.tokens == 0 {
            0.0
        } else {
            (self.log_probability / self.tokens as f32).exp().clamp(0.0, 1.0)
        }
    }
}

/// A timestamp's step.
const STEP: Duration = Duration::from_millis(20);

/// Splits tokens at their timestamps. Times lie within the clip, in order, not overlapping, and every stretch lasts at
/// least one step if the clip does.
pub(super) fn stretches(tokens: &[Token], kinds: Kinds, clip: Duration) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut open = Open::at(Duration::ZERO);
    for token in tokens {
        if token.id >= kinds.first_timestamp {
            let steps = u32::try_from(token.id - kinds.first_timestamp).unwrap_or(0);
            let at = STEP * steps;
            open.close(at, &mut found);
            open.start = at;
        } else if token.id < kinds.end_of_text {
            open.bytes.extend(&token.bytes);
            open.log_probability += token.probability.clamp(1e-10, 1.0).ln();
            open.tokens += 1;
        }
    }
    open.close(clip, &mut found);
    place(&mut found, clip);
    found
}

struct Open {
    start: Duration,
    bytes: Vec<u8>,
    log_probability: f32,
    tokens: usize,
}

impl Open {
    fn at(start: Duration) -> Self {
        Self {
            start,
            bytes: Vec::new(),
            log_probability: 0.0,
            tokens: 0,
        }
    }

    fn close(&mut self, end: Duration, found: &mut Vec<Stretch>) {
        let done = std::mem::replace(self, Self::at(end));
        let text = String::from_utf8_lossy(&done.bytes).trim().to_owned();
        if !text.is_empty() {
            let Open {
                start,
                log_probability,
                tokens,
                ..
            } = done;
            found.push(Stretch {
                start,
                end,
                text,
                log_probability,
                tokens,
            });
        }
    }
}

/// Whisper's times may lie behind the clip's end, run backwards or be empty. Backwards: each stretch ends where the next
/// may begin, so that all keep at least a step.
fn place(found: &mut [Stretch], clip: Duration) {
    let mut limit = clip;
    for stretch in found.iter_mut().rev() {
        stretch.end = stretch.end.min(limit);
        stretch.start = stretch.start.min(stretch.end.saturating_sub(STEP));
        limit = stretch.start;
    }
    let mut earliest = Duration::ZERO;
    for stretch in found.iter_mut() {
        stretch.start = stretch.start.max(earliest);
        stretch.end = stretch.end.max((stretch.start + STEP).min(clip));
        earliest = stretch.end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: Kinds = Kinds {
        end_of_text: 100,
        first_timestamp: 200,
    };

    fn word(text: &str, probability: f32) -> Token {
        Token {
            id: 1,
            bytes: text.as_bytes().to_vec(),
            probability,
        }
    }

    fn at(seconds: f32) -> Token {
        Token {
            id: 200 + (seconds * 50.0).round() as i32,
            bytes: Vec::new(),
            probability: 1.0,
        }
    }

    #[test]
    fn text_between_timestamps_becomes_segments() {
        let tokens = [
            at(0.0),
            word(" Hello", 0.9),
            word(" there.", 0.4),
            at(1.5),
            at(1.8),
            word(" Bye.", 0.5),
            at(2.5),
        ];
        let found = stretches(&tokens, KINDS, Duration::from_secs(3));
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].text.as_str(), found[0].end),
            ("Hello there.", Duration::from_millis(1500))
        );
        assert!((found[0].confidence() - 0.6).abs() < 1e-3);
        assert_eq!(
            (found[1].start, found[1].end),
            (Duration::from_millis(1800), Duration::from_millis(2500))
        );
    }

    #[test]
    fn without_timestamps_the_clip_is_one_segment() {
        let found = stretches(
            &[word(" One", 1.0), word(" two", 1.0)],
            KINDS,
            Duration::from_secs(2),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].start, found[0].end),
            (Duration::ZERO, Duration::from_secs(2))
        );
    }

    #[test]
    fn a_character_split_over_tokens_is_whole_again() {
        let halves = [
            Token {
                id: 1,
                bytes: vec![b' ', 0xc3],
                probability: 1.0,
            },
            Token {
                id: 2,
                bytes: vec![0xa9],
                probability: 1.0,
            },
        ];
        assert_eq!(stretches(&halves, KINDS, Duration::from_secs(1))[0].text, "é");
    }

    #[test]
    fn special_tokens_are_no_text() {
        let special = Token {
            id: 150,
            bytes: b"[_SOT_]".to_vec(),
            probability: 1.0,
        };
        assert!(stretches(&[special], KINDS, Duration::from_secs(1)).is_empty());
    }

    proptest! {
        #[test]
        fn times_are_ordered_and_inside(
            raw in proptest::collection::vec((0..1700_i32, 0..3_usize), 0..20), clip_ms in 1000..30_000_u64,
        ) {
            let clip = Duration::from_millis(clip_ms);
            let mut tokens = Vec::new();
            for (step, words) in raw {
                tokens.push(Token { id: 200 + step, bytes: Vec::new(), probability: 1.0 });
                tokens.extend((0..words).map(|_| word(" w", 0.5)));
            }
            let mut earliest = Duration::ZERO;
            for stretch in stretches(&tokens, KINDS, clip) {
                prop_assert!(earliest <= stretch.start && stretch.start < stretch.end && stretch.end <= clip);
                earliest = stretch.end;
            }
        }
    }
}
