//! A rehearsal that is watched as an operator and a service manager would: every metric is there, those of what happens move, health and readiness
//! are told, the status page shows the session and ends it, and SIGHUP changes what can change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use goobster_bot::monitoring::names;
use goobster_models::Cache;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};
use serde_json::Value;

const TOKEN: &str = "a-token-for-the-status-page-alone";

/// A member talks, is answered, and asks for a second session, which is refused. The operator ends the first.
const SCENARIO: &str = r#"
title = "Watched"
engines = "scripted"
members = ["Ann"]

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
wait = 0.3
member = "Ann"
command = "/voice start"

[[step]]
label = "words"
after = "listening"
wait = 0.5
member = "Ann"
clip = "librivox/0930"

[[step]]
label = "again"
after = "words.captioned"
wait = 2.0
patience = 10
member = "Ann"
command = "/voice start"

[[step]]
label = "a while"
wait = 14.0

[[expect]]
nothing_lost = true
word_errors = 35
"#;

/// A port that is free, most likely still a moment later.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a server answers: its status and its body.
fn asked(at: SocketAddr, request: &str, headers: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The highest value that each series had.
fn keep(metrics: &str, seen: &mut BTreeMap<String, f64>) {
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let kept = seen.entry(series.to_owned()).or_insert(value);
        *kept = kept.max(value);
    }
}

#[derive(Default)]
struct Watched {
    metrics: BTreeMap<String, f64>,
    ready: Vec<(u16, String)>,
    /// The most telling report, and whether the session's end was accepted.
    talking: Option<Value>,
    ended: Option<u16>,
    last: Value,
    hung_up: bool,
    /// What a container's health check says while it is ready.
    healthy: Option<i32>,
}

fn healthy(monitoring: SocketAddr) -> Option<i32> {
    std::process::Command::new(env!("CARGO_BIN_EXE_goobster"))
        .args(["health", "--ready"])
        .env("GOOBSTER_MONITORING_LISTEN", monitoring.to_string())
        .status()
        .unwrap()
        .code()
}

/// Listens as a service manager does until it is over: everything that it was told, a line each.
fn told(manager: &UnixDatagram, over: &AtomicBool) -> Vec<String> {
    manager
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut lines = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match manager.recv(&mut bytes) {
            Ok(read) => {
                let text = String::from_utf8_lossy(&bytes[..read]);
                lines.extend(text.lines().map(str::to_owned));
            }
            Err(_) if over.load(Ordering::Relaxed) => return lines,
            Err(_) => {}
        }
    }
}

/// Ready once, alive all the time, going down once and last.
fn the_service_manager_was_told(lines: &[String]) {
    let at = |word: &str| -> Vec<usize> {
        let found = lines.iter().enumerate().filter(|(_, line)| *line == word);
        found.map(|(number, _)| number).collect()
    };
    let (ready, down, alive) = (at("READY=1"), at("STOPPING=1"), at("WATCHDOG=1"));
    assert_eq!((ready.len(), down.len()), (1, 1), "{lines:#?}");
    assert!(ready[0] < down[0] && alive.len() > 10, "{lines:#?}");
    assert!(lines.iter().any(|line| line == "STATUS=ready"), "{lines:#?}");
    assert!(lines[0].starts_with("STATUS=not ready: "), "{lines:#?}");
}

