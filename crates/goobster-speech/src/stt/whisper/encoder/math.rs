//! Matrix products, and the functions between them, as fast as this processor allows.
//!
//! The products are the `gemm` crate's. The rest are plain loops, compiled three times: for AVX-512, for AVX2 with FMA, and for
//! whatever the target has at least; sums run in sixteen lanes, which a compiler may not make of a plain sum.
#![allow(
    unsafe_code,
    reason = "calls of the gemm crate's raw interface and of functions compiled for detected instruction sets"
)]
#![allow(
    clippy::inline_always,
    reason = "a body must be compiled inside each function of an instruction set, or it is compiled without that set"
)]

/// Lanes of a sum.
const LANES: usize = 16;

/// A matrix within a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factor<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Factor<'a> {
    /// Row after row, one every `stride` values.
    pub(super) fn rows(values: &'a [f32], stride: usize) -> Self {
        Self {
            values,
            row: stride,
            column: 1,
        }
    }

    /// Column after column: the transpose of [`Factor::rows`].
    pub(super) fn columns(values: &'a [f32], stride: usize) -> Self {
        Self {
            values,
            row: 1,
            column: stride,
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        last(rows, columns, self.row, self.column) < self.values.len()
    }
}

fn last(rows: usize, columns: usize, row: usize, column: usize) -> usize {
    (rows - 1) * row + (columns - 1) * column
}

/// `out = scale · a · b`, or that added to `out`; sizes are rows of `a`, its columns, columns of `b`. `out` comes with the
/// distance of its rows.
///
/// # Panics
/// When a slice does not hold its matrix.
pub(super) fn multiply(
    [rows, inner, columns]: [usize; 3],
    a: Factor<'_>,
    b: Factor<'_>,
    scale: f32,
    (out, stride): (&mut [f32], usize),
    add: bool,
) {
    if rows == 0 || inner == 0 || columns == 0 {
        return;
    }
    assert!(a.holds(rows, inner) && b.holds(inner, columns) && columns <= stride);
    assert!(last(rows, columns, stride, 1) < out.len());
    // SAFETY: the assertions above say that every element that the strides reach lies within its slice; `out` is borrowed
    // uniquely, so it overlaps neither factor, and its elements are distinct as `columns <= stride`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Compiles `$body` for several instruction sets and calls the best that is there.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*), $body:ident) => {
        $(#[$doc])*
        pub(super) fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn widest($($arg: $type),*) {
                    $body::<true>($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) {
                    $body::<true>($($arg),*);
                }
                let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if fma && is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has what the function is compiled for.
                    return unsafe { widest($($arg),*) };
                }
                if fma {
                    // SAFETY: as above.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*);
        }
    };
}

dispatched! {
    /// The Gaussian error linear unit, by its tangent approximation, as ggml has it.
    gelu(values: &mut [f32]), gelu_body
}

dispatched! {
    /// Each row of `width` values to shares that sum to 1.
    softmax(values: &mut [f32], width: usize), softmax_body
}

dispatched! {
    /// Rows of the length of `scale`, each to mean 0 and variance 1, then scaled and shifted.
    layer_norm(values: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]), layer_norm_body
}

#[inline(always)]
fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    // Without the instruction, `mul_add` is a call.
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e to the x, to about 2e-7 of it, for what lies within -87 to 88; beyond, as at the ends.
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    let power = x.clamp(-87.0, 88.0) * std::f32::consts::LOG2_E;
    let shifted = power + ROUNDER;
    let rest = power - (shifted - ROUNDER);
    // Taylor's series of 2^rest.
    let mut sum = 0.000_154_035_3;
    for coefficient in [
        0.001_333_355_8,
        0.009_618_129,
        0.055_504_11,
        0.240_226_5,
        std::f32::consts::LN_2,
        1.0,
    ] {
        sum = mul_add::<FMA>(sum, rest, coefficient);
    }
    sum * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

#[inline(always)]
fn gelu_body<const FMA: bool>(values: &mut [f32]) {
    /// Twice the square root of 2/π.
    const RATE: f32 = 1.595_769;
    for value in values {
        let x = *value;
        let bent = mul_add::<FMA>(0.044_715 * x * x, x, x);
        *value = x / (1.0 + exp::<FMA>(-RATE * bent));
    }
}

