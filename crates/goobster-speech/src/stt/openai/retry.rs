//! Which failures are worth another attempt, and when.

use std::time::Duration;

use goobster_core::ports::Cause;
use goobster_network::http::header::{HeaderMap, RETRY_AFTER};
use goobster_network::http::{Error, StatusCode};

/// A server asking for a longer pause than this is answered with an error instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How an attempt failed.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It may go better next time.
    Retry {
        /// What happened, without the address.
        what: String,
        cause: Option<Cause>,
        /// The pause that the server asks for.
        after: Option<Duration>,
    },
    /// It will not go better.
    Refused(String),
}

/// Pauses that double from attempt to attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) first: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(300),
        }
    }
}

impl Backoff {
    /// The pause after attempt number `attempt` (from 1), or what the server asked for if that is longer.
    pub(super) fn pause(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.max(asked.unwrap_or(Duration::ZERO)).min(LONGEST_PAUSE)
    }
}

/// The `Retry-After` header in seconds (its date form is rare and ignored).
pub(super) fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

pub(super) fn of_error(error: Error, timeout: Duration) -> Attempt {
    // The address is told by the caller, and reqwest's own may hold a query.
    let error = error.without_url();
    let what = if error.is_timeout() {
        format!("did not answer within {:.0} s", timeout.as_secs_f64().max(1.0))
    } else if error.is_connect() {
        "cannot be reached".to_owned()
    } else {
        "broke the connection off".to_owned()
    };
    Attempt::Retry {
        what,
        cause: Some(error.into()),
        after: None,
    }
}

pub(super) fn of_status(
    status: StatusCode,
    after: Option<Duration>,
    body: &[u8],
    key: Option<&str>,
) -> Attempt {
    let said = message(body, key);
    let remedy = match status.as_u16() {
        401 | 403 => " (check the API key)",
        404 => " (check the address and the model's name)",
        413 => " (the server takes only shorter audio)",
        429 => " (too many requests)",
        _ => "",
    };
    let what = format!("answered {status}{remedy}{said}");
    let patience = after.is_none_or(|pause| pause <= LONGEST_PAUSE);
    let may_pass = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    if may_pass && patience {
        Attempt::Retry {
            what,
            cause: None,
            after,
        }
    } else {
        Attempt::Refused(what)
    }
}

/// The server's own words, shortened, the key blotted out should it repeat it.
fn message(body: &[u8], key: Option<&str>) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
    let told = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| {
            let error = value.get("error").or_else(|| value.get("detail"))?;
            let words = error.get("message").unwrap_or(error);
            words.as_str().map(str::to_owned)
        });
    let mut words = told.unwrap_or(text);
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        words = words.replace(key, "***");
    }
    let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
    if words.trim().is_empty() {
        String::new()
    } else {
        format!(": {}", words.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        let backoff = Backoff {
            first: Duration::from_millis(300),
        };
        let millis = |attempt, asked| backoff.pause(attempt, asked).as_millis();
        assert_eq!(
            [millis(1, None), millis(2, None), millis(3, None)],
            [300, 600, 1200]
        );
        assert_eq!(millis(1, Some(Duration::from_secs(2))), 2000);
        assert_eq!(millis(40, None), 10_000);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let tried_again = |status: u16, after| {
            let status = StatusCode::from_u16(status).unwrap();
            matches!(of_status(status, after, b"", None), Attempt::Retry { .. })
        };
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(tried_again(status, None), "{status}");
        }
        for status in [400, 401, 403, 404, 413, 422] {
            assert!(!tried_again(status, None), "{status}");
        }
        assert!(!tried_again(429, Some(Duration::from_hours(1))));
    }

    #[test]
    fn the_key_is_never_repeated() {
        let body = br#"{"error": {"message": "Incorrect API key provided: sk-secret."}}"#;
        let Attempt::Refused(what) = of_status(StatusCode::UNAUTHORIZED, None, body, Some("sk-secret"))
        else {
            panic!("retried")
        };
        assert!(
            what.contains("Incorrect API key provided: ***") && what.contains("check the API key"),
            "{what}"
        );
    }
}
