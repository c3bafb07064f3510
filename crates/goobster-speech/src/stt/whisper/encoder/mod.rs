//! Whisper's encoder, computed here instead of by ggml: the hot half of every decode.
//!
//! ggml multiplies 8-bit blocks at a quarter of what these cores can do in plain 32-bit floats. So the small models' encoder
//! weights are kept as floats as well (82 MB for base), the products come from the `gemm` crate (AVX-512, AVX2, NEON by
//! run-time detection), and what lies between them is written here so that the compiler makes vectors of it. Threads
//! share the rows of the sound and sleep when they wait, where ggml's spin. whisper.cpp takes the result through its
//! hook for encoders of other makers (see [`hook`]); its decoder, timestamps and rules stay.
//!
//! The network is that of `model.py` of OpenAI's Whisper; its layers are named alike.

pub(super) mod hook;
mod math;
mod weights;

use std::ops::Range;

pub(super) use self::weights::Weights;
use self::weights::{Block, Linear};
use math::{Factor, gelu, layer_norm, multiply, softmax};

/// Width of an attention head, in every Whisper.
const HEAD: usize = 64;
/// Rows of attention scores computed at once: they stay in the second-level cache.
const SCORES: usize = 96;

/// Buffers kept between encodes of one decoder state; they grow to what the longest sound needed.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The mel spectrogram, three neighbouring steps a row.
    columns: Vec<f32>,
    /// After the first convolution, a row of zeros before it.
    stem: Vec<f32>,
    /// The residual stream.
    x: Vec<f32>,
    /// Queries, keys and values of every row.
    qkv: Vec<f32>,
    /// A normalised copy, then what the heads gave.
    heads: Vec<f32>,
    hidden: Vec<f32>,
    scores: Vec<f32>,
}

impl Weights {
    /// Encodes `frames` steps of 20 ms: `mel` has as many rows as the model has bands, each of two steps a frame; `out`
    /// gets a row of the model's width for each frame. When `unwanted` says so between two blocks it ends early, and `out` is
    /// silence.
    ///
    /// # Panics
    /// When a slice is shorter than that.
    pub(super) fn encode(
        &self,
        scratch: &mut Scratch,
        threads: usize,
        mel: &[f32],
        out: &mut [f32],
        unwanted: impl Fn() -> bool,
    ) {
        let width = self.width;
        let frames = out.len() / width;
        assert!(mel.len() >= self.bands * 2 * frames && frames * width <= self.positions.len());
        let threads = threads.clamp(1, frames.max(1));
        self.stem(scratch, threads, mel, frames);
        for block in &self.blocks {
            if unwanted() {
                out.fill(0.0);
                return;
            }
            self.block(block, scratch, threads, frames);
        }
        layer_norm(&scratch.x, &self.last.scale, &self.last.shift, out);
    }

    /// Two convolutions over time, the second of stride 2, and the positions.
    fn stem(&self, scratch: &mut Scratch, threads: usize, mel: &[f32], frames: usize) {
        let (width, steps, reach) = (self.width, 2 * frames, 3 * self.bands);
        let Scratch { columns, stem, x, .. } = scratch;
        columns.resize(steps * reach, 0.0);
        for (step, row) in columns.chunks_exact_mut(reach).enumerate() {
            for (band, taps) in row.chunks_exact_mut(3).enumerate() {
                let line = &mel[band * steps..][..steps];
                for (tap, value) in taps.iter_mut().enumerate() {
                    *value = (step + tap)
                        .checked_sub(1)
                        .and_then(|at| line.get(at))
                        .copied()
                        .unwrap_or(0.0);
                }
            }
        }
        stem.clear();
        stem.resize((steps + 1) * width, 0.0);
        let parts = stem[width..].chunks_mut(part(steps, threads) * width);
        let columns = &columns[..];
        share(parts, |number, rows| {
            let from = number * part(steps, threads) * reach;
            linear(&self.conv1, &columns[from..], reach, rows);
            gelu(rows);
        });
        x.resize(frames * width, 0.0);
        let stem = &stem[..];
        share(x.chunks_mut(part(frames, threads) * width), |number, rows| {
            let first = number * part(frames, threads);
            // Three steps are a row: the second convolution needs no copy of its input.
            linear(&self.conv2, &stem[2 * first * width..], 2 * width, rows);
            gelu(rows);
            let positions = &self.positions[first * width..];
            for (x, position) in rows.iter_mut().zip(positions) {
                *x += position;
            }
        });
    }

