//! Cutting a text into the pieces that are rendered one by one.
//!
//! A neural voice renders a piece as a whole, so the time to the first sample grows with the length of the first
//! piece: that one is kept short by ending it at the first clause when the sentence is long. Later pieces are whole
//! sentences, which sound best, up to a length that bounds memory.

use unicode_segmentation::UnicodeSegmentation;

/// The silence that follows a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// A sentence ends.
    Sentence,
    /// A clause ends: comma, colon, dash.
    Clause,
    /// The text was cut where no punctuation is.
    Word,
}

impl Pause {
    /// Its length, in milliseconds: what a calm reader leaves.
    pub(crate) fn millis(self) -> usize {
        match self {
            Self::Sentence => 260,
            Self::Clause => 130,
            Self::Word => 15,
        }
    }
}

/// A piece of text to render at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The text, trimmed, never empty, with something in it that can be spoken.
    pub(crate) text: String,
    /// What follows it.
    pub(crate) pause: Pause,
}

/// How long pieces may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SplitRule {
    /// A first sentence of more words ends its first piece at a clause.
    pub(crate) first_words: usize,
    /// A later sentence of more words is cut at clauses.
    pub(crate) max_words: usize,
}

impl SplitRule {
    /// For engines whose first sample does not wait for the piece's end.
    pub(crate) const SENTENCES: Self = Self {
        first_words: 40,
        max_words: 40,
    };
    /// For neural voices: about 20 ms of rendering a word on one core, so that some ten words are heard in 250 ms.
    pub(crate) const EARLY: Self = Self {
        first_words: 7,
        max_words: 30,
    };
}

/// A clause shorter than this is not worth a piece of its own: it would sound chopped.
const MIN_CLAUSE_WORDS: usize = 3;
/// A "word" longer than this many bytes is cut (a line of dashes, a script that is written without spaces).
const MAX_WORD_BYTES: usize = 400;

/// Cuts a normalised text.
pub(crate) fn split(text: &str, rule: SplitRule) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for sentence in text.lines().flat_map(str::unicode_sentences) {
        let limit = if pieces.is_empty() {
            rule.first_words
        } else {
            rule.max_words
        };
        split_sentence(sentence, limit, rule.max_words, &mut pieces);
    }
    pieces
}

/// Cuts one sentence: the first piece of at most `limit` words if it can be ended there, the others of `later`.
fn split_sentence(sentence: &str, mut limit: usize, later: usize, pieces: &mut Vec<Piece>) {
    let words = words(sentence);
    let mut from = 0;
    while from < words.len() {
        let (to, pause) = piece_end(&words, from, limit, later);
        push(words[from..to].join(" "), pause, pieces);
        from = to;
        limit = later;
    }
}

/// Where a piece that begins at word `from` ends (exclusive), and what follows it.
fn piece_end(words: &[&str], from: usize, limit: usize, hard: usize) -> (usize, Pause) {
    let left = words.len() - from;
    if left <= limit {
        return (words.len(), Pause::Sentence);
    }
    let clause = |i: usize| {
        ends_clause(words[i]) && i + 1 - from >= MIN_CLAUSE_WORDS && words.len() - i > MIN_CLAUSE_WORDS
    };
    // The last clause that fits, else the first that does not (up to the hard limit).
    let fits = (from..from + limit).rev().find(|&i| clause(i));
    let beyond = || (from + limit..(from + hard).min(words.len())).find(|&i| clause(i));
    if let Some(i) = fits.or_else(beyond) {
        return (i + 1, Pause::Clause);
    }
    if left <= hard {
        return (words.len(), Pause::Sentence);
    }
    // No punctuation in reach: before a conjunction, or just here.
    let conjunction = (from + MIN_CLAUSE_WORDS..from + hard)
        .rev()
        .find(|&i| begins_clause(words[i]));
    (conjunction.unwrap_or(from + hard), Pause::Word)
}

/// The words of a sentence, overlong ones cut at character boundaries.
fn words(sentence: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for mut word in sentence.split_whitespace() {
        while word.len() > MAX_WORD_BYTES {
            let (head, tail) = word.split_at(word.floor_char_boundary(MAX_WORD_BYTES));
            all.push(head);
            word = tail;
        }
        all.push(word);
    }
    all
}

fn ends_clause(word: &str) -> bool {
    word.ends_with([',', ';', ':', '\u{2013}', '\u{2014}', '\u{3001}', '\u{ff0c}', ')'])
}

fn begins_clause(word: &str) -> bool {
    matches!(
        word,
        "and" | "but" | "or" | "because" | "which" | "that" | "when" | "while" | "so" | "if"
    )
}

fn push(text: String, pause: Pause, pieces: &mut Vec<Piece>) {
    if text.chars().any(char::is_alphanumeric) {
        pieces.push(Piece { text, pause });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split(text, SplitRule::EARLY)
            .into_iter()
            .map(|piece| piece.text)
            .collect()
    }

    #[test]
    fn sentences_are_pieces() {
        assert_eq!(
            texts("Hello there. How are you today?"),
            ["Hello there.", "How are you today?"]
        );
        assert_eq!(texts("One line\nAnother line"), ["One line", "Another line"]);
    }

    #[test]
    fn a_long_first_sentence_is_heard_from_its_first_clause() {
        let pieces = split(
            "When the rain stops, we will all go out and play in the garden.",
            SplitRule::EARLY,
        );
        assert_eq!(pieces[0].text, "When the rain stops,");
        assert_eq!(pieces[0].pause, Pause::Clause);
        assert_eq!(pieces[1].text, "we will all go out and play in the garden.");
        assert_eq!(pieces[1].pause, Pause::Sentence);
    }

    #[test]
    fn short_clauses_are_not_chopped_off() {
        assert_eq!(texts("Yes, I do think that this is a good idea.").len(), 1);
        assert_eq!(texts("I do think that this is a good idea, yes.").len(), 1);
    }

    #[test]
    fn an_endless_sentence_is_bounded() {
        let text = "word ".repeat(500);
        assert!(
            split(&text, SplitRule::EARLY)
                .iter()
                .all(|p| p.text.split(' ').count() <= 30)
        );
        let unbroken = "a".repeat(5000);
        assert!(
            split(&unbroken, SplitRule::EARLY)
                .iter()
                .all(|p| p.text.len() <= 30 * (MAX_WORD_BYTES + 1))
        );
    }

    #[test]
    fn punctuation_alone_is_not_spoken() {
        assert_eq!(texts("... !!! -- "), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_that_can_be_spoken_is_lost(text in "[a-z0-9 ,.;:!?\n]{0,300}") {
            let letters = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let joined: String = split(&text, SplitRule::EARLY).iter().map(|p| letters(&p.text)).collect();
            prop_assert_eq!(joined, letters(&text));
        }

        #[test]
        fn any_text_is_cut_without_a_panic(text in "\\PC{0,300}") {
            for piece in split(&text, SplitRule::EARLY) {
                prop_assert!(!piece.text.trim().is_empty());
            }
        }
    }
}
