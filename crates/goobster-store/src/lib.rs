//! Stores behind the limits' ports of `goobster-core`: [`Slots`](goobster_core::limits::Slots) and
//! [`Ledger`](goobster_core::limits::Ledger), three times.
//!
//! - [`MemoryStore`]: nothing survives a restart; the model for the others.
//! - [`EmbeddedStore`]: one crash-safe file, for one process. [`check`] and [`repair`] look after it.
//! - [`RedisStore`]: a Redis or Valkey server, for many processes.
//! - [`RedisHosts`]: which of many hosts holds which shard of the gateway, on such a server.
//! - [`RedisRegister`]: what they remember together.
//! - [`Resilient`]: either of them, with a memory for when it is down.
//! - [`Backup`]: either of the lasting ones in one file that can be put back.

mod backup;
mod embedded;
mod memory;
mod redis;
mod resilient;

pub use backup::{BACKUP_FORMAT, Backup, BackupError, Header, Held, Server, StoreKind};
pub use embedded::{CheckReport, EmbeddedStore, RepairMode, RepairReport, check, repair};
pub use memory::MemoryStore;
pub use redis::{RedisHosts, RedisOptions, RedisRegister, RedisStore, TimeSource};
pub use resilient::{Resilient, WhenDown};
