//! The connection: scripts run with a time limit, and answers are read with suspicion.

use std::time::Duration;

use goobster_core::limits::LimitsError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script, ScriptInvocation};

/// A connection that reconnects by itself. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    manager: ConnectionManager,
    patience: Duration,
    /// The server's address without user and password.
    address: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.address)
    }
}

impl Link {
    pub(super) async fn connect(url: &str, patience: Duration) -> Result<Self, LimitsError> {
        let client = Client::open(url).map_err(|error| {
            // The address may hold a password: it is not repeated.
            LimitsError::Configuration(format!(
                "the address of the Redis server cannot be read: {}",
                error.category()
            ))
        })?;
        let address = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500));
        let what = || format!("the Redis server at {address} cannot be reached");
        let connecting = ConnectionManager::new_with_config(client, config);
        let manager = tokio::time::timeout(patience * 3, connecting)
            .await
            .map_err(|late| LimitsError::unavailable(what(), late))?
            .map_err(|error| LimitsError::unavailable(what(), error))?;
        Ok(Self {
            manager,
            patience,
            address,
        })
    }

    /// Runs a script; its answer is a list of texts.
    pub(super) async fn run(&self, what: &str, script: &ScriptInvocation<'_>) -> Result<Answer, LimitsError> {
        let mut manager = self.manager.clone();
        let answer =
            tokio::time::timeout(self.patience, script.invoke_async::<Vec<String>>(&mut manager)).await;
        match answer {
            Ok(Ok(fields)) => Ok(Answer::new(what, fields)),
            Ok(Err(error)) => Err(self.explain(what, error)),
            Err(late) => Err(LimitsError::unavailable(
                format!(
                    "the Redis server at {} did not answer in time while {what}",
                    self.address
                ),
                late,
            )),
        }
    }

    /// Sends a plain command.
    pub(super) async fn command<T: redis::FromRedisValue>(
        &self,
        what: &str,
        command: &redis::Cmd,
    ) -> Result<T, LimitsError> {
        let mut manager = self.manager.clone();
        match tokio::time::timeout(self.patience, command.query_async(&mut manager)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.explain(what, error)),
            Err(late) => Err(LimitsError::unavailable(
                format!(
                    "the Redis server at {} did not answer in time while {what}",
                    self.address
                ),
                late,
            )),
        }
    }

    /// Sends several commands as one transaction.
    pub(super) async fn all_or_nothing(&self, what: &str, pipe: &redis::Pipeline) -> Result<(), LimitsError> {
        let mut manager = self.manager.clone();
        match tokio::time::timeout(self.patience, pipe.query_async::<()>(&mut manager)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.explain(what, error)),
            Err(late) => Err(LimitsError::unavailable(
                format!(
                    "the Redis server at {} did not answer in time while {what}",
                    self.address
                ),
                late,
            )),
        }
    }

    fn explain(&self, what: &str, error: RedisError) -> LimitsError {
        match error.code() {
            Some(code) if code == "WRONGTYPE" || stumbled(&error) => LimitsError::Corrupt {
                what: format!(
                    "the data on the Redis server at {} while {what}: {error}",
                    self.address
                ),
                advice: "Nobody's usage was reset: look at that key with redis-cli, and restore or delete it"
                    .into(),
                cause: Some(error.into()),
            },
            _ => LimitsError::unavailable(
                format!(
                    "the Redis server at {} failed while {what}: {error}",
                    self.address
                ),
                error,
            ),
        }
    }
}

/// Whether a script met data that it cannot compute with: the server is well, and asking again is no use. What the server
/// itself refuses (no memory, a replica) is none of this. Servers before 7 take only a text for an error that a script
/// throws, and every version wraps it in a sentence of its own.
fn stumbled(error: &RedisError) -> bool {
    let text = error.to_string();
    error.code() == Some("ERR")
        && text.contains("script")
        && [
            "CORRUPT ",
            "WRONGTYPE",
            "attempt to ",
            "bad argument ",
            "command arguments must be",
        ]
        .iter()
        .any(|stumble| text.contains(stumble))
}

/// A script with its keys.
pub(super) fn on<'a>(script: &'a Script, keys: &[String]) -> ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    invocation
}

/// What a script answered.
#[derive(Debug)]
pub(super) struct Answer {
    what: String,
    fields: Vec<String>,
}

impl Answer {
    /// Fields that were read without a script.
    pub(super) fn new(what: &str, fields: Vec<String>) -> Self {
        Self {
            what: what.to_owned(),
            fields,
        }
    }

    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The first field: what kind of answer it is.
    pub(super) fn code(&self) -> &str {
        self.fields.first().map_or("", String::as_str)
    }

    /// A field as text; empty when it is missing.
    pub(super) fn text(&self, field: usize) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// A field as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, field: usize) -> Result<T, LimitsError> {
        self.text(field).parse().map_err(|_| self.nonsense())
    }

    /// An answer that no script of ours gives.
    pub(super) fn nonsense(&self) -> LimitsError {
        LimitsError::Corrupt {
            what: format!("the Redis server's data while {}: {:?}", self.what, self.fields),
            advice: "Nobody's usage was reset: is another program using the same key prefix?".into(),
            cause: None,
        }
    }
}
