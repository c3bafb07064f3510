//! A shard's connection. Each shard has a manager of its own: serenity's starts a range once, and hosts gain and lose single
//! shards while they run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, OnceLock};
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
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::bot::Late;
use super::super::commands::{CommandError, Data};
use super::super::permissions;
use super::lock;

/// Where the framework is found once the client has begun it.
pub(in super::super) type Slot = Arc<OnceLock<Arc<dyn Framework>>>;

/// Between two tries to end a connection that is being made.
const LOOK: Duration = Duration::from_millis(100);

/// A framework that can also be given to connections that the client does not make.
pub(in super::super) struct Kept {
    framework: Option<poise::Framework<Data, CommandError>>,
    slot: Slot,
    bot: Late,
}

impl Kept {
    pub(in super::super) fn new(framework: poise::Framework<Data, CommandError>, bot: Late) -> (Self, Slot) {
        let slot = Slot::default();
        let kept = Self {
            framework: Some(framework),
            slot: Arc::clone(&slot),
            bot,
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
        // What a connection that was given up still tells is the next holder's to answer.
        let ours = self.bot.of_shard(ctx.shard_id).is_some();
        if let Some(framework) = self.slot.get().filter(|_| ours) {
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
    /// Connections that are being ended.
    closing: Arc<SyncMutex<HashMap<Shard, CancellationToken>>>,
}

/// A shard's connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    manager: Arc<ShardManager>,
    /// It has ended for good.
    over: CancellationToken,
}

impl Connection {
    /// What serenity keeps of it.
    pub(super) fn manager(&self) -> &Arc<ShardManager> {
        &self.manager
    }

    /// Ends it. serenity's manager does not know of a connection that is being made, and goes on making it: what was given up
    /// would be there a moment later. So it is told until it says that it is over.
    async fn end(&self) {
        while !self.over.is_cancelled() {
            self.manager.shutdown_all().await;
            let _ = timeout(LOOK, self.over.cancelled()).await;
        }
    }
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
            closing: Arc::default(),
        };
        (gateways, ended)
    }

    /// Waits until no earlier connection of a shard is left.
    pub(super) async fn closed(&self, shard: Shard) {
        let closing = lock(&self.closing).get(&shard).cloned();
        if let Some(closing) = closing {
            closing.cancelled().await;
        }
    }

    /// Begins a shard's connection; it connects, and connects again, by itself.
    pub(super) fn start(&self, shard: Shard) -> Connection {
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
        let (ends, over) = (self.ends.clone(), CancellationToken::new());
        let answered = over.clone().drop_guard();
        tokio::spawn(async move {
            let answer = answers.next().await;
            drop(answered);
            if let Some(Err(error)) = answer {
                let _ = ends.send(error).await;
            }
        });
        if let Err(error) = manager.initialize() {
            tracing::error!(%shard, %error, "a shard could not be begun");
        }
        Connection { manager, over }
    }

    /// Ends a shard's connection for good: Discord forgets its session. Waits for it no longer than `within`; it ends all the
    /// same.
    pub(super) async fn stop(&self, shard: Shard, connection: &Connection, within: Duration) {
        let closed = CancellationToken::new();
        lock(&self.closing).insert(shard, closed.clone());
        let (connection, voice) = (connection.clone(), self.voice.clone());
        let (closing, done) = (Arc::clone(&self.closing), closed.clone().drop_guard());
        tokio::spawn(async move {
            connection.end().await;
            if let Some(voice) = voice {
                voice.deregister_shard(shard.get()).await;
            }
            lock(&closing).remove(&shard);
            drop(done);
        });
        if timeout(within, closed.cancelled()).await.is_err() {
            tracing::warn!(%shard, "a shard's gateway did not close in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    struct Nothing;

    impl EventHandler for Nothing {}

    #[tokio::test]
    async fn a_connection_that_is_given_up_while_it_is_made_does_not_stay() {
        let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", gateway.local_addr().unwrap());
        let gateways = Gateways {
            data: Arc::new(RwLock::new(TypeMap::new())),
            handler: Arc::new(Nothing),
            framework: Slot::default(),
            voice: None,
            url: Arc::new(Mutex::new(url)),
            cache: Arc::new(Cache::new()),
            http: Arc::new(Http::new("a.b.c")),
            total: 1,
            ends: mpsc::channel(1).0,
            closing: Arc::default(),
        };
        let (shard, patience) = (Shard::new(0), Duration::from_secs(20));
        let connection = gateways.start(shard);
        let (stream, _) = gateway.accept().await.unwrap();
        gateways.stop(shard, &connection, Duration::from_millis(50)).await;
        assert!(!connection.over.is_cancelled(), "it is still being made");
        // Only now does the gateway answer.
        let mut peer = accept_async(stream).await.unwrap();
        let hello = r#"{"op": 10, "d": {"heartbeat_interval": 45000}, "s": null, "t": null}"#;
        peer.send(Message::text(hello)).await.unwrap();
        let closed = async { while let Some(Ok(_)) = peer.next().await {} };
        timeout(patience, closed).await.expect("the connection stays");
        timeout(patience, gateways.closed(shard)).await.unwrap();
        assert!(connection.over.is_cancelled() && lock(&gateways.closing).is_empty());
        // Nobody tries again.
        assert!(timeout(Duration::from_secs(6), gateway.accept()).await.is_err());
    }
}
