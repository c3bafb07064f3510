//! The forward pass: convolutions, LSTM and output, generic over the vector arithmetic.
#![allow(unsafe_code)] // One call into code compiled for AVX2; it says why that is sound.

use super::INPUT;
use super::fourier::{BINS, FRAMES, Spectra};
use super::weights::SileroWeights;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Avx2;
use crate::lanes::{Group, Lanes, Portable};

/// What the LSTM carries from window to window: output and cell, 128 each.
#[derive(Clone, Default)]
pub(super) struct Memory {
    output: [Group; 16],
    cell: [Group; 16],
}

/// Room to work; nothing in it outlives a window.
#[derive(Clone)]
pub(super) struct Scratch {
    spectra: Spectra,
    first: [[f32; FRAMES]; 128],
    second: [[f32; 2]; 64],
    third: [Group; 8],
    /// The encoder's 128 outputs, then the LSTM's 128 of the window before.
    joined: [Group; 32],
    gates: [Group; 64],
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            spectra: Spectra::default(),
            first: [[0.0; FRAMES]; 128],
            second: [[0.0; 2]; 64],
            third: [[0.0; 8]; 8],
            joined: [[0.0; 8]; 32],
            gates: [[0.0; 8]; 64],
        }
    }
}

/// The probability of speech, in portable arithmetic.
pub(super) fn forward_portable(
    weights: &SileroWeights,
    input: &[f32; INPUT],
    memory: &mut Memory,
    scratch: &mut Scratch,
) -> f32 {
    forward::<Portable>(weights, input, memory, scratch)
}

/// The probability of speech, with AVX2 and FMA; falls back where the processor lacks them.
#[cfg(target_arch = "x86_64")]
pub(super) fn forward_avx2(
    weights: &SileroWeights,
    input: &[f32; INPUT],
    memory: &mut Memory,
    scratch: &mut Scratch,
) -> f32 {
    #[target_feature(enable = "avx2,fma")]
    fn compiled(w: &SileroWeights, input: &[f32; INPUT], memory: &mut Memory, scratch: &mut Scratch) -> f32 {
        forward::<Avx2>(w, input, memory, scratch)
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both features, as was just asked.
        unsafe { compiled(weights, input, memory, scratch) }
    } else {
        forward::<Portable>(weights, input, memory, scratch)
    }
}

#[inline(always)]
fn forward<L: Lanes>(
    weights: &SileroWeights,
    input: &[f32; INPUT],
    memory: &mut Memory,
    scratch: &mut Scratch,
) -> f32 {
    scratch.spectra.compute::<L>(&weights.tables, input);
    first_layer::<L>(weights, &scratch.spectra.magnitudes, &mut scratch.first);
    second_layer::<L>(weights, &scratch.first, &mut scratch.second);
    third_layer::<L>(weights, &scratch.second, &mut scratch.third);
    let (encoded, remembered) = scratch.joined.split_at_mut(16);
    product::<L>(&weights.conv3, &weights.conv3_bias, &scratch.third, encoded);
    for group in encoded {
        L::load(group).at_least(L::splat(0.0)).store(group);
    }
    remembered.copy_from_slice(&memory.output);
    product::<L>(
        &weights.lstm,
        &weights.lstm_bias,
        &scratch.joined,
        &mut scratch.gates,
    );
    output::<L>(weights, &scratch.gates, memory)
}

/// 129 bins to 128 channels, four frames to four. Sixteen outputs at once: eight sums stay in registers.
#[inline(always)]
fn first_layer<L: Lanes>(
    weights: &SileroWeights,
    from: &[[f32; FRAMES]; BINS],
    to: &mut [[f32; FRAMES]; 128],
) {
    let blocks = weights.conv0.as_chunks::<6>().0.chunks_exact(BINS);
    let biases = weights.conv0_bias.as_chunks::<2>().0;
    for ((block, bias), to) in blocks.zip(biases).zip(to.as_chunks_mut::<16>().0) {
        let mut sums = [[L::load(&bias[0]), L::load(&bias[1])]; FRAMES];
        for (w, x) in block.iter().zip(from) {
            let x = x.map(L::splat);
            for half in 0..2 {
                let [before, here, after] = [L::load(&w[half]), L::load(&w[2 + half]), L::load(&w[4 + half])];
                for t in 0..FRAMES {
                    sums[t][half] = sums[t][half].plus_product(here, x[t]);
                }
                for t in 1..FRAMES {
                    sums[t][half] = sums[t][half].plus_product(before, x[t - 1]);
                    sums[t - 1][half] = sums[t - 1][half].plus_product(after, x[t]);
                }
            }
        }
        scatter(sums, to);
    }
}

