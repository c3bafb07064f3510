//! MP4 boxes: sizes, the sample tables' counts, and encryption (ISO/IEC 14496-12 and 23001-7).

use super::{Ending, Refusal, bytes_at};
use crate::file::source::{Patch, Source};

/// Boxes within boxes; real files nest to about 8.
const MAX_DEPTH: usize = 16;
/// Boxes in a file. A fragmented recording has about ten a fragment: this allows 24 hours of one-second fragments.
const MAX_BOXES: usize = 1_000_000;

/// A box header.
#[derive(Debug, Clone, Copy)]
struct BoxHeader {
    kind: [u8; 4],
    body: u64,
    end: u64,
}

/// Sample sizes that are mended before a file counts as hostile.
const MAX_MENDED: usize = 64;
/// Tables are read in pieces of this many bytes.
const PIECE: u64 = 1 << 16;

#[derive(Default)]
struct Walk {
    mended: usize,
    boxes: usize,
    clear_audio: bool,
    encrypted: Option<String>,
}

pub(super) fn check(source: &mut Source) -> Result<Ending, Refusal> {
    let mut walk = Walk::default();
    let total = source.len();
    let mut at = 0;
    while let Some(header) = walk.header(source, at, u64::MAX)? {
        if header.end > total {
            mend_cut(source, at, header)?;
            walk.verdict()?;
            return Ok(Ending::Cut);
        }
        walk.visit(source, header, 0)?;
        at = header.end;
    }
    walk.verdict()?;
    if at < total {
        // A few bytes of a box header are left over.
        source.cut_to(at);
        return Ok(Ending::Cut);
    }
    Ok(Ending::Whole)
}

/// The last box reaches beyond the end: if it holds the sound, it is made to end with the file, else left out.
fn mend_cut(source: &mut Source, at: u64, header: BoxHeader) -> Result<(), Refusal> {
    let kind = String::from_utf8_lossy(&header.kind).into_owned();
    match &header.kind {
        b"ftyp" | b"moov" => {
            return Err(Refusal::Truncated(format!(
                "its \"{kind}\" box, which describes the sound, is incomplete"
            )));
        }
        b"mdat" => {
            let size = (source.len() - at).to_be_bytes();
            let [h0, h1, h2, h3, l0, l1, l2, l3] = size;
            if header.body - at == 16 {
                source.mend(Patch {
                    at: at + 8,
                    bytes: [h0, h1, h2, h3],
                });
                source.mend(Patch {
                    at: at + 12,
                    bytes: [l0, l1, l2, l3],
                });
            } else {
                source.mend(Patch {
                    at,
                    bytes: [l0, l1, l2, l3],
                });
            }
        }
        _ => source.cut_to(at),
    }
    Ok(())
}

impl Walk {
    fn verdict(&mut self) -> Result<(), Refusal> {
        match self.encrypted.take() {
            Some(scheme) if !self.clear_audio => Err(Refusal::Encrypted(scheme)),
            _ => Ok(()),
        }
    }

