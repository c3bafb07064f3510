//! No secret is ever shown: a bot that logs all it can, with every secret known, and a look at everything that comes out of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use goobster_models::Cache;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};

const STATUS_TOKEN: &str = "status-token-that-nobody-sees";
const CHAT_KEY: &str = "sk-chat-key-that-nobody-sees";
const SPEECH_KEY: &str = "sk-speech-key-that-nobody-sees";
/// As it is written in an address, and as it is sent.
const REDIS_PASSWORD: (&str, &str) = ("redis%2Fpass%40nobody-sees", "redis/pass@nobody-sees");
const CHAT_PASSWORD: &str = "chat-password-nobody-sees";
const PROXY_PASSWORD: &str = "proxy-password-nobody-sees";

/// A member talks and is answered by a server that refuses the key, and repeats it.
const SCENARIO: &str = r#"
title = "Secrets"
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
after = "words.captioned"
patience = 10
wait = 3.0
member = "Ann"
command = "/privacy show"

[[step]]
member = "Ann"
command = "/voice stop"
"#;

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A chat server that refuses every key, and says which one it got.
fn rude_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            for line in BufReader::new(&stream).lines() {
                let line = line.unwrap_or_default();
                if line.is_empty() {
                    break;
                }
                let _ = writeln!(head, "{line}");
            }
            let body =
                serde_json::json!({ "error": { "message": format!("I do not like {head}") } }).to_string();
            let answer = format!(
                "HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// A Redis with a password, where there is one to start.
struct Redis(Child);

impl Redis {
    fn start() -> Option<(Self, String)> {
        let port = free().port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--requirepass", REDIS_PASSWORD.1])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "redis-server does not come up"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some((
            Self(child),
            format!("redis://default:{}@127.0.0.1:{port}/", REDIS_PASSWORD.0),
        ))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn asked(at: SocketAddr, path: &str, token: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect_timeout(&at, Duration::from_secs(1)) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

/// A text in every form in which libraries print what they send.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    vec![
        secret.to_owned(),
        base64::engine::general_purpose::STANDARD
            .encode(bytes)
            .trim_end_matches('=')
            .to_owned(),
        numbers.join(", "),
        hex.to_uppercase(),
        hex,
        secret.chars().rev().collect(),
    ]
}

fn nothing_is_shown(whence: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        for form in forms(secret) {
            if let Some(at) = text.find(&form) {
                let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
                let shown = &text[from..(at + form.len()).min(from + 600).max(from)];
                panic!("{whence} shows {secret} as {form}: {shown}");
            }
        }
    }
}

fn variables(redis: Option<&str>, chat: SocketAddr) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("GOOBSTER_STATUS_TOKEN", STATUS_TOKEN.to_owned()),
        ("CHAT_KEY", CHAT_KEY.to_owned()),
        ("SPEECH_KEY", SPEECH_KEY.to_owned()),
        (
            "GOOBSTER_BRAIN_URL",
            format!("http://ann:{CHAT_PASSWORD}@{chat}/v1"),
        ),
        ("GOOBSTER_BRAIN_MODEL", "some-model".to_owned()),
        ("GOOBSTER_BRAIN_API_KEY_ENV", "CHAT_KEY".to_owned()),
        ("GOOBSTER_RECOGNISER_API_KEY_ENV", "SPEECH_KEY".to_owned()),
        ("GOOBSTER_SYNTHESISER_API_KEY_ENV", "SPEECH_KEY".to_owned()),
        ("http_proxy", format!("http://me:{PROXY_PASSWORD}@127.0.0.1:1")),
    ];
    variables.extend(redis.map(|url| ("GOOBSTER_STORE_REDIS", url.to_owned())));
    variables
}

