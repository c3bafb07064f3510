//! The observer: turns what the loopback Discord saw and heard of the bot into the timeline, a look at a time.

use std::collections::HashMap;
use std::time::Duration;

use goobster_audio::opus::SpeechDecoder;
use goobster_core::time::Moment;
use loopback_discord::world::message::Message as Posted;
use loopback_discord::world::{ChannelId, InteractionId, MessageId, World};
use loopback_discord::{Entry, Loopback, Seen};

use super::cast::Cast;
use crate::message::Written;
use crate::timeline::{Caption, Company, Message, Place, Remark, Revision, Sound, Timeline};
use crate::watcher::{Happening, Watcher};

/// Quieter than this nobody hears anything: -55 dB below full scale, as root mean square.
const AUDIBLE: f32 = 0.0018;
/// A pause up to this long belongs to the sound.
const PAUSE: Duration = Duration::from_millis(500);
/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// Entries of the protocol kept.
const PROTOCOL: usize = 5_000;
/// Revisions kept of a message: no message changes more often.
const REVISIONS: usize = 1_000;

/// Where a message of the bot stands in the timeline.
#[derive(Debug, Clone, Copy)]
enum Spot {
    Caption(usize),
    Message(usize),
}

pub(super) struct Observer {
    /// Moment zero on the loopback's clock.
    zero: Duration,
    mark: usize,
    frames: usize,
    decoder: Option<SpeechDecoder>,
    /// By message, and which of the things in it.
    spots: HashMap<(MessageId, usize), Spot>,
    /// A sound that may go on.
    open: Option<Sound>,
    /// Interactions by the number of their request.
    pub(super) asked: HashMap<InteractionId, usize>,
}

impl Observer {
    pub(super) fn new(zero: Duration, mark: usize) -> Self {
        Self {
            zero,
            mark,
            frames: 0,
            decoder: SpeechDecoder::new().ok(),
            spots: HashMap::new(),
            open: None,
            asked: HashMap::new(),
        }
    }

    /// A time of the loopback's clock as a moment.
    pub(super) fn moment(&self, at: Duration) -> Moment {
        Moment::ZERO.after(at.saturating_sub(self.zero))
    }

    /// Looks at what has happened since the last look.
    pub(super) fn look(
        &mut self,
        loopback: &Loopback,
        cast: &Cast,
        timeline: &mut Timeline,
        watcher: &mut dyn Watcher,
    ) {
        let now = self.moment(loopback.recorded().elapsed());
        let entries = loopback.recorded().since(self.mark);
        self.mark += entries.len();
        for (n, entry) in entries.iter().enumerate() {
            // A message that changes twice between two looks is read once, at its last change.
            let again =
                |e: &Entry| message_of(&e.seen).is_some() && message_of(&e.seen) == message_of(&entry.seen);
            if !entries[n + 1..].iter().any(again) {
                self.saw(entry, loopback, cast, timeline, watcher);
            }
        }
        self.hear(loopback, cast, now, timeline, watcher);
        place(loopback, cast, now, timeline, watcher);
    }

    fn saw(
        &mut self,
        entry: &Entry,
        loopback: &Loopback,
        cast: &Cast,
        timeline: &mut Timeline,
        watcher: &mut dyn Watcher,
    ) {
        let at = self.moment(entry.at);
        match &entry.seen {
            Seen::MessageCreated { channel, message } | Seen::MessageEdited { channel, message } => {
                loopback.world(|w| {
                    if let Ok(posted) = w.message(*channel, *message)
                        && posted.author == cast.bot
                    {
                        self.read(posted, w, at, timeline, watcher);
                    }
                });
            }
            Seen::MessageDeleted { message, .. } => {
                for spot in (0..).map_while(|part| self.spots.get(&(*message, part))) {
                    match spot {
                        Spot::Caption(n) => timeline.captions[*n].deleted = Some(at),
                        Spot::Message(n) => timeline.messages[*n].deleted = Some(at),
                    }
                }
            }
            Seen::Answered { interaction, .. } => {
                if let Some(request) = self
                    .asked
                    .get(interaction)
                    .and_then(|n| timeline.requests.get_mut(*n))
                {
                    request.answered.get_or_insert(at);
                }
            }
            Seen::UnknownRoute { method, path } => timeline.strange_requests.push(format!("{method} {path}")),
            Seen::ForeignHost(host) => timeline.strange_requests.push(format!("CONNECT {host}")),
            _ => {}
        }
        let tells = !matches!(
            entry.seen,
            Seen::Rest { status: 200..300, .. }
                | Seen::MessageCreated { .. }
                | Seen::MessageEdited { .. }
                | Seen::MessageDeleted { .. }
                | Seen::VoiceSpeaking { .. }
        );
        if tells && timeline.protocol.len() < PROTOCOL {
            timeline.protocol.push(Remark {
                at,
                what: format!("{:?}", entry.seen),
                fails: false,
            });
        }
    }

