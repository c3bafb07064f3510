//! The bot's token: never in a log, an error or a debug print.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::exit::Failure;
use crate::cli::logging;

/// Where the token is looked for.
pub const VARIABLE: &str = "DISCORD_TOKEN";

/// A token has some seventy bytes; a file of more holds something else.
const LARGEST: u64 = 4096;

/// A bot's token.
#[derive(Clone)]
pub struct BotToken(SecretString);

impl BotToken {
    /// The token in the environment, else in this file. From here on it is blackened in everything that is logged.
    ///
    /// # Errors
    /// A configuration failure that says where to get a token, or what is wrong with the file.
    pub fn find(file: Option<&Path>) -> Result<Self, Failure> {
        let value = std::env::var(VARIABLE).unwrap_or_default();
        let token = match file {
            Some(file) if value.trim().is_empty() => Self::parse(&read(file)?, &file.display().to_string())?,
            _ => Self::parse(&value, VARIABLE)?,
        };
        logging::blacken(token.expose());
        Ok(token)
    }

    fn parse(value: &str, place: &str) -> Result<Self, Failure> {
        let value = value.trim();
        let value = value.strip_prefix("Bot ").unwrap_or(value).trim();
        if value.is_empty() {
            return Err(Failure::Configuration(format!(
                "no Discord token: set the environment variable {VARIABLE}, or discord.token_file to a file that holds it.\n\
                 Create an application at https://discord.com/developers/applications, open its page \"Bot\", press \
                 \"Reset Token\" and copy what it shows. docs/discord.md has every step."
            )));
        }
        let parts: Vec<&str> = value.split('.').collect();
        let plausible = parts.len() == 3
            && parts.iter().all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b))
            });
        if !plausible {
            return Err(Failure::Configuration(format!(
                "{place} holds no bot token: one has three parts with dots between them. Copy it again from the page \
                 \"Bot\" of your application at https://discord.com/developers/applications (not the client secret, and \
                 not the public key)."
            )));
        }
        Ok(Self(SecretString::from(value)))
    }

    /// The token itself, for Discord alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A file's words, when they can be a token's.
fn read(file: &Path) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::Configuration(format!(
            "discord.token_file: {}: {why}. The file must hold the token, and this user must be able to read it",
            file.display()
        ))
    };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(error.to_string()))?;
    let read = opened.take(LARGEST + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 > LARGEST => Err(failed("it is too long for a token".to_owned())),
        Ok(_) if text.trim().is_empty() => Err(failed("it is empty".to_owned())),
        Ok(_) => Ok(text),
        // What is in it is not repeated.
        Err(error) => Err(failed(error.kind().to_string())),
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_as_people_paste_it_and_never_shown() {
        for pasted in ["MTIz.G1.abc-_x", " Bot MTIz.G1.abc-_x\n"] {
            let token = BotToken::parse(pasted, VARIABLE).unwrap();
            assert_eq!(token.expose(), "MTIz.G1.abc-_x");
            assert!(!format!("{token:?}").contains("abc"), "{token:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_a_configuration_error_that_does_not_show_it() {
        for wrong in ["", "  ", "hunter2", "a.b", "a..c", "a.b.c d"] {
            let failure = BotToken::parse(wrong, VARIABLE).unwrap_err();
            assert_eq!(failure.code(), 5, "{wrong:?}");
            let text = failure.to_string();
            assert!(text.contains("discord.com/developers"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    #[test]
    fn a_file_is_read_as_it_was_written_and_a_wrong_one_named_without_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "MTIz.G1.abc-_x\n").unwrap();
        let text = read(&file).unwrap();
        assert_eq!(BotToken::parse(&text, "x").unwrap().expose(), "MTIz.G1.abc-_x");
        for (words, told) in [("\n", "empty"), (&"hunter2 ".repeat(600), "too long")] {
            std::fs::write(&file, words).unwrap();
            let failure = read(&file).unwrap_err();
            assert_eq!(failure.code(), 5);
            let text = failure.to_string();
            assert!(
                text.contains(told) && text.contains("token_file") && !text.contains("hunter2"),
                "{text}"
            );
        }
        assert!(read(&folder.path().join("none")).is_err());
        assert!(read(folder.path()).is_err(), "a folder");
    }
}
