//! Reads the header and tensor table of a ggml Whisper file before whisper.cpp does.
//!
//! whisper.cpp trusts the file: it allocates what the header says, indexes with it, and throws C++ exceptions that end
//! the process. Nothing reaches it that has not passed here. The checks mirror its loader (`whisper_model_load` in
//! whisper.cpp 1.8): the same tensors, shapes and types, each exactly once, and nothing after them.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::ggml_layout::{Layout, WeightType};

/// "ggml" as a little-endian number: the first four bytes of the file.
const MAGIC: u32 = 0x6767_6d6c;
/// Quantised files carry the quantisation's version in the thousands of `ftype`.
const QUANTISATION_FACTOR: i32 = 1000;
/// The longest vocabulary entry accepted, in bytes; the longest of Whisper's has 128.
const MAX_TOKEN_BYTES: u32 = 1024;
/// The longest tensor name accepted, in bytes.
const MAX_NAME_BYTES: u32 = 128;

/// What the header says about the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape {
    /// Tokens, special ones included: 51864 for English-only models, more for multilingual ones.
    pub vocabulary: u32,
    /// Width of the model: 384 (tiny) to 1280 (large).
    pub width: u32,
    /// Layers of the encoder: 4 (tiny) to 32 (large).
    pub encoder_layers: u32,
    /// Layers of the decoder.
    pub decoder_layers: u32,
    /// Mel bands: 80, or 128 since large-v3.
    pub mel_bands: u32,
    /// How the big weights are stored.
    pub weights: WeightType,
}

impl ModelShape {
    /// Whether the model knows languages other than English.
    pub fn is_multilingual(&self) -> bool {
        self.vocabulary >= 51_865
    }
}

/// Why a file is not a Whisper model that can be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadModel {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It ends too early: a cut download.
    #[error("it is cut off at {at} bytes, inside {inside}")]
    Truncated {
        /// The length of the file.
        at: u64,
        /// What was being read.
        inside: String,
    },
    /// It is something else.
    #[error("it is not a ggml Whisper model: it begins with {begins:#010x} instead of 0x67676d6c")]
    NotGgml {
        /// Its first four bytes.
        begins: u32,
    },
    /// It is damaged, or not a Whisper.
    #[error("it is damaged or of another kind: {0}")]
    Damaged(String),
}

fn damaged<T>(what: impl Into<String>) -> Result<T, BadModel> {
    Err(BadModel::Damaged(what.into()))
}

/// Checks a model of `length` bytes. Memory use is bounded by the vocabulary (under 4 MB), whatever the file says.
pub fn check_ggml(file: &mut (impl Read + Seek), length: u64) -> Result<ModelShape, BadModel> {
    let mut reader = Bounded { file, at: 0, length };
    let magic = reader.u32("the magic number")?;
    if magic != MAGIC {
        return Err(BadModel::NotGgml { begins: magic });
    }
    let shape = read_shape(&mut reader)?;
    skip_mel_filters(&mut reader, &shape)?;
    skip_vocabulary(&mut reader, &shape)?;
    check_tensors(&mut reader, &shape)?;
    Ok(shape)
}

fn read_shape<F: Read + Seek>(reader: &mut Bounded<'_, F>) -> Result<ModelShape, BadModel> {
    let mut fields = [0_i32; 11];
    for field in &mut fields {
        *field = reader.i32("the header")?;
    }
    let [
        vocabulary,
        audio_context,
        width,
        heads,
        encoder_layers,
        text_context,
        text_width,
        text_heads,
        decoder_layers,
        mel_bands,
        file_type,
    ] = fields;
    let expect = |name: &str, value: i32, known: &[i32]| {
        if known.contains(&value) {
            Ok(())
        } else {
            damaged(format!("{name} is {value}, Whisper has {known:?}"))
        }
    };
    expect("the vocabulary size", vocabulary, &[51_864, 51_865, 51_866])?;
    expect("the audio context", audio_context, &[1500])?;
    expect("the text context", text_context, &[448])?;
    expect("the width", width, &[384, 512, 768, 1024, 1280])?;
    expect("the decoder's width", text_width, &[width])?;
    expect("the number of heads", heads, &[width / 64])?;
    expect("the decoder's number of heads", text_heads, &[width / 64])?;
    expect(
        "the number of encoder layers",
        encoder_layers,
        &[4, 6, 12, 24, 32],
    )?;
    expect("the number of mel bands", mel_bands, &[80, 128])?;
    if !(1..=32).contains(&decoder_layers) {
        return damaged(format!(
            "the number of decoder layers is {decoder_layers}, Whisper has 1 to 32"
        ));
    }
    let Some(weights) = WeightType::of_file_type(file_type.rem_euclid(QUANTISATION_FACTOR)) else {
        return damaged(format!("its weights are of the unknown kind {file_type}"));
    };
    Ok(ModelShape {
        vocabulary: vocabulary.unsigned_abs(),
        width: width.unsigned_abs(),
        encoder_layers: encoder_layers.unsigned_abs(),
        decoder_layers: decoder_layers.unsigned_abs(),
        mel_bands: mel_bands.unsigned_abs(),
        weights,
    })
}

