//! Ogg Opus (RFC 7845): pre-skip, granule positions, end trimming and chained streams.
//!
//! Positions are counted in 48 kHz samples as the format does, and sound comes out at 16 kHz: every Opus packet is a
//! whole number of 16 kHz samples, and pre-skip and end trim are rounded to one.

use std::collections::VecDeque;
use std::time::Duration;

use super::decode::{MAX_GAP, Pcm, Step};
use super::info::{Damage, FileInfo, Length};
use super::opus_head::{OpusHead, OpusToMono, USUAL_DURATION_48K, packet_duration_48k};
use super::pages::{HEADER_LEN, NO_GRANULE, Next, Page, PageHeader, PageReader, TAIL};
use super::source::Source;
use crate::error::AudioError;
use crate::frame::SAMPLE_RATE;
use crate::resample::MAX_CHANNELS;

/// The rate that positions are counted in, in Hz.
const GRANULE_RATE: u64 = 48_000;
/// A position may differ from the sum of packets by this much (2.5 ms) before it counts as a gap.
const TOLERANCE: u64 = 120;

/// One stream of a chain, from its header to the next.
struct Link {
    decoder: OpusToMono,
    /// 48 kHz samples still to be dropped at the start.
    skip: u64,
    /// The granule position of the next packet's first sample, once a page has told.
    position: Option<u64>,
    /// The comment header has yet to come.
    awaits_comments: bool,
}

/// An Ogg file whose stream is Opus.
pub(super) struct OggOpus {
    place: String,
    pages: PageReader<Source>,
    link: Option<Link>,
    info: FileInfo,
    length: Length,
    damage: Damage,
    /// Packets of the current page, each with the 16 kHz samples to keep of it.
    queue: VecDeque<(Vec<u8>, usize)>,
    /// 16 kHz samples given out, which is the time line.
    given: u64,
    saw_last: bool,
    cut: bool,
}

impl OggOpus {
    /// Reads up to the first Opus header.
    pub(super) fn open(place: String, mut source: Source) -> Result<Self, AudioError> {
        let total = source.len();
        let read_error = |offset, source| AudioError::Read {
            place: place.clone(),
            offset,
            source,
        };
        let tail_at = total.saturating_sub(TAIL as u64);
        let tail = source.peek(tail_at, TAIL).map_err(|e| read_error(tail_at, e))?;
        let info = FileInfo {
            container: "Ogg",
            codec: "opus".to_owned(),
            channels: 0,
            rate: 48_000,
        };
        let mut file = Self {
            pages: PageReader::new(source).map_err(|e| read_error(0, e))?,
            place: place.clone(),
            link: None,
            info,
            length: Length::Unknown,
            damage: Damage::default(),
            queue: VecDeque::new(),
            given: 0,
            saw_last: false,
            cut: false,
        };
        while file.link.is_none() {
            if !file.next_page()? {
                let detail = "the Opus header is missing".to_owned();
                return Err(AudioError::Truncated {
                    place,
                    length: total,
                    detail,
                });
            }
        }
        file.length = file.measure(&tail);
        Ok(file)
    }

    /// The length from the last page's position, exact when it belongs to the first stream of the file.
    fn measure(&self, tail: &[u8]) -> Length {
        let Some(link) = &self.link else {
            return Length::Unknown;
        };
        let last = tail
            .windows(HEADER_LEN)
            .rev()
            .filter_map(PageHeader::parse)
            .find(|page| page.granule != NO_GRANULE && Some(page.serial) == self.pages.serial());
        match last {
            Some(page) if page.last || page.granule > 0 => {
                Length::Exact(granules(page.granule.saturating_sub(link.skip)))
            }
            _ => Length::Unknown,
        }
    }

