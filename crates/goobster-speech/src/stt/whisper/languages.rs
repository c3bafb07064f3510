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

/// A language is remembered when the model was at least this sure.
const SURE: f32 = 0.5;

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

    pub(super) fn remember(&self, source: u64, language: Language, sure: f32) {
        if sure < SURE {
            return;
        }
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
        habits.remember(1, german, 0.9);
        habits.remember(2, german, 0.3);
        assert_eq!((habits.of(1), habits.of(2)), (german, Language::ENGLISH));
        for source in 10..10 + SOURCES as u64 {
            habits.remember(source, german, 0.9);
        }
        assert_eq!(habits.of(1), Language::ENGLISH);
        assert_eq!(habits.spoken.lock().unwrap().by_source.len(), SOURCES);
    }
}
