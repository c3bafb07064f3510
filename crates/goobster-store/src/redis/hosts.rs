//! Hosts on Redis: who lives, who holds which shard, and which calls a shard has.
//!
//! All of the table of hosts is under one tag (`{hosts}`), so one script sees it whole; the calls of a shard are under one of
//! their own (`{sN}`). A host's name carries a random number of its run, so that a restarted host is not taken for its dead self.

use std::time::Duration;

use goobster_core::cluster::{
    Beat, Claimed, ClusterError, Coordinator, Fence, Gate, Lease, OpenCall, Pulse, Shard, Standing,
};
use goobster_core::ids::{ChannelId, GuildId};
use goobster_core::limits::{LimitsError, Millis};
use goobster_core::ports::PortFuture;

use super::keys::Keys;
use super::link::{Answer, Link, on};
use super::scripts::SCRIPTS;

/// Between two identifies of a bucket: Discord wants five seconds, and the way there takes now more, now less.
const IDENTIFY_EVERY: Duration = Duration::from_millis(5500);

/// How long the calls of a shard that nobody takes over are remembered.
const CALLS_KEPT: Duration = Duration::from_hours(7 * 24);

/// The shards' table on a Redis server, as one host sees it.
#[derive(Debug, Clone)]
pub struct RedisHosts {
    link: Link,
    keys: Keys,
    host: String,
    lease: Duration,
}

impl RedisHosts {
    /// Connects to the server that hosts share. `host` names this run of this host: no two may be the same.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`] when it cannot be reached; [`LimitsError::Configuration`].
    pub async fn connect(
        url: &str,
        prefix: &str,
        host: &str,
        lease: Duration,
        patience: Duration,
    ) -> Result<Self, LimitsError> {
        Keys::check_prefix(prefix)?;
        if host.is_empty() || host.contains('|') {
            return Err(LimitsError::Configuration(
                "a host's name must not be empty and must not contain '|'".into(),
            ));
        }
        Ok(Self {
            link: Link::connect(url, patience).await?,
            keys: Keys::new(prefix),
            host: host.to_owned(),
            lease,
        })
    }

    fn table(&self) -> Vec<String> {
        ["alive", "sizes", "leases", "holders", "meta"]
            .map(|what| self.keys.hosts(what))
            .to_vec()
    }

    async fn give(&self, leases: &[Lease], leave: bool) -> Result<(), ClusterError> {
        let table = self.table();
        let mut script = on(&SCRIPTS.host_release, &table);
        script.arg("").arg(&self.host).arg(if leave { "1" } else { "0" });
        for lease in leases {
            script.arg(lease.shard.get()).arg(lease.fence.get());
        }
        self.link.run("giving shards away", &script).await?;
        Ok(())
    }

    async fn calls(
        &self,
        lease: Lease,
        guild: Option<GuildId>,
        call: Option<OpenCall>,
    ) -> Result<Answer, ClusterError> {
        let mut script = on(&SCRIPTS.host_calls, &[self.keys.shard_calls(lease.shard)]);
        script
            .arg("")
            .arg(lease.fence.get())
            .arg(Millis::from(CALLS_KEPT).get());
        script.arg(guild.map(|guild| guild.to_string()).unwrap_or_default());
        if let Some(call) = call {
            script.arg(format!("{}:{}", call.voice, call.text));
        }
        let answer = self.link.run("looking after a shard's calls", &script).await?;
        match answer.code() {
            "ok" => Ok(answer),
            "fenced" => Err(ClusterError::Fenced { shard: lease.shard }),
            _ => Err(answer.nonsense().into()),
        }
    }
}

