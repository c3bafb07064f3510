//! The last step: only what can be spoken is left, spaced and punctuated as sentences are.

use unicode_normalization::char::is_combining_mark;

/// Marks that change how a sentence is spoken.
const MARKS: &str = ".,;:?!'-";
/// Signs that espeak-ng reads by itself in every language.
const READ_BY_ENGINE: &str = "%€$£+=&@/°§";

/// Drops what cannot be spoken, and tidies spaces and marks; one line a paragraph.
pub(super) fn only_speakable(text: &str, english: bool) -> String {
    text.lines()
        .map(|line| tidy(line, english))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn tidy(line: &str, english: bool) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match plain(c, english) {
            Some(' ') | None => space(&mut out),
            Some(mark) if ".,;:?!".contains(mark) && !within_number(&out, english) => {
                punctuate(&mut out, mark);
            }
            Some(c) => out.push(c),
        }
    }
    let out = lone_marks_gone(&out);
    // A line that only pauses says nothing.
    if out.chars().any(char::is_alphanumeric) {
        out
    } else {
        String::new()
    }
}

/// The character as it is kept; `None` for one that is replaced by a space.
fn plain(c: char, english: bool) -> Option<char> {
    match c {
        '\u{2018}' | '\u{2019}' | '`' | '\u{b4}' => Some('\''),
        '(' | ')' | '\u{2013}' | '\u{2014}' | '|' | '\u{2022}' | '\u{3001}' => Some(','),
        '\u{2010}' | '\u{2011}' => Some('-'),
        '\u{2026}' | '\u{3002}' => Some('.'),
        _ if c.is_whitespace() => Some(' '),
        _ if MARKS.contains(c) => Some(c),
        _ if !english && READ_BY_ENGINE.contains(c) => Some(c),
        _ if c.is_alphanumeric() || is_combining_mark(c) => Some(c),
        _ => None,
    }
}

/// In other languages "3.5" and "18:00" are the engine's to read: a mark right after a digit stays as it is.
fn within_number(out: &str, english: bool) -> bool {
    !english && out.ends_with(|c: char| c.is_numeric())
}

fn space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Puts a mark after the word before it; of two marks the stronger stays.
fn punctuate(out: &mut String, mark: char) {
    while out.ends_with(' ') {
        out.pop();
    }
    let strength = |mark: char| ",;:.!?".find(mark).unwrap_or(0);
    match out.chars().last() {
        None => return,
        Some(last) if ".,;:?!".contains(last) => {
            if strength(mark) > strength(last) {
                out.pop();
                out.push(mark);
            }
        }
        Some(_) => out.push(mark),
    }
    out.push(' ');
}

/// Hyphens and apostrophes belong within or beside words; alone they are nothing.
fn lone_marks_gone(text: &str) -> String {
    text.split(' ')
        .map(|word| word.trim_start_matches('-').trim_end_matches('-'))
        .filter(|word| {
            word.chars()
                .any(|c| c.is_alphanumeric() || "%€$£+=&@/°§".contains(c))
        })
        .collect::<Vec<_>>()
        .join(" ")
}
