//! Voice servers: the voice gateway and the packets. One room a guild in which the bot is in a voice channel.
//!
//! Source: <https://discord.com/developers/docs/topics/voice-connections>.

mod connection;
mod dave;
mod encryption;
mod room;
mod rtp;
mod speech;
mod udp;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, UdpSocket};

pub use dave::Winner;
pub use room::Impairment;
pub use rtp::Mode;
pub(crate) use speech::speak;
pub use speech::{Speech, SpeechError};

use crate::StartError;
use crate::hub::Hub;
use crate::recorded::{Recorded, Seen};
use crate::world::event::Dispatch;
use crate::world::{ChannelId, GuildId, UserId, World};
use dave::Group;
use room::{Opening, Out, Room};

/// Frames of the bot that are kept for a guild: more than an hour without a break.
const MAX_FRAMES: usize = 200_000;

/// What a test can do to the bot's voice connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum VoiceFault {
    /// A close frame with this code. After 4006 the session cannot go on.
    Close(u16),
    /// The socket of the voice gateway breaks without a word.
    Cut,
    /// From now on nothing is sent over the voice gateway, and the socket stays open.
    Silence,
    /// No packet passes in either direction, until told otherwise.
    BlackHole(bool),
    /// Everybody begins a new DAVE group, with new keys: a re-key, or after a downgrade the upgrade.
    NewGroup,
    /// From now on nothing is encrypted from end to end.
    Downgrade,
    /// What a member says reaches the bot as nonsense, until told otherwise.
    Garble(UserId, bool),
    /// Packets to the bot are lost, delayed and reordered, and so are those from it.
    Network {
        /// To the bot.
        down: Option<Impairment>,
        /// From the bot.
        up: Option<Impairment>,
    },
}

/// A frame that the bot sent.
#[derive(Debug, Clone, PartialEq)]
pub struct BotFrame {
    /// When it came, since the start.
    pub at: Duration,
    /// The number of its packet.
    pub sequence: u16,
    /// Its first sample, at 48 kHz.
    pub timestamp: u32,
    /// Opus.
    pub opus: Vec<u8>,
    /// Whether it came encrypted from end to end.
    pub encrypted: bool,
}

/// The sockets of one voice server.
#[derive(Debug)]
struct Server {
    port: u16,
    udp: Arc<UdpSocket>,
}

#[derive(Default)]
struct State {
    rooms: HashMap<GuildId, Room>,
    frames: HashMap<GuildId, Vec<BotFrame>>,
    next_ssrc: u32,
}

/// All voice servers.
pub(crate) struct Voice {
    dave: Option<Winner>,
    seen: Arc<Recorded>,
    servers: Mutex<Vec<Server>>,
    state: Mutex<State>,
}

