//! What became of the promises when a host was killed and another was told to go down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use loopback_discord::world::{GuildId, MessageId};
use loopback_discord::{Entry, Seen};
use serde::Serialize;

use super::town::{Guild, Quiet, Town};
use super::{DRAIN, HEEDED, LEASE, PLACES, RENEW, TICK};

/// From a lease's end to a shard that is connected: one renewal until somebody looks, and the way to Discord.
const CONNECT: Duration = Duration::from_secs(2);
/// How long sessions that are ended get for their last word.
const SESSIONS_END: Duration = Duration::from_secs(3);
/// Between the request for a session and the moment it is charged from, as seen from outside; and the store's commit.
const COMMIT: Duration = Duration::from_secs(1);

/// A promise, and what was found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was promised.
    pub promise: String,
    /// What was seen.
    pub found: String,
    /// Whether it was kept.
    pub kept: bool,
}

/// What the store did while people talked.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Load {
    /// Running sessions.
    pub sessions: usize,
    /// Hosts.
    pub hosts: usize,
    /// For how long it was counted.
    pub seconds: f64,
    /// Requests of clients in a second: one script each.
    pub requests_per_s: f64,
    /// Commands in a second, those inside of scripts counted.
    pub commands_per_s: f64,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct HostsReport {
    /// What the store did.
    pub load: Load,
    /// The promises.
    pub findings: Vec<Finding>,
}

impl HostsReport {
    /// Whether every promise was kept.
    pub fn kept(&self) -> bool {
        self.findings.iter().all(|finding| finding.kept)
    }
}

/// A host that was killed.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) host: usize,
    pub(super) shards: Vec<u32>,
    pub(super) at: Duration,
    /// When each shard identified after that.
    pub(super) taken: BTreeMap<u32, Duration>,
    /// When each session was asked for.
    pub(super) started: BTreeMap<GuildId, Duration>,
    /// What the owners of its sessions were charged, before they began new ones.
    pub(super) charged: BTreeMap<GuildId, Duration>,
    /// When they had a session again.
    pub(super) again: BTreeMap<GuildId, Duration>,
    /// The most places that one of them held at once.
    pub(super) most_places: f64,
}

/// A host that was told to go down.
#[derive(Debug)]
pub(super) struct RolledOver {
    pub(super) shards: Vec<u32>,
    pub(super) at: Duration,
    pub(super) taken: BTreeMap<u32, Duration>,
    pub(super) code: Option<i32>,
}

/// The longest time from a moment to when each shard was taken; none when one was not.
fn slowest(shards: &[u32], taken: &BTreeMap<u32, Duration>, from: Duration) -> Option<Duration> {
    let times: Option<Vec<Duration>> = shards
        .iter()
        .map(|s| Some(taken.get(s)?.saturating_sub(from)))
        .collect();
    times?.into_iter().max()
}

fn finding(promise: String, kept: bool, found: String) -> Finding {
    Finding { promise, found, kept }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("not at all".to_owned(), |time| {
        format!("{:.1} s", time.as_secs_f64())
    })
}

/// Judges.
pub(super) fn judge(
    load: Load,
    killed: &Killed,
    rolled: Option<&RolledOver>,
    entries: &[Entry],
    town: &Town,
) -> HostsReport {
    let (theirs, others): (Vec<&Guild>, Vec<&Guild>) = town
        .guilds
        .iter()
        .partition(|guild| killed.shards.contains(&guild.shard));
    let mut findings = vec![taken_over(killed), closed(killed, entries, &theirs)];
    findings.push(quotas(killed, entries, &theirs));
    findings.push(places(killed, &theirs));
    findings.push(undisturbed(killed, rolled, entries, &others));
    findings.extend(rolled.map(handed_over));
    HostsReport { load, findings }
}

fn taken_over(killed: &Killed) -> Finding {
    let within = LEASE + RENEW + CONNECT;
    let slowest = slowest(&killed.shards, &killed.taken, killed.at);
    finding(
        format!("the dead host's shards are connected elsewhere within {within:?}"),
        slowest.is_some_and(|slowest| slowest <= within),
        format!(
            "{} shards, the slowest after {}",
            killed.shards.len(),
            seconds(slowest)
        ),
    )
}

/// The bot leaves the channel, and writes that the session is over.
fn closed(killed: &Killed, entries: &[Entry], theirs: &[&Guild]) -> Finding {
    let told: Vec<Option<Duration>> = theirs
        .iter()
        .map(|guild| {
            let left = entries.iter().find(|entry| {
                entry.at > killed.at
                    && matches!(entry.seen, Seen::VoiceAsked { guild: g, channel: None } if g == guild.id)
            })?;
            let told = entries.iter().find(|entry| {
                entry.at > killed.at
                    && matches!(entry.seen, Seen::MessageCreated { channel, .. } if channel == guild.text)
            })?;
            Some(left.at.max(told.at).saturating_sub(killed.at))
        })
        .collect();
    let slowest = told
        .iter()
        .copied()
        .collect::<Option<Vec<_>>>()
        .and_then(|all| all.into_iter().max());
    finding(
        format!("its sessions are closed with a word within the lease of places, {PLACES:?}"),
        slowest.is_some_and(|slowest| slowest <= PLACES),
        format!(
            "{} of {} closed, the slowest after {}",
            told.iter().flatten().count(),
            theirs.len(),
            seconds(slowest)
        ),
    )
}

