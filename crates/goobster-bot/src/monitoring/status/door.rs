//! The status page's door: who knows the token comes in, and only a page of this server acts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::super::server::{Answer, text};
use crate::cli::exit::Failure;
use crate::cli::logging;

/// Shorter tokens could be guessed.
const SHORTEST: usize = 16;

/// How long a wrong token waits for its answer.
const PENALTY: Duration = Duration::from_millis(500);

/// Wrong tokens are told of at most this often.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// Knows the token.
pub(super) struct Door {
    token: SecretString,
    guesses: Mutex<Guesses>,
}

/// Wrong tokens since they were last told of: whoever guesses must not fill the log.
#[derive(Debug, Default)]
struct Guesses {
    untold: u64,
    told_at: Option<Instant>,
}

impl Door {
    /// A door that opens to the token in this environment variable.
    ///
    /// # Errors
    /// A variable that is not set, or a token that is too short.
    pub(super) fn from_environment(variable: &str) -> Result<Self, Failure> {
        let token = std::env::var(variable).unwrap_or_default();
        let token = token.trim();
        if token.len() < SHORTEST {
            return Err(Failure::Configuration(format!(
                "the status page needs a token of at least {SHORTEST} characters: set the environment variable {variable}, for \
                 example to what `openssl rand -hex 32` prints, or remove status.listen"
            )));
        }
        Ok(Self::with(token))
    }

    pub(super) fn with(token: &str) -> Self {
        logging::blacken(token);
        Self {
            token: SecretString::from(token.to_owned()),
            guesses: Mutex::default(),
        }
    }

    /// Whether a request knows the token.
    pub(super) async fn lets_in(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let told = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        // Digests are compared, so that the time it takes says nothing about the token.
        if Sha256::digest(told) == Sha256::digest(self.token.expose_secret()) {
            return Ok(());
        }
        if !told.is_empty() {
            self.wrong();
        }
        tokio::time::sleep(PENALTY).await;
        let mut refused = text(StatusCode::UNAUTHORIZED, "this needs the operator's token");
        let bearer = hyper::header::HeaderValue::from_static("Bearer");
        refused.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        Err(refused)
    }

    fn wrong(&self) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.untold += 1;
        if guesses.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            tracing::warn!(
                times = guesses.untold,
                "somebody asked for the status with a wrong token"
            );
            *guesses = Guesses {
                untold: 0,
                told_at: Some(Instant::now()),
            };
        }
    }

    /// Whether a request knows the token and comes from this server's own page, or from no page at all.
    pub(super) async fn lets_act(&self, headers: &HeaderMap) -> Result<(), Answer> {
        self.lets_in(headers).await?;
        let word = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let site = word("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
        let origin = word(ORIGIN.as_str()).is_none_or(|origin| {
            origin
                .split_once("://")
                .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
        });
        if site && origin {
            Ok(())
        } else {
            Err(text(StatusCode::FORBIDDEN, "another site's page may not do that"))
        }
    }
}
