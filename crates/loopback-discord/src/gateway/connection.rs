//! One gateway connection from HELLO to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::GatewayFault;
use super::requests;
use super::sessions::Out;
use crate::hub::Hub;
use crate::recorded::{Closer, Seen};
use crate::world::event::intent;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Bytes of a message from a client.
const MAX_INCOMING: usize = 4_096;
/// Messages that a client may send in [`RATE_WINDOW`].
const RATE: usize = 120;
const RATE_WINDOW: Duration = Duration::from_mins(1);
/// A client that does not identify or resume by then is closed.
const IDENTIFY_WITHIN: Duration = Duration::from_secs(30);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The bot closed, with a code if it gave one.
    Bot(Option<u16>),
    /// A close frame is sent from here.
    Close(u16),
    /// No close frame.
    Cut,
}

/// A connection that carries a session.
pub(super) struct Carried {
    pub(super) session: String,
    pub(super) out: mpsc::Receiver<Out>,
}

pub(super) async fn run(hub: &Arc<Hub>, stream: TlsStream<TcpStream>) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_INCOMING));
    let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await else {
        return;
    };
    let mut connection = Connection {
        hub: Arc::clone(hub),
        carried: None,
        acknowledges: true,
        last_heartbeat: Instant::now(),
        received: VecDeque::new(),
    };
    let end = connection.carry(&mut socket).await;
    let (code, by) = match end {
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
            // The client's own close frame, so that ours is not lost to a reset.
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.next()).await;
            (Some(code), Closer::Here)
        }
        End::Cut => (None, Closer::Here),
    };
    drop(socket);
    let session = connection.carried.as_ref().map(|c| c.session.clone());
    hub.seen.note(Seen::GatewayClosed { session, code, by });
    if let Some(carried) = connection.carried {
        requests::ended(hub, carried, end);
    }
}

pub(super) struct Connection {
    pub(super) hub: Arc<Hub>,
    pub(super) carried: Option<Carried>,
    acknowledges: bool,
    last_heartbeat: Instant,
    /// When the last messages came, for the rate limit.
    received: VecDeque<Instant>,
}

/// What a message asks for.
pub(super) enum Next {
    Nothing,
    Send(String),
    End(End),
}

