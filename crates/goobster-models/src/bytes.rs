//! A bounded reader of foreign bytes: it counts the offset, caps every length that a file declares about itself,
//! and turns each surprise into a [`ModelError::Format`] that says which file, where, what, and what to do.

use std::io::{ErrorKind, Read};

use crate::error::ModelError;

/// A stream with a name and an offset, so that every complaint can say where it arose.
#[derive(Debug)]
pub(crate) struct Source<R> {
    inner: R,
    label: String,
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(inner: R, label: impl Into<String>) -> Self {
        Self {
            inner,
            label: label.into(),
            offset: 0,
        }
    }

    /// The error for something wrong at the current offset.
    pub(crate) fn fail(&self, what: impl Into<String>) -> ModelError {
        ModelError::Format {
            file: self.label.clone(),
            offset: self.offset,
            what: what.into(),
        }
    }

    /// Fills `buffer` or says that the file ends too early.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ModelError> {
        self.inner.read_exact(buffer).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => {
                self.fail(format!("the file ends in the middle of {} bytes", buffer.len()))
            }
            _ => self.fail(format!("reading failed: {e}")),
        })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ModelError> {
        let mut b = [0; 1];
        self.fill(&mut b)?;
        Ok(b[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ModelError> {
        let mut b = [0; 2];
        self.fill(&mut b)?;
        Ok(u16::from_le_bytes(b))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ModelError> {
        let mut b = [0; 4];
        self.fill(&mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// `len` bytes, refused above `cap` before anything is allocated.
    pub(crate) fn bytes(&mut self, len: usize, cap: usize, what: &str) -> Result<Vec<u8>, ModelError> {
        if len > cap {
            return Err(self.fail(format!("{what} of {len} bytes; at most {cap} are allowed")));
        }
        let mut out = vec![0; len];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// Whether the stream is at its end. Consumes one byte when it is not.
    pub(crate) fn at_end(&mut self) -> Result<bool, ModelError> {
        let mut b = [0; 1];
        loop {
            match self.inner.read(&mut b) {
                Ok(0) => return Ok(true),
                Ok(_) => {
                    self.offset += 1;
                    return Ok(false);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.fail(format!("reading failed: {e}"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_lengths_are_capped_before_allocation() {
        let mut s = Source::new(&[1u8, 2, 3][..], "x.bin");
        let e = s.bytes(usize::MAX, 16, "a name").unwrap_err().to_string();
        assert!(
            e.contains("x.bin") && e.contains("a name") && e.contains("at most 16"),
            "{e}"
        );
    }

    #[test]
    fn a_short_file_names_the_offset() {
        let mut s = Source::new(&[1u8, 2, 3][..], "x.bin");
        assert_eq!(s.u16().unwrap(), 0x0201);
        let e = s.u32().unwrap_err();
        assert!(matches!(e, ModelError::Format { offset: 2, .. }), "{e:?}");
    }
}
