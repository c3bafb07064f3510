//! Every metric of the bot: its name, kind and meaning, once. Dashboards and alerts are built on these names; the sessions'
//! own are in `goobster_core::session::metric_names`.

use goobster_core::session::metric_names as session;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often which sizes came.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal: $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: &str = $name;
        )*

        /// Every metric of the bot, the sessions' own left out.
        pub const METRICS: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, meaning: $meaning }),*];
    };
}

metrics! {
    CAPTION = Histogram "goobster_caption_seconds": "From the end of speech to its final caption";
    REPLY = Histogram "goobster_reply_seconds": "From the end of speech to the first sound of its reply";
    STEP = Histogram "goobster_turn_step_seconds": "The steps of a turn, by step: endpoint, decode, respond, speak, playout";
    TURNS = Counter "goobster_turns_total": "Turns, by outcome: answered, or why not";
    DECODE = Histogram "goobster_decode_seconds": "How long decodes took, waiting included, by class";
    FACTOR = Histogram "goobster_decode_real_time_factor": "The time of a decode by the length of its audio, waiting included; of final and speculative ones";
    DECODES = Counter "goobster_decodes_total": "Decodes, by class and outcome";
    ERRORS = Counter "goobster_errors_total": "What failed while a conversation went on, by kind: hearing, brain, voice, room, call";
    LOGGED = Counter "goobster_log_lines_total": "Warnings and errors in the log, by level";
    PACKETS = Counter "goobster_voice_packets_total": "Voice packets of people who may be heard, by kind: voice, silence, lost, skipped, undecodable";
    UNKNOWN = Counter "goobster_voice_packets_unknown_total": "Voice packets of which nobody knows whose they are";
    UNHEARD = Counter "goobster_decrypt_failures_total": "Speakers whose packets could not be read, by why; the voice library drops what it cannot decrypt, so it shows as an absence";
    REJOINS = Counter "goobster_call_rejoins_total": "Voice connections that were made anew";
    LINKS_LOST = Counter "goobster_voice_links_lost_total": "Voice connections that broke";
    CAPACITY = Gauge "goobster_admission_speakers": "People talking at once that this machine can follow, by model: own, smaller; as measured at the start or set";
    CALIBRATED = Gauge "goobster_calibration_decode_seconds": "How long a decode of four seconds took at the start, by model";
    SEATS = Gauge "goobster_seats": "People followed at once, by state: there, taken, and waiting for one";
    LEVEL = Gauge "goobster_overload_level": "What is given up: 0 nothing, 1 growing captions thinned, 2 none, 3 a smaller model hears, 4 new sessions refused";
    LEVELS = Counter "goobster_overload_changes_total": "Steps up and down of the overload level";
    NOT_FOLLOWED = Counter "goobster_turns_not_followed_total": "Turns that were not recognised because more people talked than can be followed";
    ABANDONED = Counter "goobster_decode_threads_abandoned_total": "Decoding threads given up because their decode would not end";
    QUEUE = Gauge "goobster_queue_depth": "What waits, by queue: decodes, finals, events of the call, captions, charges";
    TRACES = Counter "goobster_traces_total": "Traces of turns for the collector, by outcome: sent, failed, dropped because too many waited";
    SESSIONS = Gauge "goobster_sessions_active": "Sessions that run";
    CALLS = Gauge "goobster_calls": "Voice connections";
    SPEAKERS = Gauge "goobster_speakers": "People in the voice channels, by state: present, heard, talking";
    GATEWAY = Gauge "goobster_gateway_up": "1 while every shard is connected to Discord";
    STORE = Gauge "goobster_store_writable": "1 while the store of quotas can be written";
    READY = Gauge "goobster_ready": "1 while sessions can be started";
    DRAINING = Gauge "goobster_draining": "1 while the bot goes down";
    HOSTS = Gauge "goobster_cluster_hosts": "Hosts that are alive, as this one saw them last";
    SHARDS_HELD = Gauge "goobster_cluster_shards_held": "Shards of the gateway that this host holds";
    SHARDS_FREE = Gauge "goobster_cluster_shards_free": "Shards that no host holds";
    TAKEOVERS = Counter "goobster_cluster_takeovers_total": "Shards taken over from a host that fell silent";
    SHARDS_LOST = Counter "goobster_cluster_shards_lost_total": "Shards that this host had to give up without wanting to";
    ORPHANS = Counter "goobster_cluster_calls_closed_total": "Calls of a host that died, closed by this one";
    RESIDENT = Gauge "goobster_process_resident_bytes": "Memory of the process";
    PER_SESSION = Gauge "goobster_memory_per_session_bytes": "Memory of the process by its running sessions; all of it while there is none";
    THREADS = Gauge "goobster_process_threads": "Threads of the process";
    DESCRIPTORS = Gauge "goobster_process_open_fds": "File descriptors of the process";
    STARTED_AT = Gauge "goobster_start_time_seconds": "When the process began, seconds since 1970";
    BUILD = Gauge "goobster_build_info": "1, by version";
}

/// Seconds that people wait.
const WAITS: &[f64] = &[0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0];

/// The edges of every histogram's buckets.
pub(super) fn buckets() -> [(&'static str, &'static [f64]); 8] {
    [
        (CAPTION, WAITS),
        (REPLY, WAITS),
        (
            STEP,
            &[0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0],
        ),
        (
            DECODE,
            &[
                0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 30.0,
            ],
        ),
        (
            FACTOR,
            &[0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0],
        ),
        (
            session::DURATION,
            &[10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0],
        ),
        (
            session::CLEANUP,
            &[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0],
        ),
        (
            session::MEMORY,
            &[1e4, 1e5, 1e6, 5e6, 1e7, 2.5e7, 5e7, 1e8, 5e8, 1e9],
        ),
    ]
}

/// Tells the recorder what each metric means, the sessions' own included, and lets the counters stand at nothing: a metric
/// that is missing until something fails cannot be alerted on.
pub fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.meaning),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.meaning),
        }
    }
    goobster_core::session::describe_metrics();
    metrics::gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!(STARTED_AT).set(jiff::Timestamp::now().as_millisecond() as f64 / 1000.0);
    for kind in super::measured::ERROR_KINDS {
        metrics::counter!(ERRORS, "kind" => kind).absolute(0);
    }
    for level in ["error", "warn"] {
        metrics::counter!(LOGGED, "level" => level).absolute(0);
    }
    for name in [
        UNKNOWN,
        REJOINS,
        LINKS_LOST,
        LEVELS,
        NOT_FOLLOWED,
        ABANDONED,
        TAKEOVERS,
        SHARDS_LOST,
        ORPHANS,
    ] {
        metrics::counter!(name).absolute(0);
    }
    for name in [
        session::STARTED,
        session::CHARGED,
        session::CHARGE_LOST,
        session::MISSED,
    ] {
        metrics::counter!(name).absolute(0);
    }
    for name in [LEVEL, HOSTS, SHARDS_HELD, SHARDS_FREE] {
        metrics::gauge!(name).set(0.0);
    }
    metrics::gauge!(session::HELD).set(0.0);
    metrics::gauge!(session::QUARANTINE).set(0.0);
}
