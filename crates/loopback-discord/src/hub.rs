//! What all connections share: the world behind its lock, the record, the faults and the sessions.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::RestFaults;
use crate::gateway::Sessions;
use crate::recorded::Recorded;
use crate::rest::Buckets;
use crate::tls::Tls;
use crate::voice::Voice;
use crate::world::{GuildId, UserId, World};
use crate::{Config, StartError};

/// Where the parts listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) proxy: u16,
    pub(crate) gateway: u16,
}

pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
    pub(crate) ports: OnceLock<Ports>,
    pub(crate) seen: Arc<Recorded>,
    pub(crate) faults: RestFaults,
    pub(crate) buckets: Buckets,
    pub(crate) sessions: Sessions,
    pub(crate) voice: Voice,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    token: String,
    world: Mutex<World>,
}

impl Hub {
    pub(crate) fn new(config: Config) -> Result<Arc<Self>, StartError> {
        let world = World::new(config.seed, unix_ms(), &config.bot_name);
        let seen = Arc::new(Recorded::new());
        Ok(Arc::new(Self {
            token: config.token.clone().unwrap_or_else(|| token_of(world.bot())),
            tls: Tls::make()?,
            ports: OnceLock::new(),
            seen: Arc::clone(&seen),
            faults: RestFaults::default(),
            buckets: Buckets::new(config.message_rate),
            sessions: Sessions::new(&config),
            voice: Voice::new(config.dave, seen),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            world: Mutex::new(world),
            config,
        }))
    }

    /// Looks at the world or changes it. The events of a change are dispatched before anybody else changes anything, so
    /// sessions see them in order.
    pub(crate) fn world<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(unix_ms());
        let result = change(&mut world);
        let events = world.take_events();
        if !events.is_empty() {
            self.sessions.dispatch(&events, world.bot());
            let more = self.voice.follow(&mut world, &events);
            self.sessions.dispatch(&more, world.bot());
        }
        result
    }

    /// Lets another voice server take over a guild.
    pub(crate) fn move_voice_server(&self, guild: GuildId) -> bool {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let update = self.voice.move_server(&mut world, guild);
        self.sessions.dispatch(update.as_slice(), world.bot());
        update.is_some()
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn gateway_url(&self) -> String {
        let port = self.ports.get().map_or(0, |p| p.gateway);
        format!("wss://localhost:{port}")
    }
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A token as clients expect it: the bot's id in base64, then two parts of which only the length is looked at.
fn token_of(bot: UserId) -> String {
    let id = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bot.to_string());
    format!("{id}.Lo0pBk.{}", "x".repeat(38))
}
