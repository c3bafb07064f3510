//! From `CTranslate2`'s Whisper weights to whisper.cpp's `q8_0` file, in one pass and in constant memory.
//!
//! `CTranslate2` stacks the matrices of one attention that read the same input: in self-attention `linear_0` is query,
//! key, value; in cross-attention `linear_0` is the query and `linear_1` key, value. Rows come in order, so each stack
//! is cut as it streams by. Whisper's keys have no bias: `CTranslate2` fills the gap with zeros, ggml leaves it out.

use std::collections::BTreeSet;
use std::io::{Read, Seek, Write};

use super::ctranslate2::{Reader, Variable};
use super::ggml::{BLOCK, HyperParameters, Storage, Writer};
use super::vocabulary;
use crate::error::ModelError;

/// Whisper hears 80 mel bands (large-v3, which hears 128, is not in the manifest).
const MELS: usize = 80;
/// Values converted at a time: whole `q8_0` blocks.
const CHUNK: usize = 1 << 14;

/// One ggml tensor cut out of a variable.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// `None` for a key bias: read, checked to be zero, and left out.
    name: Option<String>,
    shape: Vec<usize>,
    storage: Storage,
}

/// Converts `model` (the whole of `model.bin`) and `vocabulary_text` (`vocabulary.txt`) into `out`.
pub(crate) fn convert<R: Read, W: Write + Seek>(
    model: R,
    vocabulary_text: &str,
    label: &str,
    out: W,
) -> Result<(), ModelError> {
    let written = |e: std::io::Error| ModelError::Io {
        action: "write",
        path: "the converted model".into(),
        source: e,
    };
    let tokens = vocabulary::text_tokens(vocabulary_text, "vocabulary.txt")?;
    let mut reader = Reader::open(model, label)?;
    let mut writer = Writer::create(out, MELS, &tokens).map_err(written)?;
    let mut parameters = HyperParameters::default();
    let mut names = BTreeSet::new();
    let mut values = vec![0f32; CHUNK];
    while let Some(variable) = reader.next_variable()? {
        if let Some(heads) = heads_slot(&variable.name, &mut parameters) {
            *heads =
                u32::try_from(reader.integer()?).map_err(|_| reader.fail("a negative number of heads"))?;
            continue;
        }
        measure(&variable, &mut parameters);
        for piece in pieces(&variable).map_err(|what| reader.fail(what))? {
            let mut left: usize = piece.shape.iter().product();
            if let Some(name) = &piece.name {
                if !names.insert(name.clone()) {
                    return Err(reader.fail(format!("{name} comes twice")));
                }
                writer
                    .tensor(name, &piece.shape, piece.storage)
                    .map_err(written)?;
            }
            while left > 0 {
                let some = &mut values[..left.min(CHUNK)];
                reader.floats(some)?;
                if let Some(bad) = some.iter().find(|v| !v.is_finite()) {
                    return Err(reader.fail(format!("{} holds {bad}", variable.name)));
                }
                if piece.name.is_some() {
                    writer.values(some, piece.storage).map_err(written)?;
                } else if some.iter().any(|v| *v != 0.0) {
                    return Err(
                        reader.fail(format!("{} has a key bias, which Whisper has not", variable.name))
                    );
                }
                left -= some.len();
            }
        }
    }
    check(&parameters, names.len(), tokens.len()).map_err(|what| reader.fail(what))?;
    reader.finish()?;
    writer.finish(&parameters).map_err(written)
}

fn heads_slot<'p>(name: &str, parameters: &'p mut HyperParameters) -> Option<&'p mut u32> {
    match name {
        "encoder/num_heads" => Some(&mut parameters.audio_heads),
        "decoder/num_heads" => Some(&mut parameters.text_heads),
        _ => None,
    }
}

/// Learns the hyper-parameters from the shapes.
fn measure(variable: &Variable, parameters: &mut HyperParameters) {
    let dimension = |i: usize| variable.shape.get(i).map_or(0, |d| *d as u32);
    match variable.name.as_str() {
        "decoder/embeddings/weight" => {
            parameters.vocabulary = dimension(0);
            parameters.text_state = dimension(1);
        }
        "encoder/conv1/weight" => {
            parameters.audio_state = dimension(0);
            parameters.mels = dimension(1);
        }
        "encoder/position_encodings/encodings" => parameters.audio_context = dimension(0),
        "decoder/position_encodings/encodings" => parameters.text_context = dimension(0),
        name => {
            if let Some((side, layer, _)) = layer_of(name) {
                let layers = if side == "encoder" {
                    &mut parameters.audio_layers
                } else {
                    &mut parameters.text_layers
                };
                *layers = (*layers).max(layer + 1);
            }
        }
    }
}

