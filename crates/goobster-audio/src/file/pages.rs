//! Packets of one logical Ogg stream, page by page, with recovery from damaged pages.
//!
//! The `ogg` crate checks pages and joins packets; finding the next page after damage, bounding what a packet may
//! grow to, and following chained streams is done here, where the page's own header is at hand.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use ogg::reading::{BasePacketReader, OggPage, PageParser};

use super::contain::contained;

/// The mark at the start of a page.
pub(super) const CAPTURE: &[u8; 4] = b"OggS";
/// Bytes of a page header before its segment table.
pub(super) const HEADER_LEN: usize = 27;
/// How far from the end of a file its last page is looked for: two pages of the largest size.
pub(super) const TAIL: usize = 2 * 65_307;
/// The position of a page on which no packet ends.
pub(super) const NO_GRANULE: u64 = u64::MAX;
/// Pages that one packet may span. A comment header with a large cover picture takes about 160 pages (10 MB).
const MAX_PAGES_A_PACKET: u32 = 512;
/// Damaged pages that are searched from within; after as many, the reader steps over each whole, so that a file
/// made of false page starts costs no more than reading it a few times.
const MAX_RESCANS: u32 = 1_000;

/// The fixed part of a page header (RFC 3533, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) serial: u32,
    pub(super) granule: u64,
    pub(super) sequence: u32,
    pub(super) first: bool,
    pub(super) last: bool,
}

impl PageHeader {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let rest = header.strip_prefix(CAPTURE)?;
        let (granule, rest) = rest.get(2..)?.split_first_chunk()?;
        let (serial, rest) = rest.split_first_chunk()?;
        let sequence = rest.first_chunk()?;
        Some(Self {
            serial: u32::from_le_bytes(*serial),
            granule: u64::from_le_bytes(*granule),
            sequence: u32::from_le_bytes(*sequence),
            first: header[5] & 2 != 0,
            last: header[5] & 4 != 0,
        })
    }
}

/// The packets that end on one page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) header: PageHeader,
    pub(super) packets: Vec<Vec<u8>>,
    /// Damaged bytes or pages were skipped since the page before.
    pub(super) after_damage: bool,
}

/// What came next in the file.
#[derive(Debug)]
pub(super) enum Next {
    Page(Page),
    /// The bytes end within a page, of which these packets of the followed stream were still whole.
    Cut(Vec<Vec<u8>>),
    End,
}

/// Reads pages in order.
pub(super) struct PageReader<R> {
    input: BufReader<R>,
    at: u64,
    packets: BasePacketReader,
    serial: Option<u32>,
    sequence: Option<u32>,
    open_pages: u32,
    rescans: u32,
    after_damage: bool,
}

