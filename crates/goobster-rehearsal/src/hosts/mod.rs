//! Several hosts: three bots share the shards of the loopback Discord over one real Redis, people talk in guilds on every
//! shard, one host is killed and another is told to go down. `judge` says what became of the promises.

mod judge;
mod redis;
mod town;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loopback_discord::world::GuildId;
use loopback_discord::{Config, Loopback, Seen};
use tokio::time::{Instant, sleep};

pub use judge::{Finding, HostsReport, Load};

use crate::error::RehearsalError;
use crate::recording::Shelf;
use crate::scripted::Scripted;
use crate::stage::BotCommand;
use crate::stage::bot::Bot;
use judge::{Killed, RolledOver};
use redis::Redis;
use town::{Quiet, Town};

/// What the hosts are told of leases.
const LEASE: Duration = Duration::from_secs(4);
const RENEW: Duration = Duration::from_secs(1);
/// The shortest time that places may be set to.
const PLACES: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_secs(1);
/// How long running sessions may go on when a host is told to go down.
const DRAIN: Duration = Duration::from_secs(6);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
const WITHIN: Duration = Duration::from_secs(90);
/// How long after it was told that somebody opted out a caption of theirs may still be written: every host looks once a second,
/// and what was said before is written when it was recognised.
const HEEDED: Duration = Duration::from_secs(4);

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// How a bot is started.
    pub bot: BotCommand,
    /// Where recordings are looked for.
    pub shelf: Shelf,
    /// What people say.
    pub clip: String,
    /// Hosts.
    pub hosts: usize,
    /// Shards.
    pub shards: u32,
    /// Guilds with a session on each shard.
    pub guilds: usize,
    /// For how long people talk before anything happens, and the store's commands are counted.
    pub calm: Duration,
    /// Whether another host is told to go down afterwards.
    pub rolling: bool,
}

struct Stage {
    loopback: Arc<Loopback>,
    redis: Redis,
    bots: Vec<Bot>,
}

impl Stage {
    /// Which host holds which shard, by the store's table.
    async fn holders(&self) -> BTreeMap<u32, usize> {
        let answer = self
            .redis
            .ask("HGETALL goobster:{hosts}:holders")
            .await
            .unwrap_or_default();
        answer
            .chunks_exact(2)
            .filter_map(|pair| {
                let host = pair[1].strip_prefix("host")?.split('-').next()?;
                Some((pair[0].parse().ok()?, host.parse().ok()?))
            })
            .collect()
    }

    /// The host with the most shards.
    async fn busiest(&self) -> Result<usize, RehearsalError> {
        let holders = self.holders().await;
        let host = holders
            .values()
            .copied()
            .max_by_key(|host| shards_of(&holders, *host).len());
        host.ok_or_else(|| self.failed("no host holds anything"))
    }

    /// Somebody who talks in a guild of this host's and opts out in a guild of another's.
    async fn quiet(&self, town: &Town, host: usize) -> Result<Quiet, RehearsalError> {
        let holders = self.holders().await;
        let served = |here: bool| {
            let mut guilds = town.guilds.iter();
            guilds.find(|guild| (holders.get(&guild.shard) == Some(&host)) == here)
        };
        let (Some(guild), Some(elsewhere)) = (served(true), served(false)) else {
            return Err(self.failed("one host serves every guild"));
        };
        Quiet::join(&self.loopback, *guild, *elsewhere)
            .map_err(|error| self.failed(&format!("nobody can join: {error:?}")))
    }

    /// The shards that identified since, each with when it last did.
    fn identified(&self, since: Duration) -> BTreeMap<u32, Duration> {
        let all = self.loopback.recorded().all().into_iter();
        all.filter(|entry| entry.at >= since)
            .filter_map(|entry| match entry.seen {
                Seen::Identified { shard, .. } => Some((shard.0, entry.at)),
                _ => None,
            })
            .collect()
    }

    fn now(&self) -> Duration {
        self.loopback.recorded().elapsed()
    }

    fn failed(&self, what: &str) -> RehearsalError {
        let said: Vec<String> = self
            .bots
            .iter()
            .enumerate()
            .flat_map(|(n, bot)| {
                bot.said
                    .tail(12)
                    .into_iter()
                    .map(move |line| format!("host{n}: {line}"))
            })
            .collect();
        RehearsalError::Bot {
            what: what.to_owned(),
            said: said.join("\n"),
        }
    }

