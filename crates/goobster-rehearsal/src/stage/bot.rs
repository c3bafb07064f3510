//! The bot's process: started as a user starts it, its standard error kept, ended whatever happens.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::error::RehearsalError;
use goobster_core::time::Moment;

use crate::timeline::{Asked, Vital};

/// Lines kept of what the bot says.
const LINES: usize = 2_000;
/// Bytes kept of a line.
const LINE_BYTES: usize = 2_000;
/// What stands where the token stood.
const REDACTED: &str = "(token)";
/// Settings of the machine that would lead the bot elsewhere.
const MISLEADING: [&str; 8] = [
    "https_proxy",
    "http_proxy",
    "HTTP_PROXY",
    "ALL_PROXY",
    "all_proxy",
    "no_proxy",
    "DISCORD_APPLICATION_ID",
    "DISCORD_GUILD_ID",
];

/// How the bot is started. `--config FILE` is put behind the arguments.
#[derive(Debug, Clone)]
pub struct BotCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, such as `run`.
    pub args: Vec<OsString>,
    /// What is set in its environment besides what leads it to the loopback Discord.
    pub env: Vec<(OsString, OsString)>,
}

/// What the bot has said so far, with the token taken out.
#[derive(Debug, Clone, Default)]
pub struct Said {
    inner: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    panics: usize,
    leaks: usize,
}

impl Said {
    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &str, token: &str) {
        let mut all = self.lock();
        // A panic in a task goes to standard error and nowhere else.
        all.panics += usize::from(line.contains("panicked at"));
        let leaked = !token.is_empty() && line.contains(token);
        all.leaks += usize::from(leaked);
        let line = if leaked {
            line.replace(token, REDACTED)
        } else {
            line.to_owned()
        };
        if all.kept.len() == LINES {
            all.kept.pop_front();
        }
        all.kept.push_back(line);
    }

    /// The last lines, oldest first.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let all = self.lock();
        all.kept
            .iter()
            .skip(all.kept.len().saturating_sub(lines))
            .cloned()
            .collect()
    }

    /// How often something panicked.
    pub fn panics(&self) -> usize {
        self.lock().panics
    }

    /// How many lines held the token.
    pub fn leaks(&self) -> usize {
        self.lock().leaks
    }
}

/// The bot.
#[derive(Debug)]
pub(crate) struct Bot {
    command: BotCommand,
    env: Vec<(OsString, OsString)>,
    config: PathBuf,
    token: String,
    child: Option<Child>,
    asked: Asked,
    pub(crate) said: Said,
}

impl Bot {
    /// A bot that is not started yet; `folder` is for its data and its configuration.
    pub(crate) fn new(
        command: BotCommand,
        discord: Vec<(&'static str, String)>,
        folder: &Path,
        config: &toml::Table,
    ) -> Result<Self, RehearsalError> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(RehearsalError::io(&data))?;
        let file = folder.join("goobster.toml");
        std::fs::write(&file, config.to_string()).map_err(RehearsalError::io(&file))?;
        let token = discord
            .iter()
            .find(|(k, _)| *k == "DISCORD_TOKEN")
            .map(|(_, v)| v.clone());
        let mut env: Vec<(OsString, OsString)> =
            discord.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        env.push(("GOOBSTER_DATA".into(), data.into_os_string()));
        env.extend(command.env.iter().cloned());
        Ok(Self {
            command,
            env,
            config: file,
            token: token.unwrap_or_default(),
            child: None,
            asked: Asked::Nothing,
            said: Said::default(),
        })
    }

    /// Starts the process, unless it runs.
    pub(crate) fn start(&mut self) -> Result<(), RehearsalError> {
        if self.child.is_some() {
            return Ok(());
        }
        let mut command = Command::new(&self.command.program);
        for name in MISLEADING {
            command.env_remove(name);
        }
        command
            .args(&self.command.args)
            .arg("--config")
            .arg(&self.config)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(RehearsalError::io(&self.command.program))?;
        if let Some(out) = child.stdout.take() {
            tokio::spawn(listen(out, self.said.clone(), self.token.clone()));
        }
        if let Some(out) = child.stderr.take() {
            tokio::spawn(listen(out, self.said.clone(), self.token.clone()));
        }
        self.asked = Asked::Nothing;
        self.child = Some(child);
        Ok(())
    }