    /// One residual block. Rows only meet in the attention, so that the threads wait for each other twice.
    fn block(&self, block: &Block, scratch: &mut Scratch, threads: usize, frames: usize) {
        let width = self.width;
        let rows = part(frames, threads);
        let Scratch {
            x,
            qkv,
            heads,
            hidden,
            scores,
            ..
        } = scratch;
        qkv.resize(3 * frames * width, 0.0);
        heads.resize(frames * width, 0.0);
        hidden.resize(4 * frames * width, 0.0);
        scores.resize(threads * SCORES * frames, 0.0);
        let parts = x
            .chunks(rows * width)
            .zip(heads.chunks_mut(rows * width))
            .zip(qkv.chunks_mut(3 * rows * width));
        share(parts, |_, ((x, normal), qkv)| {
            layer_norm(
                x,
                &block.attention_norm.scale,
                &block.attention_norm.shift,
                normal,
            );
            linear(&block.qkv, normal, width, qkv);
        });
        let qkv = &qkv[..];
        let parts = x
            .chunks_mut(rows * width)
            .zip(heads.chunks_mut(rows * width))
            .zip(hidden.chunks_mut(4 * rows * width))
            .zip(scores.chunks_mut(SCORES * frames));
        share(parts, |number, (((x, heads), hidden), scores)| {
            let first = number * rows;
            attend(qkv, width, first..first + x.len() / width, scores, heads);
            accumulate(&block.out, heads, x);
            layer_norm(x, &block.mlp_norm.scale, &block.mlp_norm.shift, heads);
            linear(&block.up, heads, width, hidden);
            gelu(hidden);
            accumulate(&block.down, hidden, x);
        });
    }
}

/// Attention of these rows to every row, head by head. `qkv` holds three widths a row.
fn attend(qkv: &[f32], width: usize, rows: Range<usize>, scores: &mut [f32], out: &mut [f32]) {
    let frames = qkv.len() / (3 * width);
    let scale = 1.0 / (HEAD as f32).sqrt();
    let stride = 3 * width;
    for head in (0..width).step_by(HEAD) {
        let (keys, values) = (&qkv[width + head..], &qkv[2 * width + head..]);
        for at in rows.clone().step_by(SCORES) {
            let count = SCORES.min(rows.end - at);
            let scores = &mut scores[..count * frames];
            let queries = Factor::rows(&qkv[at * stride + head..], stride);
            multiply(
                [count, HEAD, frames],
                queries,
                Factor::columns(keys, stride),
                scale,
                (scores, frames),
                false,
            );
            softmax(scores, frames);
            let into = &mut out[(at - rows.start) * width + head..];
            let weights = Factor::rows(scores, frames);
            multiply(
                [count, frames, HEAD],
                weights,
                Factor::rows(values, stride),
                1.0,
                (into, width),
                false,
            );
        }
    }
}

/// `out = input · weightsᵀ + bias`; a row of the input begins every `stride`.
fn linear(layer: &Linear, input: &[f32], stride: usize, out: &mut [f32]) {
    let size = [out.len() / layer.outputs, layer.inputs, layer.outputs];
    for row in out.chunks_exact_mut(layer.outputs) {
        row.copy_from_slice(&layer.bias);
    }
    let weights = Factor::columns(&layer.weights, layer.inputs);
    multiply(
        size,
        Factor::rows(input, stride),
        weights,
        1.0,
        (out, layer.outputs),
        true,
    );
}

/// `out += input · weightsᵀ + bias`.
fn accumulate(layer: &Linear, input: &[f32], out: &mut [f32]) {
    let size = [out.len() / layer.outputs, layer.inputs, layer.outputs];
    for row in out.chunks_exact_mut(layer.outputs) {
        for (x, bias) in row.iter_mut().zip(&layer.bias) {
            *x += bias;
        }
    }
    let weights = Factor::columns(&layer.weights, layer.inputs);
    let input = Factor::rows(input, layer.inputs);
    multiply(size, input, weights, 1.0, (out, layer.outputs), true);
}

/// How many of so many rows each thread takes.
fn part(rows: usize, threads: usize) -> usize {
    rows.div_ceil(threads).max(1)
}

/// Works on the parts at once, the first on this thread.
fn share<P: Send>(parts: impl Iterator<Item = P>, work: impl Fn(usize, P) + Sync) {
    let mut parts = parts.enumerate();
    let Some((_, first)) = parts.next() else { return };
    let work = &work;
    std::thread::scope(|scope| {
        for (number, part) in parts {
            scope.spawn(move || work(number, part));
        }
        work(0, first);
    });
}

#[cfg(test)]
mod tests;