    fn read(
        &mut self,
        posted: &Posted,
        world: &World,
        at: Moment,
        timeline: &mut Timeline,
        watcher: &mut dyn Watcher,
    ) {
        for (part, written) in Written::read_all(&posted.content).into_iter().enumerate() {
            self.read_part((posted, part), written, world, at, timeline, watcher);
        }
    }

    fn read_part(
        &mut self,
        (posted, part): (&Posted, usize),
        written: Written,
        world: &World,
        at: Moment,
        timeline: &mut Timeline,
        watcher: &mut dyn Watcher,
    ) {
        let (channel, spot) = (channel_name(world, posted.channel), (posted.id, part));
        if let Written::Caption {
            name,
            unix_s,
            words,
            is_final,
        } = written
        {
            let is_reply = name == timeline.bot;
            let revision = Revision { at, words, is_final };
            let told = if is_reply {
                Happening::Reply {
                    at,
                    text: &revision.words,
                    is_final,
                }
            } else {
                Happening::Caption {
                    at,
                    speaker: &name,
                    text: &revision.words,
                    is_final,
                }
            };
            watcher.told(&told);
            if let Some(Spot::Caption(n)) = self.spots.get(&spot) {
                let caption = &mut timeline.captions[*n];
                if caption.revisions.len() < REVISIONS {
                    caption.revisions.push(revision);
                }
                return;
            }
            self.spots.insert(spot, Spot::Caption(timeline.captions.len()));
            let unix_ms = u64::try_from(unix_s).unwrap_or(0).saturating_mul(1_000);
            timeline.captions.push(Caption {
                channel,
                name,
                is_reply,
                stamp: Moment::from_millis(unix_ms.saturating_sub(timeline.began_unix_ms)),
                revisions: vec![revision],
                deleted: None,
            });
            return;
        }
        let (notice, mut words) = match written {
            Written::Notice(words) => (true, words),
            Written::Other(words) | Written::Caption { words, .. } => (false, words),
        };
        for text in posted.embeds.iter().flat_map(embed_words).filter(|_| part == 0) {
            words.push('\n');
            words.push_str(&text);
        }
        let words = words.trim().to_owned();
        let waiting = words.is_empty() && posted.attachments.is_empty() && posted.components.is_empty();
        if waiting && !self.spots.contains_key(&spot) {
            return;
        }
        let hidden = posted.ephemeral();
        watcher.told(&Happening::Message {
            at,
            text: &words,
            hidden,
        });
        if let Some(Spot::Message(n)) = self.spots.get(&spot) {
            let message = &mut timeline.messages[*n];
            message.buttons = buttons(posted);
            message.files = files(posted);
            if message.revisions.len() < REVISIONS {
                message.revisions.push((at, words.clone()));
            }
            message.words = words;
            return;
        }
        self.spots.insert(spot, Spot::Message(timeline.messages.len()));
        timeline.messages.push(Message {
            at,
            channel,
            revisions: vec![(at, words.clone())],
            words,
            hidden,
            notice,
            buttons: buttons(posted),
            files: files(posted),
            answers: posted.interaction.and_then(|i| self.asked.get(&i).copied()),
            deleted: None,
        });
    }

