//! The weight file, checked and packed in the order in which the forward pass reads it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::fourier::{BINS, FRAME, Tables, hann};
use crate::lanes::Group;

/// What a weight file begins with.
const MAGIC: &[u8; 8] = b"GOOBSVAD";
/// The only version there is.
const VERSION: u32 = 1;

/// The tensors of the file in their order: name and shape, outermost dimension first.
const TENSORS: [(&str, &[usize]); 15] = [
    ("stft.basis", &[2 * BINS, 1, FRAME]),
    ("encoder.0.weight", &[128, 129, 3]),
    ("encoder.0.bias", &[128]),
    ("encoder.1.weight", &[64, 128, 3]),
    ("encoder.1.bias", &[64]),
    ("encoder.2.weight", &[64, 64, 3]),
    ("encoder.2.bias", &[64]),
    ("encoder.3.weight", &[128, 64, 3]),
    ("encoder.3.bias", &[128]),
    ("lstm.weight_ih", &[512, 128]),
    ("lstm.weight_hh", &[512, 128]),
    ("lstm.bias_ih", &[512]),
    ("lstm.bias_hh", &[512]),
    ("decoder.weight", &[1, 128, 1]),
    ("decoder.bias", &[1]),
];

const fn elements(shape: &[usize]) -> usize {
    let (mut product, mut index) = (1, 0);
    while index < shape.len() {
        product *= shape[index];
        index += 1;
    }
    product
}

/// Why a weight file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot read the voice activity model {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The bytes are not a weight file of this version.
    #[error("this is not a voice activity model: {what}; set the models up again to replace it")]
    Format {
        /// What is wrong, and where.
        what: String,
    },
}

fn format_error(what: impl Into<String>) -> WeightsError {
    WeightsError::Format { what: what.into() }
}

/// The weights of Silero VAD v6 at 16 kHz, 1 MB; shared between all speakers.
///
/// Each matrix is packed as blocks of outputs: within a block the inputs in order, for each input its filter taps,
/// for each tap the block's outputs. The forward pass so reads memory from front to back.
pub struct SileroWeights {
    pub(super) tables: Tables,
    pub(super) conv0: Vec<Group>,
    pub(super) conv0_bias: Vec<Group>,
    pub(super) conv1: Vec<Group>,
    pub(super) conv1_bias: Vec<Group>,
    pub(super) conv2: Vec<Group>,
    pub(super) conv2_bias: Vec<Group>,
    pub(super) conv3: Vec<Group>,
    pub(super) conv3_bias: Vec<Group>,
    pub(super) lstm: Vec<Group>,
    pub(super) lstm_bias: Vec<Group>,
    pub(super) output: Vec<Group>,
    pub(super) output_bias: f32,
}

impl std::fmt::Debug for SileroWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SileroWeights(v6, 16 kHz)")
    }
}

impl SileroWeights {
    /// The size of a weight file, in bytes.
    pub const FILE_SIZE: usize = {
        let mut size = MAGIC.len() + 8;
        let mut index = 0;
        while index < TENSORS.len() {
            let (name, shape) = TENSORS[index];
            size += 4 + name.len() + 4 + 4 * shape.len() + 4 * elements(shape);
            index += 1;
        }
        size
    };

    /// Reads a weight file; never more than [`FILE_SIZE`](Self::FILE_SIZE) bytes and one.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a weight file.
    pub fn load(path: &Path) -> Result<Self, WeightsError> {
        let mut bytes = Vec::with_capacity(Self::FILE_SIZE + 1);
        File::open(path)
            .and_then(|file| file.take(Self::FILE_SIZE as u64 + 1).read_to_end(&mut bytes))
            .map_err(|cause| WeightsError::Read {
                path: path.to_owned(),
                cause,
            })?;
        Self::from_bytes(&bytes)
    }

    /// Reads the bytes of a weight file. The format, all little-endian: `GOOBSVAD`, the version (`u32`, 1), the number
    /// of tensors (`u32`, 15), then for each tensor the length of its name and the name, the number of dimensions and
    /// each dimension (all `u32`), and the values (`f32`), row-major; LSTM gates in the order input, forget, cell,
    /// output.
    ///
    /// # Errors
    /// When anything is missing, left over, or not a number that a weight can be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let mut tensors = read_tensors(bytes)?.into_iter();
        let mut next = || tensors.next().unwrap_or_default();
        check_basis(&next())?;
        let conv0 = pack(
            &Conv {
                outputs: 128,
                inputs: 129,
                block: 16,
            },
            &[0, 1, 2],
            &next(),
        );
        let conv0_bias = groups(&next());
        let conv1 = pack(
            &Conv {
                outputs: 64,
                inputs: 128,
                block: 32,
            },
            &[0, 1, 2],
            &next(),
        );
        let conv1_bias = groups(&next());
        // With two frames in and stride two, the first tap meets padding only; with one frame in, the outer two do.
        let conv2 = pack(
            &Conv {
                outputs: 64,
                inputs: 64,
                block: 64,
            },
            &[1, 2],
            &next(),
        );
        let conv2_bias = groups(&next());
        let conv3 = pack(
            &Conv {
                outputs: 128,
                inputs: 64,
                block: 64,
            },
            &[1],
            &next(),
        );
        let conv3_bias = groups(&next());
        let (from_input, from_memory) = (next(), next());
        let bias: Vec<f32> = next().iter().zip(&next()).map(|(a, b)| a + b).collect();
        Ok(Self {
            tables: Tables::new(),
            conv0,
            conv0_bias,
            conv1,
            conv1_bias,
            conv2,
            conv2_bias,
            conv3,
            conv3_bias,
            lstm: pack_lstm(&from_input, &from_memory),
            lstm_bias: groups(&bias),
            output: groups(&next()),
            output_bias: next().first().copied().unwrap_or_default(),
        })
    }
}

