//! One connection of the voice gateway from HELLO to its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand::Rng;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::VoiceFault;
use super::dave::Group;
use super::room::{Out, Room, op};
use super::rtp::Mode;
use crate::hub::Hub;
use crate::recorded::{Closer, Seen};
use crate::world::GuildId;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Bytes of a message: a commit of DAVE with its welcome is the longest.
const MAX_INCOMING: usize = 256 * 1024;

pub(super) async fn listen(hub: Arc<Hub>, listener: TcpListener, server: usize) {
    loop {
        let accepted = tokio::select! {
            () = hub.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let here = Arc::clone(&hub);
        hub.tasks.spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Ok(stream) = here.tls.acceptor.accept(stream).await {
                run(here, stream, server).await;
            }
        });
    }
}

/// How a connection ends.
enum End {
    Bot(Option<u16>),
    Close(u16),
    Cut,
}

enum Next {
    Nothing,
    Send(Vec<String>),
    Binary(Vec<u8>),
    End(End),
}

/// A connection that carries a room.
struct Carried {
    guild: GuildId,
    number: u64,
    out: mpsc::Receiver<Out>,
}

struct Connection {
    hub: Arc<Hub>,
    server: usize,
    carried: Option<Carried>,
    silent: bool,
    last_heartbeat: Instant,
}

async fn run(hub: Arc<Hub>, stream: TlsStream<TcpStream>, server: usize) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_INCOMING));
    let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await else {
        return;
    };
    let mut connection = Connection {
        hub,
        server,
        carried: None,
        silent: false,
        last_heartbeat: Instant::now(),
    };
    let (code, by) = match connection.carry(&mut socket).await {
        End::Bot(code) => (
            code,
            if code.is_some() {
                Closer::Bot
            } else {
                Closer::Broken
            },
        ),
        End::Close(code) => {
            let frame = CloseFrame {
                code: CloseCode::from(code),
                reason: "".into(),
            };
            let _ = socket.close(Some(frame)).await;
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.next()).await;
            (Some(code), Closer::Here)
        }
        End::Cut => (None, Closer::Here),
    };
    let guild = connection.carried.as_ref().map(|c| c.guild);
    connection.hub.seen.note(Seen::VoiceClosed { guild, code, by });
}