/// 128 channels to 64, four frames to two (stride two). Thirty-two outputs at once.
#[inline(always)]
fn second_layer<L: Lanes>(weights: &SileroWeights, from: &[[f32; FRAMES]; 128], to: &mut [[f32; 2]; 64]) {
    let blocks = weights.conv1.as_chunks::<12>().0.chunks_exact(128);
    let biases = weights.conv1_bias.as_chunks::<4>().0;
    for ((block, bias), to) in blocks.zip(biases).zip(to.as_chunks_mut::<32>().0) {
        let mut sums = [bias.each_ref().map(|b| L::load(b)); 2];
        for (w, x) in block.iter().zip(from) {
            let x = x.map(L::splat);
            for g in 0..4 {
                let [before, here, after] = [L::load(&w[g]), L::load(&w[4 + g]), L::load(&w[8 + g])];
                sums[0][g] = sums[0][g].plus_product(here, x[0]).plus_product(after, x[1]);
                sums[1][g] = sums[1][g]
                    .plus_product(before, x[1])
                    .plus_product(here, x[2])
                    .plus_product(after, x[3]);
            }
        }
        scatter(sums, to);
    }
}

/// 64 channels to 64, two frames to one.
#[inline(always)]
fn third_layer<L: Lanes>(weights: &SileroWeights, from: &[[f32; 2]; 64], to: &mut [Group; 8]) {
    let mut sums: [L; 8] = std::array::from_fn(|g| L::load(&weights.conv2_bias[g]));
    for (w, x) in weights.conv2.as_chunks::<16>().0.iter().zip(from) {
        let x = x.map(L::splat);
        for g in 0..8 {
            sums[g] = sums[g]
                .plus_product(L::load(&w[g]), x[0])
                .plus_product(L::load(&w[8 + g]), x[1]);
        }
    }
    for (sum, to) in sums.iter().zip(to) {
        sum.at_least(L::splat(0.0)).store(to);
    }
}

/// A matrix times a vector, plus a bias; sixty-four outputs at once.
#[inline(always)]
fn product<L: Lanes>(matrix: &[Group], bias: &[Group], from: &[Group], to: &mut [Group]) {
    let blocks = matrix.as_chunks::<8>().0.chunks_exact(from.len() * 8);
    let biases = bias.as_chunks::<8>().0;
    for ((block, bias), to) in blocks.zip(biases).zip(to.as_chunks_mut::<8>().0) {
        let mut sums = bias.each_ref().map(|b| L::load(b));
        for (w, x) in block.iter().zip(from.as_flattened()) {
            let x = L::splat(*x);
            for g in 0..8 {
                sums[g] = sums[g].plus_product(L::load(&w[g]), x);
            }
        }
        for (sum, to) in sums.iter().zip(to) {
            sum.store(to);
        }
    }
}

/// The rectifier, and from one vector a frame to one row a channel.
#[inline(always)]
fn scatter<L: Lanes, const T: usize, const G: usize>(sums: [[L; G]; T], to: &mut [[f32; T]]) {
    for (t, groups) in sums.iter().enumerate() {
        for (sum, rows) in groups.iter().zip(to.as_chunks_mut::<8>().0) {
            let mut lanes = [0.0; 8];
            sum.at_least(L::splat(0.0)).store(&mut lanes);
            for (row, value) in rows.iter_mut().zip(lanes) {
                row[t] = value;
            }
        }
    }
}

/// The LSTM's cells, then the weighted sum of what they put out.
#[inline(always)]
fn output<L: Lanes>(weights: &SileroWeights, gates: &[Group; 64], memory: &mut Memory) -> f32 {
    let mut sum = L::splat(0.0);
    for g in 0..16 {
        // PyTorch's order of gates: input, forget, cell, output.
        let [input, forget, cell, output] = [0, 16, 32, 48].map(|gate| L::load(&gates[gate + g]));
        let kept = L::load(&memory.cell[g]).times(forget.sigmoid());
        let cell = kept.plus_product(input.sigmoid(), cell.tanh());
        let output = output.sigmoid().times(cell.tanh());
        cell.store(&mut memory.cell[g]);
        output.store(&mut memory.output[g]);
        sum = sum.plus_product(output.at_least(L::splat(0.0)), L::load(&weights.output[g]));
    }
    let mut lanes = [0.0; 8];
    sum.store(&mut lanes);
    let total = lanes.iter().sum::<f32>() + weights.output_bias;
    L::splat(total).sigmoid().store(&mut lanes);
    lanes[0]
}
