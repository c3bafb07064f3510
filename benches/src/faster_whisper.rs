//! faster-whisper in a Python process of its own: one warm model, driven line by line, timed inside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use goobster_models::Cache;
use serde_json::Value;

use crate::recordings::Spoken;

/// The longest that one line of answer is waited for.
const PATIENCE: Duration = Duration::from_mins(2);
/// The program, beside the benchmarks.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/faster_whisper_peer.py");

/// A running peer. It ends with this value.
#[derive(Debug)]
pub struct FasterWhisper {
    /// faster-whisper's version.
    pub version: String,
    process: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    folder: tempfile::TempDir,
    given: usize,
}

/// A recording that the peer can read.
#[derive(Debug, Clone)]
pub struct Given(PathBuf);

impl FasterWhisper {
    /// Starts it with so many threads; loading takes a second or two.
    ///
    /// # Errors
    /// A word for people: it is not installed, or does not start.
    pub fn start(threads: usize) -> Result<Self, String> {
        let peers = Cache::locate().map_err(|e| e.to_string())?.root().join("peers");
        let model = peers.join("whisper-base");
        if !peers.join("python").is_dir() || !model.join("model.bin").is_file() {
            return Err("it is not installed: `cargo xtask setup --peers` does that".to_owned());
        }
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut process = python(&peers.join("python"))
            .arg(&model)
            .arg(threads.to_string())
            .env("OMP_NUM_THREADS", threads.to_string())
            .spawn()
            .map_err(|e| format!("python3 does not start: {e}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("its pipes are missing".to_owned());
        };
        let (send, answers) = channel();
        // Ends with the process: its output ends then.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut peer = Self {
            version: String::new(),
            process,
            input,
            answers,
            folder,
            given: 0,
        };
        let ready = peer.answer()?;
        ready["ready"]
            .as_str()
            .unwrap_or("of unknown version")
            .clone_into(&mut peer.version);
        Ok(peer)
    }

    /// Puts a recording where the peer reads it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn give(&mut self, spoken: &Spoken) -> Result<Given, String> {
        let path = self.folder.path().join(format!("{}.f32", self.given));
        self.given += 1;
        let bytes: Vec<u8> = spoken.samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        std::fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Given(path))
    }

    /// Transcribes; how long that took inside the peer, and the text.
    ///
    /// # Errors
    /// When the peer has ended or says nothing sensible.
    pub fn transcribe(&mut self, given: &Given) -> Result<(Duration, String), String> {
        writeln!(self.input, "{}", given.0.display())
            .and_then(|()| self.input.flush())
            .map_err(|e| format!("it has ended: {e}"))?;
        let answer = self.answer()?;
        let took = answer["ns"].as_u64().ok_or("it told no time")?;
        let text = answer["text"].as_str().ok_or("it told no text")?;
        Ok((Duration::from_nanos(took), text.to_owned()))
    }

    fn answer(&self) -> Result<Value, String> {
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .map_err(|_| "it has ended or hangs".to_owned())?;
        serde_json::from_str(&line).map_err(|e| format!("it said {line:?}: {e}"))
    }
}

impl Drop for FasterWhisper {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python(packages: &Path) -> Command {
    let mut python = Command::new("python3");
    python
        .arg(PROGRAM)
        .env("PYTHONPATH", packages)
        // Nothing is fetched while something is measured.
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    python
}
