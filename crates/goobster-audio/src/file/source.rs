//! The bytes of a recording: a seekable reader of known length, whose position others may watch, and in which a
//! broken length field can be mended without touching the file.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

/// What a recording may be read from: a file, or bytes in memory.
pub trait ReadSeek: Read + Seek + Send + Sync {}
impl<T: Read + Seek + Send + Sync> ReadSeek for T {}

/// Bytes shown in place of those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) at: u64,
    pub(crate) bytes: [u8; 4],
}

/// A reader of known length.
pub(crate) struct Source {
    inner: Box<dyn ReadSeek>,
    /// Where the recording begins in the reader, after tags.
    base: u64,
    /// From there.
    len: u64,
    pos: u64,
    /// The furthest byte read, for progress bars.
    reached: Arc<AtomicU64>,
    patches: Vec<Patch>,
}

impl Source {
    /// Takes the reader and measures it; reading starts at its first byte.
    pub(crate) fn new(mut inner: Box<dyn ReadSeek>) -> io::Result<Self> {
        let len = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(0))?;
        Ok(Self {
            inner,
            base: 0,
            len,
            pos: 0,
            reached: Arc::default(),
            patches: Vec::new(),
        })
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn reached(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.reached)
    }

    /// Leaves out the first `bytes`: positions count from there on. To be done before anything is mended.
    pub(crate) fn skip(&mut self, bytes: u64) {
        let bytes = bytes.min(self.len);
        self.base += bytes;
        self.len -= bytes;
    }

    /// Leaves out everything from `len` on.
    pub(crate) fn cut_to(&mut self, len: u64) {
        self.len = self.len.min(len);
    }

    pub(crate) fn mend(&mut self, patch: Patch) {
        self.patches.push(patch);
    }

    /// Up to `limit` bytes from `at`; fewer only at the end of the file. The position is undefined afterwards.
    pub(crate) fn peek(&mut self, at: u64, limit: usize) -> io::Result<Vec<u8>> {
        self.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        self.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.pos))
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let n = self.inner.read(&mut buf[..left])?;
        for patch in &self.patches {
            for (slot, at) in buf[..n].iter_mut().zip(self.pos..) {
                if let Some(byte) = at.checked_sub(patch.at).and_then(|i| patch.bytes.get(i as usize)) {
                    *slot = *byte;
                }
            }
        }
        self.pos += n as u64;
        self.reached.fetch_max(self.pos, Ordering::Relaxed);
        Ok(n)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        let at = self.base.checked_add(target).ok_or(io::ErrorKind::InvalidInput)?;
        self.inner.seek(SeekFrom::Start(at))?;
        self.pos = target;
        Ok(self.pos)
    }
}

impl MediaSource for Source {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_shows_through_reads_of_any_size() {
        for step in 1..9 {
            let mut source = Source::new(Box::new(io::Cursor::new(vec![0u8; 16]))).unwrap();
            source.mend(Patch {
                at: 5,
                bytes: [1, 2, 3, 4],
            });
            let mut seen = Vec::new();
            let mut buf = vec![0; step];
            loop {
                let n = source.read(&mut buf).unwrap();
                if n == 0 {
                    break;
                }
                seen.extend_from_slice(&buf[..n]);
            }
            assert_eq!(seen, [0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(source.reached().load(Ordering::Relaxed), 16);
        }
    }

    #[test]
    fn what_is_cut_is_gone() {
        let mut source = Source::new(Box::new(io::Cursor::new(b"0123456789".to_vec()))).unwrap();
        source.cut_to(4);
        assert_eq!(source.peek(2, 100).unwrap(), b"23");
        assert_eq!(source.seek(SeekFrom::End(-1)).unwrap(), 3);
        source.cut_to(100);
        assert_eq!(source.len(), 4);
    }

    #[test]
    fn what_is_skipped_does_not_count() {
        let mut source = Source::new(Box::new(io::Cursor::new(b"tag56789".to_vec()))).unwrap();
        source.skip(3);
        source.mend(Patch {
            at: 0,
            bytes: *b"abcd",
        });
        assert_eq!((source.len(), source.peek(0, 9).unwrap()), (5, b"abcd9".to_vec()));
        assert_eq!(source.seek(SeekFrom::End(-2)).unwrap(), 3);
        assert_eq!(source.seek(SeekFrom::Current(1)).unwrap(), 4);
        assert!(source.seek(SeekFrom::Current(-5)).is_err());
        source.skip(99);
        assert_eq!(source.len(), 0);
    }

    #[test]
    fn peeking_stops_at_the_end() {
        let mut source = Source::new(Box::new(io::Cursor::new(b"0123456789".to_vec()))).unwrap();
        assert_eq!(source.peek(6, 100).unwrap(), b"6789");
        assert_eq!(source.peek(0, 3).unwrap(), b"012");
        assert_eq!(source.peek(99, 3).unwrap(), b"");
    }
}
