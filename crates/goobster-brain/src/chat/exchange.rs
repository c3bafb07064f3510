//! One turn over the wire: tries, time-outs, the stream, and the end of it.

use std::time::Duration;

use goobster_core::ports::{AbortFlag, ReplyPiece, RespondError, RespondRequest};
use goobster_network::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use goobster_network::http::{Error, Response, StatusCode};
use goobster_network::{Client, ClientOptions, Hosts};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::config::{ChatConfig, endpoint, public};
use super::message::{Body, body, error_of, read};
use super::think::ThinkFilter;
use crate::sse::SseParser;

/// Redirects that are followed, to the same host alone.
const REDIRECTS: usize = 3;

type Pieces = mpsc::Sender<Result<ReplyPiece, RespondError>>;

/// An answer that does not stream is read up to here, in bytes; an error's text less.
const WHOLE_BYTES: usize = 1 << 20;
const ERROR_BYTES: usize = 4096;
/// Text of one reply at most, in bytes.
const REPLY_BYTES: usize = 64 * 1024;
/// The longest wait that a server may ask for by `Retry-After`.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// How often the abort flag is looked at.
const ABORT_POLL: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct Server {
    config: ChatConfig,
    client: Client,
    url: Url,
    shown: String,
}

/// A failed try.
struct Failed {
    error: RespondError,
    /// Whether another try may help, and the least wait before it.
    again: Option<Duration>,
}

impl Failed {
    fn final_(error: RespondError) -> Self {
        Self { error, again: None }
    }
}

impl Server {
    pub(super) fn new(config: ChatConfig) -> Result<Self, RespondError> {
        let url = endpoint(&config.url)?;
        if config.model.trim().is_empty() {
            return Err(RespondError::Configuration(
                "no model: set brain.model to one the server has".to_owned(),
            ));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| {
                RespondError::Configuration(
                    "the chat server's key holds characters that no key has".to_owned(),
                )
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let hosts = Hosts::of(config.network, "brain.url", &url)
            .map_err(|refused| RespondError::Configuration(refused.to_string()))?;
        let options = ClientOptions {
            connect: Some(config.connect),
            redirects: REDIRECTS,
            headers,
            ..ClientOptions::default()
        };
        let client =
            Client::new(hosts, options).map_err(|error| RespondError::Configuration(error.to_string()))?;
        let shown = public(&url);
        Ok(Self {
            config,
            client,
            url,
            shown,
        })
    }

    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.config.model, self.shown)
    }

    /// Answers a turn; ends early when nobody listens any more, which drops the connection.
    pub(super) async fn answer(&self, request: RespondRequest, pieces: Pieces) {
        let abort = request.abort.clone();
        let result = tokio::select! {
            result = self.converse(&request, &pieces) => result,
            () = raised(&abort) => Err(RespondError::Aborted),
            () = sleep(self.config.reply) => Err(RespondError::TimedOut {
                url: self.shown.clone(),
                waited: self.config.reply,
            }),
            () = pieces.closed() => return,
        };
        if let Err(error) = result {
            tracing::debug!(server = %self.shown, %error, "no reply");
            // Nobody listening is no fault.
            let _ = pieces.send(Err(error)).await;
        }
    }