fn skip_mel_filters<F: Read + Seek>(reader: &mut Bounded<'_, F>, shape: &ModelShape) -> Result<(), BadModel> {
    let bands = reader.u32("the mel filters")?;
    let bins = reader.u32("the mel filters")?;
    // 400-point transforms have 201 bins; whisper.cpp indexes the filters with that number unchecked.
    if bands != shape.mel_bands || bins != 201 {
        return damaged(format!(
            "its mel filters are {bands} x {bins} instead of {} x 201",
            shape.mel_bands
        ));
    }
    reader.skip(u64::from(bands) * u64::from(bins) * 4, "the mel filters")
}

fn skip_vocabulary<F: Read + Seek>(reader: &mut Bounded<'_, F>, shape: &ModelShape) -> Result<(), BadModel> {
    let words = reader.u32("the vocabulary")?;
    // Special tokens may be left out of the file, but text tokens may not.
    if !(50_256..=shape.vocabulary).contains(&words) {
        return damaged(format!("it lists {words} of {} tokens", shape.vocabulary));
    }
    for word in 0..words {
        let bytes = reader.u32("the vocabulary")?;
        if bytes > MAX_TOKEN_BYTES {
            return damaged(format!("token {word} claims {bytes} bytes"));
        }
        reader.skip(u64::from(bytes), "the vocabulary")?;
    }
    Ok(())
}

fn check_tensors<F: Read + Seek>(reader: &mut Bounded<'_, F>, shape: &ModelShape) -> Result<(), BadModel> {
    let layout = Layout::of(shape);
    let mut seen = HashSet::with_capacity(layout.len());
    while reader.at < reader.length {
        let dimensions = reader.u32("the tensor table")?;
        let name_bytes = reader.u32("the tensor table")?;
        let type_number = reader.u32("the tensor table")?;
        if !(1..=4).contains(&dimensions) || !(1..=MAX_NAME_BYTES).contains(&name_bytes) {
            return damaged(format!(
                "a tensor claims {dimensions} dimensions and a name of {name_bytes} bytes"
            ));
        }
        let mut sizes = [1_u64; 4];
        for size in sizes.iter_mut().take(dimensions as usize) {
            *size = u64::from(reader.u32("the tensor table")?);
        }
        let name = reader.text(name_bytes as usize, "the tensor table")?;
        let Some(expected) = layout.tensor(&name) else {
            return damaged(format!("it has an unknown tensor '{}'", name.escape_debug()));
        };
        if sizes != expected.sizes {
            return damaged(format!(
                "tensor '{name}' is {sizes:?} instead of {:?}",
                expected.sizes
            ));
        }
        if type_number != expected.weights.number() {
            return damaged(format!(
                "tensor '{name}' is of type {type_number} instead of {}",
                expected.weights.number()
            ));
        }
        let Some(bytes) = expected.weights.bytes(sizes) else {
            return damaged(format!("tensor '{name}' does not divide into whole blocks"));
        };
        reader.skip(bytes, &format!("tensor '{name}'"))?;
        if !seen.insert(name.clone()) {
            return damaged(format!("tensor '{name}' comes twice"));
        }
    }
    if seen.len() == layout.len() {
        return Ok(());
    }
    // A file cut between two tensors looks whole up to here.
    Err(BadModel::Truncated {
        at: reader.length,
        inside: format!("the tensor table ({} of {} tensors)", seen.len(), layout.len()),
    })
}

/// A reader that knows where the file ends, so that nothing is read, allocated or sought beyond it.
struct Bounded<'a, F> {
    file: &'a mut F,
    at: u64,
    length: u64,
}

impl<F: Read + Seek> Bounded<'_, F> {
    fn claim(&mut self, bytes: u64, inside: &str) -> Result<(), BadModel> {
        match self.at.checked_add(bytes) {
            Some(end) if end <= self.length => {
                self.at = end;
                Ok(())
            }
            _ => Err(BadModel::Truncated {
                at: self.length,
                inside: inside.to_owned(),
            }),
        }
    }

    fn fill<const N: usize>(&mut self, inside: &str) -> Result<[u8; N], BadModel> {
        self.claim(N as u64, inside)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self, inside: &str) -> Result<u32, BadModel> {
        self.fill(inside).map(u32::from_le_bytes)
    }

    fn i32(&mut self, inside: &str) -> Result<i32, BadModel> {
        self.fill(inside).map(i32::from_le_bytes)
    }

    fn text(&mut self, bytes: usize, inside: &str) -> Result<String, BadModel> {
        self.claim(bytes as u64, inside)?;
        let mut text = vec![0; bytes];
        self.file.read_exact(&mut text)?;
        // A name that is not text matches no tensor and is reported as unknown.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn skip(&mut self, bytes: u64, inside: &str) -> Result<(), BadModel> {
        self.claim(bytes, inside)?;
        // Small skips are read through, as a seek throws a `BufReader`'s buffer away: the vocabulary has 50,000.
        let offset = i64::try_from(bytes).map_err(|_| BadModel::Damaged("it is too large".to_owned()))?;
        if bytes <= 4096 {
            io::copy(&mut self.file.by_ref().take(bytes), &mut io::sink())?;
        } else {
            self.file.seek(SeekFrom::Current(offset))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "ggml_check_tests.rs"]
mod tests;
