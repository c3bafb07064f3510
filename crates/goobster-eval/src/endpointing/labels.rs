//! Which of a recording's pauses lie within a sentence and which at its end: by what was said up to them.
//!
//! The words that a recogniser hears before a pause are laid against the transcript, which is independent of it; where they
//! reach to tells whether a sentence of the transcript ends there. A place that is not certain is not used.

/// At most this share of the words heard may differ from the transcript.
const MOST_WRONG: f64 = 0.34;

/// A transcript as words, and whether a sentence ends after each.
pub(super) struct Script {
    words: Vec<String>,
    ends: Vec<bool>,
}

/// Where a pause lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Within a sentence, after this many words of the transcript.
    Within,
    /// At the end of a sentence; this many words of the transcript are behind it.
    End(usize),
    /// Not certain.
    Unsure,
}

impl Script {
    pub(super) fn new(transcript: &str) -> Self {
        let (mut words, mut ends) = (Vec::<String>::new(), Vec::new());
        for raw in transcript.split_whitespace() {
            // A trail of dots is no end.
            let end =
                raw.trim_end_matches(['"', '\'', ')']).ends_with(['.', '?', '!']) && !raw.ends_with("...");
            let mut parts = plain(raw).peekable();
            while let Some(word) = parts.next() {
                words.push(word);
                ends.push(end && parts.peek().is_none());
            }
        }
        Self { words, ends }
    }

    /// Whether the transcript ends with a whole sentence.
    pub(super) fn is_whole(&self) -> bool {
        self.ends.last() == Some(&true)
    }

    /// Where a pause lies, before which `heard` was said since word `from`.
    pub(super) fn place(&self, from: usize, heard: &str) -> Place {
        let heard: Vec<String> = heard
            .split_whitespace()
            .flat_map(|raw| plain(raw).collect::<Vec<_>>())
            .collect();
        let Some(rest) = self
            .words
            .get(from..)
            .filter(|rest| !rest.is_empty() && !heard.is_empty())
        else {
            return Place::Unsure;
        };
        let (reach, wrong) = reach(&heard, rest);
        if reach == 0 || wrong as f64 > MOST_WRONG * heard.len() as f64 {
            return Place::Unsure;
        }
        let is_end = |reach: usize| reach > 0 && self.ends.get(from + reach - 1) == Some(&true);
        // One word more or less would say otherwise: only believed when the last word is the one of the transcript.
        let sure = heard.last() == rest.get(reach - 1);
        if !sure && (is_end(reach) || is_end(reach + 1) || is_end(reach - 1)) {
            Place::Unsure
        } else if is_end(reach) {
            Place::End(from + reach)
        } else {
            Place::Within
        }
    }
}

/// Letters and digits in lower case; a hyphen parts words, an apostrophe does not.
fn plain(raw: &str) -> impl Iterator<Item = String> + use<> {
    let lower = raw.to_lowercase();
    let words: Vec<String> = lower
        .split(['-', '/', '–', '…'])
        .map(|part| part.chars().filter(|c| c.is_alphanumeric()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    words.into_iter()
}

/// How many words of `rest` are best covered by `heard`, and how many words differ then.
fn reach(heard: &[String], rest: &[String]) -> (usize, usize) {
    let mut row: Vec<usize> = (0..=rest.len()).collect();
    for (index, word) in heard.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, other) in rest.iter().enumerate() {
            let substituted = diagonal + usize::from(word != other);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    let wrong = row.iter().copied().min().unwrap_or(0);
    // Of equally good places the one where the last words agree.
    let best = (0..row.len())
        .filter(|reach| row[*reach] == wrong)
        .max_by_key(|reach| {
            (
                *reach > 0 && heard.last() == rest.get(reach - 1),
                std::cmp::Reverse(*reach),
            )
        });
    (best.unwrap_or(0), wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_placed_by_the_words_before_them() {
        let script = Script::new("Your call is first in line, and will be answered. Please hold.");
        assert_eq!(script.place(0, "Your call is first in line."), Place::Within);
        assert_eq!(
            script.place(0, "Your call is first in line and will be answered"),
            Place::End(10)
        );
        assert_eq!(script.place(10, "please hold"), Place::End(12));
        assert_eq!(script.place(10, "Please."), Place::Within);
        assert!(script.is_whole() && !Script::new("He was not ill,").is_whole());
    }

    #[test]
    fn a_place_that_one_word_would_change_is_not_believed() {
        let script = Script::new("Your call will be answered. Please hold.");
        assert_eq!(script.place(0, "Your call will be and sword"), Place::Unsure);
        assert_eq!(script.place(0, "something else was said there"), Place::Unsure);
        assert_eq!(script.place(0, ""), Place::Unsure);
        assert_eq!(script.place(7, "hold"), Place::Unsure);
    }

    #[test]
    fn the_distance_is_the_least_over_all_places() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(reach(&words("a b c"), &words("a b c d e")), (3, 0));
        assert_eq!(reach(&words("a x c"), &words("a b c d e")), (3, 1));
        assert_eq!(reach(&words("a c"), &words("a b c d")), (3, 1));
    }
}
