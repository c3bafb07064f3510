//! The store on a Redis (or Valkey) server: many processes on many machines share one truth.
//!
//! - Every decision is one Lua script on the server, under the server's clock; no process's clock matters.
//! - Keys that one script touches share a hash tag. An operation that spans tags (a guild's fence and a member's usage)
//!   runs one script for each, in an order that makes repeating it safe: first the session's row in `{guild}`, which
//!   checks the fence and numbers the charge, then the member's usage in `{user}`, which takes each number once. Whoever
//!   closes the row repeats its last charge, so that one that stopped half way is finished.
//! - Places are leases in sorted sets by expiry: a process that dies frees them by falling silent.
//! - No key lives for ever by accident: every key has an expiry, set in the same script, but for a guild's epoch, the table
//!   of hosts and the register of what people chose.
//!
//! The server must not evict keys (`maxmemory-policy noeviction`), and how much a crash of the *server* loses is its own
//! persistence's business (`appendfsync everysec`: one second).

mod dump;
mod forget;
mod hosts;
mod keys;
mod ledger;
mod link;
mod register;
mod scripts;
mod slots;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goobster_core::limits::{LimitsConfig, LimitsError, NodeId, Rules};
use goobster_core::time::UtcMillis;

pub(crate) use self::dump::{Dump, DumpedKey};
pub use self::hosts::RedisHosts;
use self::keys::Keys;
use self::link::Link;
pub use self::register::RedisRegister;

/// Whose clock dates the charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeSource {
    /// The server's. The caller's times only say how long ago something was.
    #[default]
    Server,
    /// The caller's: for tests that play hours in a moment.
    Caller,
}

/// How to use the server.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// What every key begins with: "goobster".
    pub prefix: String,
    /// How long a confirmed place lasts without being renewed: 30 s.
    pub lease: Duration,
    /// How long to wait for an answer: 1 s.
    pub patience: Duration,
    /// Whose clock dates the charges: the server's.
    pub time: TimeSource,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "goobster".into(),
            lease: Duration::from_secs(30),
            patience: Duration::from_secs(1),
            time: TimeSource::Server,
        }
    }
}

/// A store on a Redis server, as one process sees it.
///
/// ```no_run
/// # async fn start() -> Result<(), goobster_core::limits::LimitsError> {
/// use goobster_core::limits::{LimitsConfig, NodeId};
/// use goobster_store::{RedisOptions, RedisStore};
///
/// let node = NodeId::new(0x5eed); // drawn at random at each start
/// let store =
///     RedisStore::connect("redis://127.0.0.1/", node, &LimitsConfig::default(), RedisOptions::default()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RedisStore {
    link: Link,
    keys: Keys,
    node: NodeId,
    config: LimitsConfig,
    rules: Rules,
    lease: Duration,
    time: TimeSource,
}

impl RedisStore {
    /// Connects to a server: `redis://[user:password@]host[:port][/db]`, or `redis+unix:///path`.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`] when it cannot be reached; [`LimitsError::Configuration`].
    pub async fn connect(
        url: &str,
        node: NodeId,
        config: &LimitsConfig,
        options: RedisOptions,
    ) -> Result<Self, LimitsError> {
        config.validate()?;
        Keys::check_prefix(&options.prefix)?;
        if options.lease.as_millis() < 1 || options.patience.is_zero() {
            return Err(LimitsError::Configuration(
                "the Redis lease and patience must be more than zero".into(),
            ));
        }
        let link = Link::connect(url, options.patience).await?;
        let keys = Keys::new(&options.prefix);
        let rules = Rules::new(config);
        Ok(Self {
            link,
            keys,
            node,
            config: *config,
            rules,
            lease: options.lease,
            time: options.time,
        })
    }

    /// A moment of the caller's as the scripts take it: how long ago by this machine's clock, or as it is.
    fn moment(&self, at: UtcMillis) -> String {
        match self.time {
            TimeSource::Caller => format!("t{}", at.get()),
            TimeSource::Server => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
                format!("a{}", now.saturating_sub(at.get()).max(0))
            }
        }
    }

    /// The time that a script on usage runs at; empty for the server's.
    fn script_time(&self, now: UtcMillis) -> String {
        match self.time {
            TimeSource::Caller => now.get().to_string(),
            TimeSource::Server => String::new(),
        }
    }
}
