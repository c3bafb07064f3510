//! Word errors: a small metric of the rehearsal's own, over words in lower case without punctuation, numbers spelt out.

/// Words of a text, as they are compared.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let cleaned: String = text
        .chars()
        .filter(|c| !matches!(c, '\'' | '\u{2019}' | ','))
        .map(|c| if c.is_alphanumeric() || c == '%' { c } else { ' ' })
        .collect();
    for word in cleaned
        .to_lowercase()
        .replace('%', " percent ")
        .split_whitespace()
    {
        match word.parse::<u32>() {
            Ok(number) if number < 1_000_000 => words.extend(spelt(number)),
            _ => words.push(match word {
                "mr" => "mister".to_owned(),
                "mrs" => "missus".to_owned(),
                "dr" => "doctor".to_owned(),
                "metres" => "meters".to_owned(),
                _ => word.to_owned(),
            }),
        }
    }
    words
}

/// A number below a million in words.
fn spelt(number: u32) -> Vec<String> {
    const ONES: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = [
        "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let with = |mut high: Vec<String>, unit: &str, rest: u32| {
        if !unit.is_empty() {
            high.push(unit.to_owned());
        }
        if rest > 0 {
            high.extend(spelt(rest));
        }
        high
    };
    match number {
        0..20 => vec![ONES[number as usize].to_owned()],
        20..100 => with(vec![TENS[number as usize / 10].to_owned()], "", number % 10),
        100..1_000 => with(spelt(number / 100), "hundred", number % 100),
        _ => with(spelt(number / 1_000), "thousand", number % 1_000),
    }
}

/// How far what was heard is from what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct WordErrors {
    /// Words that were said.
    pub words: usize,
    /// Words changed, left out or made up, at the fewest.
    pub errors: usize,
}

impl WordErrors {
    /// Errors a hundred words; something heard where nothing was said is 100.
    pub fn percent(self) -> f64 {
        match (self.words, self.errors) {
            (_, 0) => 0.0,
            (0, _) => 100.0,
            (words, errors) => 100.0 * errors as f64 / words as f64,
        }
    }
}

impl std::ops::AddAssign for WordErrors {
    fn add_assign(&mut self, other: Self) {
        self.words += other.words;
        self.errors += other.errors;
    }
}

/// Counts the word errors (Levenshtein's distance over words, a row at a time).
pub fn word_errors(said: &str, heard: &str) -> WordErrors {
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (n, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, other) in heard.iter().enumerate() {
            let above = row[m + 1];
            row[m + 1] = (diagonal + usize::from(word != other))
                .min(above + 1)
                .min(row[m] + 1);
            diagonal = above;
        }
    }
    WordErrors {
        words: said.len(),
        errors: row[heard.len()],
    }
}

/// Whether the words of `wanted` stand in `text`, in order and without others between them.
pub fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (words(text), words(wanted));
    wanted.is_empty() || text.windows(wanted.len()).any(|w| w == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_is_no_error_and_words_are() {
        assert_eq!(
            word_errors(
                "Mr. Smith won't pay $20, or 5 %!",
                "mister smith wont pay twenty or five percent"
            )
            .errors,
            0
        );
        assert_eq!(
            word_errors(
                "1,234 and 100",
                "one thousand two hundred thirty four and one hundred"
            )
            .errors,
            0
        );
        assert_eq!(
            word_errors("the cat sat", "the dog sat down"),
            WordErrors { words: 3, errors: 2 }
        );
        assert!((word_errors("", "x").percent() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn words_are_found_whatever_their_case_and_marks() {
        assert!(contains("I'm leaving: the *Limit* is reached.", "the limit"));
        assert!(!contains("unlimited", "limit"));
        assert!(contains("anything", ""));
    }

    proptest! {
        #[test]
        fn the_count_is_a_distance(a in "[a-d]( [a-d]){0,9}", b in "[a-d]( [a-d]){0,9}") {
            let (n, m) = (a.split(' ').count(), b.split(' ').count());
            let errors = word_errors(&a, &b).errors;
            prop_assert_eq!(errors, word_errors(&b, &a).errors);
            prop_assert_eq!(word_errors(&a, &a).errors, 0);
            prop_assert!(errors >= n.abs_diff(m) && errors <= n.max(m));
        }
    }
}
