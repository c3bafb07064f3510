//! The link to Discord's voice server: joining, leaving, and what songbird tells.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::session::PartError;
use songbird::driver::DecodeMode;
use songbird::driver::retry::{ExponentialBackoff, Retry, Strategy};
use songbird::events::context_data::DisconnectReason;
use songbird::{CoreEvent, Event, EventContext, EventHandler, Songbird};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// How long one attempt to join may take. Half of it is serenity's queue (0.5 s) and the gateway's answer.
const JOIN: Duration = Duration::from_secs(8);

/// How long Discord may take to say that the bot has left.
const LEAVE: Duration = Duration::from_secs(1);

/// What songbird tells the call.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// This SSRC is this member's from now on.
    Speaking {
        /// The stream.
        ssrc: u32,
        /// Whose it is.
        user: UserId,
    },
    /// The voice server accepted us, at first or again.
    Connected,
    /// songbird has given up on the voice server; the code that it closed with, if it did.
    Lost(Option<u16>),
    /// 20 ms of everybody's packets.
    Tick(Vec<Packet>),
}

/// One stream's packet of a tick.
#[derive(Debug)]
pub(crate) struct Packet {
    /// The stream.
    pub(crate) ssrc: u32,
    /// Its packet; `None` when it was lost.
    pub(crate) data: Option<PacketData>,
}

/// A packet as songbird hands it over.
#[derive(Debug)]
pub(crate) struct PacketData {
    /// The RTP payload.
    pub(crate) payload: Bytes,
    /// Where songbird says that the body begins.
    pub(crate) start: usize,
    /// And where it ends.
    pub(crate) end: usize,
    /// Whether a header extension precedes the frame.
    pub(crate) extension: bool,
    /// The packet's number in its stream.
    pub(crate) sequence: u16,
}

/// songbird, as Goobster uses it: packets decrypted but not decoded, with the smallest jitter buffer, and few retries of
/// its own (the call decides what a lost link means).
pub(crate) fn songbird() -> Arc<Songbird> {
    let backoff = ExponentialBackoff {
        min: Duration::from_millis(250).into(),
        max: Duration::from_secs(1).into(),
        jitter: 0.2,
    };
    let retry = Retry {
        strategy: Strategy::Backoff(backoff),
        retry_limit: NonZeroU8::new(2),
    };
    let config = songbird::Config::default()
        .decode_mode(DecodeMode::Decrypt)
        .playout_buffer_length(NonZeroU8::MIN)
        .driver_retry(retry)
        .driver_timeout(Some(Duration::from_secs(3)))
        .gateway_timeout(Some(Duration::from_secs(5)));
    Songbird::serenity_from_config(config)
}

/// One guild's link.
#[derive(Clone)]
pub(crate) struct Link {
    songbird: Arc<Songbird>,
    guild: GuildId,
    events: mpsc::Sender<LinkEvent>,
}

impl Link {
    /// A link that is not joined; what happens on it is told on `events`.
    pub(crate) fn new(songbird: Arc<Songbird>, guild: GuildId, events: mpsc::Sender<LinkEvent>) -> Self {
        Self {
            songbird,
            guild,
            events,
        }
    }

    fn id(&self) -> serenity::all::GuildId {
        serenity::all::GuildId::new(self.guild.get())
    }

    /// The call of songbird's that plays sound.
    pub(crate) fn call(&self) -> Arc<Mutex<songbird::Call>> {
        self.songbird.get_or_insert(self.id())
    }

    /// Joins a channel.
    ///
    /// # Errors
    /// Discord's or the voice server's refusal, or no answer in time.
    pub(crate) async fn join(&self, channel: ChannelId) -> Result<(), PartError> {
        {
            let call = self.call();
            let mut call = call.lock().await;
            // Joining again must not tell everything twice.
            call.remove_all_global_events();
            let heard = Ears(self.events.clone());
            for event in [
                CoreEvent::SpeakingStateUpdate,
                CoreEvent::VoiceTick,
                CoreEvent::DriverConnect,
                CoreEvent::DriverReconnect,
                CoreEvent::DriverDisconnect,
            ] {
                call.add_global_event(Event::Core(event), heard.clone());
            }
        }
        let channel = serenity::all::ChannelId::new(channel.get());
        match timeout(JOIN, self.songbird.join(self.id(), channel)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(PartError::caused(
                "Discord's voice server did not let me in",
                error,
            )),
            Err(_) => Err(PartError::new("Discord's voice server did not answer in time")),
        }
    }

    /// Leaves for good: songbird forgets the call.
    pub(crate) async fn leave(&self) {
        match timeout(LEAVE, self.songbird.remove(self.id())).await {
            Ok(Ok(()) | Err(songbird::error::JoinError::NoCall)) => {}
            Ok(Err(error)) => tracing::warn!(guild = %self.guild, %error, "leaving the voice channel"),
            Err(_) => tracing::warn!(guild = %self.guild, "leaving the voice channel takes too long"),
        }
    }

    /// Leaves the channel, but keeps the call and what it plays: for coming back.
    pub(crate) async fn step_out(&self) {
        let call = self.call();
        let mut call = call.lock().await;
        if let Err(error) = call.leave().await {
            tracing::debug!(guild = %self.guild, %error, "stepping out of the voice channel");
        }
    }
}

#[derive(Clone)]
struct Ears(mpsc::Sender<LinkEvent>);

#[serenity::async_trait]
impl EventHandler for Ears {
    async fn act(&self, context: &EventContext<'_>) -> Option<Event> {
        let event = match context {
            EventContext::SpeakingStateUpdate(speaking) => LinkEvent::Speaking {
                ssrc: speaking.ssrc,
                user: UserId::new(speaking.user_id?.0),
            },
            EventContext::VoiceTick(tick) => {
                let packets: Vec<Packet> = tick
                    .speaking
                    .iter()
                    .map(|(ssrc, voice)| Packet {
                        ssrc: *ssrc,
                        data: voice.packet.as_ref().map(data),
                    })
                    .collect();
                if packets.is_empty() {
                    return None;
                }
                LinkEvent::Tick(packets)
            }
            EventContext::DriverConnect(_) | EventContext::DriverReconnect(_) => LinkEvent::Connected,
            EventContext::DriverDisconnect(lost) => match lost.reason {
                // We asked for it, or another attempt is under way.
                None | Some(DisconnectReason::Requested | DisconnectReason::AttemptDiscarded) => return None,
                Some(DisconnectReason::WsClosed(code)) => LinkEvent::Lost(code.map(|code| code as u16)),
                Some(_) => LinkEvent::Lost(None),
            },
            _ => return None,
        };
        // A call that is seconds behind loses packets rather than holding songbird up; its other news wait for a place.
        if matches!(event, LinkEvent::Tick(_)) {
            if self.0.try_send(event).is_err() {
                tracing::debug!("a tick of packets was dropped: the call is behind");
            }
        } else {
            let _ = self.0.send(event).await;
        }
        None
    }
}

fn data(packet: &songbird::events::context_data::RtpData) -> PacketData {
    use songbird::packet::Packet as _;
    let rtp = packet.rtp();
    let header = packet.packet.len() - rtp.payload().len();
    PacketData {
        payload: packet.packet.slice(header..),
        start: packet.payload_offset,
        end: packet.payload_end_pad,
        extension: rtp.get_extension() != 0,
        sequence: rtp.get_sequence().into(),
    }
}
