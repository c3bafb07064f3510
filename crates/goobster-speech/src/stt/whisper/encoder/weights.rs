//! The encoder's weights out of a ggml file, as floats.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Wider models stay with ggml: as floats their encoder would take 350 MB and more.
const WIDEST: usize = 512;
/// Weights a block of ggml's `q8_0`, and its bytes: a half-precision scale before them.
const BLOCK: (usize, usize) = (32, 34);

/// A layer `weights · x + bias`, a row of `inputs` weights for each output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// Scale and shift of a layer norm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Norm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// One residual block; queries, keys and values in one layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) attention_norm: Norm,
    pub(super) qkv: Linear,
    pub(super) out: Linear,
    pub(super) mlp_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// The whole encoder.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Weights {
    pub(super) width: usize,
    pub(super) bands: usize,
    pub(super) conv1: Linear,
    /// Its weights as time by channel: three steps of the input are a row.
    pub(super) conv2: Linear,
    pub(super) positions: Vec<f32>,
    pub(super) blocks: Vec<Block>,
    pub(super) last: Norm,
}

impl Weights {
    /// Reads them from a file that was checked before. `None` when the model is too large for this, or its weights are of a
    /// kind that is not read here: ggml encodes then.
    ///
    /// # Errors
    /// When the file cannot be read or is not what was checked.
    pub(in super::super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = BufReader::with_capacity(1 << 20, std::fs::File::open(path)?);
        let mut header = [0; 12];
        for field in &mut header {
            *field = number(&mut file)?;
        }
        // The magic number, then: vocabulary, audio context, width, heads, layers, ..., mel bands, file type.
        let (width, layers, bands) = (header[3] as usize, header[5] as usize, header[10] as usize);
        if width > WIDEST {
            return Ok(None);
        }
        let filters = i64::from(number(&mut file)?) * i64::from(number(&mut file)?);
        file.seek_relative(filters * 4)?;
        for _ in 0..number(&mut file)? {
            let bytes = number(&mut file)?;
            file.seek_relative(i64::from(bytes))?;
        }
        let Some(mut tensors) = Tensors::read(&mut file)? else {
            return Ok(None);
        };
        tensors.weights(width, layers, bands).map(Some)
    }
}

/// The encoder's tensors by name.
struct Tensors(HashMap<String, Vec<f32>>);

impl Tensors {
    fn read(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut found = HashMap::new();
        loop {
            let dimensions = match number(file) {
                Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => break,
                dimensions => dimensions?,
            };
            let (letters, kind) = (number(file)?, number(file)?);
            let mut values = 1_u64;
            for _ in 0..dimensions {
                values = values.saturating_mul(u64::from(number(file)?));
            }
            let mut name = String::new();
            file.by_ref().take(u64::from(letters)).read_to_string(&mut name)?;
            let bytes = match kind {
                0 => values.saturating_mul(4),
                1 => values.saturating_mul(2),
                8 => values / BLOCK.0 as u64 * BLOCK.1 as u64,
                _ => return Ok(None),
            };
            if !name.starts_with("encoder.") {
                file.seek(SeekFrom::Current(i64::try_from(bytes).map_err(io::Error::other)?))?;
                continue;
            }
            let mut raw = Vec::new();
            // Grows with what is really there, whatever is claimed.
            file.by_ref().take(bytes).read_to_end(&mut raw)?;
            if raw.len() as u64 != bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            found.insert(name, floats(kind, &raw));
        }
        Ok(Some(Self(found)))
    }

