//! The bot's voice: songbird joins, plays, and hands over what it received.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use serenity::all::{ChannelId, GuildId};
use serenity::async_trait;
use songbird::driver::DecodeMode;
use songbird::input::Input;
use songbird::packet::Packet;
use songbird::{Config, CoreEvent, Event, EventContext, EventHandler, Songbird};

use crate::bot::report;
use crate::sound::{dca, pitch, tone};

/// What ends a frame that DAVE encrypted; the byte before it tells how long the trailer is.
const DAVE_MARKER: [u8; 2] = [0xFA, 0xFA];

/// What was heard of each SSRC.
#[derive(Clone, Default)]
pub(crate) struct Ear {
    inner: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    users: HashMap<u32, u64>,
    frames: HashMap<u32, Vec<Vec<u8>>>,
    lost: HashMap<u32, usize>,
}

impl Ear {
    /// By user: frames, losses and the pitch since it was last asked.
    pub(crate) fn heard(&self) -> Value {
        let mut heard = self.inner.lock().unwrap();
        let all = std::mem::take(&mut heard.frames);
        let lost = std::mem::take(&mut heard.lost);
        let mut by_user = serde_json::Map::new();
        // One who came back has two SSRCs: the one that said more comes last and stays.
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, frames)| frames.len());
        for (ssrc, frames) in all {
            let user = heard
                .users
                .get(&ssrc)
                .map_or("nobody".to_owned(), ToString::to_string);
            let lost = lost.get(&ssrc).copied().unwrap_or(0);
            by_user.insert(
                user,
                json!({ "frames": frames.len(), "lost": lost, "pitch": pitch(&frames) }),
            );
        }
        Value::Object(by_user)
    }
}

#[async_trait]
impl EventHandler for Ear {
    async fn act(&self, ctx: &EventContext<'_>) -> Option<Event> {
        match ctx {
            EventContext::SpeakingStateUpdate(speaking) => {
                if let Some(user) = speaking.user_id {
                    self.inner.lock().unwrap().users.insert(speaking.ssrc, user.0);
                }
                report("speaking", &json!(speaking.user_id.map(|u| u.0.to_string())));
            }
            EventContext::VoiceTick(tick) => {
                let mut heard = self.inner.lock().unwrap();
                for (ssrc, data) in &tick.speaking {
                    let Some(packet) = &data.packet else {
                        *heard.lost.entry(*ssrc).or_default() += 1;
                        continue;
                    };
                    let rtp = packet.rtp();
                    let mut frame = &rtp.payload()[packet.payload_offset..packet.payload_end_pad];
                    // songbird leaves the extension of the header to us.
                    if rtp.get_extension() != 0 {
                        frame = &frame[4 + 4 * usize::from(u16::from_be_bytes([frame[2], frame[3]]))..];
                    }
                    if let [head @ .., trailer, a, b] = frame
                        && [*a, *b] == DAVE_MARKER
                    {
                        frame = &frame[..(head.len() + 3).saturating_sub(usize::from(*trailer))];
                    }
                    heard.frames.entry(*ssrc).or_default().push(frame.to_vec());
                }
            }
            EventContext::ClientDisconnect(gone) => report("gone", &json!(gone.user_id.0.to_string())),
            EventContext::DriverConnect(_) => report("voice", &json!("connected")),
            EventContext::DriverReconnect(_) => report("voice", &json!("reconnected")),
            EventContext::DriverDisconnect(end) => report("voice", &json!(format!("{:?}", end.reason))),
            _ => {}
        }
        None
    }
}

pub(crate) fn songbird() -> Arc<Songbird> {
    Songbird::serenity_from_config(Config::default().decode_mode(DecodeMode::Decrypt))
}

fn id(text: &str) -> u64 {
    text.parse().unwrap()
}

pub(crate) async fn join(songbird: &Arc<Songbird>, ear: &Ear, guild: &str, channel: &str) {
    let call = songbird.get_or_insert(GuildId::new(id(guild)));
    {
        let mut call = call.lock().await;
        call.remove_all_global_events();
        let events = [
            CoreEvent::SpeakingStateUpdate,
            CoreEvent::VoiceTick,
            CoreEvent::ClientDisconnect,
            CoreEvent::DriverConnect,
            CoreEvent::DriverReconnect,
            CoreEvent::DriverDisconnect,
        ];
        for event in events {
            call.add_global_event(event.into(), ear.clone());
        }
    }
    let joined = songbird
        .join(GuildId::new(id(guild)), ChannelId::new(id(channel)))
        .await;
    report("joined", &json!(joined.err().map(|e| e.to_string())));
}

pub(crate) async fn leave(songbird: &Arc<Songbird>, guild: &str) {
    let left = songbird.remove(GuildId::new(id(guild))).await;
    report("left", &json!(left.err().map(|e| e.to_string())));
}

pub(crate) async fn play(songbird: &Arc<Songbird>, guild: &str, hertz: &str, seconds: &str) {
    let frames = tone(hertz.parse().unwrap(), seconds.parse().unwrap());
    let call = songbird.get(GuildId::new(id(guild))).unwrap();
    call.lock().await.play_input(Input::from(dca(&frames)));
    report("playing", &json!(frames.len()));
}
