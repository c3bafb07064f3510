//! Packets: how the bot finds its address, and what it says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::{MAX_FRAMES, Voice};
use crate::hub::Hub;
use crate::recorded::Seen;
use crate::world::GuildId;

/// Bytes of a request for one's address, and of the answer.
const DISCOVERY: usize = 74;
/// Bytes of a packet that keeps the way open; it is echoed.
const KEEPALIVE: usize = 8;
/// No packet is longer.
const MAX_PACKET: usize = 2_048;
/// After a break this long the bot begins to speak anew.
const BREAK: Duration = Duration::from_millis(200);

pub(super) async fn receive(hub: Arc<Hub>, socket: Arc<UdpSocket>, server: usize) {
    let mut buffer = [0; MAX_PACKET];
    loop {
        let received = tokio::select! {
            () = hub.stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // An error is a message from the network that an earlier packet did not arrive.
        let Ok((length, from)) = received else { continue };
        let packet = &buffer[..length];
        let answer = match length {
            DISCOVERY => hub.voice.discover(packet, from, server),
            KEEPALIVE => Some(packet.to_vec()),
            _ => {
                if let Some((guild, began)) = hub.voice.hear(packet, from, server, hub.seen.elapsed())
                    && began
                {
                    hub.seen.note(Seen::BotSpeaks { guild });
                }
                None
            }
        };
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

impl Voice {
    /// Answers a request for one's address. Nothing is answered to those who are in no room, or in a black hole.
    fn discover(&self, packet: &[u8], from: SocketAddr, server: usize) -> Option<Vec<u8>> {
        let (kind, rest) = packet.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (ssrc, _) = rest.split_first_chunk::<4>()?;
        if u16::from_be_bytes(*kind) != 1 || u16::from_be_bytes(*length) != 70 {
            return None;
        }
        let mut state = self.state();
        let number = u32::from_be_bytes(*ssrc);
        let room = state
            .rooms
            .values_mut()
            .find(|r| r.bot_ssrc == number && r.server == server)?;
        if room.black_hole {
            return None;
        }
        room.discovered(from);
        let mut answer = Vec::with_capacity(DISCOVERY);
        answer.extend(2_u16.to_be_bytes());
        answer.extend(70_u16.to_be_bytes());
        answer.extend(ssrc);
        answer.extend(from.ip().to_string().as_bytes());
        answer.resize(DISCOVERY - 2, 0);
        answer.extend(from.port().to_be_bytes());
        Some(answer)
    }

    /// Keeps what the bot says; tells in which guild, and whether it had been quiet before.
    fn hear(&self, packet: &[u8], from: SocketAddr, server: usize, at: Duration) -> Option<(GuildId, bool)> {
        let mut state = self.state();
        let mine =
            |r: &super::Room| r.server == server && r.media.as_ref().is_some_and(|m| m.peer == Some(from));
        let (guild, room) = state.rooms.iter_mut().find(|(_, r)| mine(r))?;
        let guild = *guild;
        let heard = room.hear(packet, at)?;
        let frames = state.frames.entry(guild).or_default();
        let began = heard
            .first()
            .is_some_and(|f| frames.last().is_none_or(|l| f.at.saturating_sub(l.at) > BREAK));
        let room_left = MAX_FRAMES.saturating_sub(frames.len());
        frames.extend(heard.into_iter().take(room_left));
        Some((guild, began))
    }
}