    async fn converse(&self, request: &RespondRequest, pieces: &Pieces) -> Result<(), RespondError> {
        let body = body(&self.config, request);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Failed { error, again } = match self.attempt(&body, pieces).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let Some(least) = again.filter(|_| attempt < self.config.tries.max(1)) else {
                return Err(error);
            };
            let back_off = self.config.back_off.saturating_mul(1 << (attempt - 1).min(8));
            tracing::debug!(server = %self.shown, %error, attempt, "trying again");
            sleep(back_off.max(least).min(LONGEST_BACK_OFF)).await;
        }
    }

    /// One try: sends the request and forwards the answer.
    async fn attempt(&self, body: &Body<'_>, pieces: &Pieces) -> Result<(), Failed> {
        let deadline = Instant::now() + self.config.first_token;
        let late = || RespondError::TimedOut {
            url: self.shown.clone(),
            waited: self.config.first_token,
        };
        let post = self.client.post(&self.url);
        let post =
            post.map_err(|refused| Failed::final_(RespondError::Configuration(refused.to_string())))?;
        let sending = post.json(body).send();
        let response = match timeout(self.config.first_token, sending).await {
            Err(_) => return Err(Failed::final_(late())),
            Ok(Err(error)) => return Err(self.unreachable(error)),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_success() {
            return Err(self.refused(response, deadline).await);
        }
        let is_json = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if is_json {
            self.whole(response, pieces, deadline).await
        } else {
            self.stream(response, pieces, deadline).await
        }
    }

    /// A server that answers in one piece.
    async fn whole(&self, mut response: Response, pieces: &Pieces, deadline: Instant) -> Result<(), Failed> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self
            .chunk(&mut response, deadline, self.config.first_token)
            .await?
        {
            if bytes.len() + chunk.len() > WHOLE_BYTES {
                return Err(self.bad("far too much".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        let said = read(&String::from_utf8_lossy(&bytes)).map_err(|what| self.bad(what))?;
        let mut filter = ThinkFilter::new();
        let text = filter.push(&said.text) + &filter.finish();
        self.give(pieces, text.trim().to_owned()).await;
        Ok(())
    }

    /// A server that streams. Only events with words in them, said or thought, put the deadline off: comments that
    /// keep a connection open, empty deltas and usage reports come from a server that is stuck as well.
    async fn stream(
        &self,
        mut response: Response,
        pieces: &Pieces,
        mut deadline: Instant,
    ) -> Result<(), Failed> {
        let mut parser = SseParser::new();
        let mut filter = ThinkFilter::new();
        let (mut waited, mut begun, mut bytes) = (self.config.first_token, false, 0_usize);
        loop {
            let chunk = self.chunk(&mut response, deadline, waited).await;
            let chunk = chunk.map_err(|failed| {
                if begun {
                    Failed::final_(failed.error)
                } else {
                    failed
                }
            })?;
            let (events, ended) = match &chunk {
                Some(chunk) => (
                    parser.push(chunk).map_err(|error| self.bad(error.to_string()))?,
                    false,
                ),
                None => (parser.finish().into_iter().collect(), true),
            };
            let mut alive = false;
            for event in events {
                let said = read(&event).map_err(|what| self.bad(what))?;
                bytes += said.text.len();
                let mut text = filter.push(&said.text);
                if said.last || bytes > REPLY_BYTES {
                    text += &filter.finish();
                }
                if !begun {
                    text = text.trim_start().to_owned();
                }
                alive |= said.thinks || !said.text.is_empty();
                if !text.is_empty() {
                    begun = true;
                    self.give(pieces, text).await;
                }
                if said.last || bytes > REPLY_BYTES {
                    return Ok(());
                }
            }
            if ended {
                let what = if begun {
                    "and broke off in the middle"
                } else {
                    "and then nothing"
                };
                let error = RespondError::BadAnswer {
                    url: self.shown.clone(),
                    what: what.to_owned(),
                };
                return Err(Failed {
                    error,
                    again: (!begun).then_some(Duration::ZERO),
                });
            }
            if alive {
                waited = self.config.idle;
                deadline = Instant::now() + waited;
            }
        }
    }

    async fn chunk(
        &self,
        response: &mut Response,
        deadline: Instant,
        waited: Duration,
    ) -> Result<Option<Vec<u8>>, Failed> {
        match tokio::time::timeout_at(deadline, response.chunk()).await {
            Err(_) => Err(Failed::final_(RespondError::TimedOut {
                url: self.shown.clone(),
                waited,
            })),
            Ok(Ok(chunk)) => Ok(chunk.map(|bytes| bytes.to_vec())),
            Ok(Err(error)) => {
                tracing::debug!(error = %error.without_url(), "the chat server's answer was cut");
                let what = "and broke off in the middle".to_owned();
                let error = RespondError::BadAnswer {
                    url: self.shown.clone(),
                    what,
                };
                Err(Failed {
                    error,
                    again: Some(Duration::ZERO),
                })
            }
        }
    }

    /// A status that is no success.
    async fn refused(&self, mut response: Response, deadline: Instant) -> Failed {
        let status = response.status();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES
            && let Ok(Some(chunk)) = self.chunk(&mut response, deadline, self.config.first_token).await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - body.len())]);
        }
        let mut what = error_of(&String::from_utf8_lossy(&body));
        if let Some(key) = &self.config.api_key {
            what = what.replace(key.expose(), "(the key)");
        }
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                " (check the key that brain.api_key_env names)"
            }
            StatusCode::NOT_FOUND => " (check brain.url, and that the server has the model)",
            _ => "",
        };
        let what = format!("{status}: {what}{hint}");
        let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let error = RespondError::BadAnswer {
            url: self.shown.clone(),
            what,
        };
        Failed {
            error,
            again: again.then(|| wait.map_or(Duration::ZERO, Duration::from_secs)),
        }
    }

    fn unreachable(&self, error: Error) -> Failed {
        let error = error.without_url();
        let what = if error.is_timeout() {
            "no connection in time"
        } else {
            "no connection"
        };
        let url = self.shown.clone();
        let error = RespondError::Unreachable {
            url,
            what: what.to_owned(),
            cause: Some(Box::new(error)),
        };
        Failed {
            error,
            again: Some(Duration::ZERO),
        }
    }

    fn bad(&self, what: String) -> Failed {
        Failed::final_(RespondError::BadAnswer {
            url: self.shown.clone(),
            what,
        })
    }

    async fn give(&self, pieces: &Pieces, text: String) {
        if !text.is_empty() {
            // A closed channel ends the whole answer at the next await of `Server::answer`.
            let _ = pieces.send(Ok(ReplyPiece::Text(text))).await;
        }
    }
}

/// Resolves once the flag is raised.
async fn raised(abort: &AbortFlag) {
    while !abort.is_raised() {
        sleep(ABORT_POLL).await;
    }
}
