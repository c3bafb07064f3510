//! A shard's connection. Each shard has a manager of its own: serenity's starts a range once, and hosts gain and lose single
//! shards while they run.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use goobster_core::cluster::Shard;
use goobster_core::ids::UserId;
use serenity::all::{
    Cache, Client, Context, EventHandler, Framework, FullEvent, GatewayError, Http, ShardManager,
    ShardManagerOptions,
};
use serenity::async_trait;
use serenity::gateway::VoiceGatewayManager;
use serenity::prelude::{RwLock, TypeMap};
use tokio::sync::{Mutex, mpsc};

use super::super::commands::{CommandError, Data};
use super::super::permissions;

/// Where the framework is found once the client has begun it.
pub(in super::super) type Slot = Arc<OnceLock<Arc<dyn Framework>>>;

/// How long the gateway may take to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// A framework that can also be given to connections that the client does not make.
pub(in super::super) struct Kept {
    framework: Option<poise::Framework<Data, CommandError>>,
    slot: Slot,
}

impl Kept {
    pub(in super::super) fn new(framework: poise::Framework<Data, CommandError>) -> (Self, Slot) {
        let slot = Slot::default();
        let kept = Self {
            framework: Some(framework),
            slot: Arc::clone(&slot),
        };
        (kept, slot)
    }
}

#[async_trait]
impl Framework for Kept {
    async fn init(&mut self, client: &Client) {
        if let Some(mut framework) = self.framework.take() {
            framework.init(client).await;
            let _ = self.slot.set(Arc::new(framework));
        }
    }

    async fn dispatch(&self, ctx: Context, event: FullEvent) {
        if let Some(framework) = self.slot.get() {
            framework.dispatch(ctx, event).await;
        }
    }
}

/// What connections are made of.
pub(in super::super) struct Gateways {
    data: Arc<RwLock<TypeMap>>,
    handler: Arc<dyn EventHandler>,
    framework: Slot,
    voice: Option<Arc<dyn VoiceGatewayManager>>,
    url: Arc<Mutex<String>>,
    cache: Arc<Cache>,
    http: Arc<Http>,
    total: u32,
    /// Where an end that nobody asked for is told.
    ends: mpsc::Sender<GatewayError>,
}

impl Gateways {
    /// Connections beside a client's own, which it never makes.
    pub(in super::super) async fn new(
        client: &Client,
        framework: Slot,
        handler: Arc<dyn EventHandler>,
        me: UserId,
        total: u32,
    ) -> (Self, mpsc::Receiver<GatewayError>) {
        if let Some(voice) = &client.voice_manager {
            voice
                .initialise(total, serenity::all::UserId::new(me.get()))
                .await;
        }
        let (ends, ended) = mpsc::channel(16);
        let gateways = Self {
            data: Arc::clone(&client.data),
            handler,
            framework,
            voice: client.voice_manager.clone(),
            url: Arc::clone(&client.ws_url),
            cache: Arc::clone(&client.cache),
            http: Arc::clone(&client.http),
            total,
            ends,
        };
        (gateways, ended)
    }

    /// Begins a shard's connection; it connects, and connects again, by itself.
    pub(super) fn start(&self, shard: Shard) -> Arc<ShardManager> {
        let (manager, mut answers) = ShardManager::new(ShardManagerOptions {
            data: Arc::clone(&self.data),
            event_handlers: vec![Arc::clone(&self.handler)],
            raw_event_handlers: Vec::new(),
            framework: Arc::clone(&self.framework),
            shard_index: shard.get(),
            shard_init: 1,
            shard_total: self.total,
            voice_manager: self.voice.clone(),
            ws_url: Arc::clone(&self.url),
            cache: Arc::clone(&self.cache),
            http: Arc::clone(&self.http),
            intents: permissions::INTENTS,
            presence: None,
        });
        let ends = self.ends.clone();
        tokio::spawn(async move {
            if let Some(Err(error)) = answers.next().await {
                let _ = ends.send(error).await;
            }
        });
        if let Err(error) = manager.initialize() {
            tracing::error!(%shard, %error, "a shard could not be begun");
        }
        manager
    }

    /// Ends a shard's connection for good: Discord forgets its session.
    pub(super) async fn stop(&self, shard: Shard, manager: &Arc<ShardManager>) {
        if tokio::time::timeout(GOODBYE, manager.shutdown_all())
            .await
            .is_err()
        {
            tracing::warn!(%shard, "a shard's gateway did not close in time");
        }
        if let Some(voice) = &self.voice {
            voice.deregister_shard(shard.get()).await;
        }
    }
}
