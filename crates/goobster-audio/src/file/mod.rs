//! Recordings of any common format, decoded piece by piece to 16 kHz mono.
//!
//! wav, aiff, flac, mp3, ogg vorbis, aac, m4a/mp4 (AAC, ALAC), mkv and webm go through symphonia; Opus, in Ogg, Matroska
//! or MP4, through libopus. Memory stays bounded whatever the length of the file or the sizes it claims. The format is told
//! from the bytes, never from the name.
//!
//! A damaged packet costs only itself: silence stands in for it and times stay right. A file that is cut off gives
//! everything before the cut. Both are told by [`AudioFile::damage`], so the caller can warn after the fact.

mod clock;
mod codec;
mod contain;
mod decode;
mod demux;
mod downmix;
mod guard;
mod headers;
mod info;
mod ogg_opus;
mod opus_head;
mod pages;
mod sniff;
mod source;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::AudioError;
use crate::frame::SAMPLE_RATE;
use crate::resample::Resampler;
use decode::{Pcm, Step};
use demux::Demuxed;
use guard::Ending;
use ogg_opus::OggOpus;
use sniff::{Container, SNIFF_LEN, Sniffed};
use source::Source;

pub use contain::panics_are_contained;
pub use info::{Damage, FileInfo, Length};
pub use source::ReadSeek;

/// Blocks are at least this long (100 ms), unless the recording ends.
const MIN_BLOCK: usize = SAMPLE_RATE as usize / 10;
/// Tags that may follow each other; some programs write a second one instead of changing the first.
const MAX_TAGS: usize = 8;
/// What is said of bytes in which no format can be found.
const UNKNOWN_BYTES: &str = "the bytes match no known format";
/// Silence is given out in pieces of this many samples at most.
const SILENCE_PIECE: u64 = 1 << 15;
/// The holes of one recording together, in seconds: a day and a night of a call recorded only while someone speaks. A
/// few kilobytes of time stamps must not keep a machine busy for months.
const MAX_SILENCE_S: u64 = 24 * 3600;

/// A piece of a recording, handed out by [`AudioFile::next_block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The index of its first sample, at 16 kHz from the start of the recording.
    pub start: u64,
    /// How many samples it has.
    pub samples: usize,
}

/// A recording being read.
pub struct AudioFile {
    place: String,
    pcm: Box<dyn Pcm>,
    /// The decoder's last output at its own rate.
    mono: Vec<f32>,
    resampler: Option<Resampler>,
    /// Silence still to be given out: samples and their rate.
    silence: (u64, u32),
    /// Silence given out in the place of holes, in milliseconds.
    holes_ms: u64,
    /// Sound decoded while opening.
    first: Vec<f32>,
    emitted: u64,
    ended: bool,
    /// An error that ended the recording; told once everything before it has been handed out.
    failed: Option<AudioError>,
    reached: Arc<AtomicU64>,
    bytes: u64,
}

