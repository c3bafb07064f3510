//! The bot's token: never in a log, an error or a debug print.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::exit::Failure;
use crate::cli::logging;

/// Where the token is looked for.
pub const VARIABLE: &str = "DISCORD_TOKEN";

/// A bot's token.
#[derive(Clone)]
pub struct BotToken(SecretString);

impl BotToken {
    /// The token in the environment. From here on it is blackened in everything that is logged.
    ///
    /// # Errors
    /// A configuration failure that says where to get a token.
    pub fn from_environment() -> Result<Self, Failure> {
        let value = std::env::var(VARIABLE).unwrap_or_default();
        let token = Self::parse(&value)?;
        logging::blacken(token.expose());
        Ok(token)
    }

    fn parse(value: &str) -> Result<Self, Failure> {
        let value = value.trim();
        let value = value.strip_prefix("Bot ").unwrap_or(value).trim();
        if value.is_empty() {
            return Err(Failure::Configuration(format!(
                "no Discord token: set the environment variable {VARIABLE}.\n\
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
                "{VARIABLE} holds no bot token: one has three parts with dots between them. Copy it again from the page \
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
            let token = BotToken::parse(pasted).unwrap();
            assert_eq!(token.expose(), "MTIz.G1.abc-_x");
            assert!(!format!("{token:?}").contains("abc"), "{token:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_a_configuration_error_that_does_not_show_it() {
        for wrong in ["", "  ", "hunter2", "a.b", "a..c", "a.b.c d"] {
            let failure = BotToken::parse(wrong).unwrap_err();
            assert_eq!(failure.code(), 5, "{wrong:?}");
            let text = failure.to_string();
            assert!(text.contains("discord.com/developers"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