impl<R: Read + Seek> PageReader<R> {
    /// Starts at the reader's first byte.
    pub(super) fn new(mut source: R) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        Ok(Self {
            input: BufReader::with_capacity(1 << 16, source),
            at: 0,
            packets: BasePacketReader::new(),
            serial: None,
            sequence: None,
            open_pages: 0,
            rescans: 0,
            after_damage: false,
        })
    }

    /// The byte that reading has come to.
    pub(super) const fn position(&self) -> u64 {
        self.at
    }

    /// The stream that is followed.
    pub(super) const fn serial(&self) -> Option<u32> {
        self.serial
    }

    /// Follows the stream that began with this page from here on.
    pub(super) fn follow(&mut self, first: &PageHeader) {
        self.serial = Some(first.serial);
        self.sequence = Some(first.sequence);
        self.restart();
    }

    /// The next page: of the followed stream, or one that begins another stream.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        loop {
            if !self.find_capture()? {
                return Ok(Next::End);
            }
            let start = self.at;
            let Some(raw) = self.read_raw()? else {
                return Ok(Next::Cut(Vec::new()));
            };
            let Some(header) = PageHeader::parse(&raw.fixed) else {
                self.rescan(start)?;
                continue;
            };
            let ours = self.serial == Some(header.serial) && !header.first;
            if raw.missing > 0 {
                // A page whose length is damaged looks the same as one that is cut off, so look inside it.
                if raw.body.windows(CAPTURE.len()).any(|window| window == CAPTURE) {
                    self.rescan(start)?;
                    continue;
                }
                return Ok(Next::Cut(if ours { raw.whole_packets() } else { Vec::new() }));
            }
            let Some(page) = raw.parse() else {
                // A changed byte in a packet costs that packet, not the second of sound that a page may hold. That the
                // next page follows directly shows that the lengths are right.
                if !ours || !self.at_capture_or_end()? {
                    self.rescan(start)?;
                    continue;
                }
                self.restart();
                self.sequence = self.sequence.map(|last| last.wrapping_add(1));
                let header = PageHeader {
                    granule: NO_GRANULE,
                    ..header
                };
                return Ok(Next::Page(Page {
                    header,
                    packets: raw.whole_packets(),
                    after_damage: true,
                }));
            };
            if header.first {
                // Another stream begins; whether to follow it is for the caller to say.
                let mut alone = BasePacketReader::new();
                let packet = contained(|| alone.push_page(page).map(|()| alone.read_packet()));
                let packets = if let Ok(Ok(Some(packet))) = packet {
                    vec![packet.data]
                } else {
                    Vec::new()
                };
                return Ok(Next::Page(self.page(header, packets)));
            }
            if ours {
                self.join(header, page);
                let packets = self.drain();
                self.open_pages = if packets.is_empty() {
                    self.open_pages + 1
                } else {
                    0
                };
                if self.open_pages > MAX_PAGES_A_PACKET {
                    self.restart();
                    self.after_damage = true;
                }
                return Ok(Next::Page(self.page(header, packets)));
            }
        }
    }

    fn page(&mut self, header: PageHeader, packets: Vec<Vec<u8>>) -> Page {
        Page {
            header,
            packets,
            after_damage: std::mem::take(&mut self.after_damage),
        }
    }

    /// Hands a page to the joiner.
    fn join(&mut self, header: PageHeader, page: OggPage) {
        if self
            .sequence
            .is_some_and(|last| last.wrapping_add(1) != header.sequence)
        {
            // A page is missing: what began on it cannot be completed.
            self.restart();
            self.after_damage = true;
        }
        self.sequence = Some(header.sequence);
        // Inconsistent lacing panics or is refused; either way the joiner starts afresh.
        if !matches!(contained(|| self.packets.push_page(page)), Ok(Ok(()))) {
            self.restart();
            self.after_damage = true;
        }
    }

    /// The bytes of the page that begins here; `None` when the file ends before its body.
    fn read_raw(&mut self) -> io::Result<Option<RawPage>> {
        let mut fixed = [0u8; HEADER_LEN];
        if self.read_all(&mut fixed)? < HEADER_LEN {
            return Ok(None);
        }
        let mut table = vec![0u8; usize::from(fixed[HEADER_LEN - 1])];
        if self.read_all(&mut table)? < table.len() {
            return Ok(None);
        }
        let mut body = vec![0u8; table.iter().map(|lace| usize::from(*lace)).sum()];
        let present = self.read_all(&mut body)?;
        let missing = body.len() - present;
        body.truncate(present);
        Ok(Some(RawPage {
            fixed,
            table,
            body,
            missing,
        }))
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        // A page has at most 255 segments, so at most 255 packets end on it.
        for _ in 0..255 {
            match contained(|| self.packets.read_packet()) {
                Ok(Some(packet)) => packets.push(packet.data),
                Ok(None) => break,
                Err(_) => {
                    self.restart();
                    self.after_damage = true;
                    break;
                }
            }
        }
        packets
    }

    /// A new joiner, told that it starts in the middle so that it accepts any page.
    fn restart(&mut self) {
        self.packets = BasePacketReader::new();
        self.packets.update_after_seek();
        self.open_pages = 0;
    }

    /// Moves to the next capture pattern; `false` at the end of the file.
    fn find_capture(&mut self) -> io::Result<bool> {
        let mut matched = 0;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let mut used = 0;
            for byte in chunk {
                used += 1;
                matched = if *byte == CAPTURE[matched] {
                    matched + 1
                } else {
                    usize::from(*byte == CAPTURE[0])
                };
                if matched == CAPTURE.len() {
                    break;
                }
            }
            self.input.consume(used);
            self.at += used as u64;
            if matched == CAPTURE.len() {
                let back = CAPTURE.len() as i64;
                self.input.seek_relative(-back)?;
                self.at -= CAPTURE.len() as u64;
                return Ok(true);
            }
            // Bytes that belong to no page.
            self.after_damage |= used > matched;
        }
    }

    fn at_capture_or_end(&mut self) -> io::Result<bool> {
        let next = self.input.fill_buf()?;
        let seen = next.len().min(CAPTURE.len());
        Ok(next[..seen] == CAPTURE[..seen])
    }

    /// After a damaged page: look for the next one inside it, as its length may be what is damaged.
    fn rescan(&mut self, start: u64) -> io::Result<()> {
        self.after_damage = true;
        if self.rescans < MAX_RESCANS {
            self.rescans += 1;
            let target = start + CAPTURE.len() as u64;
            self.input.seek_relative(target as i64 - self.at as i64)?;
            self.at = target;
        }
        Ok(())
    }

    /// Fills `buf` as far as the file goes; returns how far.
    fn read_all(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.input.read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    self.at += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

/// A page as it stands in the file, unchecked.
struct RawPage {
    fixed: [u8; HEADER_LEN],
    /// How many bytes each segment of the body has.
    table: Vec<u8>,
    body: Vec<u8>,
    /// Bytes of the body that the file ends before.
    missing: usize,
}

impl RawPage {
    /// The page, if its checksum is right.
    fn parse(&self) -> Option<OggPage> {
        let (mut parser, _) = PageParser::new(self.fixed).ok()?;
        parser.parse_segments(self.table.clone());
        parser.parse_packet_data(self.body.clone()).ok()
    }

    /// The packets that lie entirely within the part of the page that is there. Its checksum is not verified, but every
    /// packet is checked again when it is decoded.
    fn whole_packets(&self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        // The first packet may have begun on the page before.
        let mut skip = self.fixed[5] & 1 != 0;
        let (mut start, mut end) = (0, 0);
        for lace in &self.table {
            end += usize::from(*lace);
            if *lace < 255 {
                match self.body.get(start..end) {
                    Some(packet) if !skip => packets.push(packet.to_vec()),
                    Some(_) => {}
                    None => break,
                }
                skip = false;
                start = end;
            }
        }
        packets
    }
}
