//! Text to be spoken, from a user or a chat server, in any language: it stays speakable and does not grow without bound.
#![no_main]

use goobster_core::language::Language;
use goobster_speech::normalise::for_speech;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let language = match choice % 3 {
        0 => Language::ENGLISH,
        1 => "de".parse().unwrap_or(Language::ENGLISH),
        _ => "ja".parse().unwrap_or(Language::ENGLISH),
    };
    let spoken = for_speech(text, language);
    assert!(!spoken.chars().any(|c| c.is_control() && c != '\n'), "{spoken:?}");
    // A digit becomes a word, and a sign a phrase.
    assert!(spoken.len() <= 64 * text.len() + 64, "{} from {}", spoken.len(), text.len());
});
