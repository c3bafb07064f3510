//! Languages, as their ISO 639-1 code ("en", "de"); Whisper's three-letter extras ("haw", "yue") are accepted too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A language by its lower-case code: two or three ASCII letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language {
    letters: [u8; 3],
    len: u8,
}

/// Why a text is not a language code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a language code: give two or three letters, such as 'en' or 'de'")]
pub struct NotALanguage(String);

impl Language {
    /// English, the language of the small profile.
    pub const ENGLISH: Self = Self {
        letters: *b"en\0",
        len: 2,
    };

    /// The code, lower case.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or("en")
    }
}

impl FromStr for Language {
    type Err = NotALanguage;

    /// Reads "en", "EN", "en-US" or "`en_US`"; what follows the first separator is ignored.
    fn from_str(text: &str) -> Result<Self, NotALanguage> {
        let code = text.split(['-', '_']).next().unwrap_or(text);
        if !(2..=3).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(NotALanguage(text.chars().take(40).collect()));
        }
        let mut letters = [0; 3];
        for (slot, byte) in letters.iter_mut().zip(code.bytes()) {
            *slot = byte.to_ascii_lowercase();
        }
        Ok(Self {
            letters,
            len: code.len() as u8,
        })
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(text: String) -> Result<Self, NotALanguage> {
        text.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.code().to_owned()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_case_are_ignored() {
        for text in ["en", "EN", "en-US", "en_GB.UTF-8"] {
            assert_eq!(text.parse::<Language>().unwrap(), Language::ENGLISH, "{text}");
        }
        assert_eq!("haw".parse::<Language>().unwrap().code(), "haw");
    }

    #[test]
    fn other_text_is_refused_with_the_text_in_the_message() {
        for text in ["", "e", "english", "e1", "日本"] {
            assert!(
                text.parse::<Language>().unwrap_err().to_string().contains(text),
                "{text}"
            );
        }
    }
}
