//! Matroska elements: sizes, and tracks that are encrypted or compressed (RFC 9559).

use std::collections::HashSet;

use super::{Ending, Refusal, lacing};
use crate::file::source::{Patch, Source};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const INFO: u32 = 0x1549_a966;
const CUES: u32 = 0x1c53_bb6b;
const TAGS: u32 = 0x1254_c367;
const SEEK_HEAD: u32 = 0x114d_9b74;
const SEEK: u32 = 0x4dbb;
const SEEK_POSITION: u32 = 0x53ac;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const CONTENT_ENCODINGS: u32 = 0x6d80;
const CONTENT_ENCODING: u32 = 0x6240;
const CONTENT_ENCODING_TYPE: u32 = 0x5033;
const CONTENT_COMPRESSION: u32 = 0x5034;
const CONTENT_ENCRYPTION: u32 = 0x5035;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK: u32 = 0xa1;

/// An identifier of the same length as an index's that means nothing, so that its element is skipped.
const IGNORED: [u8; 4] = [0x1f, 0xff, 0xff, 0xf0];

/// Elements that hold others and that a demuxer descends into.
const MASTERS: &[u32] = &[
    SEGMENT,
    CLUSTER,
    SEEK_HEAD,
    SEEK,
    TRACKS,
    TRACK_ENTRY,
    CONTENT_ENCODINGS,
    CONTENT_ENCODING,
    0x1a45_dfa3, // EBML
    0xa0,        // BlockGroup
    0xe1,        // Audio
    0xe0,        // Video
    INFO,
    CUES,
    TAGS,
    0xbb,   // CuePoint
    0xb7,   // CueTrackPositions
    0xdb,   // CueReference
    0x7373, // Tag
    0x63c0, // Targets
    0x67c8, // SimpleTag
];

/// Audio tracks have this type.
const AUDIO: u64 = 2;
/// A single element that is read whole: the largest are cover pictures, which are not read.
const MAX_ELEMENT: u64 = 64 << 20;
/// Elements within elements; real files nest to about 8.
const MAX_DEPTH: usize = 16;
/// Elements in a file: 24 hours of 20 ms blocks in groups, tenfold.
const MAX_ELEMENTS: usize = 100_000_000;

/// Blocks that are mended before a file counts as hostile.
const MAX_MENDED: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Element {
    id: u32,
    body: u64,
    /// `None`: unknown, to the next element of the same level.
    end: Option<u64>,
}

#[derive(Default)]
struct Walk {
    elements: usize,
    mended: usize,
    seen: HashSet<u64>,
    seeks: Vec<u64>,
    seek_heads: Vec<u64>,
    segment_body: u64,
    segment_end: Option<u64>,
    track: Track,
    clear_audio: bool,
    locked: Option<Refusal>,
}

/// The track entry being read.
#[derive(Default)]
struct Track {
    audio: bool,
    encrypted: bool,
    compressed: bool,
}

pub(super) fn check(source: &mut Source) -> Result<Ending, Refusal> {
    let mut walk = Walk::default();
    let total = source.len();
    walk.level(source, 0, total, 0)?;
    // A demuxer follows these wherever they point, so what they point at is walked as well.
    for target in std::mem::take(&mut walk.seeks) {
        let at = walk.segment_body.saturating_add(target);
        if at >= total {
            // The demuxer would give up on the way there. It finds what it needs without.
            for index in &walk.seek_heads {
                source.mend(Patch {
                    at: *index,
                    bytes: IGNORED,
                });
            }
            continue;
        }
        if !walk.seen.contains(&at)
            && let Some(element) = header(source, at)?
        {
            walk.element(source, element, at, total, 1)?;
        }
    }
    match walk.locked {
        Some(refusal) if !walk.clear_audio => Err(refusal),
        _ if walk.segment_end.is_some_and(|end| end > total) => Ok(Ending::Cut),
        _ => Ok(Ending::Whole),
    }
}

impl Walk {
    /// All elements from `at` to `end`.
    fn level(&mut self, source: &mut Source, at: u64, end: u64, depth: usize) -> Result<(), Refusal> {
        let mut at = at;
        while at < end {
            let Some(element) = header(source, at)? else {
                return Ok(());
            };
            at = self.element(source, element, at, end, depth)?;
        }
        Ok(())
    }

