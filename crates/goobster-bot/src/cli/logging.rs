//! What is logged to stderr, and what never is: secrets are blackened in every line, whoever wrote it.

use std::io::{self, Write};
use std::sync::{OnceLock, PoisonError, RwLock};

use anstream::{AutoStream, ColorChoice};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use crate::config::{Config, Log, LogFormat};
use crate::monitoring::recent::Recent;

/// What stands in a secret's place.
const BLACK: &str = "[hidden]";

/// Shorter "secrets" would blacken ordinary words.
const SHORTEST_SECRET: usize = 8;

/// Secrets kept at most; a process has one token, a few keys, and a few addresses with passwords in three forms.
const MOST: usize = 64;

static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on this text is blackened in every log line, as it is and as JSON and Rust's debug form write it.
pub fn blacken(secret: &str) {
    if !secret.is_empty() && secret.len() < SHORTEST_SECRET {
        tracing::warn!(
            "a password or key of fewer than {SHORTEST_SECRET} characters is not blackened in the log: set a longer one"
        );
        return;
    }
    let json = serde_json::Value::from(secret).to_string();
    let debug = format!("{secret:?}");
    for form in [secret, inner(&json), inner(&debug)] {
        let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
        if !form.is_empty() && secrets.len() < MOST && !secrets.iter().any(|known| known == form) {
            secrets.push(form.to_owned());
        }
    }
}