impl AudioFile {
    /// Opens a recording and decodes its first piece, so that every file that cannot be read at all is refused here.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AudioError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => AudioError::Missing { place: place.clone() },
            _ => AudioError::Read {
                place: place.clone(),
                offset: 0,
                source,
            },
        };
        // Looked at before it is opened: opening a pipe that nobody writes to waits for ever.
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        if !kind.is_file() {
            let (what, remedy) = if kind.is_dir() {
                ("a folder", "name the files inside it")
            } else {
                ("a pipe or a device", "save the sound to a file first")
            };
            return Err(AudioError::NotAFile { place, what, remedy });
        }
        Self::from_reader(std::fs::File::open(path).map_err(failed)?, &place)
    }

    /// The same for bytes from elsewhere; `name` stands in for the path in messages.
    pub fn from_reader(reader: impl ReadSeek + 'static, name: &str) -> Result<Self, AudioError> {
        let place = name.to_owned();
        let read_error = |source| AudioError::Read {
            place: place.clone(),
            offset: 0,
            source,
        };
        let mut source = Source::new(Box::new(reader)).map_err(read_error)?;
        if source.len() == 0 {
            return Err(AudioError::Empty { place });
        }
        let container = identify(&place, &mut source)?;
        let ending = guard::check_structure(&place, &mut source, container)?;
        let (reached, bytes) = (source.reached(), source.len());
        io::Seek::rewind(&mut source).map_err(read_error)?;
        let opened = Self::begin(&place, source, container, ending, reached, bytes);
        match opened {
            // A chance resemblance in data that begins like no format.
            Err(error) if container == Container::Unknown && !matches!(error, AudioError::Read { .. }) => {
                Err(AudioError::NotAudio {
                    place,
                    looks_like: UNKNOWN_BYTES.to_owned(),
                })
            }
            opened => opened,
        }
    }

    /// Prepares the decoder and decodes until there is sound.
    fn begin(
        place: &str,
        source: Source,
        container: Container,
        ending: Ending,
        reached: Arc<AtomicU64>,
        bytes: u64,
    ) -> Result<Self, AudioError> {
        let place = place.to_owned();
        let pcm: Box<dyn Pcm> = match container {
            Container::OggOpus => Box::new(OggOpus::open(place.clone(), source)?),
            other => Box::new(Demuxed::open(place.clone(), source, other, ending)?),
        };
        let mut file = Self {
            place,
            pcm,
            mono: Vec::new(),
            resampler: None,
            silence: (0, SAMPLE_RATE),
            holes_ms: 0,
            first: Vec::new(),
            emitted: 0,
            ended: false,
            failed: None,
            reached,
            bytes,
        };
        file.prime()?;
        Ok(file)
    }

    /// How the recording is stored.
    pub fn info(&self) -> &FileInfo {
        self.pcm.info()
    }

    /// How long the recording is, as far as is known before its end.
    pub fn length(&self) -> Length {
        self.pcm.length()
    }

    /// How much has been handed out.
    pub fn position(&self) -> Duration {
        Duration::from_secs_f64(self.emitted as f64 / f64::from(SAMPLE_RATE))
    }

    /// How far through the recording reading is, 0.0 to 1.0: by time where the length is known, else by bytes.
    pub fn progress(&self) -> f32 {
        let done = match self.length().duration() {
            Some(length) if !length.is_zero() => self.position().as_secs_f64() / length.as_secs_f64(),
            _ => self.reached.load(Ordering::Relaxed) as f64 / self.bytes.max(1) as f64,
        };
        done.clamp(0.0, 1.0) as f32
    }

    /// What could not be decoded so far; complete after the last block.
    pub fn damage(&self) -> &Damage {
        self.pcm.damage()
    }

    /// Replaces the contents of `out` by the next piece of 16 kHz mono sound, 0.1 to about 3 s; full scale is -1.0 to
    /// 1.0, though resampling and floating-point files may exceed it a little. `None` at the end.
    ///
    /// After an error everything before it has been handed out, and only `None` follows.
    pub fn next_block(&mut self, out: &mut Vec<f32>) -> Result<Option<Block>, AudioError> {
        out.clear();
        out.append(&mut self.first);
        while out.len() < MIN_BLOCK && !self.ended {
            self.advance(out);
        }
        if out.is_empty() {
            return self.failed.take().map_or(Ok(None), Err);
        }
        let block = Block {
            start: self.emitted,
            samples: out.len(),
        };
        self.emitted += out.len() as u64;
        Ok(Some(block))
    }

    /// Reads the rest of the recording at once; at most `limit` samples, beyond which it is an error.
    pub fn read_all(&mut self, limit: usize) -> Result<Vec<f32>, AudioError> {
        let (mut all, mut block) = (Vec::new(), Vec::new());
        while self.next_block(&mut block)?.is_some() {
            if all.len() + block.len() > limit {
                let (place, what) = (self.place.clone(), "a recording read at once");
                let (value, limit) = ((all.len() + block.len()) as u64, limit as u64);
                return Err(AudioError::Limit {
                    place,
                    what,
                    value,
                    limit,
                });
            }
            all.extend_from_slice(&block);
        }
        Ok(all)
    }

    /// Decodes until there is sound.
    fn prime(&mut self) -> Result<(), AudioError> {
        let mut first = Vec::new();
        while first.is_empty() && !self.ended {
            self.advance(&mut first);
        }
        if first.is_empty() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let container = self.info().container.to_owned();
            return Err(AudioError::NoSamples {
                place: self.place.clone(),
                container,
            });
        }
        self.first = first;
        Ok(())
    }

    /// One step: decode, or give out silence, or end. An error is kept for later.
    fn advance(&mut self, out: &mut Vec<f32>) {
        if let Err(error) = self.try_advance(out) {
            self.failed = Some(error);
            self.finish(out);
        }
    }

    fn try_advance(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.silence.0 > 0 {
            let (left, rate) = self.silence;
            let now = left.min(SILENCE_PIECE);
            self.silence.0 -= now;
            self.mono.clear();
            self.mono.resize(now as usize, 0.0);
            return self.convert(rate, out);
        }
        match self.pcm.step(&mut self.mono)? {
            Step::Audio { rate } => self.convert(rate, out),
            Step::Silence { samples, rate } => {
                let ms = samples.saturating_mul(1000) / u64::from(rate.max(1));
                self.holes_ms = self.holes_ms.saturating_add(ms);
                if self.holes_ms > MAX_SILENCE_S * 1000 {
                    return Err(AudioError::Limit {
                        place: self.place.clone(),
                        what: "silence in its time stamps, in seconds,",
                        value: self.holes_ms / 1000,
                        limit: MAX_SILENCE_S,
                    });
                }
                self.silence = (samples, rate);
                Ok(())
            }
            Step::End => {
                self.finish(out);
                Ok(())
            }
        }
    }

    /// Appends what `mono` holds, at 16 kHz.
    fn convert(&mut self, rate: u32, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.mono.is_empty() {
            return Ok(());
        }
        if self
            .resampler
            .as_ref()
            .is_none_or(|resampler| resampler.from_rate() != rate)
        {
            // The rate of a chained stream may change.
            if let Some(mut old) = self.resampler.take() {
                old.flush(out)?;
            }
            self.resampler = Some(Resampler::new(rate, SAMPLE_RATE, 1)?);
        }
        match &mut self.resampler {
            Some(resampler) => resampler.process(&self.mono, out),
            None => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Vec<f32>) {
        self.ended = true;
        if let Some(mut resampler) = self.resampler.take()
            && let Err(error) = resampler.flush(out)
        {
            self.failed.get_or_insert(error);
        }
    }
}