    /// Listens to the bot.
    fn hear(
        &mut self,
        loopback: &Loopback,
        cast: &Cast,
        now: Moment,
        timeline: &mut Timeline,
        watcher: &mut dyn Watcher,
    ) {
        let frames = loopback.bot_frames_from(cast.guild, self.frames);
        self.frames += frames.len();
        for frame in frames {
            let loud = self
                .decoder
                .as_mut()
                .and_then(|d| d.decode(&frame.opus).ok())
                .is_some_and(|pcm| {
                    let power: f32 = pcm.iter().map(|s| s * s).sum::<f32>() / pcm.len().max(1) as f32;
                    power.sqrt() > AUDIBLE
                });
            if !loud {
                continue;
            }
            let at = self.moment(frame.at);
            match &mut self.open {
                Some(open) if at.since(open.to) <= PAUSE => open.to = at.after(FRAME),
                open => {
                    close(open, timeline, watcher);
                    *open = Some(Sound {
                        from: at,
                        to: at.after(FRAME),
                    });
                }
            }
        }
        if self.open.is_some_and(|open| now.since(open.to) > PAUSE) {
            close(&mut self.open, timeline, watcher);
        }
    }

    /// Ends a sound that is still open.
    pub(super) fn finish(&mut self, timeline: &mut Timeline, watcher: &mut dyn Watcher) {
        close(&mut self.open, timeline, watcher);
    }
}

/// Where everybody is.
fn place(loopback: &Loopback, cast: &Cast, now: Moment, timeline: &mut Timeline, watcher: &mut dyn Watcher) {
    let connected = loopback.voice_connected(cast.guild);
    let (channel, members) = loopback.world(|w| {
        let name = |user| {
            w.voice_state(cast.guild, user)
                .map(|s| channel_name(w, s.channel))
        };
        let members: Vec<(String, String)> = cast
            .people()
            .filter_map(|(person, id)| Some((person.to_owned(), name(id)?)))
            .collect();
        (name(cast.bot), members)
    });
    let here = Place {
        at: now,
        connected: connected && channel.is_some(),
        channel,
    };
    let changed = timeline
        .places
        .last()
        .is_none_or(|p| (&p.channel, p.connected) != (&here.channel, here.connected));
    if changed {
        watcher.told(&Happening::Place {
            at: now,
            channel: here.channel.as_deref(),
            connected: here.connected,
        });
        timeline.places.push(here);
    }
    if timeline.company.last().is_none_or(|c| c.members != members) {
        timeline.company.push(Company { at: now, members });
    }
}

fn close(open: &mut Option<Sound>, timeline: &mut Timeline, watcher: &mut dyn Watcher) {
    if let Some(sound) = open.take() {
        watcher.told(&Happening::Sound {
            from: sound.from,
            to: sound.to,
        });
        timeline.sounds.push(sound);
    }
}

fn message_of(seen: &Seen) -> Option<MessageId> {
    match seen {
        Seen::MessageCreated { message, .. } | Seen::MessageEdited { message, .. } => Some(*message),
        _ => None,
    }
}

fn channel_name(world: &World, channel: ChannelId) -> String {
    world
        .channel(channel)
        .map_or_else(|_| channel.to_string(), |c| c.name.clone())
}

fn embed_words(embed: &serde_json::Value) -> Vec<String> {
    let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
    let fields = embed["fields"].as_array().into_iter().flatten();
    let of_fields = fields.flat_map(|f| [text(&f["name"]), text(&f["value"])]);
    let parts = [text(&embed["title"]), text(&embed["description"])]
        .into_iter()
        .chain(of_fields);
    parts.chain([text(&embed["footer"]["text"])]).flatten().collect()
}

fn buttons(posted: &Posted) -> Vec<String> {
    let rows = posted
        .components
        .iter()
        .filter_map(|r| r["components"].as_array())
        .flatten();
    let label = |p: &serde_json::Value| p["label"].as_str().or(p["custom_id"].as_str()).map(str::to_owned);
    rows.filter_map(label).collect()
}

fn files(posted: &Posted) -> Vec<String> {
    posted.attachments.iter().map(|a| a.name.clone()).collect()
}
