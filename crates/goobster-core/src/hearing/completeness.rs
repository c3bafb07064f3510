//! How complete what somebody has said so far is: whether a pause after these words is likely their last word.
//!
//! Reads the text of a recogniser, which hears only what came before the pause. Such a recogniser likes to end whatever it
//! hears with a full stop, so that the words count for more than the mark: "and put it on the." breaks off, full stop or not.
//! English; other languages are neither complete nor incomplete.

use crate::language::Language;

/// Neither complete nor incomplete: nothing is known.
pub const UNDECIDED: f32 = 0.5;

/// A whole question.
const QUESTION: f32 = 1.0;
/// A whole sentence.
const SENTENCE: f32 = 0.9;
/// A few words with a full stop: an answer, or the start of something.
const FRAGMENT: f32 = 0.7;
/// Words that may be the whole or not: a number to which a unit may follow.
const OPEN: f32 = 0.4;
/// Words without any mark at their end.
const UNMARKED: f32 = 0.45;
/// A condition or a purpose whose main clause is to come.
const CLAUSE: f32 = 0.2;
/// A comma, a colon.
const ENUMERATION: f32 = 0.15;
/// Words that must go on, a filler, a trail of dots.
const BROKEN_OFF: f32 = 0.0;

/// Words that nothing ends with: articles, conjunctions, possessives, auxiliaries that need a verb.
const DANGLING: &[&str] = &[
    "a", "an", "the", "and", "or", "but", "nor", "because", "although", "unless", "whereas", "whether",
    "than", "my", "your", "our", "their", "its", "every", "which", "whose", "i'm", "you're", "we're",
    "they're", "i've", "we've", "i'd", "we'd", "i'll", "you'll", "we'll", "they'll", "very", "as", "if",
    "is", "was", "are", "were", "am", "be", "been", "let's", "gonna",
];
/// Prepositions; a question may end with one ("Who was that from?"), and so may a sentence with a particle ("Turn it off.").
const PREPOSITIONS: &[&str] = &[
    "of", "to", "for", "with", "from", "at", "by", "into", "onto", "between", "during", "without", "through",
    "against", "about", "toward", "towards", "upon", "until", "among", "in", "on",
];
/// Who may stand before an auxiliary at the end of a clause: "more than he was.", "I know who they are."
const PRONOUNS: &[&str] = &["i", "you", "he", "she", "it", "we", "they"];
/// The auxiliaries that may stand there.
const CLOSING: &[&str] = &["am", "is", "was", "are", "were"];
/// What people say while they look for words.
const FILLERS: &[&str] = &[
    "um",
    "uh",
    "er",
    "erm",
    "hmm",
    "hm",
    "mm",
    "uhm",
    "ehm",
    "ah",
    "like",
    "so",
    "well",
    "basically",
    "actually",
    "i mean",
    "you know",
    "sort of",
    "kind of",
    "let me see",
];
/// Tens to which ones may follow, and words between the parts of a number.
const OPEN_NUMBERS: &[&str] = &[
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "point", "hundred",
    "thousand", "minus",
];
/// Words that open a subordinate clause; without a comma the main clause is still to come.
const SUBORDINATE: &[&str] = &[
    "if", "when", "while", "because", "although", "though", "unless", "until", "since", "once", "before",
    "after", "as", "to", "whenever", "whether",
];

/// How complete `text` is as the words of one turn, from `0.0` (it breaks off) to `1.0` (a whole sentence);
/// [`UNDECIDED`] for languages other than English and for no words at all.
pub fn completeness(text: &str, language: Language) -> f32 {
    if language != Language::ENGLISH {
        return UNDECIDED;
    }
    let text = text.trim_end_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '*')
    });
    let sentence = last_sentence(text);
    let words: Vec<String> = sentence
        .split_whitespace()
        .map(plain)
        .filter(|word| !word.is_empty())
        .collect();
    let Some(last) = words.last() else {
        return UNDECIDED;
    };
    if text.ends_with("...") || text.ends_with(['…', '-', '–', '—']) {
        return BROKEN_OFF;
    }
    let question = text.ends_with('?');
    if text.ends_with(['.', '!']) && closes_a_clause(&words) {
        return FRAGMENT;
    }
    if is_filler(&words) || (!question && DANGLING.contains(&last.as_str())) {
        return BROKEN_OFF;
    }
    if text.ends_with([',', ':', ';']) {
        return ENUMERATION;
    }
    if question {
        // "What's the" as a question is a guess of the recogniser.
        let whole =
            words.len() > 1 && !matches!(last.as_str(), "a" | "an" | "the" | "and" | "or" | "my" | "your");
        return if whole { QUESTION } else { OPEN };
    }
    let marked = text.ends_with(['.', '!']);
    if PREPOSITIONS.contains(&last.as_str()) {
        return if marked && matches!(last.as_str(), "in" | "on" | "through" | "about") {
            OPEN
        } else {
            BROKEN_OFF
        };
    }
    if words
        .first()
        .is_some_and(|first| SUBORDINATE.contains(&first.as_str()))
        && !sentence.contains(',')
    {
        return CLAUSE;
    }
    if is_open_number(&words) {
        return OPEN;
    }
    match (marked, words.len()) {
        (false, _) => UNMARKED,
        (true, ..=2) => FRAGMENT,
        (true, _) => SENTENCE,
    }
}