    fn take(&mut self, name: &str, length: usize) -> io::Result<Vec<f32>> {
        match self.0.remove(&format!("encoder.{name}")) {
            Some(values) if values.len() == length => Ok(values),
            Some(values) => Err(io::Error::other(format!("{name} has {} values", values.len()))),
            None => Err(io::Error::other(format!("{name} is missing"))),
        }
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> io::Result<Linear> {
        Ok(Linear {
            weights: self.take(&format!("{name}.weight"), inputs * outputs)?,
            bias: self.take(&format!("{name}.bias"), outputs)?,
            inputs,
            outputs,
        })
    }

    fn norm(&mut self, name: &str, width: usize) -> io::Result<Norm> {
        Ok(Norm {
            scale: self.take(&format!("{name}.weight"), width)?,
            shift: self.take(&format!("{name}.bias"), width)?,
        })
    }

    fn weights(&mut self, width: usize, layers: usize, bands: usize) -> io::Result<Weights> {
        let mut conv2 = self.linear("conv2", 3 * width, width)?;
        conv2.weights = conv2.weights.chunks_exact(3 * width).flat_map(by_time).collect();
        let mut blocks = Vec::with_capacity(layers);
        for layer in 0..layers {
            blocks.push(self.block(&format!("blocks.{layer}"), width)?);
        }
        Ok(Weights {
            width,
            bands,
            conv1: self.linear("conv1", 3 * bands, width)?,
            conv2,
            positions: self.take("positional_embedding", 1500 * width)?,
            blocks,
            last: self.norm("ln_post", width)?,
        })
    }

    fn block(&mut self, name: &str, width: usize) -> io::Result<Block> {
        let mut qkv = self.linear(&format!("{name}.attn.query"), width, width)?;
        qkv.weights
            .extend(self.take(&format!("{name}.attn.key.weight"), width * width)?);
        // Whisper's keys have no bias.
        qkv.bias.resize(2 * width, 0.0);
        let values = self.linear(&format!("{name}.attn.value"), width, width)?;
        qkv.weights.extend(values.weights);
        qkv.bias.extend(values.bias);
        qkv.outputs = 3 * width;
        Ok(Block {
            attention_norm: self.norm(&format!("{name}.attn_ln"), width)?,
            qkv,
            out: self.linear(&format!("{name}.attn.out"), width, width)?,
            mlp_norm: self.norm(&format!("{name}.mlp_ln"), width)?,
            up: self.linear(&format!("{name}.mlp.0"), width, 4 * width)?,
            down: self.linear(&format!("{name}.mlp.2"), 4 * width, width)?,
        })
    }
}

/// A convolution's row from channel by time to time by channel.
fn by_time(row: &[f32]) -> Vec<f32> {
    (0..3)
        .flat_map(|tap| row.iter().skip(tap).step_by(3).copied())
        .collect()
}

fn number(file: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// ggml's types 0 (32-bit), 1 (16-bit) and 8 (`q8_0`) as floats.
fn floats(kind: u32, raw: &[u8]) -> Vec<f32> {
    match kind {
        0 => raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        1 => raw.as_chunks().0.iter().map(|b| half(*b)).collect(),
        _ => raw
            .chunks_exact(BLOCK.1)
            .flat_map(|block| {
                let scale = half([block[0], block[1]]);
                block[2..]
                    .iter()
                    .map(move |byte| f32::from(byte.cast_signed()) * scale)
            })
            .collect(),
    }
}

/// IEEE 754 half precision.
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff);
    let size = match exponent {
        0 => fraction as f32 * f32::from_bits(0x3380_0000),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if sign == 1 { -size } else { size }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read() {
        let value = |bits: u16| half(bits.to_le_bytes());
        assert_eq!(
            [value(0x3c00), value(0xc000), value(0x7bff), value(0x0001)],
            [1.0, -2.0, 65_504.0, 5.960_464_5e-8]
        );
        assert!(value(0x7c00).is_infinite() && value(0x7e00).is_nan());
    }

    #[test]
    fn blocks_of_eight_bits_are_read() {
        let mut raw = vec![0x00, 0x38];
        raw.extend((0..32_i8).map(|n| (n - 16).cast_unsigned()));
        let read = floats(8, &raw);
        assert_eq!((read.len(), read[0], read[31]), (32, -8.0, 7.5));
    }

    #[test]
    fn a_convolution_turns_its_row() {
        assert_eq!(
            by_time(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
