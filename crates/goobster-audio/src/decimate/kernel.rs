//! The two inner loops: stereo samples to three planes of mono ones, and the filter over the planes.
//!
//! Neighbouring outputs stand side by side in a vector, so nothing is summed across lanes; three taps at a distance of
//! eight share each load, so that multiplications, not loads, are the limit.
#![allow(unsafe_code)] // Vector instructions: each block says why they may run.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // As all kernels here: see `lanes`.
#![allow(clippy::cast_ptr_alignment)] // The loads are those that need no alignment.

#[cfg(target_arch = "x86_64")]
use crate::lanes::Avx2;
use crate::lanes::{Lanes, Portable};

use super::{BLOCK, FACTOR, PLANE, TAPS};

/// Taps that meet one plane.
pub(super) const PHASE_TAPS: usize = TAPS / FACTOR;
/// Taps that share each load.
const SHARING: usize = 3;
/// Vectors of outputs in a block.
const VECTORS: usize = BLOCK / 8;
/// Samples of a plane that a block of outputs comes from.
const SPAN: usize = PHASE_TAPS - 1 + BLOCK;

/// Tap `3 k + p` of the filter at `[p][k]`, scaled for the sum of two `i16`.
pub(super) type Phases = [[f32; PHASE_TAPS]; FACTOR];
/// Mono frame `3 m + p` at `[p][m]`, as the sum of both channels.
pub(super) type Planes = [[f32; PLANE]; FACTOR];

/// Which arithmetic this machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(HasAvx2),
}

/// Exists only where the processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HasAvx2(());

impl Engine {
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self::Avx2(HasAvx2(()));
        }
        Self::Portable
    }

    /// Writes interleaved stereo frames, a multiple of three, into the planes from `at` on.
    #[inline]
    pub(super) fn split(self, stereo: &[i16], planes: &mut Planes, at: usize) {
        match self {
            Self::Portable => split(stereo, planes, at),
            // SAFETY: the processor has AVX2, says the type.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => unsafe { split_avx2(stereo, planes, at) },
        }
    }

    /// A block of outputs from the planes from `at` on.
    #[inline]
    pub(super) fn filter(self, phases: &Phases, planes: &Planes, at: usize, out: &mut [f32; BLOCK]) {
        match self {
            Self::Portable => filter::<Portable>(phases, planes, at, out),
            // SAFETY: the processor has AVX2 and FMA, says the type.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => unsafe { filter_avx2(phases, planes, at, out) },
        }
    }
}

fn split(stereo: &[i16], planes: &mut Planes, at: usize) {
    for (m, frames) in stereo.as_chunks::<{ 2 * FACTOR }>().0.iter().enumerate() {
        for p in 0..FACTOR {
            planes[p][at + m] = (i32::from(frames[2 * p]) + i32::from(frames[2 * p + 1])) as f32;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn split_avx2(stereo: &[i16], planes: &mut Planes, at: usize) {
    use std::arch::x86_64::{
        __m256, __m256i, _mm256_blend_ps, _mm256_cvtepi32_ps, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_permutevar8x32_ps, _mm256_set1_epi16, _mm256_setr_epi32, _mm256_storeu_ps,
    };
    let ones = _mm256_set1_epi16(1);
    // The lanes of each blend, in the order of time.
    let orders = [
        _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5),
        _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6),
        _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7),
    ];
    let (chunks, rest) = stereo.as_chunks::<48>();
    for (c, chunk) in chunks.iter().enumerate() {
        let [a, b, c3]: [__m256; 3] = std::array::from_fn(|v| {
            // SAFETY: sixteen of the chunk's forty-eight numbers, from 16 v on with v below 3; unaligned.
            let pairs = unsafe { _mm256_loadu_si256(chunk.as_ptr().add(16 * v).cast::<__m256i>()) };
            _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones))
        });
        // Frame 3 m + p of the 24 is in lane (3 m + p) % 8 of vector (3 m + p) / 8.
        let mixed = [
            _mm256_blend_ps::<0b0010_0100>(_mm256_blend_ps::<0b1001_0010>(a, b), c3),
            _mm256_blend_ps::<0b0100_1001>(_mm256_blend_ps::<0b0010_0100>(a, b), c3),
            _mm256_blend_ps::<0b1001_0010>(_mm256_blend_ps::<0b0100_1001>(a, b), c3),
        ];
        for p in 0..FACTOR {
            let to = &mut planes[p][at + 8 * c..at + 8 * c + 8];
            // SAFETY: the slice has room for eight numbers; unaligned.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), _mm256_permutevar8x32_ps(mixed[p], orders[p])) };
        }
    }
    split(rest, planes, at + 8 * chunks.len());
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn filter_avx2(phases: &Phases, planes: &Planes, at: usize, out: &mut [f32; BLOCK]) {
    filter::<Avx2>(phases, planes, at, out);
}

#[inline(always)]
fn filter<L: Lanes>(phases: &Phases, planes: &Planes, at: usize, out: &mut [f32; BLOCK]) {
    let mut sums = [L::splat(0.0); VECTORS];
    for (taps, plane) in phases.iter().zip(planes) {
        let Some(samples) = plane[at..].first_chunk::<SPAN>() else {
            debug_assert!(false, "a block begins at {at} of {PLANE}");
            return;
        };
        for first in 0..PHASE_TAPS / (8 * SHARING) {
            for k in 0..8 {
                let k = first * 8 * SHARING + k;
                let mut shared = [L::splat(0.0); SHARING];
                for i in 0..SHARING {
                    shared[i] = L::splat(taps[k + 8 * i]);
                }
                for v in 0..VECTORS + SHARING - 1 {
                    let Some(group) = samples[k + 8 * v..].first_chunk::<8>() else {
                        return;
                    };
                    let group = L::load(group);
                    for i in 0..SHARING {
                        if let Some(sum) = v.checked_sub(i).and_then(|output| sums.get_mut(output)) {
                            *sum = sum.plus_product(shared[i], group);
                        }
                    }
                }
            }
        }
    }
    for (sum, to) in sums.iter().zip(out.as_chunks_mut::<8>().0) {
        sum.store(to);
    }
}
