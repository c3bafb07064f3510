//! A room: one guild's voice channel with the bot in it, who else is there, and how packets get to the bot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::VoiceFault;
use super::dave::Group;
use super::rtp::{Cipher, Header, Mode};
use crate::recorded::Recorded;
use crate::world::{ChannelId, GuildId, UserId};

/// Messages that wait for a slow client.
pub(super) const MAX_WAITING: usize = 1_024;
/// Samples of a frame of 20 ms at 48 kHz.
const FRAME_SAMPLES: u32 = 960;

/// What a voice gateway connection is told to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Out {
    /// Send this.
    Text(String),
    /// Send this.
    Binary(Vec<u8>),
    /// Act on this.
    Fault(VoiceFault),
}

/// How the network treats packets in one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// The share of packets that are lost, from 0 to 1.
    pub loss: f64,
    /// Packets come up to this much later, each by chance: they overtake each other.
    pub jitter: Duration,
    /// Where chance comes from.
    pub seed: u64,
}

/// A network that loses, delays and reorders by chance.
#[derive(Debug)]
struct Network {
    impairment: Impairment,
    chance: StdRng,
}

impl Network {
    fn new(impairment: Impairment) -> Self {
        Self {
            impairment,
            chance: StdRng::seed_from_u64(impairment.seed),
        }
    }

    /// How much later a packet arrives; none if it never does.
    fn pass(&mut self) -> Option<Duration> {
        let lost = self.chance.random_bool(self.impairment.loss.clamp(0.0, 1.0));
        // Drawn even for lost packets, so that one fate does not shift all others.
        let late = self.impairment.jitter.mul_f64(self.chance.random::<f64>());
        (!lost).then_some(late)
    }
}

/// Somebody else in the channel.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) ssrc: u32,
    sequence: u16,
    timestamp: u32,
    last_sent: Option<Instant>,
    /// Whether the bot has been told whose this SSRC is.
    announced: bool,
}

/// What the bot's packets need.
pub(super) struct Media {
    cipher: Cipher,
    nonce: u32,
    pub(super) peer: Option<SocketAddr>,
}

/// A packet on its way.
pub(super) struct Departing {
    pub(super) bytes: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) late: Duration,
}

/// The room.
pub(super) struct Room {
    pub(super) channel: ChannelId,
    /// The bot's gateway session and the secret for the voice server.
    pub(super) session: String,
    pub(super) token: String,
    /// Which voice server carries it.
    pub(super) server: usize,
    pub(super) bot_ssrc: u32,
    /// Set by the bot's voice connection, kept while it resumes.
    pub(super) media: Option<Media>,
    pub(super) out: Option<mpsc::Sender<Out>>,
    /// Grows with each connection.
    pub(super) connection: u64,
    pub(super) speakers: BTreeMap<UserId, Speaker>,
    /// No packet passes in either direction.
    pub(super) black_hole: bool,
    /// The bot may not go on with this session.
    pub(super) invalid: bool,
    down: Option<Network>,
    up: Option<Network>,
    next_ssrc: u32,
    /// Set where frames are encrypted from end to end.
    pub(super) group: Option<Group>,
    /// Members whose frames arrive as nonsense.
    pub(super) garbled: BTreeSet<UserId>,
    /// Frames of the bot that nobody can read yet.
    pub(super) held: VecDeque<(Duration, Header, Vec<u8>)>,
    pub(super) guild: GuildId,
    pub(super) seen: Arc<Recorded>,
}

/// What a room begins with.
pub(super) struct Opening<'a> {
    pub(super) guild: GuildId,
    pub(super) channel: ChannelId,
    /// The bot's gateway session.
    pub(super) session: &'a str,
    pub(super) token: String,
    pub(super) server: usize,
    pub(super) ssrc: u32,
    pub(super) group: Option<Group>,
    pub(super) seen: Arc<Recorded>,
}

