//! A place with people in it, and a bot in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use loopback_discord::world::channel::ChannelKind;
use loopback_discord::world::{ChannelId, GuildId, UserId};
use loopback_discord::{Config, Loopback};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A stand-in with one guild.
pub(crate) struct Place {
    pub(crate) loopback: Loopback,
    pub(crate) guild: GuildId,
    pub(crate) text: ChannelId,
    pub(crate) voice: ChannelId,
    pub(crate) ann: UserId,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let loopback = Loopback::start(config).await.unwrap();
        let (guild, text, voice, ann) = loopback.world(|w| {
            let ann = w.add_user("ann", false);
            let guild = w.add_guild("den", w.owner()).unwrap();
            w.add_member(guild, ann).unwrap();
            let text = w.add_channel(guild, "text", ChannelKind::Text).unwrap();
            let voice = w.add_channel(guild, "voice", ChannelKind::Voice).unwrap();
            (guild, text, voice, ann)
        });
        Self {
            loopback,
            guild,
            text,
            voice,
            ann,
        }
    }

    /// Starts a bot and waits until it is ready.
    pub(crate) async fn bot(&self) -> Bot {
        let mut bot = Bot::start(self.loopback.bot_env());
        bot.hears("ready", |_| true).await;
        bot
    }

    /// Nothing was asked that the stand-in does not know.
    pub(crate) fn assert_all_routes_known(&self) {
        let all = self.loopback.recorded().all();
        let unknown = |e: &&loopback_discord::Entry| {
            use loopback_discord::Seen::{ForeignHost, UnknownRoute};
            matches!(e.seen, UnknownRoute { .. } | ForeignHost(_))
        };
        let unknown: Vec<_> = all.iter().filter(unknown).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

/// A bot in a process of its own: this test binary again, running only the test that is the bot.
pub(crate) struct Bot {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Bot {
    pub(crate) fn start(env: Vec<(&'static str, String)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["bot::the_bot", "--exact", "--ignored", "--nocapture"]);
        command.envs(env).env("LOOPBACK_BOT", "1").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, lines }
    }

    /// Tells the bot to do something.
    pub(crate) async fn tell(&mut self, order: &str) {
        self.stdin
            .write_all(format!("{order}\n").as_bytes())
            .await
            .unwrap();
    }

    /// Waits until the bot reports `what`, with data that `wanted` accepts.
    pub(crate) async fn hears(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let mut heard = Vec::new();
        let search = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let Some(report) = line.strip_prefix("BOT ") else {
                    continue;
                };
                heard.push(report.to_owned());
                let report: Value = serde_json::from_str(report).unwrap();
                if report[0] == what && wanted(&report[1]) {
                    return report[1].clone();
                }
            }
            panic!("the bot ended");
        };
        let found = tokio::time::timeout(LONG, search).await;
        found.unwrap_or_else(|_| panic!("the bot never reported {what}, but:\n{}", heard.join("\n")))
    }

    /// Waits until the bot has reported all of these, in any order: serenity runs the handler of each event in a task of its own.
    pub(crate) async fn hears_all<const N: usize>(&mut self, wanted: [&str; N]) -> [Value; N] {
        let mut found: [Option<Value>; N] = std::array::from_fn(|_| None);
        let mut heard = Vec::new();
        let search = async {
            while found.iter().any(Option::is_none) {
                let Some(line) = self.lines.next_line().await.unwrap() else {
                    panic!("the bot ended");
                };
                let Some(report) = line.strip_prefix("BOT ") else {
                    continue;
                };
                heard.push(report.to_owned());
                let mut report: Value = serde_json::from_str(report).unwrap();
                let place = wanted.iter().position(|what| report[0] == *what);
                if let Some(slot) = place.and_then(|at| found.get_mut(at)) {
                    *slot = Some(report[1].take());
                }
            }
        };
        let in_time = tokio::time::timeout(LONG, search).await;
        assert!(
            in_time.is_ok(),
            "not all of {wanted:?}, but:\n{}",
            heard.join("\n")
        );
        found.map(Option::unwrap)
    }

    /// Waits for the bot to end by itself.
    pub(crate) async fn ends(mut self) {
        tokio::time::timeout(LONG, self.child.wait())
            .await
            .unwrap()
            .unwrap();
    }
}
