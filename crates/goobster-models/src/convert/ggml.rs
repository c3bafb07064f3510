//! Writes whisper.cpp's model file: magic, eleven hyper-parameters, mel filters, vocabulary, then the tensors.
//!
//! Per-tensor types are the ones whisper.cpp allocates for a `q8_0` model: matrices are `q8_0` (blocks of 32 values, a
//! half-precision scale and 32 signed bytes), the two convolutions half precision, everything else single precision.

use std::io::{Seek, SeekFrom, Write};

use super::{float16, mel};

/// "ggml", the first four bytes read as a number.
const MAGIC: u32 = 0x6767_6d6c;
/// `GGML_FTYPE_MOSTLY_Q8_0` = 7, plus the quantisation format's version, 2, times 1000.
const FTYPE_Q8_0: u32 = 2_007;
/// Values a `q8_0` block.
pub(crate) const BLOCK: usize = 32;
/// Bytes a `q8_0` block: the scale and the values.
const BLOCK_BYTES: usize = 2 + BLOCK;

/// The numbers that describe a Whisper model's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HyperParameters {
    pub(crate) vocabulary: u32,
    pub(crate) audio_context: u32,
    pub(crate) audio_state: u32,
    pub(crate) audio_heads: u32,
    pub(crate) audio_layers: u32,
    pub(crate) text_context: u32,
    pub(crate) text_state: u32,
    pub(crate) text_heads: u32,
    pub(crate) text_layers: u32,
    pub(crate) mels: u32,
}

impl HyperParameters {
    fn bytes(&self) -> [u8; 44] {
        let fields = [
            self.vocabulary,
            self.audio_context,
            self.audio_state,
            self.audio_heads,
            self.audio_layers,
            self.text_context,
            self.text_state,
            self.text_heads,
            self.text_layers,
            self.mels,
            FTYPE_Q8_0,
        ];
        let mut out = [0; 44];
        for (slot, field) in out.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        out
    }
}

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    F32,
    F16,
    Q8,
}

impl Storage {
    fn ggml_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8 => 8,
        }
    }
}

/// The file being written. The hyper-parameters are known last, because the weights arrive in a stream; they are
/// patched into place by [`Writer::finish`].
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the head: room for the hyper-parameters, the mel filters, and the text tokens of the vocabulary in order.
    pub(crate) fn create(mut out: W, mels: usize, tokens: &[Vec<u8>]) -> std::io::Result<Self> {
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&HyperParameters::default().bytes())?;
        out.write_all(&(mels as u32).to_le_bytes())?;
        out.write_all(&(mel::BINS as u32).to_le_bytes())?;
        for weight in mel::filters(mels) {
            out.write_all(&weight.to_le_bytes())?;
        }
        out.write_all(&(tokens.len() as u32).to_le_bytes())?;
        for token in tokens {
            out.write_all(&(token.len() as u32).to_le_bytes())?;
            out.write_all(token)?;
        }
        Ok(Self {
            out,
            buffer: Vec::new(),
        })
    }

    /// Begins a tensor. `shape` is outermost first; the file wants innermost first.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], storage: Storage) -> std::io::Result<()> {
        self.out.write_all(&(shape.len() as u32).to_le_bytes())?;
        self.out.write_all(&(name.len() as u32).to_le_bytes())?;
        self.out.write_all(&storage.ggml_type().to_le_bytes())?;
        for dimension in shape.iter().rev() {
            self.out.write_all(&(*dimension as u32).to_le_bytes())?;
        }
        self.out.write_all(name.as_bytes())
    }

    /// Some of the tensor's values, in order; for [`Storage::Q8`] a multiple of [`BLOCK`] of them.
    pub(crate) fn values(&mut self, values: &[f32], storage: Storage) -> std::io::Result<()> {
        self.buffer.clear();
        match storage {
            Storage::F32 => self.buffer.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Storage::F16 => self
                .buffer
                .extend(values.iter().flat_map(|v| float16::from_f32(*v).to_le_bytes())),
            Storage::Q8 => {
                debug_assert_eq!(values.len() % BLOCK, 0, "q8_0 works on whole blocks");
                for block in values.chunks_exact(BLOCK) {
                    self.buffer.extend(quantise(block));
                }
            }
        }
        self.out.write_all(&self.buffer)
    }

    /// Patches the hyper-parameters in and flushes.
    pub(crate) fn finish(mut self, parameters: &HyperParameters) -> std::io::Result<()> {
        self.out.seek(SeekFrom::Start(4))?;
        self.out.write_all(&parameters.bytes())?;
        self.out.seek(SeekFrom::End(0))?;
        self.out.flush()
    }
}

