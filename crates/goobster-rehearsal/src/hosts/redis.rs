//! The Redis server that the hosts share: a real one, for as long as the rehearsal lasts.

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::error::RehearsalError;

/// How long the server may take to begin, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 1 << 20;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Redis {
    /// Starts `redis-server`, or what `GOOBSTER_REDIS_SERVER` names.
    pub(super) async fn start() -> Result<Self, RehearsalError> {
        let program =
            std::env::var_os("GOOBSTER_REDIS_SERVER").unwrap_or_else(|| OsString::from("redis-server"));
        let io = || RehearsalError::io(std::path::PathBuf::from(&program));
        let folder = tempfile::tempdir().map_err(io())?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(io())?
            .port();
        let child = Command::new(&program)
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(port.to_string())
            .args(["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(io())?;
        let server = Self {
            port,
            _child: child,
            _folder: folder,
        };
        let begun = tokio::time::Instant::now();
        while server.ask("PING").await.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(io()(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "it does not answer",
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Asks it something in words; the answer's lines without their marks, or none when it does not answer.
    pub(super) async fn ask(&self, command: &str) -> Option<Vec<String>> {
        tokio::time::timeout(PATIENCE, self.talk(command))
            .await
            .ok()?
            .ok()
    }

    async fn talk(&self, command: &str) -> std::io::Result<Vec<String>> {
        let broken = || std::io::Error::other("an answer that cannot be read");
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
        stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let (mut left, mut answer) = (1_usize, Vec::new());
        while left > 0 {
            left -= 1;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end();
            let rest = line.get(1..).ok_or_else(broken)?;
            match line.as_bytes().first() {
                Some(b'*') => left += rest.parse::<usize>().unwrap_or(0).min(LARGEST),
                Some(b'$') => {
                    let Ok(length) = rest.parse::<usize>() else {
                        answer.push(String::new());
                        continue;
                    };
                    let mut text = vec![0; length.min(LARGEST) + 2];
                    stream.read_exact(&mut text).await?;
                    text.truncate(length);
                    answer.push(String::from_utf8_lossy(&text).into_owned());
                }
                Some(b'+' | b':') => answer.push(rest.to_owned()),
                _ => return Err(broken()),
            }
        }
        Ok(answer)
    }

    /// One number; zero when there is none.
    pub(super) async fn number(&self, command: &str) -> f64 {
        let answer = self.ask(command).await.unwrap_or_default();
        answer.first().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }

    /// How many requests clients sent, and how many commands those were with what scripts did.
    pub(super) async fn commands(&self) -> (f64, f64) {
        let text = self.ask("INFO commandstats").await.unwrap_or_default().concat();
        let (mut requests, mut all) = (0.0, 0.0);
        for line in text.lines() {
            let Some((name, rest)) = line.split_once(":calls=") else {
                continue;
            };
            let calls: f64 = rest
                .split(',')
                .next()
                .and_then(|calls| calls.parse().ok())
                .unwrap_or(0.0);
            all += calls;
            if name.ends_with("_evalsha") || name.ends_with("_eval") {
                requests += calls;
            }
        }
        (requests, all)
    }
}