impl Coordinator for RedisHosts {
    fn beat(&self, beat: Beat) -> PortFuture<'_, Result<Pulse, ClusterError>> {
        Box::pin(async move {
            let table = self.table();
            let mut script = on(&SCRIPTS.host_beat, &table);
            script.arg("").arg(&self.host).arg(Millis::from(self.lease).get());
            script.arg(if beat.draining { "1" } else { "0" }).arg(beat.total);
            for lease in &beat.held {
                script.arg(lease.shard.get()).arg(lease.fence.get());
            }
            let answer = self.link.run("telling that this host lives", &script).await?;
            match answer.code() {
                "ok" => {}
                "total" => {
                    return Err(ClusterError::OtherTotal {
                        ours: beat.total,
                        theirs: answer.number(1)?,
                    });
                }
                _ => return Err(answer.nonsense().into()),
            }
            let rank = match answer.text(3) {
                "" => None,
                _ => Some(answer.number(3)?),
            };
            let lost: Result<Vec<Shard>, LimitsError> = (5..answer.len())
                .map(|field| Ok(Shard::new(answer.number(field)?)))
                .collect();
            Ok(Pulse {
                alive: answer.number(1)?,
                standing: Standing {
                    total: beat.total,
                    sharing: answer.number(2)?,
                    rank,
                    free: answer.number(4)?,
                },
                lost: lost?,
            })
        })
    }

    fn claim(&self, most: u32) -> PortFuture<'_, Result<Vec<Claimed>, ClusterError>> {
        Box::pin(async move {
            let table = self.table();
            let mut script = on(&SCRIPTS.host_claim, &table);
            script.arg("").arg(&self.host).arg(Millis::from(self.lease).get());
            let answer = self.link.run("taking shards", script.arg(most)).await?;
            match answer.code() {
                "ok" => {}
                // Away for too long: the next sign of life brings it back.
                "unknown" => return Ok(Vec::new()),
                _ => return Err(answer.nonsense().into()),
            }
            let claimed: Result<Vec<Claimed>, LimitsError> = (1..answer.len())
                .step_by(3)
                .map(|field| {
                    let from = answer.text(field + 2);
                    Ok(Claimed {
                        lease: Lease {
                            shard: Shard::new(answer.number(field)?),
                            fence: Fence::new(answer.number(field + 1)?),
                        },
                        from: (!from.is_empty()).then(|| from.to_owned()),
                    })
                })
                .collect();
            Ok(claimed?)
        })
    }

    fn release(&self, leases: Vec<Lease>) -> PortFuture<'_, Result<(), ClusterError>> {
        Box::pin(async move { self.give(&leases, false).await })
    }

    fn leave(&self) -> PortFuture<'_, Result<(), ClusterError>> {
        Box::pin(self.give(&[], true))
    }

    fn identify(&self, bucket: u32) -> PortFuture<'_, Result<Gate, ClusterError>> {
        Box::pin(async move {
            let mut script = on(
                &SCRIPTS.host_gate,
                &[self.keys.hosts(&format!("identify:{bucket}"))],
            );
            script.arg("").arg(Millis::from(IDENTIFY_EVERY).get());
            let answer = self.link.run("asking to identify", &script).await?;
            match answer.code() {
                "open" => Ok(Gate::Open),
                "wait" => Ok(Gate::Wait(Duration::from_millis(answer.number(1)?))),
                _ => Err(answer.nonsense().into()),
            }
        })
    }

    fn call_begins(&self, lease: Lease, call: OpenCall) -> PortFuture<'_, Result<(), ClusterError>> {
        Box::pin(async move { self.calls(lease, Some(call.guild), Some(call)).await.map(|_| ()) })
    }

    fn call_over(&self, lease: Lease, guild: GuildId) -> PortFuture<'_, Result<(), ClusterError>> {
        Box::pin(async move { self.calls(lease, Some(guild), None).await.map(|_| ()) })
    }

    fn left_open(&self, lease: Lease) -> PortFuture<'_, Result<Vec<OpenCall>, ClusterError>> {
        Box::pin(async move {
            let answer = self.calls(lease, None, None).await?;
            let mut calls = Vec::new();
            for field in (1..answer.len()).step_by(2) {
                if answer.text(field) == "#" {
                    continue;
                }
                let guild = GuildId::new(answer.number(field)?);
                let (voice, text) = answer
                    .text(field + 1)
                    .split_once(':')
                    .and_then(|(voice, text)| Some((voice.parse().ok()?, text.parse().ok()?)))
                    .ok_or_else(|| answer.nonsense())?;
                let (voice, text) = (ChannelId::new(voice), ChannelId::new(text));
                calls.push(OpenCall { guild, voice, text });
            }
            Ok(calls)
        })
    }
}