    /// Checks one element and what is in it; returns where the next one begins.
    fn element(
        &mut self,
        source: &mut Source,
        element: Element,
        at: u64,
        limit: u64,
        depth: usize,
    ) -> Result<u64, Refusal> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS || depth > MAX_DEPTH {
            let (value, limit) = (self.elements as u64, MAX_ELEMENTS as u64);
            return Err(Refusal::Limit {
                what: "a number of Matroska elements",
                value,
                limit,
            });
        }
        let total = source.len();
        let master = MASTERS.contains(&element.id);
        let size = element.end.map_or(0, |end| end - element.body);
        let spans_file = matches!(element.id, SEGMENT | CLUSTER);
        if !spans_file && size > MAX_ELEMENT && element.end.is_some_and(|end| end > total || master) {
            return Err(Refusal::Limit {
                what: "a Matroska element",
                value: size,
                limit: MAX_ELEMENT,
            });
        }
        if depth == 0 && matches!(element.id, SEEK_HEAD | TRACKS | INFO | CUES | TAGS) {
            self.seen.insert(at);
        }
        match element.id {
            SEGMENT => {
                self.segment_body = element.body;
                self.segment_end = element.end;
            }
            SEEK_HEAD if self.seek_heads.len() < 8 => self.seek_heads.push(at),
            SEEK_POSITION if self.seeks.len() < 1_000 => {
                self.seeks.push(number(source, element)?);
            }
            TRACK_ENTRY => self.track = Track::default(),
            TRACK_TYPE => self.track.audio = number(source, element)? == AUDIO,
            CONTENT_ENCRYPTION => self.track.encrypted = true,
            CONTENT_ENCODING_TYPE => self.track.encrypted |= number(source, element)? == 1,
            CONTENT_COMPRESSION => self.track.compressed = true,
            SIMPLE_BLOCK | BLOCK if size > MAX_ELEMENT => {
                return Err(Refusal::Limit {
                    what: "a Matroska block",
                    value: size,
                    limit: MAX_ELEMENT,
                });
            }
            SIMPLE_BLOCK | BLOCK => {
                self.mended += usize::from(lacing::mend(source, element.body, element.end.unwrap_or(total))?);
                if self.mended > MAX_MENDED {
                    let (value, limit) = (self.mended as u64, MAX_MENDED as u64);
                    return Err(Refusal::Limit {
                        what: "a number of Matroska blocks with false sizes",
                        value,
                        limit,
                    });
                }
            }
            _ => {}
        }
        if spans_file {
            // Often of unknown size, and what they hold can be told by itself: walked as if side by side.
            return Ok(element.body);
        }
        if master {
            let inside = element.end.unwrap_or(limit).min(limit);
            self.level(source, element.body, inside, depth + 1)?;
        }
        if element.id == TRACK_ENTRY {
            self.judge_track();
        }
        // After an element of unknown size, everything up to the end was part of it.
        Ok(element.end.unwrap_or(limit).max(at + 1))
    }

    fn judge_track(&mut self) {
        match std::mem::take(&mut self.track) {
            Track { audio: false, .. } => {}
            Track { encrypted: true, .. } => {
                self.locked
                    .get_or_insert(Refusal::Encrypted("Matroska track encryption".to_owned()));
            }
            Track { compressed: true, .. } => {
                let what = "Matroska track compression (remux it with `mkvmerge --compression -1:none`)";
                self.locked.get_or_insert(Refusal::Unsupported(what.to_owned()));
            }
            Track { .. } => self.clear_audio = true,
        }
    }
}

/// An element's identifier and size; `None` where there is none.
fn header(source: &mut Source, at: u64) -> Result<Option<Element>, Refusal> {
    let bytes = source.peek(at, 12)?;
    let Some((id, id_len)) = variable(&bytes, 4) else {
        return Ok(None);
    };
    let Some((raw, size_len)) = variable(&bytes[id_len..], 8) else {
        return Ok(None);
    };
    let mask = (1u64 << (7 * size_len)) - 1;
    let (size, body) = (raw & mask, at + (id_len + size_len) as u64);
    let end = (size != mask).then(|| body.saturating_add(size));
    Ok(Some(Element {
        id: u32::try_from(id).unwrap_or(0),
        body,
        end,
    }))
}

/// A number whose first byte's leading zeros tell its length (with the marker bit), and that length.
pub(super) fn variable(bytes: &[u8], longest: usize) -> Option<(u64, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let number = bytes.get(..len).filter(|_| len <= longest)?;
    Some((big_endian(number), len))
}

fn number(source: &mut Source, element: Element) -> Result<u64, Refusal> {
    let len = element.end.map_or(0, |end| end - element.body).min(8);
    Ok(big_endian(&source.peek(element.body, len as usize)?))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