    /// The box at `at`; `None` at the end. Boxes that reach beyond `limit` are refused.
    fn header(&mut self, source: &mut Source, at: u64, limit: u64) -> Result<Option<BoxHeader>, Refusal> {
        let Some(fixed) = bytes_at::<8>(source, at)? else {
            return Ok(None);
        };
        self.boxes += 1;
        if self.boxes > MAX_BOXES {
            let (value, limit) = (self.boxes as u64, MAX_BOXES as u64);
            return Err(Refusal::Limit {
                what: "a number of MP4 boxes",
                value,
                limit,
            });
        }
        let [s0, s1, s2, s3, k0, k1, k2, k3] = fixed;
        let kind = [k0, k1, k2, k3];
        let (body, end) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            // To the end of what surrounds it.
            0 => (at + 8, limit.min(source.len())),
            1 => match bytes_at::<8>(source, at + 8)? {
                Some(large) => (at + 16, at.saturating_add(u64::from_be_bytes(large))),
                None => return Ok(None),
            },
            size => (at + 8, at + u64::from(size)),
        };
        if end < body || end > limit {
            return Err(too_long(kind, at));
        }
        Ok(Some(BoxHeader { kind, body, end }))
    }

    fn visit(&mut self, source: &mut Source, outer: BoxHeader, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Corrupt("its boxes are nested too deeply".to_owned()));
        }
        match &outer.kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"edts" | b"udta" | b"mvex" | b"moof"
            | b"traf" | b"ilst" | b"wave" => self.children(source, outer, outer.body, depth),
            // QuickTime writes `meta` without version and flags; then a box follows at once.
            b"meta" => {
                let full = bytes_at::<8>(source, outer.body)?.is_none_or(|bytes| &bytes[4..] != b"hdlr");
                self.children(source, outer, outer.body + if full { 4 } else { 0 }, depth)
            }
            b"stsd" => self.sample_description(source, outer, depth),
            b"stco" | b"stss" => check_table(source, outer, 4, 4),
            b"co64" | b"stts" | b"ctts" => check_table(source, outer, 4, 8),
            b"stsc" => check_table(source, outer, 4, 12),
            b"stsz" => match bytes_at::<4>(source, outer.body + 4)? {
                Some([0, 0, 0, 0]) => {
                    check_table(source, outer, 8, 4)?;
                    self.check_sample_sizes(source, outer.body + 12, outer.end, 4)
                }
                Some(size) => check_default_size(source, size),
                None => Ok(()),
            },
            b"esds" => check_descriptors(source, outer),
            b"trun" => self.track_run(source, outer),
            b"trex" => check_default_size_at(source, outer.body + 16),
            b"tfhd" => track_fragment(source, outer),
            _ if depth > 0 && is_tag(outer.kind) => self.children(source, outer, outer.body, depth),
            _ => Ok(()),
        }
    }

    fn children(
        &mut self,
        source: &mut Source,
        outer: BoxHeader,
        from: u64,
        depth: usize,
    ) -> Result<(), Refusal> {
        let mut at = from;
        while at + 8 <= outer.end {
            let Some(inner) = self.header(source, at, outer.end)? else {
                break;
            };
            self.visit(source, inner, depth + 1)?;
            at = inner.end;
        }
        Ok(())
    }

    /// Sizes of samples of 4 bytes, the first one at `at`, each `width` bytes after the one before. One that exceeds
    /// the file is set to zero, so that it costs its own sample.
    fn check_sample_sizes(
        &mut self,
        source: &mut Source,
        at: u64,
        end: u64,
        width: u64,
    ) -> Result<(), Refusal> {
        let limit = source.len();
        let mut bad = Vec::new();
        let mut at = at;
        while at + 4 <= end {
            let piece = source.peek(at, (end - at).min(PIECE / width * width) as usize)?;
            if piece.len() < 4 {
                break;
            }
            for entry in piece.chunks(width as usize) {
                let value = entry
                    .first_chunk()
                    .map_or(0, |size| u64::from(u32::from_be_bytes(*size)));
                if value > limit {
                    bad.push(at);
                    if self.mended + bad.len() > MAX_MENDED {
                        return Err(Refusal::Limit {
                            what: "a sample",
                            value,
                            limit,
                        });
                    }
                }
                at += width;
            }
        }
        self.mended += bad.len();
        for at in bad {
            source.mend(Patch { at, bytes: [0; 4] });
        }
        Ok(())
    }

    /// The samples of a fragment (ISO/IEC 14496-12, section 8.8.8): which fields each entry has is told by flags.
    fn track_run(&mut self, source: &mut Source, run: BoxHeader) -> Result<(), Refusal> {
        let Some(flags) = bytes_at::<4>(source, run.body)?.map(u32::from_be_bytes) else {
            return Ok(());
        };
        let fields = |mask: u32| 4 * u64::from((flags & mask).count_ones());
        let first = run.body + 8 + fields(0x005);
        if flags & 0x200 != 0 {
            // The duration, where there is one, comes before the size.
            let (before, width) = (fields(0x100), fields(0xf00));
            self.check_sample_sizes(source, first + before, run.end, width)?;
        }
        Ok(())
    }

    /// The one sample entry, and whether it is locked.
    fn sample_description(
        &mut self,
        source: &mut Source,
        outer: BoxHeader,
        depth: usize,
    ) -> Result<(), Refusal> {
        let Some(entry) = self.header(source, outer.body + 8, outer.end)? else {
            return Ok(());
        };
        match &entry.kind {
            b"enca" => {
                let scheme = self.protection_scheme(source, entry)?;
                self.encrypted.get_or_insert(scheme);
            }
            b"drms" => {
                self.encrypted.get_or_insert("Apple FairPlay".to_owned());
            }
            b"aavd" => {
                self.encrypted.get_or_insert("Audible".to_owned());
            }
            b"mp4a" | b"alac" | b"fLaC" | b"Opus" | b".mp3" | b"lpcm" | b"sowt" | b"twos" | b"in24"
            | b"in32" | b"fl32" | b"fl64" | b"raw " | b"alaw" | b"ulaw" => {
                self.clear_audio = true;
                let at = audio_entry_children(source, entry)?;
                self.children(source, entry, at, depth + 1)?;
            }
            b"ac-3" | b"ec-3" | b"ac-4" | b"samr" | b"sawb" | b"mha1" | b"mhm1" | b"dtsc" | b"dtse"
            | b"dtsx" => {
                let name = String::from_utf8_lossy(&entry.kind).trim().to_owned();
                return Err(Refusal::Unsupported(format!(
                    "the codec \"{name}\" in an MP4 file"
                )));
            }
            _ => {}
        }
        Ok(())
    }

    /// The four letters of the scheme (`cenc`, `cbcs`) inside `sinf`, if they are there.
    fn protection_scheme(&mut self, source: &mut Source, entry: BoxHeader) -> Result<String, Refusal> {
        let mut at = audio_entry_children(source, entry)?;
        while let Some(inner) = self.header(source, at, entry.end)? {
            if &inner.kind == b"sinf" {
                let mut inside = inner.body;
                while let Some(part) = self.header(source, inside, inner.end)? {
                    if &part.kind == b"schm"
                        && let Some(scheme) = bytes_at::<4>(source, part.body + 4)?
                    {
                        return Ok(format!(
                            "MPEG common encryption, {}",
                            String::from_utf8_lossy(&scheme)
                        ));
                    }
                    inside = part.end;
                    if inside >= inner.end {
                        break;
                    }
                }
            }
            at = inner.end;
            if at >= entry.end {
                break;
            }
        }
        Ok("MPEG common encryption".to_owned())
    }
}