fn known() -> Vec<String> {
    [
        STATUS_TOKEN,
        CHAT_KEY,
        SPEECH_KEY,
        REDIS_PASSWORD.0,
        REDIS_PASSWORD.1,
        CHAT_PASSWORD,
        PROXY_PASSWORD,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The bot, its whole output in a file as it is: the rehearsal itself would blacken the token.
fn bot(out: &Path, variables: Vec<(&'static str, String)>) -> BotCommand {
    let script = "printf %s \"$DISCORD_TOKEN\" > \"$OUT/token\"; exec \"$0\" \"$@\" > \"$OUT/raw.log\" 2>&1";
    let mut env: Vec<_> = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    env.push(("OUT".into(), out.into()));
    BotCommand {
        program: "/bin/sh".into(),
        args: [
            "-c",
            script,
            env!("CARGO_BIN_EXE_goobster"),
            "run",
            "-vvv",
            "--offline",
        ]
        .map(Into::into)
        .to_vec(),
        env,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_tells_all_it_can_tells_no_secret() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secrets");
    std::fs::create_dir_all(&out).unwrap();
    let redis = Redis::start();
    if redis.is_none() {
        eprintln!("without a Redis: redis-server is not installed");
    }
    let (monitoring, status) = (free(), free());
    let mut variables = variables(redis.as_ref().map(|(_, url)| url.as_str()), rude_server());
    variables.push(("GOOBSTER_MONITORING_LISTEN", monitoring.to_string()));
    variables.push(("GOOBSTER_STATUS_LISTEN", status.to_string()));
    let mut options = RehearsalOptions::new(Scenario::parse(SCENARIO).unwrap(), bot(&out, variables));
    options.shelf = Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    };
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            let (mut metrics, mut reports) = (String::new(), String::new());
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(300));
                metrics.push_str(&asked(monitoring, "/metrics", ""));
                reports.push_str(&asked(status, "/api/status", STATUS_TOKEN));
            }
            // A guess that is wrong is not told either.
            (metrics, reports)
        })
    };
    let outcome = rehearse(options, &mut Nobody).await;
    over.store(true, Ordering::Relaxed);
    let (metrics, reports) = watching.join().unwrap();
    let raw = String::from_utf8_lossy(&std::fs::read(out.join("raw.log")).unwrap()).into_owned();
    let outcome =
        outcome.unwrap_or_else(|error| panic!("{error}\n{}", &raw[raw.len().saturating_sub(2000)..]));
    assert!(outcome.failures().is_empty(), "{:?}", outcome.failures());

    let token = std::fs::read_to_string(out.join("token")).unwrap();
    assert!(token.len() > 20);
    let mut secrets = known();
    secrets.push(token);
    // As it is sent: the beginning of it is too much already.
    secrets.push(format!("ann:{}", &CHAT_PASSWORD[..8]));
    // It did log as much as it can, of every part, and the server that repeats keys was asked.
    for part in ["TRACE", "serenity", "songbird", "goobster", "hyper", "[hidden]"] {
        assert!(raw.contains(part), "nothing of {part} was logged");
    }
    assert!(metrics.contains("goobster_") && reports.contains("troubles"));
    nothing_is_shown("the log", &raw, &secrets);
    nothing_is_shown("/metrics", &metrics, &secrets);
    nothing_is_shown("/api/status", &reports, &secrets);
}

#[test]
fn neither_the_configuration_nor_an_error_shows_a_secret() {
    let nobody = free();
    let redis = format!("redis://default:{}@{nobody}/", REDIS_PASSWORD.0);
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["doctor", "-vvv"],
        &["store", "forget", "7", "-vvv"],
        &["run", "--offline", "-vvv"],
        &[
            "run",
            "--offline",
            "--network",
            "discord-only",
            "--brain-url",
            "http://me:chat-password-nobody-sees@chat.example.com/",
        ],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_goobster"))
            .args(arguments)
            .envs(variables(Some(&redis), nobody))
            .env("HTTPS_PROXY", format!("http://me:{PROXY_PASSWORD}@{nobody}"))
            .env(
                "DISCORD_TOKEN",
                "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gsecret.of-the-bot-nobody-sees",
            )
            .env("GOOBSTER_DATA", folder.path())
            .env("GOOBSTER_OFFLINE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut secrets = known();
        secrets.push("MTIzNDU2Nzg5MDEyMzQ1Njc4.Gsecret.of-the-bot-nobody-sees".to_owned());
        assert!(text.len() > 20, "{arguments:?}");
        nothing_is_shown(&arguments.join(" "), &text, &secrets);
    }
}
