//! Silero's voice-activity weights for 16 kHz, from its ONNX file to the compact `silero-vad-16k.bin`.
//!
//! # The file (little-endian)
//! - magic: the 8 bytes `GOOBSVAD`
//! - version: `u32` = 1
//! - number of tensors: `u32` = 15
//! - for each tensor: length of its name `u32`, the name (UTF-8), rank `u32`, each dimension `u32` (outermost first),
//!   then the values as `f32`, row-major.
//!
//! The tensors, in this order:
//!
//! | name | shape | meaning |
//! | --- | --- | --- |
//! | `stft.basis` | 258, 1, 256 | windowed Fourier basis: rows 0-128 real, 129-257 imaginary |
//! | `encoder.0.weight`, `encoder.0.bias` | 128, 129, 3; 128 | convolution, stride 1, padding 1, then `ReLU` |
//! | `encoder.1.weight`, `encoder.1.bias` | 64, 128, 3; 64 | stride 2, padding 1, `ReLU` |
//! | `encoder.2.weight`, `encoder.2.bias` | 64, 64, 3; 64 | stride 2, padding 1, `ReLU` |
//! | `encoder.3.weight`, `encoder.3.bias` | 128, 64, 3; 128 | stride 1, padding 1, `ReLU` |
//! | `lstm.weight_ih`, `lstm.weight_hh` | 512, 128 | gates stacked in the order input, forget, cell, output |
//! | `lstm.bias_ih`, `lstm.bias_hh` | 512 | the same order |
//! | `decoder.weight`, `decoder.bias` | 1, 128, 1; 1 | applied to the `ReLU` of the hidden state, then a sigmoid |
//!
//! # The network
//! A frame is 64 samples of context (the end of the previous frame, zeros at first) and 512 new samples at 16 kHz, padded by
//! reflection with 64 samples on the right. The basis is applied with stride 128, which gives 4 columns of 258; the
//! magnitude of each (real, imaginary) pair makes 129 x 4; the encoder reduces that to 128 x 1; one LSTM step follows, and
//! the decoder gives the probability of speech. The LSTM's hidden and cell state (128 each) start as zeros.

use std::io::Write;

use super::onnx;
use crate::error::ModelError;

const MAGIC: &[u8; 8] = b"GOOBSVAD";
const VERSION: u32 = 1;
/// What the 16 kHz branch prefixes its constants with; the other branch, for 8 kHz, says `else`.
const BRANCH: &str = "If_0_then_branch__Inline_0__";

/// Our name, the name in the ONNX file after the prefix, and the shape.
const TENSORS: [(&str, &str, &[usize]); 15] = [
    ("stft.basis", "stft.forward_basis_buffer", &[258, 1, 256]),
    (
        "encoder.0.weight",
        "encoder.0.reparam_conv.weight",
        &[128, 129, 3],
    ),
    ("encoder.0.bias", "encoder.0.reparam_conv.bias", &[128]),
    ("encoder.1.weight", "encoder.1.reparam_conv.weight", &[64, 128, 3]),
    ("encoder.1.bias", "encoder.1.reparam_conv.bias", &[64]),
    ("encoder.2.weight", "encoder.2.reparam_conv.weight", &[64, 64, 3]),
    ("encoder.2.bias", "encoder.2.reparam_conv.bias", &[64]),
    ("encoder.3.weight", "encoder.3.reparam_conv.weight", &[128, 64, 3]),
    ("encoder.3.bias", "encoder.3.reparam_conv.bias", &[128]),
    ("lstm.weight_ih", "decoder.rnn.weight_ih", &[512, 128]),
    ("lstm.weight_hh", "decoder.rnn.weight_hh", &[512, 128]),
    ("lstm.bias_ih", "decoder.rnn.bias_ih", &[512]),
    ("lstm.bias_hh", "decoder.rnn.bias_hh", &[512]),
    ("decoder.weight", "decoder.decoder.2.weight", &[1, 128, 1]),
    ("decoder.bias", "decoder.decoder.2.bias", &[1]),
];

/// Converts the whole ONNX file in `model` into `out`.
pub(crate) fn convert<W: Write>(model: &[u8], label: &str, mut out: W) -> Result<(), ModelError> {
    let fail = |what: String| ModelError::Format {
        file: label.to_owned(),
        offset: 0,
        what,
    };
    let written = |e| ModelError::Io {
        action: "write",
        path: "the converted weights".into(),
        source: e,
    };
    let wanted = |name: &str| {
        name.strip_prefix(BRANCH)
            .is_some_and(|n| TENSORS.iter().any(|(_, onnx, _)| n == *onnx))
    };
    let found = onnx::constants(model, label, &wanted)?;

    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(TENSORS.len() as u32).to_le_bytes());
    for (name, onnx_name, shape) in TENSORS {
        let Some(tensor) = found
            .iter()
            .find(|c| c.name.strip_prefix(BRANCH) == Some(onnx_name))
        else {
            return Err(fail(format!("the 16 kHz branch has no tensor {onnx_name}")));
        };
        if tensor.shape != shape {
            return Err(fail(format!(
                "{onnx_name} has shape {:?}; {shape:?} was expected",
                tensor.shape
            )));
        }
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(shape.len() as u32).to_le_bytes());
        bytes.extend(shape.iter().flat_map(|d| (*d as u32).to_le_bytes()));
        bytes.extend(tensor.values.iter().flat_map(|v| v.to_le_bytes()));
    }
    out.write_all(&bytes).map_err(written)
}

#[cfg(test)]
mod tests {
    use super::super::onnx::tests::{constant, model_with_branch};
    use super::*;

    fn model(but: Option<&str>) -> Vec<u8> {
        let nodes: Vec<_> = TENSORS
            .iter()
            .filter(|(_, n, _)| Some(*n) != but)
            .map(|(_, n, s)| constant(&format!("{BRANCH}{n}"), s, &vec![0.25; s.iter().product()]))
            .collect();
        model_with_branch(&nodes)
    }

    #[test]
    fn the_file_begins_as_documented_and_holds_every_value() {
        let mut out = Vec::new();
        convert(&model(None), "silero_vad.onnx", &mut out).unwrap();
        assert_eq!(&out[..8], b"GOOBSVAD");
        assert_eq!(out[8..16], [1, 0, 0, 0, 15, 0, 0, 0]);
        assert_eq!(out[16], 10);
        assert_eq!(&out[20..30], b"stft.basis");
        let expected: usize = 16
            + TENSORS
                .iter()
                .map(|(n, _, s)| 8 + n.len() + 4 * s.len() + 4 * s.iter().product::<usize>())
                .sum::<usize>();
        assert_eq!(out.len(), expected);
    }

    #[test]
    fn a_missing_tensor_is_named() {
        let e = convert(&model(Some("decoder.rnn.bias_hh")), "silero_vad.onnx", Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            e.contains("decoder.rnn.bias_hh") && e.contains("silero_vad.onnx"),
            "{e}"
        );
    }
}