/// What follows the last mark that ends a sentence, the mark at the very end aside.
fn last_sentence(text: &str) -> &str {
    let body = text.trim_end_matches(['.', '!', '?', '…']);
    let mut from = 0;
    let mut before = ' ';
    for (at, c) in body.char_indices() {
        // A full stop within a number or an abbreviation is followed by no space.
        if c.is_whitespace() && matches!(before, '.' | '!' | '?') {
            from = at;
        }
        before = c;
    }
    body.get(from..).unwrap_or(body)
}

/// A word in lower case, without the marks around it.
fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .map(|c| if c == '’' { '\'' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether the words end with a filler. A lone "so" or "well" is one; at the end of a sentence ("I think so.") it is not.
fn is_filler(words: &[String]) -> bool {
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let alone = before.is_empty();
    if let Some(previous) = before.last() {
        let pair = format!("{previous} {last}");
        if FILLERS.contains(&pair.as_str()) && (words.len() == 2 || pair != "you know") {
            return true;
        }
    }
    FILLERS.contains(&last.as_str())
        && (alone || !matches!(last.as_str(), "like" | "so" | "well" | "actually" | "basically"))
}

/// Whether the words end like "who they are": what would break off after "they are" alone is the end of a longer sentence.
fn closes_a_clause(words: &[String]) -> bool {
    matches!(words, [_, _, .., subject, verb]
        if PRONOUNS.contains(&subject.as_str()) && CLOSING.contains(&verb.as_str()))
}

/// Whether the words end in a number that may go on, or that waits for its unit.
fn is_open_number(words: &[String]) -> bool {
    words
        .last()
        .is_some_and(|last| OPEN_NUMBERS.contains(&last.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn english(text: &str) -> f32 {
        completeness(text, Language::ENGLISH)
    }

    #[test]
    fn whole_sentences_are_told_from_those_that_break_off() {
        let whole = [
            "What time is it?",
            "How do you say grapefruit in French?",
            "He might even have been made amiable himself.",
            "Who was that letter from?",
            "He might have been made still more respectable than he was.",
            "Seven of clubs, I think so.",
            "\"Go somewhere and do something.\"",
            "Set a timer for 5.30 p.m. tomorrow.",
            "Turn on the light!",
            "If it rains, we stay at home.",
            "I have a cold. All right, thanks.",
        ];
        for text in whole {
            assert!(english(text) > 0.6, "{text}: {}", english(text));
        }
        let broken = [
            "And so my fellow",
            "I'm using a...",
            "and put it on the.",
            "We went there because",
            "He was not an ill-disposed young man,",
            "Press 1 to",
            "So, um.",
            "I was thinking, you know",
            "If this is the person you are looking for.",
            "To hear the next message.",
            "Remind me to call my",
            "She said what you're",
            "It costs about twenty",
            "Well",
            "I think it was…",
            "What is the?",
        ];
        for text in broken {
            assert!(english(text) < 0.5, "{text}: {}", english(text));
        }
        assert!(english("What time is it?") >= english("Ten of clubs."));
        assert!(english("Ten of clubs.") > english("Ten of clubs"));
    }

    #[test]
    fn other_languages_and_no_words_are_undecided() {
        for text in ["", "  ", "...", "?!", "♪"] {
            assert!((english(text) - UNDECIDED).abs() < f32::EPSILON, "{text}");
        }
        let french = "fr".parse().unwrap();
        assert!((completeness("Quelle heure est-il ?", french) - UNDECIDED).abs() < f32::EPSILON);
    }

    proptest! {
        #[test]
        fn it_is_always_a_share(text in "\\PC{0,80}") {
            prop_assert!((0.0..=1.0).contains(&english(&text)));
        }

        #[test]
        fn what_breaks_off_stays_broken_off_under_any_mark(
            words in proptest::collection::vec("[a-z]{9,12}", 0..6),
            word in proptest::sample::select(DANGLING),
            mark in proptest::sample::select(&["", ".", ",", "...", "!", " "][..]),
        ) {
            let text = format!("{} {word}{mark}", words.join(" "));
            prop_assert!(english(&text) < 0.2, "{text}: {}", english(&text));
        }

        #[test]
        fn a_full_stop_never_makes_words_less_complete(words in proptest::collection::vec("[a-z]{1,8}", 1..8)) {
            let text = words.join(" ");
            prop_assert!(english(&format!("{text}.")) >= english(&text), "{text}");
        }
    }
}