    /// Waits until each of these shards identified after a moment.
    async fn taken_over(&self, what: &str, shards: &[u32], since: Duration) -> Result<(), RehearsalError> {
        let taken = async || {
            let identified = self.identified(since);
            shards.iter().all(|shard| identified.contains_key(shard))
        };
        self.until(what, taken).await
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) -> Result<(), RehearsalError> {
        let begun = Instant::now();
        while !so().await {
            if begun.elapsed() > WITHIN {
                return Err(self.failed(&format!("not within {WITHIN:?}: {what}")));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

/// The shards of a host.
fn shards_of(holders: &BTreeMap<u32, usize>, host: usize) -> Vec<u32> {
    let all = holders.iter().filter(|(_, holder)| **holder == host);
    all.map(|(shard, _)| *shard).collect()
}

/// Rehearses.
///
/// # Errors
/// There was no rehearsal: no Redis, no recording, a bot that does not start, shards that nobody takes.
pub async fn rehearse_hosts(options: Hosts) -> Result<HostsReport, RehearsalError> {
    let recording = options.shelf.read(&options.clip)?;
    let frames = recording.frames(0.0)?;
    let scripted = Scripted::start(vec![recording], Duration::from_millis(100)).await?;
    let redis = Redis::start().await?;
    let loopback = Arc::new(
        Loopback::start(Config {
            shards: options.shards,
            max_concurrency: 16,
            ..Config::default()
        })
        .await?,
    );
    let town = Town::build(&loopback, options.shards, options.guilds).await?;
    let folder = tempfile::tempdir().map_err(RehearsalError::io(std::env::temp_dir()))?;
    let mut stage = Stage {
        loopback,
        redis,
        bots: Vec::new(),
    };
    for n in 0..options.hosts {
        let own = folder.path().join(format!("host{n}"));
        std::fs::create_dir_all(&own).map_err(RehearsalError::io(&own))?;
        let config = config(&scripted, &stage.redis.url(), n);
        let mut bot = Bot::new(options.bot.clone(), stage.loopback.bot_env(), &own, &config)?;
        bot.start()?;
        stage.bots.push(bot);
    }
    let (shards, fair) = (options.shards as usize, options.shards as usize / options.hosts);
    let shared = async || {
        let holders = stage.holders().await;
        let even = (0..options.hosts).all(|n| shards_of(&holders, n).len() >= fair);
        holders.len() == shards && even && stage.loopback.sessions_connected() == shards
    };
    stage.until("the shards are shared and connected", shared).await?;
    // Nobody gives a shard back any more.
    sleep(RENEW * 2).await;
    let host = stage.busiest().await?;
    let quiet = stage.quiet(&town, host).await?;
    let started = town.start_sessions(&stage.loopback).await;
    let joined = async || {
        town.guilds
            .iter()
            .all(|guild| stage.loopback.voice_connected(guild.id))
    };
    stage
        .until("a session runs in every guild", joined)
        .await
        .map_err(|error| stage.failed(&format!("{error}; {}", town.answers(&stage.loopback))))?;
    let talking = town.talk(&quiet, &stage.loopback, &frames);
    let load = measure(&stage, options.calm, town.guilds.len(), options.hosts).await;
    // The latest may still be growing, and goes when they opt out.
    let captioned = async || quiet.captions(&stage.loopback).len() > 1;
    stage
        .until("there are captions of who will opt out", captioned)
        .await?;
    let opted_out = stage.now();
    quiet
        .opt_out(&stage.loopback)
        .map_err(|error| stage.failed(&format!("nobody can opt out: {error:?}")))?;
    sleep(HEEDED + Duration::from_secs(2)).await;
    let killed = kill(&mut stage, host, &town, &started).await?;
    let rolled = if options.rolling {
        Some(roll(&mut stage, killed.host).await?)
    } else {
        None
    };
    drop(talking);
    let entries = stage.loopback.recorded().all();
    let mut report = judge::judge(load, &killed, rolled.as_ref(), &entries, &town);
    let captions = quiet.captions(&stage.loopback);
    report
        .findings
        .push(judge::unheard(&killed, &quiet, &captions, opted_out, &entries));
    for bot in &mut stage.bots {
        bot.terminate();
    }
    let ended = Instant::now();
    while stage
        .bots
        .iter_mut()
        .any(|bot| bot.look().is_none() && bot.runs())
        && ended.elapsed() < Duration::from_secs(20)
    {
        sleep(LOOK).await;
    }
    scripted.stop().await;
    Ok(report)
}

/// A host's configuration.
fn config(scripted: &Scripted, redis: &str, n: usize) -> toml::Table {
    let seconds = |time: Duration| toml::Value::from(format!("{}s", time.as_secs()));
    let mut config = toml::Table::new();
    scripted.configure(&mut config);
    let mut section = |name: &str, settings: Vec<(&str, toml::Value)>| {
        let settings: toml::Table = settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        config.insert(name.to_owned(), settings.into());
    };
    section("store", vec![("redis", redis.into()), ("lease", seconds(PLACES))]);
    section("limits", vec![("tick", seconds(TICK)), ("per_user", 1.into())]);
    section("discord", vec![("drain", seconds(DRAIN))]);
    section(
        "cluster",
        vec![
            ("enabled", true.into()),
            ("host", format!("host{n}").into()),
            ("lease", seconds(LEASE)),
            ("renew", seconds(RENEW)),
        ],
    );
    config
}

/// What the store does while nothing happens but talk.
async fn measure(stage: &Stage, calm: Duration, sessions: usize, hosts: usize) -> Load {
    let (requests, commands) = stage.redis.commands().await;
    let begun = Instant::now();
    sleep(calm).await;
    let (requests_after, commands_after) = stage.redis.commands().await;
    let seconds = begun.elapsed().as_secs_f64();
    Load {
        sessions,
        hosts,
        seconds,
        requests_per_s: (requests_after - requests) / seconds,
        commands_per_s: (commands_after - commands) / seconds,
    }
}

/// Kills a host, and watches until the places of its sessions are free.
async fn kill(
    stage: &mut Stage,
    host: usize,
    town: &Town,
    started: &BTreeMap<GuildId, Duration>,
) -> Result<Killed, RehearsalError> {
    let shards = shards_of(&stage.holders().await, host);
    let at = stage.now();
    stage.bots[host].kill();
    stage
        .taken_over("the dead host's shards are taken over", &shards, at)
        .await?;
    let mut most_places = 0.0_f64;
    let mut again = BTreeMap::new();
    // Their owners ask anew until they are let in.
    let until = at + PLACES + LEASE + Duration::from_secs(5);
    let theirs: Vec<_> = town
        .guilds
        .iter()
        .filter(|guild| shards.contains(&guild.shard))
        .collect();
    let mut charged = BTreeMap::new();
    while stage.now() < until && again.len() < theirs.len() {
        for guild in &theirs {
            let key = format!("{{u{}}}", guild.owner);
            let places = stage
                .redis
                .ask(&format!("ZRANGE goobster:{key}:slots 0 -1"))
                .await;
            most_places = most_places.max(places.unwrap_or_default().len() as f64);
            if again.contains_key(&guild.id) {
                continue;
            }
            if stage.loopback.voice_connected(guild.id) && stage.now() > at + LEASE {
                again.insert(guild.id, stage.now());
            } else {
                let total = stage
                    .redis
                    .number(&format!("HGET goobster:{key}:quota total"))
                    .await;
                charged.insert(guild.id, Duration::from_secs_f64(total / 1000.0));
                guild.ask(&stage.loopback);
            }
        }
        sleep(Duration::from_millis(1500)).await;
    }
    Ok(Killed {
        host,
        shards,
        at,
        taken: stage.identified(at),
        started: started.clone(),
        charged,
        again,
        most_places,
    })
}

/// Tells another host to go down.
async fn roll(stage: &mut Stage, dead: usize) -> Result<RolledOver, RehearsalError> {
    let holders = stage.holders().await;
    let host = holders.values().copied().find(|host| *host != dead);
    let host = host.ok_or_else(|| stage.failed("nobody is left"))?;
    let shards = shards_of(&holders, host);
    let at = stage.now();
    stage.bots[host].terminate();
    stage
        .taken_over("the shards of a host that goes down are taken over", &shards, at)
        .await?;
    let mut code = None;
    let begun = Instant::now();
    while code.is_none() && begun.elapsed() < WITHIN {
        code = stage.bots[host].look();
        sleep(LOOK).await;
    }
    Ok(RolledOver {
        shards,
        at,
        taken: stage.identified(at),
        code: code.and_then(|(code, _)| code),
    })
}