    /// Whether it runs. An end is told once, with what the process had been told before.
    pub(crate) fn look(&mut self) -> Option<(Option<i32>, Asked)> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        Some((status.code(), self.asked))
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Kills it without a word.
    pub(crate) fn kill(&mut self) -> bool {
        self.asked = Asked::Killed;
        self.child.as_mut().is_some_and(|c| c.start_kill().is_ok())
    }

    /// Asks it to end.
    pub(crate) fn terminate(&mut self) -> bool {
        self.asked = Asked::End;
        self.child.as_ref().and_then(Child::id).is_some_and(signal_end)
    }

    /// What the process holds, where the system tells.
    pub(crate) fn vitals(&self, at: Moment) -> Option<Vital> {
        let id = self.child.as_ref()?.id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|l| l.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
        Some(Vital {
            at,
            memory: field("VmRSS:")? * 1024,
            threads: field("Threads:")?,
            descriptors: u64::try_from(descriptors).ok()?,
        })
    }
}

#[cfg(unix)]
fn signal_end(id: u32) -> bool {
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    id.is_some_and(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM).is_ok())
}

/// Elsewhere a process cannot be asked.
#[cfg(not(unix))]
fn signal_end(_: u32) -> bool {
    false
}

/// Keeps what the bot says, until it ends. Lines that never end are cut.
async fn listen(out: impl AsyncRead + Unpin, said: Said, token: String) {
    let mut out = BufReader::new(out);
    let mut line = Vec::new();
    loop {
        let Ok(available) = out.fill_buf().await else {
            return;
        };
        if available.is_empty() {
            break;
        }
        let (take, ends) = match available.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (available.len(), false),
        };
        let room = LINE_BYTES.saturating_sub(line.len());
        line.extend_from_slice(&available[..take.min(room)]);
        out.consume(take);
        if ends {
            said.push(String::from_utf8_lossy(&line).trim_end(), &token);
            line.clear();
        }
    }
    if !line.is_empty() {
        said.push(String::from_utf8_lossy(&line).trim_end(), &token);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bot(script: &str, folder: &Path) -> Bot {
        let command = BotCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
        };
        let config = toml::Table::from_iter([("language".to_owned(), toml::Value::from("en"))]);
        Bot::new(
            command,
            vec![("DISCORD_TOKEN", "s3cret".to_owned())],
            folder,
            &config,
        )
        .unwrap()
    }

    async fn ended(bot: &mut Bot) -> (Option<i32>, Asked) {
        for _ in 0..500 {
            if let Some(end) = bot.look() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                return end;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it runs on");
    }

    #[tokio::test]
    async fn what_it_says_is_kept_without_the_token_and_its_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut bot = bot(
            "echo token $DISCORD_TOKEN; echo thread main panicked at x >&2; cat $1; exit 3",
            folder.path(),
        );
        bot.start().unwrap();
        assert_eq!(ended(&mut bot).await, (Some(3), Asked::Nothing));
        let all = bot.said.tail(10).join("\n");
        assert!(all.contains("token (token)") && !all.contains("s3cret"), "{all}");
        assert_eq!((bot.said.panics(), bot.said.leaks()), (1, 1));
        // `sh -c SCRIPT --config FILE`: the file is the first argument after the name.
        assert!(all.contains("language = \"en\""), "{all}");
    }

    #[tokio::test]
    async fn it_is_asked_to_end_or_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut asked = bot("trap 'exit 0' TERM; while :; do sleep 0.05; done", folder.path());
        asked.start().unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(asked.runs() && asked.terminate());
        assert_eq!(ended(&mut asked).await, (Some(0), Asked::End));
        let mut killed = bot("sleep 60", folder.path());
        killed.start().unwrap();
        assert!(
            killed
                .vitals(Moment::ZERO)
                .is_none_or(|v| v.memory > 0 && v.threads > 0 && v.descriptors > 0)
                && killed.kill()
        );
        assert_eq!(ended(&mut killed).await, (None, Asked::Killed));
        killed.start().unwrap();
        assert!(killed.runs());
    }
}
