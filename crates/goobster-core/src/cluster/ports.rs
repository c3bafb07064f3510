//! What the store that hosts share must do for them.

use std::time::Duration;

use super::{Fence, Shard, Standing};
use crate::ids::{ChannelId, GuildId};
use crate::limits::LimitsError;
use crate::ports::PortFuture;

/// A shard that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// Which.
    pub shard: Shard,
    /// Under which token.
    pub fence: Fence,
}

/// A shard that was just gained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// It.
    pub lease: Lease,
    /// The host that held it and fell silent; `None` when it was given away, or never held.
    pub from: Option<String>,
}

/// A sign of life, with what the host holds.
#[derive(Debug, Clone)]
pub struct Beat {
    /// Shards there are, as this host counts them.
    pub total: u32,
    /// What it holds.
    pub held: Vec<Lease>,
    /// Whether it takes no more shards.
    pub draining: bool,
}

/// What the store answers to a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Hosts that are alive, draining ones too.
    pub alive: u32,
    /// How the host stands among them.
    pub standing: Standing,
    /// What it does not hold any more.
    pub lost: Vec<Shard>,
}

/// Whether a shard may identify now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Now.
    Open,
    /// Ask again after this.
    Wait(Duration),
}

/// A call that a host holds, as it is known to whoever takes its shard over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall {
    /// Its guild.
    pub guild: GuildId,
    /// The voice channel.
    pub voice: ChannelId,
    /// Where it is written about.
    pub text: ChannelId,
}

/// What can go wrong between a host and the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The store does not answer, or answers nonsense.
    #[error(transparent)]
    Store(#[from] LimitsError),
    /// Somebody else holds the shard now.
    #[error("shard {shard} is held by another host now")]
    Fenced {
        /// Which.
        shard: Shard,
    },
    /// Living hosts have divided the gateway otherwise.
    #[error(
        "the hosts that run share {theirs} shards, this one counts {ours}: cluster.shards must be the same everywhere"
    )]
    OtherTotal {
        /// What this host counts.
        ours: u32,
        /// What they share.
        theirs: u32,
    },
}

/// What hosts share. Every operation takes a bounded time, and may be repeated.
pub trait Coordinator: Send + Sync {
    /// Tells that the host lives, and renews what it holds.
    ///
    /// # Errors
    /// [`ClusterError::OtherTotal`], [`ClusterError::Store`].
    fn beat(&self, beat: Beat) -> PortFuture<'_, Result<Pulse, ClusterError>>;

    /// Takes up to `most` shards that nobody holds.
    ///
    /// # Errors
    /// [`ClusterError::Store`].
    fn claim(&self, most: u32) -> PortFuture<'_, Result<Vec<Claimed>, ClusterError>>;

    /// Gives shards away; those that are another's by now are left alone.
    ///
    /// # Errors
    /// [`ClusterError::Store`]; they then fall to others when the lease runs out.
    fn release(&self, leases: Vec<Lease>) -> PortFuture<'_, Result<(), ClusterError>>;

    /// Says good-bye: the host is not counted any more.
    ///
    /// # Errors
    /// [`ClusterError::Store`].
    fn leave(&self) -> PortFuture<'_, Result<(), ClusterError>>;

    /// Asks whether a shard of this identify bucket (`shard % max_concurrency`) may identify now; whoever is let in closes
    /// the gate behind it for five seconds, for all hosts.
    ///
    /// # Errors
    /// [`ClusterError::Store`].
    fn identify(&self, bucket: u32) -> PortFuture<'_, Result<Gate, ClusterError>>;

    /// Notes a call.
    ///
    /// # Errors
    /// [`ClusterError::Fenced`], [`ClusterError::Store`].
    fn call_begins(&self, lease: Lease, call: OpenCall) -> PortFuture<'_, Result<(), ClusterError>>;

    /// Strikes a call out.
    ///
    /// # Errors
    /// [`ClusterError::Fenced`], [`ClusterError::Store`].
    fn call_over(&self, lease: Lease, guild: GuildId) -> PortFuture<'_, Result<(), ClusterError>>;

    /// The calls of a shard that a holder before this one left open. From now on no earlier holder can write.
    ///
    /// # Errors
    /// [`ClusterError::Fenced`], [`ClusterError::Store`].
    fn left_open(&self, lease: Lease) -> PortFuture<'_, Result<Vec<OpenCall>, ClusterError>>;
}