impl Connection {
    async fn carry(&mut self, socket: &mut Socket) -> End {
        let interval = self.hub.config.heartbeat;
        let hello = json!({ "heartbeat_interval": interval.as_millis() as u64 });
        if send(socket, op(10, &hello)).await.is_err() {
            return End::Bot(None);
        }
        let begun = Instant::now();
        let stop = self.hub.stop.clone();
        loop {
            let heartbeat_due = self.last_heartbeat + interval.mul_f64(1.5);
            let due = if self.carried.is_some() {
                heartbeat_due
            } else {
                heartbeat_due.min(begun + IDENTIFY_WITHIN)
            };
            let next = tokio::select! {
                () = stop.cancelled() => Next::End(End::Close(1001)),
                () = sleep_until(due) => Next::End(End::Close(4000)),
                told = told(&mut self.carried) => self.told(told),
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.incoming(&text),
                    Some(Ok(Message::Close(frame))) => Next::End(End::Bot(Some(frame.map_or(1005, |f| f.code.into())))),
                    Some(Ok(Message::Binary(_))) => Next::End(End::Close(4002)),
                    Some(Ok(_)) => Next::Nothing,
                    Some(Err(_)) | None => Next::End(End::Bot(None)),
                },
            };
            match next {
                Next::Send(text) if self.acknowledges => {
                    if send(socket, text).await.is_err() {
                        return End::Bot(None);
                    }
                }
                Next::Send(_) | Next::Nothing => {}
                Next::End(end) => return end,
            }
        }
    }

    fn told(&mut self, out: Option<Out>) -> Next {
        match out {
            Some(Out::Text(text)) => Next::Send(text),
            Some(Out::Fault(GatewayFault::Reconnect)) => Next::Send(op(7, &Value::Null)),
            Some(Out::Fault(GatewayFault::InvalidSession(resumable))) => {
                if let Some(carried) = self.carried.take_if(|_| !resumable) {
                    self.hub.seen.note(Seen::SessionInvalid {
                        session: carried.session.clone(),
                    });
                    requests::invalid(&self.hub, &carried.session);
                }
                Next::Send(op(9, &json!(resumable)))
            }
            Some(Out::Fault(GatewayFault::Close(code))) => Next::End(End::Close(code)),
            Some(Out::Fault(GatewayFault::Silence)) => {
                self.acknowledges = false;
                Next::Nothing
            }
            // Without an order: the session went on elsewhere, or the client was too slow.
            Some(Out::Fault(GatewayFault::Cut)) | None => Next::End(End::Cut),
        }
    }

    fn incoming(&mut self, text: &str) -> Next {
        let now = Instant::now();
        self.received.push_back(now);
        while self
            .received
            .front()
            .is_some_and(|at| now.duration_since(*at) > RATE_WINDOW)
        {
            self.received.pop_front();
        }
        if self.received.len() > RATE {
            return Next::End(End::Close(4008));
        }
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return Next::End(End::Close(4002));
        };
        let data = &message["d"];
        match (message["op"].as_u64(), self.carried.is_some()) {
            (Some(1), _) => {
                self.last_heartbeat = now;
                Next::Send(op(11, &Value::Null))
            }
            (Some(2), false) => self.identify(data),
            (Some(6), false) => self.resume(data),
            (Some(2 | 6), true) => Next::End(End::Close(4005)),
            (Some(3), true) => {
                self.hub.seen.note(Seen::Presence);
                Next::Nothing
            }
            (Some(4), true) => self.voice(data),
            (Some(8), true) => self.members(data),
            (Some(3 | 4 | 8), false) => Next::End(End::Close(4003)),
            (Some(_), _) => Next::End(End::Close(4001)),
            (None, _) => Next::End(End::Close(4002)),
        }
    }

    fn identify(&mut self, data: &Value) -> Next {
        if !self.token_is_right(data) {
            return Next::End(End::Close(4004));
        }
        let number = |n: usize| data["shard"][n].as_u64().and_then(|v| u32::try_from(v).ok());
        let shard = if data["shard"].is_null() {
            Some((0, 1))
        } else {
            number(0).zip(number(1))
        };
        let Some(shard) = shard.filter(|(index, count)| index < count) else {
            return Next::End(End::Close(4010));
        };
        let Some(intents) = data["intents"].as_u64().filter(|i| i & !intent::KNOWN == 0) else {
            return Next::End(End::Close(4013));
        };
        if intents & intent::PRIVILEGED & !self.hub.config.granted_intents != 0 {
            return Next::End(End::Close(4014));
        }
        let url = self.hub.gateway_url();
        let hub = Arc::clone(&self.hub);
        let begun = hub.world(|w| {
            hub.sessions
                .begin(w, (shard, intents), &url, std::time::Instant::now())
        });
        match begun {
            Ok((session, out)) => {
                hub.seen.note(Seen::Identified {
                    session: session.clone(),
                    shard,
                    intents,
                });
                self.carried = Some(Carried { session, out });
                Next::Nothing
            }
            Err(_) => Next::Send(op(9, &json!(false))),
        }
    }

    fn resume(&mut self, data: &Value) -> Next {
        if !self.token_is_right(data) {
            return Next::End(End::Close(4004));
        }
        let session = data["session_id"].as_str().unwrap_or_default().to_owned();
        let sequence = data["seq"].as_u64().unwrap_or(u64::MAX);
        let Ok((replayed, out)) = self.hub.sessions.resume(&session, sequence) else {
            requests::leave_voice(&self.hub, &session);
            self.hub.seen.note(Seen::SessionInvalid { session });
            return Next::Send(op(9, &json!(false)));
        };
        self.hub.seen.note(Seen::Resumed {
            session: session.clone(),
            replayed,
        });
        self.carried = Some(Carried { session, out });
        Next::Nothing
    }

    fn token_is_right(&self, data: &Value) -> bool {
        let token = data["token"].as_str().unwrap_or_default();
        token.strip_prefix("Bot ").unwrap_or(token) == self.hub.token()
    }
}

/// What the session is told next; never, while there is none.
async fn told(carried: &mut Option<Carried>) -> Option<Out> {
    match carried {
        Some(carried) => carried.out.recv().await,
        None => std::future::pending().await,
    }
}

/// A message without sequence: the opcode first, where clients look for it.
pub(super) fn op(code: u8, data: &Value) -> String {
    format!(r#"{{"op":{code},"d":{data},"s":null,"t":null}}"#)
}

async fn send(socket: &mut Socket, text: String) -> Result<(), ()> {
    socket.send(Message::text(text)).await.map_err(|_| ())
}
