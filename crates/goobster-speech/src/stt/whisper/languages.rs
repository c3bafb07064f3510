//! Which language to expect from whom: detection costs nothing when the guess is right, so guesses are remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use goobster_core::language::Language;

/// Sources remembered at most; the least recently heard is forgotten.
const SOURCES: usize = 1024;

/// The language each source spoke last.
#[derive(Debug)]
pub(super) struct Habits {
    first: Language,
    spoken: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    count: u64,
    by_source: HashMap<u64, (Language, u64)>,
}

/// A language is believed when the model gives it at least this.
const SURE: f32 = 0.5;
/// What it takes to believe, of a clip that is [`SHORT`], that somebody changed the language: "ja" and "no" are words of many.
const VERY_SURE: f32 = 0.8;
/// A clip in which languages are easily confused, in seconds.
const SHORT: f32 = 3.0;

impl Habits {
    /// Expects `first` of everyone not heard yet.
    pub(super) fn new(first: Language) -> Self {
        Self {
            first,
            spoken: Mutex::default(),
        }
    }

    pub(super) fn of(&self, source: u64) -> Language {
        let memory = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        memory
            .by_source
            .get(&source)
            .map_or(self.first, |(language, _)| *language)
    }

    /// Whether a clip of `seconds` in which the model hears `language`, being `sure` of it, really is in that language.
    pub(super) fn believes(&self, source: u64, language: Language, sure: f32, seconds: f32) -> bool {
        let memory = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = memory
            .by_source
            .get(&source)
            .is_some_and(|(known, _)| *known != language);
        sure >= if changed && seconds < SHORT {
            VERY_SURE
        } else {
            SURE
        }
    }

    /// Remembers a language that is believed.
    pub(super) fn remember(&self, source: u64, language: Language) {
        let mut memory = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        memory.count += 1;
        let count = memory.count;
        memory.by_source.insert(source, (language, count));
        if memory.by_source.len() > SOURCES {
            let oldest = memory
                .by_source
                .iter()
                .min_by_key(|(_, (_, heard))| *heard)
                .map(|(source, _)| *source);
            if let Some(oldest) = oldest {
                memory.by_source.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_sure_language_is_expected_and_memory_is_bounded() {
        let german: Language = "de".parse().unwrap();
        let habits = Habits::new(Language::ENGLISH);
        habits.remember(1, german);
        assert_eq!((habits.of(1), habits.of(2)), (german, Language::ENGLISH));
        for source in 10..10 + SOURCES as u64 {
            habits.remember(source, german);
        }
        assert_eq!(habits.of(1), Language::ENGLISH);
        assert_eq!(habits.spoken.lock().unwrap().by_source.len(), SOURCES);
    }
    #[test]
    fn one_short_word_does_not_change_the_language_of_a_speaker() {
        let [english, german] = ["en", "de"].map(|code| code.parse::<Language>().unwrap());
        let habits = Habits::new(Language::ENGLISH);
        assert!(!habits.believes(1, german, 0.4, 10.0));
        assert!(
            habits.believes(1, german, 0.6, 0.5),
            "of a stranger nothing else is known"
        );
        habits.remember(1, german);
        assert!(!habits.believes(1, english, 0.6, 0.5));
        assert!(habits.believes(1, english, 0.9, 0.5), "unless it is beyond doubt");
        assert!(habits.believes(1, english, 0.6, 3.0), "or long enough");
        assert!(
            habits.believes(1, german, 0.6, 0.5),
            "the same language is no change"
        );
    }
}
