//! From a piece of text to the ids a Piper model reads: espeak-ng's phonemes, with the clauses' punctuation kept.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// Begins the ids.
pub(super) const BEGIN: char = '^';
/// Ends them.
pub(super) const END: char = '$';
/// Stands between any two.
pub(super) const PAD: char = '_';
/// A piece of 30 words has about 200; more than this is cut, so that a model's memory stays bounded.
const MAX_PHONEMES: usize = 1200;

/// A clause of a piece and the mark that ends it (`None`: the text just ends).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause<'a> {
    pub(super) text: &'a str,
    pub(super) mark: Option<char>,
}

/// Cuts a piece at the marks that a voice was trained to hear: `.`, `,`, `;`, `:`, `?`, `!` before a space or the end.
pub(super) fn clauses(piece: &str) -> Vec<Clause<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = piece.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let Some(mark) = mark(c) else { continue };
        let next = chars.peek().map(|&(_, next)| next);
        if next.is_some_and(|next| !next.is_whitespace() && !wide(c)) {
            continue;
        }
        add(&piece[from..at], Some(mark), &mut found);
        from = at + c.len_utf8();
    }
    add(&piece[from..], None, &mut found);
    found
}

fn add<'a>(text: &'a str, mark: Option<char>, found: &mut Vec<Clause<'a>>) {
    let text = text.trim();
    if text.chars().any(char::is_alphanumeric) {
        found.push(Clause { text, mark });
    }
}

/// The mark as the models know it.
fn mark(c: char) -> Option<char> {
    Some(match c {
        '.' | '\u{2026}' | '\u{3002}' => '.',
        ',' | '\u{3001}' | '\u{ff0c}' => ',',
        ';' | '\u{ff1b}' => ';',
        ':' | '\u{ff1a}' => ':',
        '?' | '\u{ff1f}' => '?',
        '!' | '\u{ff01}' => '!',
        _ => return None,
    })
}

/// Marks of scripts that leave no space after them.
fn wide(c: char) -> bool {
    c > '\u{2fff}'
}

/// The ids of one piece, from its clauses' phonemes and marks: `^ _ p _ p _ … $`, as Piper's training made them.
/// Phonemes that the voice does not know are left out. Empty when there is nothing to speak.
pub(super) fn ids<'a>(
    spoken: impl IntoIterator<Item = (&'a str, Option<char>)>,
    map: &HashMap<char, Vec<i64>>,
) -> Vec<i64> {
    let mut phonemes: Vec<char> = Vec::new();
    for (ipa, mark) in spoken {
        if phonemes.last().is_some_and(|&last| last != ' ') {
            phonemes.push(' ');
        }
        // Models were trained on decomposed characters.
        phonemes.extend(without_switches(ipa).nfd());
        phonemes.extend(mark);
    }
    phonemes.truncate(MAX_PHONEMES);
    if !phonemes.iter().any(|c| c.is_alphabetic()) {
        return Vec::new();
    }
    let of = |c: char| map.get(&c).map(Vec::as_slice).unwrap_or_default();
    let mut ids = of(BEGIN).to_vec();
    ids.extend(of(PAD));
    for known in phonemes.into_iter().filter(|c| map.contains_key(c)) {
        ids.extend(of(known));
        ids.extend(of(PAD));
    }
    ids.extend(of(END));
    ids
}

/// espeak-ng marks a word of another language as `(en)word(de)`: the marks are not phonemes.
fn without_switches(ipa: &str) -> String {
    let mut depth = 0_u32;
    ipa.chars()
        .filter(|&c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map() -> HashMap<char, Vec<i64>> {
        [
            ('_', vec![0]),
            ('^', vec![1]),
            ('$', vec![2]),
            (' ', vec![3]),
            ('.', vec![10]),
            ('a', vec![14]),
            ('b', vec![15, 16]),
        ]
        .into()
    }

    #[test]
    fn ids_have_the_shape_that_models_were_trained_on() {
        assert_eq!(
            ids([("ab", Some('.'))], &map()),
            [1, 0, 14, 0, 15, 16, 0, 10, 0, 2]
        );
        assert_eq!(
            ids([("a", None), ("a", Some('.'))], &map()),
            [1, 0, 14, 0, 3, 0, 14, 0, 10, 0, 2]
        );
    }

    #[test]
    fn unknown_phonemes_and_language_switches_are_left_out() {
        assert_eq!(ids([("(en)aZ(de)", None)], &map()), [1, 0, 14, 0, 2]);
        assert!(ids([("", Some('.'))], &map()).is_empty());
    }

    #[test]
    fn clauses_keep_their_marks() {
        let found = clauses("Hello there, it is 3.5 degrees. Is it?");
        let flat: Vec<_> = found.iter().map(|c| (c.text, c.mark)).collect();
        assert_eq!(
            flat,
            [
                ("Hello there", Some(',')),
                ("it is 3.5 degrees", Some('.')),
                ("Is it", Some('?'))
            ]
        );
        assert_eq!(
            clauses("你好。再见"),
            [
                Clause {
                    text: "你好",
                    mark: Some('.')
                },
                Clause {
                    text: "再见",
                    mark: None
                }
            ]
        );
        assert!(clauses(" ... ?!").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_has_clauses_and_ids_of_bounded_length(text in "\\PC{0,2000}") {
            let found = clauses(&text);
            let ids = ids(found.iter().map(|c| (c.text, c.mark)), &map());
            prop_assert!(ids.len() <= 3 * MAX_PHONEMES + 3);
        }
    }
}
