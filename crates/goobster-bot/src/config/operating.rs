//! The settings of who runs it: what the machine may be asked, where things are kept, hosts, logs, and who may look.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use goobster_core::admission::LadderConfig;
use goobster_store::{EmbeddedStore, RedisOptions};

/// What is asked of the machine at most, and what gives way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// People talking at once that are followed; unset: as many as a measurement at the start allows.
    pub speakers: Option<usize>,
    /// And of one call: its captions share a channel.
    pub per_call: usize,
    /// The model that takes over under load, or "none"; unset: the small profile's, where it is in the cache.
    pub smaller_model: Option<String>,
    /// A final caption that has waited so long for its decode is late.
    pub late: Duration,
    /// Between two steps of giving up more.
    pub rise: Duration,
    /// Calm for so long before a step back.
    pub fall: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        let ladder = LadderConfig::default();
        Self {
            speakers: None,
            per_call: 4,
            smaller_model: None,
            late: ladder.late,
            rise: ladder.rise,
            fall: ladder.fall,
        }
    }
}

impl Admission {
    /// When what gives way.
    pub fn ladder(&self, smaller_model: bool) -> LadderConfig {
        LadderConfig {
            late: self.late,
            rise: self.rise,
            fall: self.fall,
            smaller_model,
        }
    }
}

/// Where quotas and sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The embedded store's file; unset: in the user's data folder.
    pub file: Option<PathBuf>,
    /// How long the embedded store waits for others to share a commit.
    pub commit_interval: Duration,
    /// A Redis or Valkey server instead, for example `redis://localhost/`.
    pub redis: Option<String>,
    /// What every key on that server begins with.
    pub prefix: String,
    /// How long a place on the server lasts without being renewed.
    pub lease: Duration,
    /// How long to wait for the server's answer.
    pub patience: Duration,
}

impl Default for Store {
    fn default() -> Self {
        let redis = RedisOptions::default();
        Self {
            file: None,
            commit_interval: EmbeddedStore::COMMIT_INTERVAL,
            redis: None,
            prefix: redis.prefix,
            lease: redis.lease,
            patience: redis.patience,
        }
    }
}

/// Several hosts that share the shards of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Whether this process is one of several.
    pub enabled: bool,
    /// What this host is called; unset: the machine's name.
    pub host: Option<String>,
    /// Shards there are altogether; unset: as many as Discord recommends.
    pub shards: Option<usize>,
    /// How long a silent host keeps its shards.
    pub lease: Duration,
    /// How often it tells that it lives.
    pub renew: Duration,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            enabled: false,
            host: None,
            shards: None,
            lease: Duration::from_secs(10),
            renew: Duration::from_secs(2),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// A JSON object a line.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines; unset: as much as -v asks for.
    pub filter: Option<String>,
}

/// Metrics and health, over HTTP; traces, to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitoring {
    /// Where to listen; unset: nowhere.
    pub listen: Option<SocketAddr>,
    /// The OpenTelemetry collector that traces are sent to, for example `http://localhost:4318`; unset: none.
    pub otlp_endpoint: Option<String>,
    /// The name of the environment variable that holds the headers for it: `name=value`, commas between them.
    pub otlp_headers_env: Option<String>,
    /// How many turns of a hundred are traced.
    pub otlp_sample_percent: u32,
    /// What this service is called there.
    pub otlp_service_name: String,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            listen: None,
            otlp_endpoint: None,
            otlp_headers_env: None,
            otlp_sample_percent: 100,
            otlp_service_name: "goobster".to_owned(),
        }
    }
}

/// The status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where to listen; unset: nowhere.
    pub listen: Option<SocketAddr>,
    /// The environment variable that holds the token that opens it.
    pub token_env: String,
    /// Whether it may listen where other machines reach it.
    pub beyond_loopback: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            listen: None,
            token_env: "GOOBSTER_STATUS_TOKEN".to_owned(),
            beyond_loopback: false,
        }
    }
}