impl Connection {
    async fn carry(&mut self, socket: &mut Socket) -> End {
        let interval = self.hub.config.voice_heartbeat;
        let hello = op(
            8,
            &json!({ "v": 4, "heartbeat_interval": interval.as_secs_f64() * 1_000.0 }),
        );
        if socket.send(Message::text(hello)).await.is_err() {
            return End::Bot(None);
        }
        let stop = self.hub.stop.clone();
        loop {
            let due = self.last_heartbeat + interval.mul_f64(1.5);
            let next = tokio::select! {
                () = stop.cancelled() => Next::End(End::Close(1001)),
                () = sleep_until(due) => Next::End(End::Close(4009)),
                told = told(&mut self.carried) => self.told(told),
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.incoming(&text),
                    Some(Ok(Message::Close(frame))) => Next::End(End::Bot(Some(frame.map_or(1005, |f| f.code.into())))),
                    Some(Ok(Message::Binary(bytes))) => self.binary(&bytes),
                    Some(Ok(_)) => Next::Nothing,
                    Some(Err(_)) | None => Next::End(End::Bot(None)),
                },
            };
            let messages = match next {
                Next::End(end) => return end,
                Next::Send(texts) => texts.into_iter().map(Message::text).collect(),
                Next::Binary(bytes) => vec![Message::binary(bytes)],
                Next::Nothing => Vec::new(),
            };
            for message in messages.into_iter().filter(|_| !self.silent) {
                if socket.send(message).await.is_err() {
                    return End::Bot(None);
                }
            }
        }
    }

    fn told(&mut self, out: Option<Out>) -> Next {
        match out {
            Some(Out::Text(text)) => Next::Send(vec![text]),
            Some(Out::Binary(bytes)) => Next::Binary(bytes),
            Some(Out::Fault(VoiceFault::Close(code))) => Next::End(End::Close(code)),
            Some(Out::Fault(VoiceFault::Silence)) => {
                self.silent = true;
                Next::Nothing
            }
            // Cut on order, or the room has another connection.
            Some(Out::Fault(_)) | None => Next::End(End::Cut),
        }
    }

    fn incoming(&mut self, text: &str) -> Next {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return Next::End(End::Close(4002));
        };
        let data = &message["d"];
        match (message["op"].as_u64(), self.carried.is_some()) {
            (Some(3), _) => {
                self.last_heartbeat = Instant::now();
                // Where nobody speaks, nothing else looks at the clock.
                self.room(|room| room.dave(Group::tick));
                Next::Send(vec![op(6, data)])
            }
            (Some(0), false) => self.identify(data),
            (Some(7), false) => self.resume(data),
            (Some(0 | 7), true) => Next::End(End::Close(4005)),
            (Some(1), true) => self.select(data),
            (Some(5), true) => {
                if let Some(guild) = self.guild() {
                    let speaking = data["speaking"].as_u64().unwrap_or(0) & 1 != 0;
                    self.hub.seen.note(Seen::VoiceSpeaking { guild, speaking });
                }
                Next::Nothing
            }
            (Some(23), true) => {
                let transition = transition(data);
                self.room(|room| room.dave(|group, now| group.ready(transition, now)))
            }
            (Some(31), true) => {
                if let Some(guild) = self.guild() {
                    self.hub.seen.note(Seen::DaveInvalid {
                        guild,
                        transition: transition(data),
                    });
                }
                Next::Nothing
            }
            (Some(1 | 5 | 23 | 31), false) => Next::End(End::Close(4003)),
            (Some(_), _) => Next::End(End::Close(4001)),
            (None, _) => Next::End(End::Close(4002)),
        }
    }

    /// Key packages and commits of DAVE.
    fn binary(&self, bytes: &[u8]) -> Next {
        match bytes.split_first() {
            _ if self.carried.is_none() => Next::End(End::Close(4003)),
            Some((26, package)) => self.room(|room| room.dave(|group, now| group.key_package(package, now))),
            Some((28, commit)) => self.room(|room| room.dave(|group, now| group.commit(commit, now))),
            Some(_) => Next::End(End::Close(4001)),
            None => Next::End(End::Close(4002)),
        }
    }

    /// Does something in the room that this connection carries, if it still does.
    fn room(&self, act: impl FnOnce(&mut Room)) -> Next {
        if let Some(carried) = &self.carried
            && let Some(room) = self.hub.voice.state().rooms.get_mut(&carried.guild)
            && room.connection == carried.number
        {
            act(room);
        }
        Next::Nothing
    }

    fn guild(&self) -> Option<GuildId> {
        self.carried.as_ref().map(|c| c.guild)
    }

    /// The room that the credentials in `data` open, if they do on this server.
    fn enter<R>(&self, data: &Value, enter: impl FnOnce(&mut Room) -> R) -> Result<(GuildId, R), u16> {
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        let guild: GuildId = text("server_id").parse().map_err(|_| 4011_u16)?;
        let mut state = self.hub.voice.state();
        let room = state.rooms.get_mut(&guild).ok_or(4011_u16)?;
        if room.token != text("token") {
            return Err(4004);
        }
        if room.session != text("session_id") || room.invalid || room.server != self.server {
            return Err(4006);
        }
        Ok((guild, enter(room)))
    }

    fn identify(&mut self, data: &Value) -> Next {
        let bot = self.hub.world(|w| w.bot().to_string());
        if data["user_id"].as_str() != Some(bot.as_str()) {
            return Next::End(End::Close(4004));
        }
        let speaks_dave = data["max_dave_protocol_version"].as_u64().unwrap_or(0) > 0;
        if self.hub.config.dave.is_some() && !speaks_dave {
            return Next::End(End::Close(4017));
        }
        let entered = self.enter(data, |room| {
            let (number, out) = room.connect();
            room.expect_media(Mode::Aes256Gcm);
            let others: Vec<String> = room.speakers.keys().map(ToString::to_string).collect();
            (number, out, room.bot_ssrc, others)
        });
        let (guild, (number, out, ssrc, others)) = match entered {
            Ok(entered) => entered,
            Err(code) => return Next::End(End::Close(code)),
        };
        self.carried = Some(Carried { guild, number, out });
        self.hub.seen.note(Seen::VoiceIdentified { guild });
        let port = self
            .hub
            .voice
            .udp(self.server)
            .and_then(|s| s.local_addr().ok())
            .map_or(0, |a| a.port());
        let modes = [Mode::Aes256Gcm.name(), Mode::XChaCha20Poly1305.name()];
        let modes = self
            .hub
            .config
            .voice_mode
            .map_or(modes.to_vec(), |only| vec![only.name()]);
        let ready =
            json!({ "ssrc": ssrc, "ip": "127.0.0.1", "port": port, "modes": modes, "experiments": [] });
        let mut messages = vec![op(2, &ready)];
        if !others.is_empty() {
            messages.push(op(11, &json!({ "user_ids": others })));
        }
        Next::Send(messages)
    }

    fn select(&mut self, data: &Value) -> Next {
        let Some(guild) = self.guild() else {
            return Next::End(End::Close(4003));
        };
        if data["protocol"] != "udp" {
            return Next::End(End::Close(4012));
        }
        let Some(mode) = Mode::named(data["data"]["mode"].as_str().unwrap_or_default()) else {
            return Next::End(End::Close(4016));
        };
        let key: [u8; 32] = rand::rng().random();
        let version = {
            let mut state = self.hub.voice.state();
            let Some(room) = state.rooms.get_mut(&guild) else {
                return Next::End(End::Close(4011));
            };
            room.described(mode, key);
            room.greet()
        };
        self.hub.seen.note(Seen::VoiceDescribed { guild, mode });
        let description = json!({ "mode": mode.name(), "secret_key": key, "audio_codec": "opus", "dave_protocol_version": version });
        Next::Send(vec![op(4, &description)])
    }

    fn resume(&mut self, data: &Value) -> Next {
        let entered = self.enter(data, |room| {
            let known = room.media.as_ref().is_some_and(|m| m.peer.is_some());
            let connected = known.then(|| room.connect());
            // What was under way is lost with the old socket: this version of the gateway repeats nothing.
            let encrypts = room
                .group
                .as_ref()
                .is_some_and(|g| g.version() > 0 && !g.settled());
            if encrypts && connected.is_some() {
                room.dave(Group::restart);
            }
            connected
        });
        match entered {
            Ok((guild, Some((number, out)))) => {
                self.carried = Some(Carried { guild, number, out });
                self.hub.seen.note(Seen::VoiceResumed { guild });
                Next::Send(vec![op(9, &Value::Null)])
            }
            Ok((_, None)) => Next::End(End::Close(4006)),
            Err(code) => Next::End(End::Close(code)),
        }
    }
}

impl Drop for Connection {
    /// The room forgets the connection, unless it has another by now.
    fn drop(&mut self) {
        let Some(carried) = &self.carried else { return };
        let mut state = self.hub.voice.state();
        if let Some(room) = state.rooms.get_mut(&carried.guild)
            && room.connection == carried.number
        {
            room.out = None;
        }
    }
}

/// The number of a transition that a message is about.
fn transition(data: &Value) -> u16 {
    data["transition_id"]
        .as_u64()
        .and_then(|n| u16::try_from(n).ok())
        .unwrap_or(0)
}

/// What the room tells next; never, while there is none.
async fn told(carried: &mut Option<Carried>) -> Option<Out> {
    match carried {
        Some(carried) => carried.out.recv().await,
        None => std::future::pending().await,
    }
}
