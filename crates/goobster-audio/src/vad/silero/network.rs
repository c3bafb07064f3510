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

/// One speaker's window on its way through the network.
pub(super) struct Pass<'a> {
    pub(super) input: &'a [f32; INPUT],
    pub(super) memory: &'a mut Memory,
    pub(super) scratch: &'a mut Scratch,
}

/// How many windows go through the network together: 1, 2 or 4. The sums of the LSTM fill the registers either way:
/// vectors of outputs times windows are eight.
pub(super) trait Together<const N: usize> {
    /// The probability of speech in each window, in portable arithmetic.
    fn portable(weights: &SileroWeights, passes: [Pass<'_>; N]) -> [f32; N];
    /// The same with AVX2 and FMA; falls back where the processor lacks them.
    #[cfg(target_arch = "x86_64")]
    fn avx2(weights: &SileroWeights, passes: [Pass<'_>; N]) -> [f32; N];
}

/// The network.
pub(super) struct Network;

macro_rules! together {
    ($windows:literal, $vectors:literal) => {
        impl Together<$windows> for Network {
            fn portable(weights: &SileroWeights, passes: [Pass<'_>; $windows]) -> [f32; $windows] {
                forward::<Portable, $windows, $vectors>(weights, passes)
            }

            #[cfg(target_arch = "x86_64")]
            fn avx2(weights: &SileroWeights, passes: [Pass<'_>; $windows]) -> [f32; $windows] {
                #[target_feature(enable = "avx2,fma")]
                fn compiled(weights: &SileroWeights, passes: [Pass<'_>; $windows]) -> [f32; $windows] {
                    forward::<Avx2, $windows, $vectors>(weights, passes)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has both features, as was just asked.
                    unsafe { compiled(weights, passes) }
                } else {
                    forward::<Portable, $windows, $vectors>(weights, passes)
                }
            }
        }
    };
}

together!(1, 8);
together!(2, 4);
together!(4, 2);

#[inline(always)]
fn forward<L: Lanes, const N: usize, const G: usize>(
    weights: &SileroWeights,
    mut passes: [Pass<'_>; N],
) -> [f32; N] {
    // Loops, not closures: a closure that is not inlined is compiled without the vector instructions.
    for pass in &mut passes {
        encode::<L>(weights, pass);
    }
    recur::<L, N, G>(weights, &mut passes);
    let mut probabilities = [0.0; N];
    for (probability, pass) in probabilities.iter_mut().zip(passes) {
        *probability = output::<L>(weights, &pass.scratch.gates, pass.memory);
    }
    probabilities
}

/// The layers before the LSTM, and what it joins their outputs with.
#[inline(always)]
fn encode<L: Lanes>(weights: &SileroWeights, pass: &mut Pass<'_>) {
    let scratch = &mut *pass.scratch;
    scratch.spectra.compute::<L>(&weights.tables, pass.input);
    first_layer::<L>(weights, &scratch.spectra.magnitudes, &mut scratch.first);
    second_layer::<L>(weights, &scratch.first, &mut scratch.second);
    third_layer::<L>(weights, &scratch.second, &mut scratch.third);
    let (encoded, remembered) = scratch.joined.split_at_mut(16);
    product::<L>(&weights.conv3, &weights.conv3_bias, &scratch.third, encoded);
    for group in encoded {
        L::load(group).at_least(L::splat(0.0)).store(group);
    }
    remembered.copy_from_slice(&pass.memory.output);
}

/// The LSTM's matrix for all windows at once. It is half a megabyte, too much for the first cache: it is read once
/// however many windows there are. Each sum is made in the same order, so the result is the same to the last bit.
#[inline(always)]
fn recur<L: Lanes, const N: usize, const G: usize>(weights: &SileroWeights, passes: &mut [Pass<'_>; N]) {
    let blocks = weights.lstm.as_chunks::<8>().0.chunks_exact(256);
    let biases = weights.lstm_bias.as_chunks::<8>().0;
    for (b, (block, bias)) in blocks.zip(biases).enumerate() {
        for part in 0..8 / G {
            let first = part * G;
            let mut sums = [[L::splat(0.0); G]; N];
            for sums in &mut sums {
                for g in 0..G {
                    sums[g] = L::load(&bias[first + g]);
                }
            }
            for (input, w) in block.iter().enumerate() {
                let mut loaded = [L::splat(0.0); G];
                for g in 0..G {
                    loaded[g] = L::load(&w[first + g]);
                }
                for (sums, pass) in sums.iter_mut().zip(&*passes) {
                    let x = L::splat(pass.scratch.joined.as_flattened()[input]);
                    for g in 0..G {
                        sums[g] = sums[g].plus_product(loaded[g], x);
                    }
                }
            }
            for (sums, pass) in sums.iter().zip(&mut *passes) {
                for g in 0..G {
                    sums[g].store(&mut pass.scratch.gates[8 * b + first + g]);
                }
            }
        }
    }
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