/// Looks until the rehearsal is over.
fn watch(monitoring: SocketAddr, status: SocketAddr, out: &std::path::Path, over: &AtomicBool) -> Watched {
    let mut watched = Watched::default();
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let mut captioned_at = None;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if let Some((200, metrics)) = asked(monitoring, "GET /metrics", "") {
            keep(&metrics, &mut watched.metrics);
        }
        if let Some((code, words)) = asked(monitoring, "GET /readyz", "")
            && watched.ready.last().is_none_or(|(last, _)| *last != code)
        {
            if let Some((health, _)) = asked(monitoring, "GET /healthz", "") {
                assert_eq!(health, 200);
            }
            if code == 200 {
                watched.healthy = healthy(monitoring);
            }
            watched.ready.push((code, words));
        }
        let Some((200, body)) = asked(status, "GET /api/status", &bearer) else {
            continue;
        };
        let report: Value = serde_json::from_str(&body).unwrap();
        if report["calls"][0]["speakers"][0]["talking"] == true {
            watched.talking.get_or_insert_with(|| report.clone());
        }
        if report["caption"]["count"].as_u64() > Some(0) {
            let since = captioned_at.get_or_insert_with(Instant::now).elapsed();
            if since > Duration::from_secs(6) && watched.ended.is_none() {
                let id = report["sessions"][0]["id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let end = format!("POST /api/sessions/{id}/end");
                assert_eq!(asked(status, &end, "").unwrap().0, 401);
                let foreign = format!("{bearer}origin: https://elsewhere.example\r\n");
                assert_eq!(asked(status, &end, &foreign).unwrap().0, 403);
                watched.ended = asked(status, &end, &bearer).map(|(code, _)| code);
                watched.hung_up = hang_up(out);
            }
        }
        watched.last = report;
    }
    watched
}

/// Changes the bot's file and tells it.
fn hang_up(out: &std::path::Path) -> bool {
    let Some(bot) = std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let folder = entry.ok()?.path();
        let line = std::fs::read(folder.join("cmdline")).ok()?;
        let words: Vec<String> = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        // The process whose configuration names this test's address is ours.
        let file = words
            .iter()
            .position(|word| word == "--config")
            .and_then(|at| words.get(at + 1))
            .cloned()?;
        let environment = std::fs::read(folder.join("environ")).ok()?;
        let mark = format!("GOOBSTER_WATCHED={}", out.display());
        let ours = String::from_utf8_lossy(&environment)
            .split('\0')
            .any(|variable| variable == mark);
        let pid: u32 = folder.file_name()?.to_str()?.parse().ok()?;
        ours.then_some((pid, file))
    }) else {
        return false;
    };
    let (pid, file) = bot;
    let mut text = std::fs::read_to_string(&file).unwrap_or_default();
    text = format!("voice = \"somebody\"\n{text}\n[limits]\ntotal = 31\n[discord]\ndrain = \"20s\"\n");
    std::fs::write(file, text).unwrap();
    std::process::Command::new("kill")
        .args(["-HUP", &pid.to_string()])
        .status()
        .unwrap()
        .success()
}

fn every_metric_moved(watched: &Watched) {
    let seen = |name: &str| {
        let of = watched.metrics.iter().filter(|(series, _)| {
            let bare = series.split('{').next().unwrap_or_default();
            bare == name || bare.strip_suffix("_count") == Some(name)
        });
        of.map(|(_, value)| *value)
            .fold(None, |most: Option<f64>, value| {
                Some(most.map_or(value, |most| most.max(value)))
            })
    };
    let session = [
        "goobster_sessions_started_total",
        "goobster_sessions_closed_total",
        "goobster_sessions_refused_total",
        "goobster_sessions_held",
        "goobster_session_duration_seconds",
        "goobster_session_memory_bytes",
        "goobster_cleanup_seconds",
        "goobster_voice_seconds_charged_total",
    ];
    let moved = [
        names::CAPTION,
        names::STEP,
        names::TURNS,
        names::DECODE,
        names::FACTOR,
        names::DECODES,
        names::PACKETS,
        names::SESSIONS,
        names::CALLS,
        names::SPEAKERS,
        names::GATEWAY,
        names::STORE,
        names::READY,
        names::RESIDENT,
        names::PER_SESSION,
        names::THREADS,
        names::DESCRIPTORS,
        names::STARTED_AT,
        names::BUILD,
        names::CAPACITY,
        names::SEATS,
    ];
    let still: Vec<&str> = session
        .into_iter()
        .chain(moved)
        .filter(|name| seen(name).is_none_or(|most| most <= 0.0))
        .collect();
    assert!(
        still.is_empty(),
        "did not move: {still:?}\n{:#?}",
        watched.metrics
    );
    for there in [
        names::ERRORS,
        names::QUEUE,
        names::UNKNOWN,
        names::REJOINS,
        names::LINKS_LOST,
        names::DRAINING,
        names::LOGGED,
        names::LEVEL,
        names::LEVELS,
        names::NOT_FOLLOWED,
        names::ABANDONED,
        names::HOSTS,
        names::SHARDS_HELD,
        names::SHARDS_FREE,
        names::TAKEOVERS,
        names::SHARDS_LOST,
        names::ORPHANS,
    ] {
        assert!(seen(there).is_some(), "{there} is told");
    }
}

