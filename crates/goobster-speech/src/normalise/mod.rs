//! Text made ready for speaking: what a person would say for what is written.
//!
//! Pure functions of the text and its language. Links, mentions, emoji, markdown and code are handled for every
//! language; numbers, dates, money, units and abbreviations become words for English, and are left to the engine for
//! the others. Normalising twice is the same as once, so that whoever needs the normal form may ask for it.

mod clean;
mod emoji;
mod english;
mod letters;
mod links;
mod markup;
mod moments;
mod numbers;
mod quantities;

use goobster_core::language::Language;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// The text as it should be spoken, one line a paragraph; empty when nothing in it can be.
///
/// English comes out without digits: letters, marks and the punctuation `. , ; : ? ! ' -`. Other languages keep digits
/// and the signs that espeak-ng reads by itself (`%`, `€`, …).
pub fn for_speech(text: &str, language: Language) -> String {
    // A pass may bring together what only a second one sees (a mention between two letters); two settle all of it.
    let once = pass(text, language);
    let twice = pass(&once, language);
    if twice == once {
        once
    } else {
        pass(&twice, language)
    }
}

fn pass(text: &str, language: Language) -> String {
    let english = language == Language::ENGLISH;
    let words = if english {
        &markup::ENGLISH
    } else {
        &markup::NEUTRAL
    };
    let text = markup::plain(text, words);
    let text = links::spoken(&text, english);
    let text = emoji::named(&text, english);
    // Letters from the mathematical alphabets and full-width forms become plain ones; fractions and powers first, since
    // the plain form of "2²" is "22".
    let text: String = if english { quantities::signs(&text) } else { text };
    let text: String = text.nfkc().collect();
    let text = letters::unrepeated(&text);
    let text = if english { english::words(&text) } else { text };
    clean::only_speakable(&text, english)
}

/// Compiles a pattern written in this module.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and the tests of this module compile each of them"
)]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this module is not a regular expression")
}

/// Declares patterns that are compiled once, at their first use.
macro_rules! patterns {
    ($($name:ident = $pattern:expr;)*) => {
        $(static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| $crate::normalise::pattern(&$pattern));)*
    };
}
use patterns;

#[cfg(test)]
mod tests;