/// `encoder/layer_3/ffn/linear_0/bias` is side `encoder`, layer 3, part `ffn/linear_0/bias`.
fn layer_of(name: &str) -> Option<(&str, u32, &str)> {
    let (side, rest) = name.split_once("/layer_")?;
    let (layer, rest) = rest.split_once('/')?;
    let layer = layer.parse().ok().filter(|l| *l < 64)?;
    matches!(side, "encoder" | "decoder").then_some((side, layer, rest))
}

/// The ggml tensors that a variable holds, in the order of its rows; none for one that ggml has no use for.
fn pieces(variable: &Variable) -> Result<Vec<Piece>, String> {
    let Some((names, suffix)) = targets(&variable.name) else {
        return Ok(Vec::new());
    };
    let [first, inner @ ..] = variable.shape.as_slice() else {
        return Err(format!("{} has no dimension", variable.name));
    };
    if first % names.len() != 0 || variable.elements == 0 {
        return Err(format!(
            "{} of shape {:?} does not hold {} equal parts",
            variable.name,
            variable.shape,
            names.len()
        ));
    }
    let convolution = variable.name.contains("/conv");
    let mut shape = vec![first / names.len()];
    shape.extend(inner);
    let storage = match shape.len() {
        2 if suffix == "weight" => Storage::Q8,
        3 => Storage::F16,
        _ => Storage::F32,
    };
    if storage == Storage::Q8 && shape[1] % BLOCK != 0 {
        return Err(format!(
            "{} has rows of {}, not a multiple of {BLOCK}",
            variable.name, shape[1]
        ));
    }
    if convolution && suffix == "bias" {
        // Added to a (state, time) matrix, so it is stored as a column.
        shape.push(1);
    }
    Ok(names
        .into_iter()
        .map(|name| Piece {
            name: (!(suffix == "bias" && name.rsplit('.').next() == Some("key"))).then(|| {
                if suffix.is_empty() {
                    name
                } else {
                    format!("{name}.{suffix}")
                }
            }),
            shape: shape.clone(),
            storage,
        })
        .collect())
}

/// OpenAI's names for a `CTranslate2` variable (several when it is a stack), and `weight`, `bias` or nothing.
fn targets(name: &str) -> Option<(Vec<String>, &'static str)> {
    let fixed = |n: &str, suffix| Some((vec![n.to_owned()], suffix));
    match name {
        "encoder/position_encodings/encodings" => return fixed("encoder.positional_embedding", ""),
        "decoder/position_encodings/encodings" => return fixed("decoder.positional_embedding", ""),
        "decoder/embeddings/weight" => return fixed("decoder.token_embedding", "weight"),
        _ => {}
    }
    let (path, suffix) = name.rsplit_once('/')?;
    let suffix = match suffix {
        "weight" | "gamma" => "weight",
        "bias" | "beta" => "bias",
        _ => return None,
    };
    match path {
        "encoder/conv1" | "encoder/conv2" => return fixed(&path.replace('/', "."), suffix),
        "encoder/layer_norm" => return fixed("encoder.ln_post", suffix),
        "decoder/layer_norm" => return fixed("decoder.ln", suffix),
        _ => {}
    }
    let (side, layer, part) = layer_of(path)?;
    let parts: &[&str] = match part {
        "self_attention/layer_norm" => &["attn_ln"],
        "self_attention/linear_0" => &["attn.query", "attn.key", "attn.value"],
        "self_attention/linear_1" => &["attn.out"],
        "attention/layer_norm" => &["cross_attn_ln"],
        "attention/linear_0" => &["cross_attn.query"],
        "attention/linear_1" => &["cross_attn.key", "cross_attn.value"],
        "attention/linear_2" => &["cross_attn.out"],
        "ffn/layer_norm" => &["mlp_ln"],
        "ffn/linear_0" => &["mlp.0"],
        "ffn/linear_1" => &["mlp.2"],
        _ => return None,
    };
    Some((
        parts
            .iter()
            .map(|p| format!("{side}.blocks.{layer}.{p}"))
            .collect(),
        suffix,
    ))
}

/// Whether everything that whisper.cpp will look for is there.
fn check(p: &HyperParameters, tensors: usize, tokens: usize) -> Result<(), String> {
    // What whisper.cpp looks for: 7 tensors of the encoder and 4 of the decoder, 15 an encoder layer, 24 a decoder layer.
    let expected = 11 + 15 * p.audio_layers as usize + 24 * p.text_layers as usize;
    if p.mels as usize != MELS {
        return Err(format!("{} mel bands; {MELS} were expected", p.mels));
    }
    if p.audio_heads == 0 || p.text_heads == 0 || p.audio_state != p.text_state {
        return Err(format!("an incomplete or inconsistent model: {p:?}"));
    }
    if tensors != expected {
        return Err(format!("{tensors} tensors where {expected} were expected"));
    }
    if tokens >= p.vocabulary as usize {
        return Err(format!(
            "{tokens} text tokens, but the model knows {} in all",
            p.vocabulary
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
