//! Letters: those repeated for effect, shouted ones, and abbreviations that are spelled.

use regex::Captures;

use super::patterns;

/// Abbreviations with a vowel that are spelled all the same.
const SPELLED: &[&str] = &[
    "AI", "API", "ATM", "CEO", "CIA", "CPU", "DIY", "DNA", "ETA", "EU", "FAQ", "FBI", "GPU", "ID", "IO",
    "IP", "IRC", "LED", "MIA", "OS", "PA", "RNA", "SQL", "SSH", "TBA", "UI", "UFO", "UK", "URL", "USA",
    "USB", "UTC", "UX", "VIP", "AFK",
];

patterns! {
    CAPITALS = r"\b[A-Z]{2,}\b";
}

/// At most two of the same letter in a row ("soooo" is said as "soo"), one of the same mark.
pub(super) fn unrepeated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut last, mut run) = (None, 0_u32);
    for c in text.chars() {
        run = if last == Some(c) { run + 1 } else { 1 };
        last = Some(c);
        // Two of a letter are common and three never; digits mean what they say; a line break stays one.
        let limit = if c.is_numeric() || c == '.' {
            u32::MAX
        } else if c.is_alphabetic() {
            if run >= 3 && c.is_lowercase() { 2 } else { 3 }
        } else {
            2
        };
        if run <= limit {
            out.push(c);
        }
    }
    out
}

/// Shouting is said in a normal voice, abbreviations are spelled.
pub(super) fn calm(text: &str) -> String {
    let (upper, lower) = text.chars().fold((0_usize, 0_usize), |(upper, lower), c| {
        (
            upper + usize::from(c.is_uppercase()),
            lower + usize::from(c.is_lowercase()),
        )
    });
    let shouting = upper >= 8 && lower * 4 < upper;
    CAPITALS
        .replace_all(text, |found: &Captures<'_>| {
            let word = &found[0];
            let spelled = SPELLED.contains(&word)
                || (word.len() <= 5 && !word.contains(['A', 'E', 'I', 'O', 'U', 'Y']));
            if spelled {
                let letters: Vec<_> = word.chars().map(String::from).collect();
                letters.join(" ")
            } else if shouting || word.len() >= 5 {
                word.to_lowercase()
            } else {
                word.to_owned()
            }
        })
        .into_owned()
}