impl Voice {
    pub(crate) fn new(dave: Option<Winner>, seen: Arc<Recorded>) -> Self {
        Self {
            dave,
            seen,
            servers: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// An empty room with keys of its own.
    fn room(
        &self,
        bot: UserId,
        place: (GuildId, ChannelId, &str),
        token: String,
        (server, ssrc): (usize, u32),
    ) -> Room {
        let (guild, channel, session) = place;
        let group = self
            .dave
            .and_then(|winner| match Group::new(channel.get(), bot.get(), winner) {
                Ok(group) => Some(group),
                Err(e) => {
                    self.seen.note(Seen::DaveRefused {
                        guild,
                        why: e.to_string(),
                    });
                    None
                }
            });
        Room::new(Opening {
            guild,
            channel,
            session,
            token,
            server,
            ssrc,
            group,
            seen: Arc::clone(&self.seen),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where voice servers listen, for connections and for packets.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let of = |server: &Server| {
            let gateway = SocketAddr::from(([127, 0, 0, 1], server.port));
            std::iter::once(gateway).chain(server.udp.local_addr().ok())
        };
        self.servers().iter().flat_map(of).collect()
    }

    fn endpoint(&self, server: usize) -> String {
        format!("localhost:{}", self.servers().get(server).map_or(0, |s| s.port))
    }

    fn udp(&self, server: usize) -> Option<Arc<UdpSocket>> {
        self.servers().get(server).map(|s| Arc::clone(&s.udp))
    }

    /// Follows what happened in the world, which is locked meanwhile; gives what the gateway has to tell of it.
    pub(crate) fn follow(&self, world: &mut World, events: &[Dispatch]) -> Vec<Dispatch> {
        let concerned = |e: &&Dispatch| matches!(e.name, "VOICE_STATE_UPDATE" | "GUILD_DELETE");
        let bot = world.bot();
        let guilds: HashSet<GuildId> = events.iter().filter(concerned).filter_map(|e| e.guild).collect();
        let about_bot = |guild: GuildId| {
            let id = bot.to_string();
            events
                .iter()
                .filter(concerned)
                .any(|e| e.guild == Some(guild) && e.data["user_id"] == id.as_str())
        };
        guilds
            .into_iter()
            .filter_map(|guild| self.follow_guild(world, guild, about_bot(guild)))
            .collect()
    }

    fn follow_guild(&self, world: &mut World, guild: GuildId, about_bot: bool) -> Option<Dispatch> {
        let bot = world.bot();
        let token = world.secret("voice");
        let mut state = self.state();
        let Some(place) = world.voice_state(guild, bot) else {
            if let Some(mut room) = state.rooms.remove(&guild) {
                room.tell(Out::Fault(VoiceFault::Close(4014)));
            }
            return None;
        };
        let others: Vec<UserId> = world
            .in_voice(place.channel)
            .into_iter()
            .filter(|u| *u != bot)
            .collect();
        let old = state.rooms.get(&guild);
        let stays =
            old.is_some_and(|r| r.channel == place.channel && r.session == place.session && !r.invalid);
        let connected = old.is_some_and(|r| r.out.as_ref().is_some_and(|o| !o.is_closed()));
        if stays && (connected || !about_bot) {
            state.rooms.get_mut(&guild)?.set_others(&others);
            return None;
        }
        let server = old.map_or(0, |r| r.server);
        if let Some(mut room) = state.rooms.remove(&guild) {
            room.tell(Out::Fault(VoiceFault::Close(4014)));
        }
        state.next_ssrc += 1_000;
        let ssrc = state.next_ssrc;
        let mut room = self.room(bot, (guild, place.channel, &place.session), token, (server, ssrc));
        room.set_others(&others);
        let update = server_update(guild, &room.token, &self.endpoint(server));
        state.rooms.insert(guild, room);
        Some(update)
    }

    /// The voice server of a guild goes away, and the next one takes over, as when a region is changed.
    pub(crate) fn move_server(&self, world: &mut World, guild: GuildId) -> Option<Dispatch> {
        let token = world.secret("voice");
        let count = self.servers().len().max(1);
        let mut state = self.state();
        state.next_ssrc += 1_000;
        let ssrc = state.next_ssrc;
        let mut old = state.rooms.remove(&guild)?;
        let server = (old.server + 1) % count;
        let mut room = self.room(
            world.bot(),
            (guild, old.channel, &old.session),
            token,
            (server, ssrc),
        );
        let others: Vec<UserId> = old.speakers.keys().copied().collect();
        room.set_others(&others);
        old.tell(Out::Fault(VoiceFault::Close(4014)));
        let update = server_update(guild, &room.token, &self.endpoint(server));
        state.rooms.insert(guild, room);
        Some(update)
    }

    /// Orders a fault; says whether there was anything to break.
    pub(crate) fn fault(&self, guild: GuildId, fault: VoiceFault) -> bool {
        let mut state = self.state();
        let Some(room) = state.rooms.get_mut(&guild) else {
            return false;
        };
        match fault {
            VoiceFault::BlackHole(on) => room.black_hole = on,
            VoiceFault::Network { down, up } => room.impair(down, up),
            VoiceFault::NewGroup => room.dave(Group::restart),
            VoiceFault::Downgrade => room.dave(|group, _| Ok(group.downgrade())),
            VoiceFault::Garble(user, true) => _ = room.garbled.insert(user),
            VoiceFault::Garble(user, false) => _ = room.garbled.remove(&user),
            fault => {
                room.invalid |= fault == VoiceFault::Close(4006);
                return room.tell(Out::Fault(fault));
            }
        }
        true
    }

    /// What the bot was heard to say in a guild, without the first `skip` frames.
    pub(crate) fn frames(&self, guild: GuildId, skip: usize) -> Vec<BotFrame> {
        let mut state = self.state();
        let late = state.rooms.get_mut(&guild).map(Room::release).unwrap_or_default();
        let frames = state.frames.entry(guild).or_default();
        frames.extend(late);
        frames.get(skip..).unwrap_or_default().to_vec()
    }

    /// Whether the bot's voice connection in a guild is up, packets and keys and all.
    pub(crate) fn connected(&self, guild: GuildId) -> bool {
        let state = self.state();
        let room = state.rooms.get(&guild);
        room.is_some_and(|r| {
            let media = r.media.as_ref().is_some_and(|m| m.peer.is_some());
            let keys = r.group.as_ref().is_none_or(|g| g.version() == 0 || g.settled());
            media && keys && r.out.as_ref().is_some_and(|o| !o.is_closed())
        })
    }
}

fn server_update(guild: GuildId, token: &str, endpoint: &str) -> Dispatch {
    Dispatch {
        name: "VOICE_SERVER_UPDATE",
        guild: Some(guild),
        intent: 0,
        data: json!({ "token": token, "guild_id": guild, "endpoint": endpoint }),
    }
}

/// Starts a voice server on free ports.
pub(crate) async fn start(hub: &Arc<Hub>) -> Result<(), StartError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let udp = Arc::new(UdpSocket::bind(("127.0.0.1", 0)).await?);
    let port = listener.local_addr()?.port();
    let number = {
        let mut servers = hub.voice.servers();
        servers.push(Server {
            port,
            udp: Arc::clone(&udp),
        });
        servers.len() - 1
    };
    hub.tasks
        .spawn(connection::listen(Arc::clone(hub), listener, number));
    hub.tasks.spawn(udp::receive(Arc::clone(hub), udp, number));
    Ok(())
}
