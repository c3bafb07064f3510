//! Our own download: resumed when cut, retried with growing pauses, bounded in time and size, verified as it streams.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use goobster_network::blocking::Agent;
use goobster_network::blocking::http::Response;
use sha2::{Digest, Sha256};

use crate::progress::Progress;
use crate::verify;

/// How patient a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection must stand.
    pub connect: Duration,
    /// Until the next bytes must arrive.
    pub read: Duration,
    /// The first pause between tries; each further one is twice as long.
    pub pause: Duration,
    /// Tries in a row that bring nothing new before it gives up.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            tries: 4,
        }
    }
}

/// However often a connection is cut after some progress, it ends here.
const MAX_CONNECTIONS: u32 = 200;
/// Index pages and the like are far smaller.
const MAX_PAGE: u64 = 32 << 20;

/// The text at `url`, at most [`MAX_PAGE`] bytes, and whether it says it is JSON.
pub(crate) fn page(agent: &Agent, url: &str, accept: &str) -> Result<(String, bool), String> {
    let mut response = agent
        .get(url)
        .header("Accept", accept)
        .call()
        .map_err(|e| e.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the server answered {}", response.status()));
    }
    let json = response.body().mime_type().is_some_and(|m| m.ends_with("json"));
    let text = response
        .body_mut()
        .with_config()
        .limit(MAX_PAGE)
        .read_to_string()
        .map_err(|e| e.to_string())?;
    Ok((text, json))
}

/// What a finished download must be.
pub(crate) struct Expected<'a> {
    pub(crate) size: u64,
    pub(crate) sha256: &'a str,
}

/// Downloads `url` into `part`, going on where an earlier try stopped. On success `part` is complete and verified.
pub(crate) fn download(
    agent: &Agent,
    url: &str,
    part: &Path,
    expected: &Expected<'_>,
    patience: &Patience,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    let mut state = Partial::open(part, expected.size).map_err(|e| format!("{}: {e}", part.display()))?;
    let mut fruitless = 0;
    let mut pause = patience.pause;
    for _ in 0..MAX_CONNECTIONS {
        let before = state.have;
        let failure = match state.transfer(agent, url, expected.size, progress) {
            Ok(()) => return state.finish(part, expected),
            Err(Failure::Final(why)) => return Err(why),
            Err(Failure::Passing(why)) => why,
        };
        if state.have > before {
            fruitless = 0;
            pause = patience.pause;
        } else {
            fruitless += 1;
        }
        if fruitless >= patience.tries {
            return Err(format!("{failure} ({fruitless} tries)"));
        }
        progress.note(&format!(
            "cut at {} of {} bytes ({failure}); going on",
            state.have, expected.size
        ));
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(8));
    }
    Err(format!("cut {MAX_CONNECTIONS} times"))
}

/// Why a transfer stopped.
enum Failure {
    /// Another try may help.
    Passing(String),
    /// It will not.
    Final(String),
}

/// The part of the file that is on disk, with its digest so far.
struct Partial {
    file: File,
    hasher: Sha256,
    have: u64,
}

impl Partial {
    fn open(path: &Path, size: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let mut partial = Self {
            file: file.try_clone()?,
            hasher: Sha256::new(),
            have: 0,
        };
        if file.metadata()?.len() > size {
            partial.restart()?;
            return Ok(partial);
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok(partial);
            }
            partial.hasher.update(&buffer[..n]);
            partial.have += n as u64;
        }
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.hasher = Sha256::new();
        self.have = 0;
        Ok(())
    }

    /// One request, and its answer read to the end.
    fn transfer(
        &mut self,
        agent: &Agent,
        url: &str,
        size: u64,
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        if self.have == size {
            return Ok(());
        }
        let disk = |e: io::Error| Failure::Final(format!("writing failed: {e}"));
        let mut request = agent.get(url);
        if self.have > 0 {
            request = request.header("Range", format!("bytes={}-", self.have));
        }
        let response = request.call().map_err(|e| Failure::Passing(e.to_string()))?;
        match response.status().as_u16() {
            200 => self.restart().map_err(disk)?,
            206 if resumes_at(&response) == Some(self.have) => {}
            // The server has another idea of the file: begin again, without a range.
            206 | 416 => {
                self.restart().map_err(disk)?;
                return Err(Failure::Passing(
                    "the server resumed at the wrong place".to_owned(),
                ));
            }
            408 | 429 | 500..=599 => {
                return Err(Failure::Passing(format!(
                    "the server answered {}",
                    response.status()
                )));
            }
            _ => {
                return Err(Failure::Final(format!(
                    "the server answered {}",
                    response.status()
                )));
            }
        }
        let mut body = response.into_body().into_with_config().limit(size + 1).reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Passing(e.to_string())),
            };
            if self.have + n as u64 > size {
                return Err(Failure::Final(format!(
                    "the server sends more than the expected {size} bytes"
                )));
            }
            self.file.write_all(&buffer[..n]).map_err(disk)?;
            self.hasher.update(&buffer[..n]);
            self.have += n as u64;
            progress.at(self.have);
        }
        if self.have < size {
            return Err(Failure::Passing("the connection ended early".to_owned()));
        }
        Ok(())
    }

    fn finish(self, part: &Path, expected: &Expected<'_>) -> Result<(), String> {
        self.file.sync_all().map_err(|e| format!("writing failed: {e}"))?;
        let got = verify::hex(self.hasher.finalize().as_slice());
        if got == expected.sha256 {
            return Ok(());
        }
        // Nothing of it can be trusted, so the next way begins from nothing.
        let _ = fs::remove_file(part);
        Err(format!("wrong SHA-256: expected {}, got {got}", expected.sha256))
    }
}

/// The first byte that a 206 answer holds: `Content-Range: bytes 100-199/200`.
fn resumes_at<B>(response: &Response<B>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .trim()
        .parse()
        .ok()
}