/// One `q8_0` block: the largest magnitude maps to 127, the rest round to the nearest step, halves away from zero.
/// The same arithmetic as ggml's reference quantiser, so that the file is the same byte for byte.
fn quantise(block: &[f32]) -> [u8; BLOCK_BYTES] {
    let largest = block.iter().fold(0f32, |m, v| m.max(v.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut out = [0; BLOCK_BYTES];
    out[..2].copy_from_slice(&float16::from_f32(scale).to_le_bytes());
    for (slot, value) in out[2..].iter_mut().zip(block) {
        *slot = ((value * inverse).round() as i8).to_le_bytes()[0];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn a_block_keeps_its_extremes_and_signs() {
        let mut block = [0f32; BLOCK];
        block[0] = -2.54;
        block[1] = 1.27;
        block[2] = 0.009;
        let q = quantise(&block);
        assert_eq!(
            float16::to_f32(u16::from_le_bytes([q[0], q[1]])),
            float16::to_f32(float16::from_f32(0.02))
        );
        assert_eq!(q[2] as i8, -127);
        assert_eq!(q[3] as i8, 64, "63.5 rounds away from zero");
        assert_eq!(q[4] as i8, 0);
        assert_eq!(quantise(&[0.0; BLOCK]), [0; BLOCK_BYTES]);
    }

    proptest::proptest! {
        #[test]
        fn a_quantised_value_is_within_half_a_step(values in proptest::collection::vec(-8f32..8.0, BLOCK)) {
            let q = quantise(&values);
            let scale = float16::to_f32(u16::from_le_bytes([q[0], q[1]]));
            for (v, s) in values.iter().zip(&q[2..]) {
                let back = f32::from(*s as i8) * scale;
                // Half a step, and what rounding the scale to half precision costs at full range.
                assert!((back - v).abs() <= 0.5 * scale + 127.0 * scale / 1024.0, "{v} came back as {back}");
            }
        }
    }

    #[test]
    fn the_head_is_laid_out_as_whisper_cpp_reads_it() {
        let mut file = Cursor::new(Vec::new());
        let mut w = Writer::create(&mut file, 80, &[b"a".to_vec(), Vec::new()]).unwrap();
        w.tensor("x", &[3, 1], Storage::F32).unwrap();
        w.values(&[1.0, 2.0, 3.0], Storage::F32).unwrap();
        w.finish(&HyperParameters {
            vocabulary: 51_864,
            mels: 80,
            ..Default::default()
        })
        .unwrap();
        let bytes = file.into_inner();
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(&bytes[..4], b"lmgg");
        assert_eq!((u32_at(4), u32_at(40), u32_at(44)), (51_864, 80, 2_007));
        assert_eq!((u32_at(48), u32_at(52)), (80, 201));
        let vocabulary = 56 + 80 * 201 * 4;
        assert_eq!(
            (u32_at(vocabulary), u32_at(vocabulary + 4), bytes[vocabulary + 8]),
            (2, 1, b'a')
        );
        let tensor = vocabulary + 4 + 5 + 4;
        assert_eq!(
            (u32_at(tensor), u32_at(tensor + 4), u32_at(tensor + 8)),
            (2, 1, 0)
        );
        assert_eq!(
            (u32_at(tensor + 12), u32_at(tensor + 16)),
            (1, 3),
            "innermost dimension first"
        );
        assert_eq!(bytes.len(), tensor + 20 + 1 + 12);
    }
}
