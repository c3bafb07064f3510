//! Eight numbers at a time: the same arithmetic with AVX2 and FMA, or in portable Rust.
#![allow(unsafe_code)] // Vector instructions: each block says why they may run.
#![allow(clippy::inline_always)] // Inlining carries the instructions into the functions compiled for them.

/// Eight neighbouring numbers: what one vector instruction takes.
pub(crate) type Group = [f32; 8];

/// Adding this to a small float leaves its nearest integer in the low bits: 1.5 * 2^23.
const ROUNDER: f32 = 12_582_912.0;

/// Eight floats, and what the kernels do with them.
pub(crate) trait Lanes: Copy {
    fn splat(value: f32) -> Self;
    fn load(from: &Group) -> Self;
    fn store(self, to: &mut Group);
    /// `self + a * b`.
    fn plus_product(self, a: Self, b: Self) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
    /// Each lane, at least `floor`.
    fn at_least(self, floor: Self) -> Self;
    /// Each lane, at most `ceiling`.
    fn at_most(self, ceiling: Self) -> Self;
    /// `self * 2^n`, with `n` the integer that adding [`ROUNDER`] left in the low bits of `rounded`.
    fn scaled_by(self, rounded: Self) -> Self;

    /// `e^self`, to about one unit in the last place: Cephes' `expf`, its range clamped where the result is normal.
    #[inline(always)]
    fn exp(self) -> Self {
        let x = self.at_least(Self::splat(-87.0)).at_most(Self::splat(87.0));
        let rounded = Self::splat(ROUNDER).plus_product(x, Self::splat(std::f32::consts::LOG2_E));
        let n = rounded.minus(Self::splat(ROUNDER));
        // ln 2 in two parts, so that the remainder loses nothing.
        let r = x
            .plus_product(n, Self::splat(-0.693_359_4))
            .plus_product(n, Self::splat(2.121_944_4e-4));
        let mut p = Self::splat(1.987_569_1e-4);
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
            p = Self::splat(coefficient).plus_product(p, r);
        }
        Self::splat(1.0)
            .plus(r)
            .plus_product(p, r.times(r))
            .scaled_by(rounded)
    }

    /// `1 / (1 + e^-self)`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let one = Self::splat(1.0);
        one.over(one.plus(Self::splat(0.0).minus(self).exp()))
    }

    /// The hyperbolic tangent; near zero exact to 1e-7 absolutely, which is what a cell of an LSTM needs.
    #[inline(always)]
    fn tanh(self) -> Self {
        let half = self.plus(self).sigmoid();
        half.plus(half).minus(Self::splat(1.0))
    }
}

/// Portable Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable(Group);

impl Portable {
    #[inline(always)]
    fn with(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    fn load(from: &Group) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut Group) {
        *to = self.0;
    }

    #[inline(always)]
    fn plus_product(self, a: Self, b: Self) -> Self {
        // Not `mul_add`: without the instruction it is a call of a library function for each number.
        self.plus(a.times(b))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }

    #[inline(always)]
    fn over(self, other: Self) -> Self {
        self.with(other, |a, b| a / b)
    }

    #[inline(always)]
    fn at_least(self, floor: Self) -> Self {
        self.with(floor, f32::max)
    }

    #[inline(always)]
    fn at_most(self, ceiling: Self) -> Self {
        self.with(ceiling, f32::min)
    }

    #[inline(always)]
    fn scaled_by(self, rounded: Self) -> Self {
        self.with(rounded, |a, n| {
            f32::from_bits(a.to_bits().wrapping_add(n.to_bits() << 23))
        })
    }
}

/// AVX2 with FMA. Values of this type only come to be inside functions that are compiled for AVX2 and FMA and are only
/// called where the processor has both: every `SAFETY` below rests on that.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(std::arch::x86_64::__m256);

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_add_ps, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_div_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps,
        _mm256_slli_epi32, _mm256_storeu_ps, _mm256_sub_ps,
    };

    use super::{Avx2, Group, Lanes};

    impl Lanes for Avx2 {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_set1_ps(value) })
        }

        #[inline(always)]
        fn load(from: &Group) -> Self {
            // SAFETY: the processor has AVX2, see the type; eight floats are read from an array of eight, unaligned.
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }

        #[inline(always)]
        fn store(self, to: &mut Group) {
            // SAFETY: the processor has AVX2, see the type; eight floats are written to an array of eight, unaligned.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn plus_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the processor has FMA, see the type.
            Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn times(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn over(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_div_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn at_least(self, floor: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_max_ps(self.0, floor.0) })
        }

        #[inline(always)]
        fn at_most(self, ceiling: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe { _mm256_min_ps(self.0, ceiling.0) })
        }

        #[inline(always)]
        fn scaled_by(self, rounded: Self) -> Self {
            // SAFETY: the processor has AVX2, see the type.
            Self(unsafe {
                let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(rounded.0));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0), exponent))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_and_its_kin_follow_the_standard_library() {
        for i in -1000..=1000 {
            let x = i as f32 * 0.03;
            let mut got = [0.0; 8];
            Portable::splat(x).exp().store(&mut got);
            assert!(
                (got[0] / x.exp() - 1.0).abs() < 3e-7,
                "exp {x}: {} {}",
                got[0],
                x.exp()
            );
            Portable::splat(x).sigmoid().store(&mut got);
            assert!((got[3] - 1.0 / (1.0 + (-x).exp())).abs() < 2e-7, "sigmoid {x}");
            Portable::splat(x).tanh().store(&mut got);
            assert!((got[7] - x.tanh()).abs() < 3e-7, "tanh {x}");
        }
        let mut got = [0.0; 8];
        for x in [f32::MAX, f32::MIN, 1e9, -1e9] {
            Portable::splat(x).sigmoid().store(&mut got);
            assert!((0.0..=1.0).contains(&got[0]), "{x}");
        }
    }
}
