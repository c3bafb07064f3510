//! Reads `CTranslate2`'s `model.bin` as a stream of named tensors.
//!
//! The layout (little-endian): format version `u32`; name of the specification (a string); its revision `u32`; number
//! of variables `u32`; then for each variable its name (a string), rank `u8`, each dimension `u32`, element type `u8`,
//! length in bytes `u32`, data; then the aliases: number `u32`, each an alias and a variable name. A string is a `u16`
//! length, that counts a closing NUL, and the bytes.

use std::io::Read;

use super::float16;
use crate::bytes::Source;
use crate::error::ModelError;

/// Newest layout this reader knows; 5 and 6 do not differ in what is read here.
const VERSIONS: std::ops::RangeInclusive<u32> = 5..=6;
const MAX_NAME: usize = 256;
const MAX_RANK: u8 = 4;
/// Whisper large has under 1,500 variables.
const MAX_VARIABLES: u32 = 4_096;
/// The largest tensor of Whisper large has 66 million elements.
const MAX_ELEMENTS: u64 = 1 << 27;

/// How a variable's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    I8,
    I16,
    I32,
    F16,
}

impl Element {
    fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::I8,
            2 => Self::I16,
            3 => Self::I32,
            4 => Self::F16,
            _ => return None,
        })
    }

    fn size(self) -> u64 {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

/// One variable's description; its data follows in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Outermost dimension first.
    pub(crate) shape: Vec<usize>,
    pub(crate) element: Element,
    /// Product of the shape.
    pub(crate) elements: usize,
}

/// The stream: a variable's header, then all of its data, then the next.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    source: Source<R>,
    variables_left: u32,
    /// Elements of the current variable that were not read yet.
    pending: usize,
    element: Element,
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the file's head and checks that it holds a Whisper model.
    pub(crate) fn open(inner: R, label: &str) -> Result<Self, ModelError> {
        let mut source = Source::new(inner, label);
        let version = source.u32()?;
        if !VERSIONS.contains(&version) {
            return Err(source.fail(format!(
                "CTranslate2 format version {version}; 5 or 6 was expected"
            )));
        }
        let spec = string(&mut source)?;
        if spec != "WhisperSpec" {
            return Err(source.fail(format!("a model of kind {spec:?}; a WhisperSpec was expected")));
        }
        let _revision = source.u32()?;
        let variables = source.u32()?;
        if variables > MAX_VARIABLES {
            return Err(source.fail(format!(
                "{variables} variables; at most {MAX_VARIABLES} are allowed"
            )));
        }
        Ok(Self {
            source,
            variables_left: variables,
            pending: 0,
            element: Element::F32,
            buffer: Vec::new(),
        })
    }

    /// The next variable's header, or `None` after the last. What was not read of the previous one is skipped.
    pub(crate) fn next_variable(&mut self) -> Result<Option<Variable>, ModelError> {
        while self.pending > 0 {
            self.raw(self.pending.min(1 << 16))?;
        }
        if self.variables_left == 0 {
            return Ok(None);
        }
        self.variables_left -= 1;
        let name = string(&mut self.source)?;
        let rank = self.source.u8()?;
        if rank > MAX_RANK {
            return Err(self.source.fail(format!(
                "{name} has {rank} dimensions; at most {MAX_RANK} are allowed"
            )));
        }
        let mut shape = Vec::with_capacity(usize::from(rank));
        let mut elements = 1u64;
        for _ in 0..rank {
            let dimension = self.source.u32()?;
            elements = elements.saturating_mul(u64::from(dimension));
            shape.push(dimension as usize);
        }
        let id = self.source.u8()?;
        let Some(element) = Element::from_id(id) else {
            return Err(self
                .source
                .fail(format!("{name} has elements of unknown type {id}")));
        };
        let length = u64::from(self.source.u32()?);
        if elements > MAX_ELEMENTS || elements * element.size() != length {
            return Err(self
                .source
                .fail(format!("{name} declares shape {shape:?} but {length} bytes")));
        }
        self.pending = elements as usize;
        self.element = element;
        Ok(Some(Variable {
            name,
            shape,
            element,
            elements: elements as usize,
        }))
    }

    /// The next values of the current variable, as single precision.
    pub(crate) fn floats(&mut self, out: &mut [f32]) -> Result<(), ModelError> {
        self.raw(out.len())?;
        match self.element {
            Element::F16 => {
                for (value, bytes) in out.iter_mut().zip(self.buffer.chunks_exact(2)) {
                    *value = float16::to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
                }
            }
            Element::F32 => {
                for (value, bytes) in out.iter_mut().zip(self.buffer.chunks_exact(4)) {
                    *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
            other => {
                return Err(self.fail(format!(
                    "weights stored as {other:?}; only 16 and 32-bit floats convert"
                )));
            }
        }
        Ok(())
    }

    /// The one value of an integer scalar.
    pub(crate) fn integer(&mut self) -> Result<i32, ModelError> {
        if self.pending != 1 {
            return Err(self.fail(format!("{} values where one was expected", self.pending)));
        }
        self.raw(1)?;
        Ok(match (self.element, self.buffer.as_slice()) {
            (Element::I8, [a]) => i32::from(i8::from_le_bytes([*a])),
            (Element::I16, [a, b]) => i32::from(i16::from_le_bytes([*a, *b])),
            (Element::I32, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]),
            _ => return Err(self.fail("a float where an integer was expected")),
        })
    }

    /// Checks that the aliases follow and nothing else.
    pub(crate) fn finish(mut self) -> Result<(), ModelError> {
        let aliases = self.source.u32()?;
        if aliases > MAX_VARIABLES {
            return Err(self
                .source
                .fail(format!("{aliases} aliases; at most {MAX_VARIABLES} are allowed")));
        }
        for _ in 0..2 * aliases {
            string(&mut self.source)?;
        }
        if self.source.at_end()? {
            Ok(())
        } else {
            Err(self.source.fail("more data after the last alias"))
        }
    }

    /// The error for something wrong at the current offset.
    pub(crate) fn fail(&self, what: impl Into<String>) -> ModelError {
        self.source.fail(what)
    }

    fn raw(&mut self, elements: usize) -> Result<(), ModelError> {
        if elements > self.pending {
            return Err(self.fail(format!(
                "{elements} more values are needed but {} are left",
                self.pending
            )));
        }
        self.buffer.resize(elements * self.element.size() as usize, 0);
        self.source.fill(&mut self.buffer)?;
        self.pending -= elements;
        Ok(())
    }
}