#[inline(always)]
fn softmax_body<const FMA: bool>(values: &mut [f32], width: usize) {
    for row in values.chunks_exact_mut(width) {
        let mut highest = [f32::NEG_INFINITY; LANES];
        let (whole, rest) = row.as_chunks::<LANES>();
        for chunk in whole {
            for (high, value) in highest.iter_mut().zip(chunk) {
                *high = if *value > *high { *value } else { *high };
            }
        }
        let highest = highest
            .iter()
            .chain(rest)
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0; LANES];
        let (whole, rest) = row.as_chunks_mut::<LANES>();
        for chunk in whole {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *value = exp::<FMA>(*value - highest);
                *sum += *value;
            }
        }
        let mut sum: f32 = sums.iter().sum();
        for value in rest {
            *value = exp::<FMA>(*value - highest);
            sum += *value;
        }
        let share = 1.0 / sum;
        for value in row.iter_mut() {
            *value *= share;
        }
    }
}

#[inline(always)]
fn layer_norm_body<const FMA: bool>(values: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    /// As in OpenAI's model.
    const EPSILON: f32 = 1e-5;
    let width = scale.len();
    for (row, out) in values.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = summed(row, |x| x) / width as f32;
        let variance = summed(row, |x| (x - mean) * (x - mean)) / width as f32;
        let rate = 1.0 / (variance + EPSILON).sqrt();
        for (((x, scale), shift), out) in row.iter().zip(scale).zip(shift).zip(out) {
            *out = mul_add::<FMA>((x - mean) * rate, *scale, *shift);
        }
    }
}

#[inline(always)]
fn summed(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += of(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| of(*x)).sum::<f32>()
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "values that must not have been touched at all")]
mod tests {
    use super::*;

    fn near(a: f32, b: f64, within: f64) {
        assert!(
            (f64::from(a) - b).abs() <= within * b.abs().max(1e-3),
            "{a} is not {b}"
        );
    }

    #[test]
    fn exponentials_are_exact_to_the_last_bits() {
        for step in -870..=880 {
            let x = step as f32 * 0.1;
            near(exp::<true>(x), f64::from(x).exp(), 6e-6);
            near(exp::<false>(x), f64::from(x).exp(), 6e-6);
        }
        assert!(exp::<true>(-1e9) < 1e-37 && exp::<true>(1e9).is_finite());
    }

    #[test]
    fn gelu_is_the_tangent_approximation() {
        let mut values: Vec<f32> = (-120..120).map(|n| n as f32 * 0.1).collect();
        let given = values.clone();
        gelu(&mut values);
        for (x, y) in given.iter().zip(&values) {
            let x = f64::from(*x);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            near(*y, 0.5 * x * (1.0 + inner.tanh()), 1e-4);
        }
    }

    #[test]
    fn shares_sum_to_one_whatever_the_width() {
        for width in [1, 15, 16, 33] {
            let mut values: Vec<f32> = (0..2 * width)
                .map(|n| ((n * 37 % 101) as f32 - 50.0) * 0.3)
                .collect();
            let given = values.clone();
            softmax(&mut values, width);
            for (row, given) in values.chunks(width).zip(given.chunks(width)) {
                let sum: f64 = given.iter().map(|x| f64::from(*x).exp()).sum();
                for (y, x) in row.iter().zip(given) {
                    near(*y, f64::from(*x).exp() / sum, 2e-5);
                }
            }
        }
    }

    #[test]
    fn products_take_any_strides() {
        let a: Vec<f32> = (0..40).map(|n| n as f32 * 0.5).collect();
        let b: Vec<f32> = (0..40).map(|n| 3.0 - n as f32).collect();
        let mut out = vec![1.0; 3 * 7];
        multiply(
            [3, 4, 5],
            Factor::rows(&a, 10),
            Factor::columns(&b, 6),
            2.0,
            (&mut out, 7),
            true,
        );
        for row in 0..3 {
            for column in 0..5 {
                let sum: f32 = (0..4).map(|k| a[row * 10 + k] * b[k + column * 6]).sum();
                near(out[row * 7 + column], f64::from(1.0 + 2.0 * sum), 1e-6);
            }
            assert_eq!(
                out[row * 7 + 5..row * 7 + 7],
                [1.0, 1.0],
                "beyond the matrix nothing is touched"
            );
        }
    }

    #[test]
    #[should_panic(expected = "holds")]
    fn a_slice_too_short_is_refused() {
        multiply(
            [3, 4, 5],
            Factor::rows(&[0.0; 11], 4),
            Factor::rows(&[0.0; 20], 5),
            1.0,
            (&mut [0.0; 15], 5),
            false,
        );
    }
}