/// Where the boxes inside an audio sample entry begin: its fixed part grew in versions 1 and 2.
fn audio_entry_children(source: &mut Source, entry: BoxHeader) -> Result<u64, Refusal> {
    let version = bytes_at::<2>(source, entry.body + 8)?.map_or(0, u16::from_be_bytes);
    Ok(entry.body
        + match version {
            1 => 28 + 16,
            2 => 28 + 36,
            _ => 28,
        })
}

/// The default sample size of a fragment (section 8.8.7), after the track's number and optional fields.
fn track_fragment(source: &mut Source, header: BoxHeader) -> Result<(), Refusal> {
    let Some(flags) = bytes_at::<4>(source, header.body)?.map(u32::from_be_bytes) else {
        return Ok(());
    };
    if flags & 0x10 == 0 {
        return Ok(());
    }
    let at =
        header.body + 8 + if flags & 0x1 != 0 { 8 } else { 0 } + 4 * u64::from((flags & 0xa).count_ones());
    check_default_size_at(source, at)
}

fn check_default_size_at(source: &mut Source, at: u64) -> Result<(), Refusal> {
    let size = bytes_at::<4>(source, at)?.unwrap_or_default();
    check_default_size(source, size)
}

fn check_default_size(source: &Source, size: [u8; 4]) -> Result<(), Refusal> {
    let (value, limit) = (u64::from(u32::from_be_bytes(size)), source.len());
    if value > limit {
        return Err(Refusal::Limit {
            what: "a sample",
            value,
            limit,
        });
    }
    Ok(())
}

/// The settings of an AAC decoder (tag 5) come with a length of up to four bytes (ISO/IEC 14496-1, section 8.3.3), for
/// which a demuxer makes room. A length written wrongly shifts what follows, so it is looked for at every byte; real
/// settings take a few bytes, and their lengths' leading bytes are 0x80.
fn check_descriptors(source: &mut Source, outer: BoxHeader) -> Result<(), Refusal> {
    const MOST: u64 = 1 << 21;
    let body = source.peek(outer.body, (outer.end - outer.body).min(PIECE) as usize)?;
    for window in body.windows(5) {
        if let [5, lengths @ ..] = window
            && lengths[..3].iter().all(|byte| byte & 0x80 != 0)
        {
            let value = lengths
                .iter()
                .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
            if value >= MOST {
                return Err(Refusal::Limit {
                    what: "an MPEG-4 descriptor",
                    value,
                    limit: MOST,
                });
            }
        }
    }
    Ok(())
}

/// A count at `body + count_at`, then so many entries of `width` bytes: they must fit the box.
fn check_table(source: &mut Source, table: BoxHeader, count_at: u64, width: u64) -> Result<(), Refusal> {
    let Some(count) = bytes_at::<4>(source, table.body + count_at)? else {
        return Ok(());
    };
    let value = u64::from(u32::from_be_bytes(count));
    let limit = (table.end - table.body).saturating_sub(count_at + 4) / width;
    if value > limit {
        return Err(Refusal::Limit {
            what: "a number of entries in a table of samples",
            value,
            limit,
        });
    }
    Ok(())
}

/// Entries of `ilst`: four letters, the first of which may be a copyright sign, or `----`.
fn is_tag(kind: [u8; 4]) -> bool {
    kind[0] == 0xa9
        || matches!(
            &kind,
            b"----" | b"aART" | b"trkn" | b"disk" | b"covr" | b"desc" | b"cprt" | b"gnre"
        )
}

fn too_long(kind: [u8; 4], at: u64) -> Refusal {
    let name = String::from_utf8_lossy(&kind).into_owned();
    Refusal::Corrupt(format!(
        "its \"{name}\" box at byte {at} is longer than what surrounds it"
    ))
}
