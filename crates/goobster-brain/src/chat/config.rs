//! Which server, which model, and how long to wait.

use std::fmt;
use std::time::Duration;

use goobster_core::ports::RespondError;
use goobster_network::Network;
use url::Url;

/// What the model is told about its situation; `{name}` and `{language}` are filled in.
pub const SYSTEM_PROMPT: &str = "You are {name}, a friendly voice assistant in a voice chat with one or more people. \
    Each message begins with its speaker's name. Your reply is spoken aloud by a speech synthesiser: answer in one to \
    three short, plain sentences, as a person would speak. No markdown, no lists, no headings, no emoji, no code, and \
    do not begin with your own name. If you do not know something, say so. What people say comes from speech \
    recognition and may be misheard; take the likeliest meaning. Answer in the language with the code '{language}'.";

/// A key for a chat server. Never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes a key as it is.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Reads the key from an environment variable.
    ///
    /// # Errors
    /// [`RespondError::Configuration`], naming the variable, when it is unset or empty.
    pub fn from_env(variable: &str) -> Result<Self, RespondError> {
        match std::env::var(variable) {
            Ok(key) if !key.trim().is_empty() => Ok(Self(key.trim().to_owned())),
            _ => Err(RespondError::Configuration(format!(
                "the environment variable {variable} (brain.api_key_env) is not set: put the chat server's key into it"
            ))),
        }
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// Settings of an [`OpenAiChat`](super::OpenAiChat).
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// The server: `http://localhost:11434`, with or without `/v1` or the whole path.
    pub url: String,
    /// The model's name as the server knows it.
    pub model: String,
    /// Whom this program may contact.
    pub network: Network,
    /// The key, when the server wants one.
    pub api_key: Option<ApiKey>,
    /// What the model is told; see [`SYSTEM_PROMPT`].
    pub system_prompt: String,
    /// Wait for a connection.
    pub connect: Duration,
    /// Wait for the first word: a local server may have to load its model first.
    pub first_token: Duration,
    /// Wait between two words, said or thought; whatever else the server sends does not count.
    pub idle: Duration,
    /// A whole reply at most, with all its tries, from the turn to the last word.
    pub reply: Duration,
    /// Tries before the first word; after it a failure is final, or words would be said twice.
    pub tries: u32,
    /// The wait before the second try; doubled for each further one.
    pub back_off: Duration,
    /// Exchanges sent along at most.
    pub history_exchanges: usize,
    /// Bytes of them at most.
    pub history_bytes: usize,
    /// Tokens of a reply at most, as the server counts them.
    pub max_tokens: u32,
}

impl ChatConfig {
    /// The defaults for a server and a model.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            network: Network::Open,
            api_key: None,
            system_prompt: SYSTEM_PROMPT.to_owned(),
            connect: Duration::from_secs(3),
            first_token: Duration::from_secs(30),
            idle: Duration::from_secs(15),
            reply: Duration::from_mins(2),
            tries: 3,
            back_off: Duration::from_millis(300),
            history_exchanges: 12,
            history_bytes: 6 * 1024,
            max_tokens: 400,
        }
    }
}

/// The full address of the chat endpoint for a base URL that has it, has `/v1`, or has neither.
///
/// # Errors
/// [`RespondError::Configuration`] when it is no `http` or `https` address.
pub fn endpoint(base: &str) -> Result<Url, RespondError> {
    let wrong = |why: String| {
        RespondError::Configuration(format!(
            "'{}' is no chat server: {why}; try http://localhost:11434",
            shown(base)
        ))
    };
    let mut url = Url::parse(base.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it must begin with http:// or https://".to_owned()));
    }
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/chat/completions") {
        path.to_owned()
    } else if path.rsplit('/').next().is_some_and(is_version) {
        format!("{path}/chat/completions")
    } else {
        format!("{path}/v1/chat/completions")
    };
    url.set_path(&path);
    Ok(url)
}

/// "v1", "v4", "v1beta": servers version their interface in the last part of the base.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// An address for people: without what may be secret.
pub(super) fn public(url: &Url) -> String {
    let mut url = url.clone();
    // Only addresses that cannot have them refuse this.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
        .trim_end_matches("/v1/chat/completions")
        .trim_end_matches('/')
        .to_owned()
}

/// A text that should have been an address, without what stands before an `@`.
fn shown(base: &str) -> String {
    base.rsplit('@').next().unwrap_or(base).chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_the_base_finds_the_endpoint() {
        for base in [
            "http://localhost:11434",
            "http://localhost:11434/",
            "http://localhost:11434/v1",
            " http://localhost:11434/v1/ ",
            "http://localhost:11434/v1/chat/completions",
        ] {
            assert_eq!(
                endpoint(base).unwrap().as_str(),
                "http://localhost:11434/v1/chat/completions",
                "{base}"
            );
        }
        assert_eq!(
            endpoint("https://host/api/openai/v4").unwrap().as_str(),
            "https://host/api/openai/v4/chat/completions"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secrets() {
        for base in ["", "localhost", "ftp://a/b", "unix:/tmp/x"] {
            assert!(
                matches!(endpoint(base), Err(RespondError::Configuration(_))),
                "{base}"
            );
        }
        assert!(
            !endpoint("ftp://me:secret@host/")
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
        assert_eq!(
            public(&endpoint("https://me:secret@host/v1?key=secret").unwrap()),
            "https://host"
        );
        assert!(!format!("{:?}", ApiKey::new("secret")).contains("secret"));
        assert!(
            ApiKey::from_env("GOOBSTER_TEST_NO_SUCH_KEY")
                .unwrap_err()
                .to_string()
                .contains("NO_SUCH_KEY")
        );
    }
}