fn quotas(killed: &Killed, entries: &[Entry], theirs: &[&Guild]) -> Finding {
    let off = theirs.iter().filter_map(|guild| {
        let from = *killed.started.get(&guild.id)?;
        let joined = entries.iter().find(|e| {
            e.at > from && matches!(e.seen, Seen::VoiceDescribed { guild: g, .. } if g == guild.id)
        })?;
        let truth = killed.at.saturating_sub(joined.at).as_secs_f64();
        Some(killed.charged.get(&guild.id)?.as_secs_f64() - truth)
    });
    let off: Vec<f64> = off.collect();
    let (least, most) = off
        .iter()
        .fold((0.0_f64, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    let bound = (TICK + COMMIT).as_secs_f64();
    finding(
        format!(
            "their owners are charged within one tick ({TICK:?}) plus one commit ({COMMIT:?}) of the truth"
        ),
        off.len() == theirs.len() && !off.is_empty() && least >= -bound && most <= bound,
        format!("{} owners, from {least:+.2} s to {most:+.2} s", off.len()),
    )
}

fn places(killed: &Killed, theirs: &[&Guild]) -> Finding {
    let within = PLACES + RENEW + CONNECT;
    let slowest = killed.again.values().map(|at| at.saturating_sub(killed.at)).max();
    finding(
        format!("nobody is in two sessions, and each is let in again within {within:?}"),
        killed.again.len() == theirs.len()
            && killed.most_places <= 1.0
            && slowest.is_some_and(|slowest| slowest <= within),
        format!(
            "at most {} place an owner; {} of {} in a session again, the slowest after {}",
            killed.most_places,
            killed.again.len(),
            theirs.len(),
            seconds(slowest)
        ),
    )
}

/// The others' voice links hold, their shards do not connect anew, and captions go on.
fn undisturbed(
    killed: &Killed,
    rolled: Option<&RolledOver>,
    entries: &[Entry],
    others: &[&Guild],
) -> Finding {
    let until = rolled.map_or(Duration::MAX, |rolled| rolled.at);
    let during: Vec<&Entry> = entries
        .iter()
        .filter(|e| e.at > killed.at && e.at < until)
        .collect();
    let disturbed = during.iter().filter(|entry| match &entry.seen {
        Seen::Identified { shard, .. } => others.iter().any(|guild| guild.shard == shard.0),
        Seen::VoiceAsked { guild, .. } => others.iter().any(|other| other.id == *guild),
        Seen::VoiceClosed {
            guild: Some(guild), ..
        } => others.iter().any(|other| other.id == *guild),
        _ => false,
    });
    let captions = others.iter().map(|guild| {
        let written =
            |entry: &&&Entry| matches!(entry.seen, Seen::MessageCreated { channel, .. } if channel == guild.text);
        during.iter().filter(written).count()
    });
    let (disturbed, fewest) = (disturbed.count(), captions.min().unwrap_or(0));
    finding(
        "sessions of the other hosts are undisturbed: no reconnect, captions go on".to_owned(),
        disturbed == 0 && fewest >= 2,
        format!(
            "{} sessions, {disturbed} reconnects, at least {fewest} captions each",
            others.len()
        ),
    )
}

/// Who opted out on another host is heard neither by the host they are on nor by the one that takes it over.
pub(super) fn unheard(
    killed: &Killed,
    quiet: &Quiet,
    captions: &BTreeSet<MessageId>,
    opted_out: Duration,
    entries: &[Entry],
) -> Finding {
    let written = |from: Duration, upto: Duration, theirs: bool| {
        let all = entries.iter().filter(|e| e.at > from && e.at <= upto);
        all.filter(|e| {
            matches!(&e.seen, Seen::MessageCreated { channel, message }
                if *channel == quiet.guild.text && captions.contains(message) == theirs)
        })
        .count()
    };
    let heeded = opted_out + HEEDED;
    let before = written(Duration::ZERO, opted_out, true);
    let (here, there) = (
        written(heeded, killed.at, true),
        written(killed.at, Duration::MAX, true),
    );
    let successor = killed
        .again
        .get(&quiet.guild.id)
        .map_or(0, |again| written(*again, Duration::MAX, false));
    finding(
        format!("who opts out on one host is not heard on another {HEEDED:?} later, nor after a takeover"),
        before > 0 && here + there == 0 && successor > 0,
        format!(
            "{before} captions before, {here} after it, {there} by the successor, who wrote {successor} of others"
        ),
    )
}

fn handed_over(rolled: &RolledOver) -> Finding {
    // Each session says good-bye, the shards are given away, and somebody looks.
    let within = DRAIN + SESSIONS_END + RENEW + CONNECT;
    let slowest = slowest(&rolled.shards, &rolled.taken, rolled.at);
    finding(
        format!("a host that is told to go down ends with 0, and others hold its shards within {within:?}"),
        slowest.is_some_and(|slowest| slowest <= within) && rolled.code == Some(0),
        format!(
            "{} shards, the slowest after {}; exit code {:?}",
            rolled.shards.len(),
            seconds(slowest),
            rolled.code
        ),
    )
}