fn the_page_knew_and_ended(watched: &Watched) {
    let talking = watched.talking.as_ref().expect("somebody was seen talking");
    assert_eq!(talking["calls"][0]["speakers"][0]["name"], "Ann");
    assert_eq!(talking["calls"][0]["speakers"][0]["hears"], "yes");
    assert_eq!(talking["sessions"][0]["phase"], "active");
    assert!(talking["sessions"][0]["left_s"].as_u64() > Some(0), "{talking}");
    assert_eq!(talking["limits"]["held"], 1);
    assert_eq!(watched.ended, Some(202));
    assert_eq!(
        watched.last["sessions"].as_array().map(Vec::len),
        Some(0),
        "{}",
        watched.last
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_moves_every_metric_and_the_status_page_ends_its_session() {
    let (monitoring, status) = (free(), free());
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("watched");
    // A service manager's socket; its path must be short.
    let folder = tempfile::tempdir().unwrap();
    let notify = folder.path().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    let bot = BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "-v".into(), "--offline".into()],
        env: vec![
            ("NOTIFY_SOCKET".into(), notify.clone().into()),
            ("WATCHDOG_USEC".into(), "1000000".into()),
            ("GOOBSTER_MONITORING_LISTEN".into(), monitoring.to_string().into()),
            ("GOOBSTER_STATUS_LISTEN".into(), status.to_string().into()),
            ("GOOBSTER_STATUS_TOKEN".into(), TOKEN.into()),
            ("GOOBSTER_WATCHED".into(), out.clone().into()),
        ],
    };
    let mut options = RehearsalOptions::new(Scenario::parse(SCENARIO).unwrap(), bot);
    options.shelf = Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    };
    options.out = Some(out.clone());
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (over, out) = (Arc::clone(&over), out.clone());
        std::thread::spawn(move || watch(monitoring, status, &out, &over))
    };
    let telling = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || told(&manager, &over))
    };
    let outcome = rehearse(options, &mut Nobody).await.unwrap();
    over.store(true, Ordering::Relaxed);
    let watched = watching.join().unwrap();
    let said = outcome.said.join("\n");
    assert!(outcome.failures().is_empty(), "{:?}\n{said}", outcome.failures());

    // Not ready, then ready.
    let codes: Vec<u16> = watched.ready.iter().map(|(code, _)| *code).collect();
    assert!(codes.contains(&200), "{:?}", watched.ready);
    if codes[0] == 503 {
        assert!(watched.ready[0].1.contains("not ready: "), "{:?}", watched.ready);
    }

    every_metric_moved(&watched);
    assert_eq!(watched.healthy, Some(0));
    the_service_manager_was_told(&telling.join().unwrap());
    the_page_knew_and_ended(&watched);

    // SIGHUP: what changed, and what has to wait.
    assert!(watched.hung_up);
    for words in [
        "in force with the next call",
        "discord.drain",
        "limits.total",
        "needs a restart",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!said.contains(TOKEN));
    // Nobody reads a pipe in colour.
    assert!(said.contains(" INFO ") && !said.contains('\u{1b}'), "{said}");
}