    /// Takes in the next page; `false` at the end.
    fn next_page(&mut self) -> Result<bool, AudioError> {
        let next = self.pages.next();
        let offset = self.pages.position();
        match next.map_err(|source| AudioError::Read {
            place: self.place.clone(),
            offset,
            source,
        })? {
            Next::Page(page) => {
                self.take(page)?;
                Ok(true)
            }
            Next::Cut(packets) => {
                self.cut = true;
                let rest = self.take_rest(packets);
                if !rest {
                    self.damage.cut(self.time(), None);
                }
                Ok(rest)
            }
            Next::End => {
                // RFC 3533 wants the last page marked; without it the file may have lost its tail.
                if self.cut || !self.saw_last && self.link.is_some() {
                    self.damage.cut(self.time(), None);
                }
                Ok(false)
            }
        }
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.given as f64 / f64::from(SAMPLE_RATE))
    }

    fn take(&mut self, page: Page) -> Result<(), AudioError> {
        if page.after_damage && self.link.is_some() {
            self.damage.skip(self.time());
        }
        if page.header.first {
            return self.begin_link(&page);
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        let mut packets = page.packets;
        if link.awaits_comments && !packets.is_empty() {
            // Comments are of no use here. A stream without them is broken, but its sound is not.
            if packets[0].starts_with(b"OpusTags") {
                packets.remove(0);
            } else {
                self.damage.skip(Duration::ZERO);
            }
            link.awaits_comments = false;
        }
        self.saw_last = page.header.last;
        if packets.is_empty() {
            return Ok(());
        }
        let durations: Vec<u64> = packets
            .iter()
            .map(|p| packet_duration_48k(p).unwrap_or(USUAL_DURATION_48K))
            .collect();
        let sum: u64 = durations.iter().sum();
        let granule = (page.header.granule != NO_GRANULE).then_some(page.header.granule);
        // Where the stream starts may be anything (a broadcast that was joined); only differences count.
        let start = link
            .position
            .unwrap_or_else(|| granule.unwrap_or(sum).saturating_sub(sum));
        let end = start.saturating_add(sum);
        let mut keep = sum;
        match granule {
            Some(granule) if granule > end.saturating_add(TOLERANCE) => {
                self.fill_gap(granule - end);
            }
            // Only the last page may end before its packets do: the encoder's padding is cut off.
            Some(granule) if granule < end && page.header.last => {
                keep = granule.saturating_sub(start);
            }
            _ => {}
        }
        if let Some(link) = &mut self.link {
            link.position = Some(granule.unwrap_or(end));
        }
        for (packet, duration) in packets.into_iter().zip(durations) {
            let kept = keep.min(duration);
            keep -= kept;
            self.queue.push_back((packet, (kept / 3) as usize));
        }
        Ok(())
    }

    /// A hole in the positions: the page or pages before this one are lost.
    fn fill_gap(&mut self, samples_48k: u64) {
        let gap = granules(samples_48k);
        if gap <= MAX_GAP {
            // An entry without a packet stands for silence.
            self.queue.push_back((Vec::new(), (samples_48k / 3) as usize));
            self.damage.filled += gap;
        }
    }

    /// The packets left of a page that is cut off; whether there are any.
    fn take_rest(&mut self, packets: Vec<Vec<u8>>) -> bool {
        if self.link.as_ref().is_none_or(|link| link.awaits_comments) {
            return false;
        }
        for packet in packets {
            let duration = packet_duration_48k(&packet).unwrap_or(USUAL_DURATION_48K);
            self.queue.push_back((packet, (duration / 3) as usize));
        }
        !self.queue.is_empty()
    }

    fn begin_link(&mut self, page: &Page) -> Result<(), AudioError> {
        let Some(header) = page.packets.first().filter(|p| p.starts_with(OpusHead::MAGIC)) else {
            // Another kind of stream: cover art, video, lyrics.
            return Ok(());
        };
        // All streams that run side by side begin before any of them has data: the first one is taken. A stream that
        // begins later is the next link of a chain.
        if self.link.as_ref().is_some_and(|link| link.awaits_comments) {
            return Ok(());
        }
        let place = self.place.clone();
        let head = match OpusHead::parse(header) {
            Ok(head) => head,
            Err(what) => return Err(AudioError::Unsupported { place, what }),
        };
        let channels = head.channels;
        let decoder = OpusToMono::new(&head)?;
        let decoder = decoder.ok_or(AudioError::TooManyChannels {
            place,
            channels,
            max: MAX_CHANNELS,
        })?;
        self.info.channels = channels;
        if head.original_rate > 0 {
            self.info.rate = head.original_rate;
        }
        self.pages.follow(&page.header);
        self.link = Some(Link {
            decoder,
            skip: u64::from(head.pre_skip),
            position: None,
            awaits_comments: true,
        });
        if self.given > 0 {
            // A chain: the headers no longer tell the whole length.
            self.length = Length::Unknown;
        }
        self.saw_last = page.header.last;
        Ok(())
    }
}

impl Pcm for OggOpus {
    fn step(&mut self, mono: &mut Vec<f32>) -> Result<Step, AudioError> {
        loop {
            let Some((packet, kept)) = self.queue.pop_front() else {
                if !self.next_page()? {
                    return Ok(Step::End);
                }
                continue;
            };
            let at = self.time();
            let Some(link) = &mut self.link else {
                return Ok(Step::End);
            };
            if packet.is_empty() && kept > 0 {
                self.given += kept as u64;
                return Ok(Step::Silence {
                    samples: kept as u64,
                    rate: SAMPLE_RATE,
                });
            }
            mono.clear();
            if link.decoder.decode(&packet, mono).is_err() {
                let lost = packet_duration_48k(&packet).unwrap_or(USUAL_DURATION_48K);
                self.damage.skip(at);
                self.damage.filled += granules(lost);
                mono.clear();
                mono.resize((lost / 3) as usize, 0.0);
            }
            mono.truncate(kept);
            let dropped = (link.skip / 3).min(mono.len() as u64);
            link.skip -= dropped * 3;
            if link.skip < 3 {
                link.skip = 0;
            }
            mono.drain(..dropped as usize);
            self.given += mono.len() as u64;
            if !mono.is_empty() {
                return Ok(Step::Audio { rate: SAMPLE_RATE });
            }
        }
    }

    fn info(&self) -> &FileInfo {
        &self.info
    }

    fn length(&self) -> Length {
        self.length
    }

    fn damage(&self) -> &Damage {
        &self.damage
    }
}

fn granules(samples_48k: u64) -> Duration {
    Duration::from_nanos(
        u64::try_from(u128::from(samples_48k) * 1_000_000_000 / u128::from(GRANULE_RATE)).unwrap_or(u64::MAX),
    )
}