/// The tensors in the order of the file, each of the right shape and finite.
fn read_tensors(bytes: &[u8]) -> Result<Vec<Vec<f32>>, WeightsError> {
    if !bytes.starts_with(MAGIC) {
        return Err(format_error("it does not begin with GOOBSVAD"));
    }
    let mut rest = Unread {
        bytes,
        offset: MAGIC.len(),
    };
    let (version, count) = (rest.number()?, rest.number()?);
    if version != VERSION || count as usize != TENSORS.len() {
        return Err(format_error(format!(
            "it is version {version} with {count} tensors, expected version {VERSION} with {}",
            TENSORS.len()
        )));
    }
    let mut tensors = Vec::with_capacity(TENSORS.len());
    for (name, shape) in TENSORS {
        rest.expect(name.len(), &format!("the length of the name {name}"))?;
        if rest.take(name.len())? != name.as_bytes() {
            return Err(format_error(format!(
                "the tensor before byte {} is not {name}",
                rest.offset
            )));
        }
        rest.expect(shape.len(), &format!("the number of dimensions of {name}"))?;
        for dimension in shape {
            rest.expect(*dimension, &format!("a dimension of {name}"))?;
        }
        let values = rest.take(4 * elements(shape))?.as_chunks::<4>().0;
        let tensor: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
        // The original's weights are all below 40; beyond a thousand (or not a number) the arithmetic could overflow.
        if let Some(bad) = tensor.iter().find(|w| w.is_nan() || w.abs() > 1e3) {
            return Err(format_error(format!("{name} holds {bad}, which is no weight")));
        }
        tensors.push(tensor);
    }
    match bytes.len() - rest.offset {
        0 => Ok(tensors),
        more => Err(format_error(format!("{more} or more bytes follow its end"))),
    }
}

/// Bytes being read.
struct Unread<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Unread<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WeightsError> {
        let end = self.offset + count;
        let taken = self.bytes.get(self.offset..end).ok_or_else(|| {
            format_error(format!(
                "it ends at byte {}, expected {}",
                self.bytes.len(),
                SileroWeights::FILE_SIZE
            ))
        })?;
        self.offset = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, WeightsError> {
        Ok(self
            .take(4)?
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn expect(&mut self, expected: usize, what: &str) -> Result<(), WeightsError> {
        let at = self.offset;
        let found = self.number()?;
        if found as usize == expected {
            Ok(())
        } else {
            Err(format_error(format!(
                "{what} at byte {at} is {found}, expected {expected}"
            )))
        }
    }
}

/// The file carries the Fourier transform as a matrix. The FFT stands in for it, so it must be that transform.
fn check_basis(basis: &[f32]) -> Result<(), WeightsError> {
    for (row, values) in basis.chunks_exact(FRAME).enumerate() {
        let (bin, imaginary) = (row % BINS, row >= BINS);
        for (n, value) in values.iter().enumerate() {
            let angle = std::f64::consts::TAU * ((bin * n) % FRAME) as f64 / FRAME as f64;
            let wave = if imaginary { -angle.sin() } else { angle.cos() };
            if (f64::from(*value) - wave * hann(n)).abs() > 1e-5 {
                return Err(format_error(
                    "its first layer is not the expected Fourier transform",
                ));
            }
        }
    }
    Ok(())
}

/// The shape of a convolution with three taps, and how many outputs the forward pass does at once.
struct Conv {
    outputs: usize,
    inputs: usize,
    block: usize,
}

fn pack(conv: &Conv, taps: &[usize], weights: &[f32]) -> Vec<Group> {
    let mut packed = Vec::with_capacity(conv.outputs * conv.inputs * taps.len());
    for block in (0..conv.outputs).step_by(conv.block) {
        for input in 0..conv.inputs {
            for tap in taps {
                let outputs = block..block + conv.block;
                packed.extend(outputs.map(|output| weights[(output * conv.inputs + input) * 3 + tap]));
            }
        }
    }
    groups(&packed)
}

/// Both matrices of the LSTM as one: 128 inputs, then 128 remembered outputs, to 512 gates in blocks of 64.
fn pack_lstm(from_input: &[f32], from_memory: &[f32]) -> Vec<Group> {
    let mut packed = Vec::with_capacity(512 * 256);
    for block in (0..512).step_by(64) {
        for matrix in [from_input, from_memory] {
            for input in 0..128 {
                packed.extend((block..block + 64).map(|gate| matrix[gate * 128 + input]));
            }
        }
    }
    groups(&packed)
}

fn groups(values: &[f32]) -> Vec<Group> {
    values.as_chunks::<8>().0.to_vec()
}
