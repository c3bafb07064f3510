//! The stage: the loopback Discord, the bot in a process of its own, and the loop that plays a scenario and watches.
//!
//! - `bot`: the process. - `cast`: guild, channels and people. - `cues`: which step is due (pure). - `acting`: carrying a step
//!   out. - `observer`: what was seen and heard becomes the [`Timeline`].

mod acting;
pub(crate) mod bot;
mod cast;
mod cues;
mod observer;
mod playing;
mod steps;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loopback_discord::{BotFrame, Config, Loopback, Seen, Winner};
use tokio::time::interval;

pub use bot::{BotCommand, Said};

use crate::error::RehearsalError;
use crate::recording::Recording;
use crate::scenario::{Scenario, Speech};
use crate::timeline::Timeline;
use crate::watcher::{Happening, Watcher};
use acting::Weather;
use bot::Bot;
use cast::Cast;
use cues::Cues;
use observer::Observer;
use playing::Stage;

/// What is said in each step, by the step's label.
pub type Lines = HashMap<String, Line>;

/// How often the loop looks and acts.
const LOOK: Duration = Duration::from_millis(10);
/// Models are loaded before commands are registered.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Lines of the bot's words in an error.
const ERROR_LINES: usize = 15;
/// What the bot is called.
pub const BOT_NAME: &str = "Goobster";

/// A recording as it is spoken in one step.
#[derive(Debug, Clone)]
pub struct Line {
    /// 20 ms of Opus each.
    pub frames: Vec<Vec<u8>>,
    /// The words, if they are known.
    pub text: Option<String>,
    /// Where the first voiced 20 ms begin.
    pub first_voiced: Duration,
    /// Where the last voiced 20 ms end.
    pub last_voiced: Duration,
}

impl Line {
    /// Encodes a recording as a step has it spoken.
    pub fn of(recording: &Recording, speech: &Speech) -> Result<Self, RehearsalError> {
        Ok(Self {
            frames: recording.frames(speech.gain_db)?,
            text: speech.text.clone().or_else(|| recording.text.clone()),
            first_voiced: recording.first_voiced,
            last_voiced: recording.last_voiced,
        })
    }
}

/// What a rehearsal leaves behind.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub timeline: Timeline,
    /// What the bot sent, with times on the loopback's clock.
    pub frames: Vec<BotFrame>,
    /// Moment zero on that clock.
    pub zero: Duration,
    /// What the bot wrote to its standard error and output.
    pub said: Said,
    /// Where the loopback Discord listened.
    pub discord: Vec<SocketAddr>,
}

/// Plays a scenario: `lines` holds what is said in each step by its label, `folder` is for the bot's data, `config` its
/// configuration.
pub async fn play(
    scenario: &Scenario,
    lines: &Lines,
    command: BotCommand,
    folder: &Path,
    config: &toml::Table,
    watcher: &mut dyn Watcher,
) -> Result<Played, RehearsalError> {
    let winner = if scenario.bot_commits {
        Winner::Bot
    } else {
        Winner::Member
    };
    let loopback = Loopback::start(Config {
        seed: scenario.seed,
        bot_name: BOT_NAME.to_owned(),
        dave: scenario.dave.then_some(winner),
        ..Config::default()
    })
    .await?;
    let cast = Cast::enter(&loopback, scenario)?;
    let mut bot = Bot::new(command, loopback.bot_env(), folder, config)?;
    let started = loopback.recorded().elapsed();
    bot.start()?;
    ready(&loopback, &mut bot).await?;
    let zero = loopback.recorded().elapsed();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut stage = Stage {
        scenario,
        lines,
        cast,
        bot,
        observer: Observer::new(zero, loopback.recorded().mark()),
        cues: Cues::default(),
        timeline: Timeline {
            began_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(0),
            ready_after: zero.saturating_sub(started),
            bot: BOT_NAME.to_owned(),
            ..Timeline::default()
        },
        weather: Weather::new(scenario.seed),
        lifts: Vec::new(),
        pending: Vec::new(),
        remembered: None,
        loopback,
    };
    watcher.told(&Happening::Ready {
        bot: BOT_NAME,
        after_s: stage.timeline.ready_after.as_secs_f64(),
    });
    stage.run(watcher).await;
    stage.curtain(watcher).await;
    let frames = stage.loopback.bot_frames(stage.cast.guild);
    let said = stage.bot.said.clone();
    let discord = stage.loopback.addresses();
    stage.loopback.shutdown().await;
    Ok(Played {
        timeline: stage.timeline,
        frames,
        zero,
        said,
        discord,
    })
}

/// Waits until the bot has registered its commands.
async fn ready(loopback: &Loopback, bot: &mut Bot) -> Result<(), RehearsalError> {
    let failed = |what: String, bot: &Bot| RehearsalError::Bot {
        what,
        said: bot.said.tail(ERROR_LINES).join("\n"),
    };
    let mut ticks = interval(LOOK);
    let begun = tokio::time::Instant::now();
    loop {
        ticks.tick().await;
        if let Some((code, _)) = bot.look() {
            // What it said last may still be on its way.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let code = code.map_or("by a signal".to_owned(), |c| format!("with exit code {c}"));
            return Err(failed(format!("the bot ended {code} before it was ready"), bot));
        }
        let all = loopback.recorded().all();
        let registered = all
            .iter()
            .any(|e| matches!(e.seen, Seen::CommandsRegistered { .. }));
        if registered && loopback.sessions_connected() > 0 {
            return Ok(());
        }
        if begun.elapsed() > READY_WITHIN {
            return Err(failed(
                format!("the bot was not ready within {READY_WITHIN:?}"),
                bot,
            ));
        }
    }
}
