//! Word errors: the fewest insertions, deletions and substitutions that turn one text into the other.

use super::normalise_english;

/// Word errors of a text against its reference. Add them up over texts for the rate of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WordErrors {
    /// Words of the reference.
    pub words: usize,
    /// Words heard as others.
    pub substitutions: usize,
    /// Words not heard.
    pub deletions: usize,
    /// Words heard that nobody said.
    pub insertions: usize,
}

impl WordErrors {
    /// All errors.
    pub fn errors(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Errors a reference word: 0.05 is 5 %. More than 1 when more is invented than was said; an empty reference has
    /// rate 0 when nothing was heard and 1 when something was.
    pub fn rate(&self) -> f64 {
        match (self.words, self.errors()) {
            (_, 0) => 0.0,
            (0, _) => 1.0,
            (words, errors) => errors as f64 / words as f64,
        }
    }
}

impl std::ops::AddAssign for WordErrors {
    fn add_assign(&mut self, other: Self) {
        self.words += other.words;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}

impl std::iter::Sum for WordErrors {
    fn sum<I: Iterator<Item = Self>>(errors: I) -> Self {
        errors.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// Normalises both texts ([`normalise_english`]) and counts. Time and memory grow with the product and the sum of the
/// numbers of words.
pub fn word_errors(reference: &str, heard: &str) -> WordErrors {
    let (reference, heard) = (normalise_english(reference), normalise_english(heard));
    let reference: Vec<&str> = reference.split_whitespace().collect();
    let heard: Vec<&str> = heard.split_whitespace().collect();
    align(&reference, &heard)
}

/// Levenshtein's distance with its operations counted; a row at a time.
fn align(reference: &[&str], heard: &[&str]) -> WordErrors {
    let start = WordErrors {
        words: reference.len(),
        ..Default::default()
    };
    let mut row: Vec<WordErrors> = (0..=heard.len())
        .map(|n| WordErrors {
            insertions: n,
            ..start
        })
        .collect();
    for said in reference {
        let mut diagonal = row[0];
        row[0].deletions += 1;
        for (at, word) in heard.iter().enumerate() {
            let above = row[at + 1];
            let substituted = WordErrors {
                substitutions: diagonal.substitutions + usize::from(said != word),
                ..diagonal
            };
            let deleted = WordErrors {
                deletions: above.deletions + 1,
                ..above
            };
            let inserted = WordErrors {
                insertions: row[at].insertions + 1,
                ..row[at]
            };
            let cheapest = [substituted, deleted, inserted]
                .into_iter()
                .min_by_key(WordErrors::errors);
            row[at + 1] = cheapest.unwrap_or(substituted);
            diagonal = above;
        }
    }
    row[heard.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(reference: &str, heard: &str) -> (usize, usize, usize) {
        let errors = word_errors(reference, heard);
        (errors.substitutions, errors.deletions, errors.insertions)
    }

    #[test]
    fn each_kind_is_counted() {
        assert_eq!(counts("a cat sat", "a cat sat"), (0, 0, 0));
        assert_eq!(counts("the cat sat", "the dog sat"), (1, 0, 0));
        assert_eq!(counts("the cat sat", "the sat"), (0, 1, 0));
        assert_eq!(counts("the cat sat", "the old cat sat"), (0, 0, 1));
        assert_eq!(counts("", "something"), (0, 0, 1));
        assert_eq!(counts("one thing here", ""), (0, 3, 0));
    }

    #[test]
    fn spelling_and_punctuation_are_no_errors() {
        assert_eq!(
            counts(
                "Mr. Smith won't pay $20!",
                "mister smith will not pay twenty dollars"
            ),
            (0, 0, 0)
        );
    }

    #[test]
    fn rates_add_up_over_texts() {
        let sum: WordErrors = [
            word_errors("the cat", "the dog"),
            word_errors("it sat down", "it sat"),
        ]
        .into_iter()
        .sum();
        assert!((sum.rate() - 0.4).abs() < 1e-9);
        assert!((word_errors("", "x").rate() - 1.0).abs() < 1e-9);
        assert!(word_errors("", "").rate() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_count_is_a_distance(
            a in proptest::collection::vec("[a-d]", 0..12), b in proptest::collection::vec("[a-d]", 0..12),
        ) {
            let (a, b): (Vec<&str>, Vec<&str>) = (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
            let there = align(&a, &b);
            prop_assert_eq!(there.errors(), align(&b, &a).errors());
            prop_assert_eq!(align(&a, &a).errors(), 0);
            prop_assert!(there.errors() >= a.len().abs_diff(b.len()) && there.errors() <= a.len().max(b.len()));
            prop_assert_eq!(a.len() + there.insertions, b.len() + there.deletions);
        }
    }
}
