//! What is logged to stderr, and what never is: secrets are blackened in every line, whoever wrote it.

use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What stands in a secret's place.
const BLACK: &str = "[hidden]";

/// Shorter "secrets" would blacken ordinary words.
const SHORTEST_SECRET: usize = 8;

/// Secrets kept at most; a process has one token and a few keys.
const MOST: usize = 16;

static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on this text is blackened in every log line.
pub fn blacken(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST_SECRET && secrets.len() < MOST && !secrets.iter().any(|known| known == secret)
    {
        secrets.push(secret.to_owned());
    }
}

/// The text with every known secret blackened.
pub fn blackened(text: &str) -> String {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = text.to_owned();
    for secret in secrets.iter() {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), BLACK);
        }
    }
    text
}

/// Logs to stderr, as much as `verbose` (the number of -v) or `GOOBSTER_LOG` asks for.
pub(super) fn to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "error",
        1 => "info,ort=warn,serenity=warn,songbird=warn,tracing::span=warn",
        2 => {
            "debug,ort=info,hyper=info,reqwest=info,h2=info,rustls=info,tungstenite=info,tokio_tungstenite=info"
        }
        _ => "trace",
    };
    let wanted = std::env::var("GOOBSTER_LOG")
        .ok()
        .filter(|wanted| !wanted.is_empty());
    let filter = wanted
        .and_then(|wanted| EnvFilter::try_new(wanted).ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr)
        .try_init();
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
    fn a_secret_is_blackened_wherever_it_stands() {
        blacken("correct-horse-battery");
        blacken("abc");
        assert_eq!(
            blackened("token=correct-horse-battery; Authorization: Bot correct-horse-battery abc"),
            "token=[hidden]; Authorization: Bot [hidden] abc"
        );
    }
}