impl Room {
    pub(super) fn new(opening: Opening<'_>) -> Self {
        let Opening {
            guild,
            channel,
            session,
            token,
            server,
            ssrc,
            group,
            seen,
        } = opening;
        Self {
            group,
            garbled: BTreeSet::new(),
            held: VecDeque::new(),
            guild,
            seen,
            channel,
            session: session.to_owned(),
            token,
            server,
            bot_ssrc: ssrc,
            media: None,
            out: None,
            connection: 0,
            speakers: BTreeMap::new(),
            black_hole: false,
            invalid: false,
            down: None,
            up: None,
            next_ssrc: ssrc + 1,
        }
    }

    /// Tells the bot's voice connection something, if there is one.
    pub(super) fn tell(&mut self, out: Out) -> bool {
        let sent = self.out.as_ref().is_some_and(|o| o.try_send(out).is_ok());
        if !sent {
            self.out = None;
        }
        sent
    }

    /// Who else is in the channel now; the bot is told who came and who went.
    pub(super) fn set_others(&mut self, others: &[UserId]) {
        let gone: Vec<UserId> = self
            .speakers
            .keys()
            .filter(|u| !others.contains(u))
            .copied()
            .collect();
        for user in gone {
            self.speakers.remove(&user);
            self.tell(Out::Text(op(13, &json!({ "user_id": user }))));
            self.dave(|group, now| group.remove(user, now));
        }
        let came: Vec<UserId> = others
            .iter()
            .filter(|u| !self.speakers.contains_key(u))
            .copied()
            .collect();
        for user in &came {
            let ssrc = self.next_ssrc;
            self.next_ssrc += 1;
            let speaker = Speaker {
                ssrc,
                sequence: ssrc as u16,
                timestamp: ssrc,
                last_sent: None,
                announced: false,
            };
            self.speakers.insert(*user, speaker);
        }
        if !came.is_empty() {
            self.tell(Out::Text(op(11, &json!({ "user_ids": came }))));
        }
        for user in came {
            self.dave(|group, now| group.add(user, now));
        }
    }

    /// A new voice connection, or one that goes on, will be told this.
    pub(super) fn connect(&mut self) -> (u64, mpsc::Receiver<Out>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        self.out = Some(sender);
        self.connection += 1;
        (self.connection, receiver)
    }

    /// After the keys were agreed on: who is there.
    pub(super) fn described(&mut self, mode: Mode, key: [u8; 32]) {
        let peer = self.media.as_ref().and_then(|m| m.peer);
        self.media = Some(Media {
            cipher: Cipher::new(mode, key),
            nonce: 0,
            peer,
        });
        for speaker in self.speakers.values_mut() {
            speaker.announced = false;
        }
    }

    /// The voice connection found its address on the way through the network.
    pub(super) fn discovered(&mut self, peer: SocketAddr) {
        if let Some(media) = &mut self.media {
            media.peer = Some(peer);
        }
    }

    /// Before the keys are agreed on there is nothing but the address.
    pub(super) fn expect_media(&mut self, mode: Mode) {
        self.media = Some(Media {
            cipher: Cipher::new(mode, [0; 32]),
            nonce: 0,
            peer: None,
        });
    }

    pub(super) fn impair(&mut self, down: Option<Impairment>, up: Option<Impairment>) {
        self.down = down.map(Network::new);
        self.up = up.map(Network::new);
    }