impl std::fmt::Debug for AudioFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioFile")
            .field("place", &self.place)
            .field("info", self.info())
            .field("emitted", &self.emitted)
            .finish_non_exhaustive()
    }
}

/// Tells what the bytes are, or what they are not. Tags before the sound are left out of `source`: nothing here reads
/// them.
fn identify(place: &str, source: &mut Source) -> Result<Container, AudioError> {
    let place = place.to_owned();
    let read = |source: &mut Source| {
        source.peek(0, SNIFF_LEN).map_err(|source| AudioError::Read {
            place: place.clone(),
            offset: 0,
            source,
        })
    };
    let mut start = read(source)?;
    for _ in 0..MAX_TAGS {
        let Some(len) = sniff::id3_len(&start) else { break };
        if len >= source.len() {
            let (length, detail) = (source.len(), "there is only an ID3 tag".to_owned());
            return Err(AudioError::Truncated {
                place,
                length,
                detail,
            });
        }
        source.skip(len);
        start = read(source)?;
    }
    match sniff::sniff(&start) {
        Sniffed::Audio(container) => Ok(container),
        Sniffed::Unsupported(what) => Err(AudioError::Unsupported {
            place,
            what: what.to_owned(),
        }),
        Sniffed::Encrypted(scheme) => Err(AudioError::Encrypted {
            place,
            scheme: scheme.to_owned(),
        }),
        Sniffed::NotAudio(what) => Err(AudioError::NotAudio {
            place,
            looks_like: what.to_owned(),
        }),
    }
}