/// A quoted text without its quotes.
fn inner(quoted: &str) -> &str {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// From now on nothing that a configuration leads to is shown: keys and tokens in the variables that it names, passwords in its
/// addresses, and those of the proxies that the environment names.
pub fn blacken_all(config: &Config) {
    let variables = [
        Some(crate::discord::token::VARIABLE),
        Some(config.status.token_env.as_str()),
        config.brain.api_key_env.as_deref(),
        config.recogniser.api_key_env.as_deref(),
        config.synthesiser.api_key_env.as_deref(),
    ];
    for name in variables.into_iter().flatten() {
        if let Ok(secret) = std::env::var(name) {
            blacken(secret.trim());
        }
    }
    let addresses = [
        &config.brain.url,
        &config.recogniser.url,
        &config.synthesiser.url,
        &config.store.redis,
        &config.monitoring.otlp_endpoint,
    ];
    for address in addresses.into_iter().flatten() {
        blacken_address(address);
    }
    for name in PROXIES {
        if let Ok(address) = std::env::var(name) {
            blacken_address(&address);
        }
    }
}

/// Names of variables with a proxy's address.
const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Blackens the password of an address, as it is written and as it is sent (alone, and with its user in base64), and the values
/// of its query, where some servers want their key.
fn blacken_address(address: &str) {
    let Ok(url) = url::Url::parse(address) else { return };
    if let Some(password) = url.password() {
        blacken(password);
        let written = password;
        let password = decoded(written);
        if password != written {
            blacken(&password);
        }
        let both = format!("{}:{password}", decoded(url.username()));
        blacken(STANDARD.encode(both).trim_end_matches('='));
    }
    // Not everything in a query is a key.
    let values = url.query_pairs().map(|(_, value)| value);
    for value in values.filter(|value| value.len() >= SHORTEST_SECRET) {
        blacken(&value);
    }
}

/// Part of an address without its percents.
fn decoded(part: &str) -> String {
    let query = format!("p={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The text with every known secret blackened, and whatever begins like one: what a server says may have been cut short.
pub fn blackened(text: &str) -> String {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = text.to_owned();
    for secret in secrets.iter() {
        // Half of a secret is too much, and so are sixteen bytes; less may be an ordinary word.
        let least = (secret.len().div_ceil(2)).clamp(SHORTEST_SECRET, 2 * SHORTEST_SECRET);
        let beginning = secret.floor_char_boundary(least);
        let mut from = 0;
        while let Some(found) = text[from..].find(&secret[..beginning]) {
            let at = from + found;
            let alike = text[at..].chars().zip(secret.chars()).take_while(|(a, b)| a == b);
            let length: usize = alike.map(|(a, _)| a.len_utf8()).sum();
            text.replace_range(at..at + length, BLACK);
            from = at + BLACK.len();
        }
    }
    text
}

/// How much is logged without a word on it, by the number of -v.
const fn usual(verbose: u8) -> &'static str {
    match verbose {
        0 => "error",
        1 => "info,ort=warn,serenity=warn,songbird=warn,tracing::span=warn",
        2 => {
            "debug,ort=info,hyper=info,reqwest=info,h2=info,rustls=info,tungstenite=info,tokio_tungstenite=info"
        }
        _ => "trace",
    }
}

/// Whether a line may be written at all. WebSocket libraries dump whole frames at their finest level, in hexadecimal and as lists
/// of numbers: in there stands the token, and nobody could blacken it.
fn may_be_told(line: &tracing::Metadata<'_>) -> bool {
    !(*line.level() == tracing::Level::TRACE && line.target().starts_with("tungstenite"))
}

/// Changes what is logged while the process runs.
static FILTER: OnceLock<(u8, Handle)> = OnceLock::new();

/// The filter, wherever it sits.
type Handle = reload::Handle<EnvFilter, Registry>;

fn filter(verbose: u8, log: &Log) -> EnvFilter {
    log.filter
        .as_deref()
        .and_then(|wanted| EnvFilter::try_new(wanted).ok())
        .unwrap_or_else(|| EnvFilter::new(usual(verbose)))
}

/// Logs to stderr, as the configuration says, else as much as `verbose` (the number of -v) asks for. The first call counts.
pub(super) fn to_stderr(verbose: u8, log: &Log) {
    let (filter, handle) = reload::Layer::new(filter(verbose, log));
    // Colours as everywhere else: where people look, unless they asked for none.
    let colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Stderr)
        .with_ansi(colours);
    let lines = match log.format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // What the status page tells of does not depend on what is written.
    let recent = Recent.with_filter(LevelFilter::WARN);
    if Registry::default()
        .with(lines.with_filter(filter.and(filter_fn(may_be_told))))
        .with(recent)
        .try_init()
        .is_ok()
    {
        let _ = FILTER.set((verbose, handle));
    }
}

/// From now on this is logged.
pub fn change_filter(log: &Log) {
    if let Some((verbose, handle)) = FILTER.get()
        && let Err(error) = handle.reload(filter(*verbose, log))
    {
        tracing::error!(%error, "what is logged could not be changed");
    }
}

/// Standard error, with secrets blackened. The subscriber writes an event at once, so none is cut in two.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        Self
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = blackened(&String::from_utf8_lossy(line));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_addresses_are_secrets_as_written_and_as_sent() {
        blacken_address("redis://me:s%2Fcret%2Bpass%40word@redis.example.com/");
        blacken_address("http://chat.example.com/v1?key=query-key-value");
        let sent = STANDARD.encode("me:s/cret+pass@word");
        for leak in [
            "s%2Fcret%2Bpass%40word",
            "s/cret+pass@word",
            "query-key-value",
            sent.trim_end_matches('='),
        ] {
            assert_eq!(blackened(&format!("a {leak} b")), "a [hidden] b");
        }
    }

    #[test]
    fn a_secret_is_blackened_wherever_it_stands() {
        blacken("correct-horse-battery");
        blacken("abc");
        assert_eq!(
            blackened("token=correct-horse-battery; Authorization: Bot correct-horse-battery abc"),
            "token=[hidden]; Authorization: Bot [hidden] abc"
        );
    }

    #[test]
    fn a_secret_is_blackened_as_json_and_rust_write_it() {
        let secret = "it's a \"quoted\" \\ secret";
        blacken(secret);
        let json = serde_json::json!({ "message": secret }).to_string();
        assert_eq!(blackened(&json), r#"{"message":"[hidden]"}"#);
        assert_eq!(
            blackened(&format!("{secret:?} {secret}")),
            "\"[hidden]\" [hidden]"
        );
    }

    #[test]
    fn a_secret_that_was_cut_short_is_blackened_as_well() {
        blacken("rosebud-sesame-open-sésame");
        assert_eq!(
            blackened("you sent rosebud-sesame-op… and rosebud-sesame-open-sésame; rosebud- it is"),
            "you sent [hidden]… and [hidden]; rosebud- it is"
        );
        // One of multiple bytes from its beginning.
        blacken("пароль-пароль");
        assert_eq!(blackened("пароль-парол"), "[hidden]");
    }
}