    /// Puts a frame of `user` into a packet for the bot. None if it is lost, or nobody is there to get it.
    pub(super) fn send_frame(&mut self, user: UserId, frame: &[u8], now: Instant) -> Option<Departing> {
        let frame = self.encrypt(user, frame)?;
        let speaker = self.speakers.get_mut(&user)?;
        let quiet = speaker
            .last_sent
            .map_or(Duration::ZERO, |at| now.duration_since(at));
        // Timestamps go on while nobody speaks.
        let frames = (quiet.as_millis() / 20).max(1) as u32;
        let frames = if quiet > Duration::from_millis(200) {
            frames
        } else {
            1
        };
        speaker.timestamp = speaker.timestamp.wrapping_add(FRAME_SAMPLES.wrapping_mul(frames));
        speaker.sequence = speaker.sequence.wrapping_add(1);
        speaker.last_sent = Some(now);
        let header = Header {
            sequence: speaker.sequence,
            timestamp: speaker.timestamp,
            ssrc: speaker.ssrc,
        };
        let announce = !speaker.announced;
        let ssrc = speaker.ssrc;
        let to = self.media.as_ref()?.peer?;
        if announce {
            let told = self.tell(Out::Text(speaking(user, ssrc)));
            if let Some(speaker) = self.speakers.get_mut(&user) {
                speaker.announced = told;
            }
        }
        let media = self.media.as_mut()?;
        media.nonce = media.nonce.wrapping_add(1);
        let bytes = media.cipher.seal(header, &frame, media.nonce).ok()?;
        let late = self.down.as_mut().map_or(Some(Duration::ZERO), Network::pass)?;
        (!self.black_hole).then_some(Departing { bytes, to, late })
    }

    /// What a packet of the bot holds; none if it is lost or no packet of its.
    pub(super) fn receive(&mut self, packet: &[u8]) -> Option<(Header, Vec<u8>)> {
        self.up.as_mut().map_or(Some(Duration::ZERO), Network::pass)?;
        if self.black_hole {
            return None;
        }
        let (header, frame) = self.media.as_ref()?.cipher.open(packet).ok()?;
        (header.ssrc == self.bot_ssrc).then_some((header, frame))
    }
}

/// A message of the voice gateway: the opcode first, where clients look for it.
pub(super) fn op(code: u8, data: &Value) -> String {
    format!(r#"{{"op":{code},"d":{data}}}"#)
}

/// Whose an SSRC is.
fn speaking(user: UserId, ssrc: u32) -> String {
    op(
        5,
        &json!({ "speaking": 1, "delay": 0, "ssrc": ssrc, "user_id": user }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(seed: u64) -> Vec<Option<Duration>> {
        let mut network = Network::new(Impairment {
            loss: 0.05,
            jitter: Duration::from_millis(40),
            seed,
        });
        (0..10_000).map(|_| network.pass()).collect()
    }

    #[test]
    fn a_network_loses_and_delays_as_told_and_repeats_itself() {
        let fates = passed(3);
        let lost = fates.iter().filter(|f| f.is_none()).count();
        assert!((400..600).contains(&lost), "{lost} of 10000 at 5 %");
        let late: Vec<Duration> = fates.iter().flatten().copied().collect();
        assert!(late.iter().all(|l| *l <= Duration::from_millis(40)));
        let mean = late.iter().sum::<Duration>() / late.len() as u32;
        assert!(
            (Duration::from_millis(19)..Duration::from_millis(21)).contains(&mean),
            "{mean:?}"
        );
        assert_eq!(fates, passed(3));
        assert_ne!(fates, passed(4));
    }

    #[test]
    fn a_member_who_comes_back_has_another_ssrc() {
        let (a, b) = (UserId::new(1).unwrap(), UserId::new(2).unwrap());
        let mut room = Room::new(Opening {
            guild: GuildId::new(8).unwrap(),
            channel: ChannelId::new(9).unwrap(),
            session: "s",
            token: "t".into(),
            server: 0,
            ssrc: 100,
            group: None,
            seen: Arc::new(Recorded::new()),
        });
        let (_, mut told) = room.connect();
        room.set_others(&[a, b]);
        let first = room.speakers[&a].ssrc;
        room.set_others(&[b]);
        room.set_others(&[a, b]);
        assert_ne!(first, room.speakers[&a].ssrc);
        let ops: Vec<String> = std::iter::from_fn(|| told.try_recv().ok())
            .map(|o| match o {
                Out::Text(text) => text,
                other @ (Out::Fault(_) | Out::Binary(_)) => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            ops,
            [
                r#"{"op":11,"d":{"user_ids":["1","2"]}}"#,
                r#"{"op":13,"d":{"user_id":"1"}}"#,
                r#"{"op":11,"d":{"user_ids":["1"]}}"#
            ]
        );
    }
}
