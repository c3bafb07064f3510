//! A stand-in for Discord on this machine: what an unmodified bot needs of REST, gateway and voice.
//!
//! Nobody can test a bot against the live service, so this crate plays it. The bot is pointed at it by environment variables
//! alone ([`Loopback::bot_env`]): `HTTPS_PROXY` makes its REST client ask the [proxy] for `discord.com`, `SSL_CERT_FILE`
//! makes it trust the authority made at start, and from there on addresses come in answers, as Discord's do.
//!
//! [proxy]: https://developer.mozilla.org/docs/Web/HTTP/Reference/Methods/CONNECT
//!
//! - [`world`]: users, guilds, channels, messages, commands, interactions, voice states; pure.
//! - `rest`, `gateway`: how a bot sees the world and changes it.
//! - `voice`: the voice gateway and packets, and members who speak.
//! - [`Recorded`]: what the bot was seen to do, for tests to wait for.
//! - [`RestFault`], [`GatewayFault`], [`VoiceFault`]: what a test can break.

mod config;
mod faults;
mod gateway;
mod hub;
mod proxy;
mod recorded;
mod rest;
mod tls;
mod voice;
pub mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use config::Config;
pub use faults::{RestFault, RestFaults};
pub use gateway::GatewayFault;
pub use recorded::{Closer, Entry, NotSeen, Recorded, Seen};
pub use voice::{BotFrame, Impairment, Mode, Speech, SpeechError, VoiceFault, Winner};

use hub::{Hub, Ports};
use world::{GuildId, UserId, World};

/// After being told to stop, connections get this long.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why the stand-in did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port could not be bound, or the file with the authority not be written.
    #[error("cannot listen, or write the certificate: {0}")]
    Io(#[from] std::io::Error),
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate does not serve.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// A running stand-in for Discord. Dropping it ends it abruptly; [`shutdown`](Self::shutdown) waits.
pub struct Loopback {
    hub: Arc<Hub>,
}

impl Loopback {
    /// Starts it on free ports of this machine.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let hub = Hub::new(config)?;
        let proxy = TcpListener::bind(("127.0.0.1", 0)).await?;
        let gateway = TcpListener::bind(("127.0.0.1", 0)).await?;
        let ports = Ports {
            proxy: proxy.local_addr()?.port(),
            gateway: gateway.local_addr()?.port(),
        };
        hub.ports.get_or_init(|| ports);
        for _ in 0..hub.config.voice_servers.max(1) {
            voice::start(&hub).await?;
        }
        hub.tasks.spawn(proxy::serve(Arc::clone(&hub), proxy));
        hub.tasks.spawn(gateway::listen(Arc::clone(&hub), gateway));
        Ok(Self { hub })
    }

    /// The environment that leads an unmodified bot here.
    pub fn bot_env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HTTPS_PROXY", self.proxy_url()),
            ("NO_PROXY", "localhost,127.0.0.1".to_owned()),
            ("SSL_CERT_FILE", self.ca_file().display().to_string()),
            ("DISCORD_TOKEN", self.token().to_owned()),
        ]
    }

    /// The bot's token.
    pub fn token(&self) -> &str {
        self.hub.token()
    }

    /// The proxy, for clients that take it as an option.
    pub fn proxy_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.hub.ports.get().map_or(0, |p| p.proxy))
    }

    /// Every address of this machine that it listens at: proxy, gateway, voice servers, their packets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let ports = self.hub.ports.get();
        let own = ports
            .into_iter()
            .flat_map(|ports| [local(ports.proxy), local(ports.gateway)]);
        own.chain(self.hub.voice.addresses()).collect()
    }

    /// The authority's certificate as PEM.
    pub fn ca_pem(&self) -> &str {
        self.hub.tls.ca_pem()
    }

    /// The same in a file, which goes when this does.
    pub fn ca_file(&self) -> PathBuf {
        self.hub.tls.ca_file()
    }

    /// Looks at the world, or changes it; the bot is told of changes.
    pub fn world<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        self.hub.world(change)
    }

    /// What the bot was seen to do.
    pub fn recorded(&self) -> &Recorded {
        &self.hub.seen
    }

    /// Faults of REST.
    pub fn rest_faults(&self) -> &RestFaults {
        &self.hub.faults
    }

    /// Breaks gateway connections: that of one shard, or with none all; says how many were hit.
    pub fn gateway_fault(&self, shard: Option<u32>, fault: &GatewayFault) -> usize {
        self.hub.sessions.fault(shard, fault)
    }

    /// How many gateway sessions are connected.
    pub fn sessions_connected(&self) -> usize {
        self.hub.sessions.connected()
    }

    /// Lets a member who is in the bot's voice channel say `frames`: 20 ms of Opus each, at the pace of speech.
    pub fn speak(&self, guild: GuildId, user: UserId, frames: Vec<Vec<u8>>) -> Result<Speech, SpeechError> {
        voice::speak(&self.hub, guild, user, frames)
    }

    /// What the bot was heard to say in a guild since the start: Opus with the times at which it came.
    pub fn bot_frames(&self, guild: GuildId) -> Vec<BotFrame> {
        self.bot_frames_from(guild, 0)
    }

    /// The same without the first `skip` frames, for those who follow along.
    pub fn bot_frames_from(&self, guild: GuildId, skip: usize) -> Vec<BotFrame> {
        self.hub.voice.frames(guild, skip)
    }

    /// Breaks the bot's voice connection in a guild; says whether there was one.
    pub fn voice_fault(&self, guild: GuildId, fault: VoiceFault) -> bool {
        self.hub.voice.fault(guild, fault)
    }

    /// Moves a guild to another voice server, as when its region changes; says whether the bot was in voice there.
    pub fn move_voice_server(&self, guild: GuildId) -> bool {
        self.hub.move_voice_server(guild)
    }

    /// Whether the bot can hear and be heard in a guild.
    pub fn voice_connected(&self, guild: GuildId) -> bool {
        self.hub.voice.connected(guild)
    }

    /// Ends it, waiting a moment for connections to close; says whether all did.
    pub async fn shutdown(self) -> bool {
        self.hub.stop.cancel();
        self.hub.tasks.close();
        tokio::time::timeout(STOP_WITHIN, self.hub.tasks.wait())
            .await
            .is_ok()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.hub.stop.cancel();
    }
}
