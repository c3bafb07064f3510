//! Whose stream is whose, and what of it may be decoded: a packet of somebody who is not heard is not looked into.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use goobster_core::health::{FrameKind, HealthEvent};
use goobster_core::ids::UserId;

use super::frame;
use super::link::Packet;
use super::seat::{Decoded, Feed, Stream};

/// SSRCs remembered at most: far more than members fit into a channel.
const STREAMS: usize = 512;

/// The streams of a call.
#[derive(Default)]
pub(super) struct Streams {
    /// Where the sound of everybody who is heard goes.
    heard: HashMap<UserId, Feed>,
    /// Whose each SSRC is.
    owners: HashMap<u32, UserId>,
    /// A decoder an SSRC.
    decoders: HashMap<u32, Stream>,
}

impl Streams {
    /// An SSRC is somebody's from now on.
    pub(super) fn announced(&mut self, ssrc: u32, user: UserId) {
        if self.owners.len() >= STREAMS {
            self.owners.clear();
        }
        // A member who came back has a new stream, and the old one may be somebody else's later.
        self.owners.retain(|_, owner| *owner != user);
        self.owners.insert(ssrc, user);
    }

    /// A member left: their SSRC is nobody's until it is announced again.
    pub(super) fn left(&mut self, user: UserId) {
        self.owners.retain(|_, owner| *owner != user);
    }

    /// A member is heard from now on; where their sound will be.
    pub(super) fn hear(&mut self, user: UserId) -> Feed {
        self.forget_decoders(user);
        let feed = Feed::default();
        self.heard.insert(user, feed.clone());
        feed
    }

    /// A member is not heard any more. What was decoded and not taken yet goes with it.
    pub(super) fn drop(&mut self, user: UserId) {
        if let Some(feed) = self.heard.remove(&user) {
            feed.clear();
        }
        self.forget_decoders(user);
    }

    fn forget_decoders(&mut self, user: UserId) {
        let owners = &self.owners;
        self.decoders.retain(|ssrc, _| owners.get(ssrc) != Some(&user));
    }

    /// The link begins anew, and so do all streams.
    pub(super) fn begin_anew(&mut self) {
        self.owners.clear();
        self.decoders.clear();
    }

    /// Whether somebody is heard.
    pub(super) fn hears(&self, user: UserId) -> bool {
        self.heard.contains_key(&user)
    }

    /// Everybody who is heard.
    pub(super) fn everybody(&self) -> Vec<UserId> {
        self.heard.keys().copied().collect()
    }

    /// Decodes 20 ms of a stream if it may be decoded; what there is to tell of it.
    pub(super) fn packet(&mut self, packet: &Packet) -> Vec<HealthEvent> {
        let Some(who) = self.owners.get(&packet.ssrc).copied() else {
            return vec![HealthEvent::Unknown];
        };
        let Some(feed) = self.heard.get(&who) else {
            return Vec::new();
        };
        if self.decoders.len() >= STREAMS {
            self.decoders.clear();
        }
        let stream = match self.decoders.entry(packet.ssrc) {
            Entry::Occupied(stream) => stream.into_mut(),
            Entry::Vacant(place) => match Stream::new(feed.clone()) {
                Ok(stream) => place.insert(stream),
                Err(error) => {
                    tracing::error!(%error, "no decoder could be made");
                    return Vec::new();
                }
            },
        };
        let mut told = Vec::new();
        if let Some(data) = &packet.data {
            let packets = stream.skipped(data.sequence);
            if packets > 0 {
                told.push(HealthEvent::Skipped { who, packets });
            }
        }
        let decoded = match &packet.data {
            None => stream.decode(None, false),
            Some(data) => match frame::opus_frame(&data.payload, data.start, data.end, data.extension) {
                Ok(frame) => stream.decode(Some(frame), false),
                Err(error) => {
                    tracing::debug!(%error, "a packet without a frame");
                    stream.decode(None, true)
                }
            },
        };
        let kind = match decoded {
            Decoded::Voice => FrameKind::Voice,
            Decoded::Silence => FrameKind::Silence,
            Decoded::Concealed => FrameKind::Concealed,
            Decoded::Undecodable => FrameKind::Undecodable,
        };
        told.push(HealthEvent::Frame { who, kind });
        told
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::converse::source::Source as _;
    use crate::discord::call::link::PacketData;
    use crate::discord::call::seat::Member;

    const ANN: UserId = UserId::new(1);
    const BEN: UserId = UserId::new(2);

    /// A frame of a tone, as a client sends it.
    fn voice(sequence: u16) -> PacketData {
        let mut encoder =
            opus2::Encoder::new(48_000, opus2::Channels::Mono, opus2::Application::Voip).unwrap();
        let tone: Vec<i16> = (0..960i16).map(|n| (n % 96 - 48) * 300).collect();
        let frame = encoder.encode_vec(&tone, 400).unwrap();
        PacketData {
            start: 0,
            end: frame.len(),
            extension: false,
            sequence,
            payload: Bytes::from(frame),
        }
    }

    fn packet(ssrc: u32, sequence: u16) -> Packet {
        Packet {
            ssrc,
            data: Some(voice(sequence)),
        }
    }

    /// Samples that are no digital silence; a source stands silence in for what is not there.
    fn waiting(feed: &Feed) -> usize {
        let mut sound = Vec::new();
        Member::new(String::new(), feed.clone()).pull(0, false, 0, &mut sound);
        sound.iter().filter(|s| **s != 0.0).count()
    }

    #[test]
    fn a_member_who_opted_out_leaves_no_decoded_frame() {
        let mut streams = Streams::default();
        streams.announced(10, ANN);
        streams.announced(20, BEN);
        let ann = streams.hear(ANN);
        let ben = streams.hear(BEN);
        for n in 0..3 {
            streams.packet(&packet(10, n));
            streams.packet(&packet(20, n));
        }
        // Ben opts out: what waited is gone, and nothing of him is decoded any more.
        streams.drop(BEN);
        assert!(!streams.decoders.contains_key(&20));
        for n in 3..6 {
            assert_eq!(streams.packet(&packet(20, n)), []);
            assert!(!streams.packet(&packet(10, n)).is_empty());
        }
        assert!(!streams.decoders.contains_key(&20) && !streams.hears(BEN));
        assert_eq!(waiting(&ben), 0);
        assert!(waiting(&ann) > 0);
        // Nor is it when his stream is announced anew.
        streams.announced(21, BEN);
        assert_eq!(streams.packet(&packet(21, 0)), []);
        assert!(!streams.decoders.contains_key(&21));
    }

    #[test]
    fn sound_of_nobody_known_is_never_decoded() {
        let mut streams = Streams::default();
        streams.hear(ANN);
        assert_eq!(streams.packet(&packet(10, 0)), [HealthEvent::Unknown]);
        assert!(streams.decoders.is_empty());
        streams.announced(10, ANN);
        assert_eq!(streams.packet(&packet(10, 1)).len(), 1);
        streams.left(ANN);
        assert_eq!(streams.packet(&packet(10, 2)), [HealthEvent::Unknown]);
    }

    #[test]
    fn a_flood_of_streams_is_bounded() {
        let mut streams = Streams::default();
        for n in 0..2_000 {
            let user = UserId::new(u64::from(n) + 100);
            streams.hear(user);
            streams.announced(n, user);
            streams.packet(&Packet { ssrc: n, data: None });
        }
        assert!(streams.owners.len() <= STREAMS && streams.decoders.len() <= STREAMS);
    }
}
