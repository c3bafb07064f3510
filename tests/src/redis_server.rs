//! A real Redis server of a test's own: on a free port, in a folder that goes with it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `redis-server` that writes every command to disk before it answers, so that it survives a kill.
#[derive(Debug)]
pub struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Panics
    /// When `redis-server` is not installed (the message says how to), or does not answer within 10 s.
    #[expect(
        clippy::panic,
        reason = "a test that cannot have its server must fail, and say why"
    )]
    pub fn start() -> Self {
        let start = || -> io::Result<Self> {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut server = Self {
                folder: tempfile::tempdir()?,
                port,
                child: None,
            };
            server.resume()?;
            Ok(server)
        };
        match start() {
            Ok(server) => server,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("`redis-server` is missing: `cargo xtask setup` installs it")
            }
            Err(error) => panic!("`redis-server` does not start: {error}"),
        }
    }

    /// The address for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Ends the server at once, as a crash would.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the server again with the data it had.
    ///
    /// # Errors
    /// When it does not start or does not answer within 10 s.
    pub fn resume(&mut self) -> io::Result<()> {
        // Set by `cargo xtask` where the system has none and set-up fetched one.
        let program = std::env::var_os("GOOBSTER_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(program)
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
            ])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory-policy",
                "noeviction",
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        let started = Instant::now();
        while !self.answers() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Sends the server process a signal by name, `STOP` or `CONT`.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        match &self.child {
            Some(child) => signal(child, name),
            None => Err(io::Error::other("the server is not running")),
        }
    }

    fn answers(&self) -> bool {
        let ask = || -> io::Result<bool> {
            let address = SocketAddr::from(([127, 0, 0, 1], self.port));
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
            stream.set_read_timeout(Some(Duration::from_millis(200)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            Ok(&answer == b"+PONG")
        };
        ask().unwrap_or(false)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Nothing more can be done for a server that cannot be killed.
        let _ = self.kill();
    }
}

/// Sends a child process a signal by name: `STOP`, `CONT`, `KILL`.
///
/// # Errors
/// When it cannot be signalled.
pub fn signal(child: &Child, name: &str) -> io::Result<()> {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("kill -s {name}: {status}")))
    }
}