fn string<R: Read>(source: &mut Source<R>) -> Result<String, ModelError> {
    let len = usize::from(source.u16()?);
    let mut bytes = source.bytes(len, MAX_NAME, "a name")?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| source.fail("a name that is not UTF-8"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes what [`Reader`] reads, for tests.
    pub(crate) fn file(variables: &[(&str, &[u32], u8, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let string = |out: &mut Vec<u8>, s: &str| {
            out.extend((s.len() as u16 + 1).to_le_bytes());
            out.extend(s.as_bytes());
            out.push(0);
        };
        out.extend(6u32.to_le_bytes());
        string(&mut out, "WhisperSpec");
        out.extend(3u32.to_le_bytes());
        out.extend((variables.len() as u32).to_le_bytes());
        for (name, shape, element, data) in variables {
            string(&mut out, name);
            out.push(shape.len() as u8);
            for d in *shape {
                out.extend(d.to_le_bytes());
            }
            out.push(*element);
            out.extend((data.len() as u32).to_le_bytes());
            out.extend(data);
        }
        out.extend(1u32.to_le_bytes());
        string(&mut out, "decoder/projection/weight");
        string(&mut out, "decoder/embeddings/weight");
        out
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn variables_come_in_order_and_unread_data_is_skipped() {
        let bytes = file(&[
            ("a", &[2, 2], 4, vec![0x00, 0x3c, 0x00, 0xc0, 0, 0, 0, 0]),
            ("heads", &[], 2, vec![6, 0]),
            ("skipped", &[3], 0, vec![0; 12]),
            ("last", &[], 1, vec![0xff]),
        ]);
        let mut r = Reader::open(&bytes[..], "model.bin").unwrap();
        let a = r.next_variable().unwrap().unwrap();
        assert_eq!(
            (a.name.as_str(), a.shape.as_slice(), a.elements),
            ("a", &[2usize, 2][..], 4)
        );
        let mut v = [0.0; 2];
        r.floats(&mut v).unwrap();
        assert_eq!(v, [1.0, -2.0]);
        r.next_variable().unwrap().unwrap();
        assert_eq!(r.integer().unwrap(), 6);
        r.next_variable().unwrap().unwrap();
        assert_eq!(r.next_variable().unwrap().unwrap().name, "last");
        assert_eq!(r.integer().unwrap(), -1);
        assert!(r.next_variable().unwrap().is_none());
        r.finish().unwrap();
    }

    #[test]
    fn lies_are_found() {
        let good = file(&[("a", &[2], 0, vec![0; 8])]);
        let wrong_length = file(&[("a", &[3], 0, vec![0; 8])]);
        let mut r = Reader::open(&wrong_length[..], "m").unwrap();
        assert!(
            r.next_variable()
                .unwrap_err()
                .to_string()
                .contains("declares shape [3] but 8 bytes")
        );
        let mut version = good.clone();
        version[0] = 9;
        assert!(
            Reader::open(&version[..], "m")
                .unwrap_err()
                .to_string()
                .contains("version 9")
        );
        let mut more = good;
        more.push(0);
        let mut r = Reader::open(&more[..], "m").unwrap();
        while r.next_variable().unwrap().is_some() {}
        assert!(r.finish().unwrap_err().to_string().contains("more data"));
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(mut bytes: Vec<u8>, cut in 0usize..200, flip in 0usize..200) {
            let walk = |b: &[u8]| {
                if let Ok(mut r) = Reader::open(b, "m") {
                    while let Ok(Some(_)) = r.next_variable() { let _ = r.integer(); }
                }
            };
            walk(&bytes);
            let mut good = file(&[("a", &[2, 2], 4, vec![0; 8]), ("b", &[], 2, vec![6, 0])]);
            let at = flip % good.len();
            good[at] ^= 0xff;
            good.truncate(good.len() - cut % good.len());
            good.append(&mut bytes);
            walk(&good);
        }
    }
}
