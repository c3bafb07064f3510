//! Being called by name, though a recogniser spells an unknown name in its own ways: "Gobster", "Goop stir",
//! "Booster".
//!
//! Windows of one to three words are compared with the name by sound (see [`phonetic`]). A near match counts
//! anywhere. A far one ("Ghoster", "Booster": real words or close to them) counts only where one calls somebody:
//! alone, after "hey", or set off by a comma or the end at the start or end of what was said.
//!
//! Measured for "Goobster": of the 104,334 words of Debian's American English list none is near and 52 are far
//! (0.05 %: "lobster", "gesture"); of 500,000 random pairs of short words 8 are near ("coup stir"); in 12,859
//! sentences of English documentation it is never called.

mod phonetic;
#[cfg(test)]
mod tests;

use phonetic::{Sound, distance, sounds, weight};

/// How closely a word sounds like the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// Only counts as a call by its position.
    Far,
    /// Counts anywhere.
    Near,
}

/// Share of the name's weight by which a near match may differ.
const NEAR: f32 = 0.20;
/// Share by which a far match may differ.
const FAR: f32 = 0.40;

/// Words before a name that make it a call.
const GREETINGS: [&str; 14] = [
    "hey", "hi", "hello", "ok", "okay", "oh", "yo", "so", "well", "and", "thanks", "please", "morning", "bye",
];

/// The name, ready to be listened for.
#[derive(Debug, Clone)]
pub struct WakeName {
    name: String,
    sounds: Vec<Sound>,
    weight: f32,
    words: usize,
}

/// A call found in a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    start: usize,
    end: usize,
    closeness: Closeness,
}

impl WakeName {
    /// Listens for this name. A name without letters is never heard.
    pub fn new(name: &str) -> Self {
        let sounds = sounds(name);
        let weight = weight(&sounds);
        Self {
            name: name.trim().to_owned(),
            sounds,
            weight,
            words: name.split_whitespace().count(),
        }
    }

    /// The name as it is written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether somebody is called by this name in the text.
    pub fn is_called(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// How closely a word or two sound like the name; `None`: not at all.
    pub fn closeness(&self, words: &str) -> Option<Closeness> {
        if self.sounds.is_empty() {
            return None;
        }
        let share = distance(&self.sounds, &sounds(words)) / self.weight;
        match share {
            s if s <= NEAR => Some(Closeness::Near),
            s if s <= FAR => Some(Closeness::Far),
            _ => None,
        }
    }

    /// The text without the call, or with the name spelt right where it is part of the sentence. Empty when
    /// nothing but the call was said. `None` when nobody is called.
    pub fn without_call(&self, text: &str) -> Option<String> {
        let call = self.find(text)?;
        let before = strip_greeting(&text[..call.start]);
        let after = text[call.end..].trim_start_matches(|c: char| !c.is_alphanumeric());
        Some(if before.trim().is_empty() {
            capitalised(after)
        } else if after.is_empty() {
            let before = text[..call.start].trim_end().trim_end_matches([',', ';', '-']);
            let end: String = text[call.end..]
                .chars()
                .filter(|c| ".?!".contains(*c))
                .take(1)
                .collect();
            format!("{before}{end}")
        } else {
            format!("{}{}{}", &text[..call.start], self.name, &text[call.end..])
        })
    }

    fn find(&self, text: &str) -> Option<Call> {
        // Nobody calls in the ten-thousandth word; the bound keeps the work small.
        let words: Vec<(usize, &str)> = words(text).take(400).collect();
        let mut best: Option<(f32, Call)> = None;
        for size in 1..=(self.words + 2).min(4) {
            for window in words.windows(size) {
                let (Some((start, _)), Some((last, word))) = (window.first(), window.last()) else {
                    continue;
                };
                let (start, end) = (*start, last + word.len());
                // A call of two words has no punctuation in between.
                if text[start..end].contains([',', '.', '?', '!', ';', ':']) {
                    continue;
                }
                let Some(closeness) = self.closeness(&text[start..end]) else {
                    continue;
                };
                if closeness == Closeness::Far && !(size == 1 && is_vocative(text, start, end)) {
                    continue;
                }
                let cost = distance(&self.sounds, &sounds(&text[start..end]));
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((
                        cost,
                        Call {
                            start,
                            end,
                            closeness,
                        },
                    ));
                }
            }
        }
        best.map(|(_, call)| call)
    }
}

/// Words with their place: runs of letters, digits and apostrophes.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Whether the words at `start..end` call somebody, to judge by their place.
fn is_vocative(text: &str, start: usize, end: usize) -> bool {
    let before = &text[..start];
    let after = text[end..].trim_start();
    let greeted = strip_greeting(before).trim().is_empty();
    let set_off_after = after.is_empty() || after.starts_with([',', '?', '!', '.', ';']);
    let set_off_before = before.trim_end().ends_with([',', '?', '!', '.', ';']);
    let has_greeting = greeted && !before.trim().is_empty();
    (greeted && (set_off_after || has_greeting)) || (set_off_before && set_off_after)
}

/// Drops "Hey," and its like from the start of a text that is nothing else.
fn strip_greeting(before: &str) -> &str {
    let all = words(before).count() <= 2
        && words(before).all(|(_, word)| GREETINGS.contains(&word.to_lowercase().as_str()));
    if all { "" } else { before }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
