//! Magnitude spectra of four overlapping frames at once: a real FFT of 256 points, the frames side by side.

use super::INPUT;
use crate::lanes::Lanes;

/// Samples a frame.
pub(super) const FRAME: usize = 256;
/// Frequencies a spectrum has.
pub(super) const BINS: usize = FRAME / 2 + 1;
/// Samples from one frame to the next.
const HOP: usize = 128;
/// Frames in the input of one window.
pub(super) const FRAMES: usize = 4;
/// Even and odd samples of a frame make one complex number each.
const POINTS: usize = FRAME / 2;
/// Vectors that hold all complex points of the four frames.
const VECTORS: usize = POINTS * FRAMES / 8;

/// The periodic Hann window.
pub(super) fn hann(n: usize) -> f64 {
    0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / FRAME as f64).cos()
}

/// Sines and cosines, computed once.
pub(super) struct Tables {
    window: [f32; FRAME],
    /// `e^(-2πik/128)` for `k < 64`, cosine and sine.
    turns: [(f32, f32); POINTS / 2],
    /// `e^(-2πik/256)` for `k <= 64`: joins the even and odd halves.
    join: [(f32, f32); POINTS / 2 + 1],
}

impl Tables {
    pub(super) fn new() -> Self {
        let turn = |k: usize, of: usize| {
            let angle = -std::f64::consts::TAU * k as f64 / of as f64;
            (angle.cos() as f32, angle.sin() as f32)
        };
        Self {
            window: std::array::from_fn(|n| hann(n) as f32),
            turns: std::array::from_fn(|k| turn(k, POINTS)),
            join: std::array::from_fn(|k| turn(k, FRAME)),
        }
    }
}

/// Complex points of four frames: point `p` of frame `t` at `4 * p + t`.
#[derive(Clone)]
struct Points {
    re: [[f32; 8]; VECTORS],
    im: [[f32; 8]; VECTORS],
}

/// Room for the transform.
#[derive(Clone)]
pub(super) struct Spectra {
    from: Points,
    to: Points,
    /// The result: magnitude of bin `k` in frame `t` at `[k][t]`.
    pub(super) magnitudes: [[f32; FRAMES]; BINS],
}

impl Default for Spectra {
    fn default() -> Self {
        let zero = Points {
            re: [[0.0; 8]; VECTORS],
            im: [[0.0; 8]; VECTORS],
        };
        Self {
            from: zero.clone(),
            to: zero,
            magnitudes: [[0.0; FRAMES]; BINS],
        }
    }
}

impl Spectra {
    /// The magnitude spectra of the four frames in `input`.
    #[inline(always)]
    pub(super) fn compute<L: Lanes>(&mut self, tables: &Tables, input: &[f32; INPUT]) {
        self.fill(tables, input);
        self.first_pass::<L>(tables);
        let mut span = 2; // neighbouring points that share a turn
        while span < POINTS {
            self.pass::<L>(tables, span);
            span *= 2;
        }
        self.join(tables);
    }

    /// Windows the frames; even samples become real parts, odd ones imaginary parts.
    #[inline(always)]
    fn fill(&mut self, tables: &Tables, input: &[f32; INPUT]) {
        let frames: [&[f32]; FRAMES] = std::array::from_fn(|t| &input[t * HOP..t * HOP + FRAME]);
        for v in 0..VECTORS {
            let window = &tables.window[4 * v..4 * v + 4];
            for t in 0..FRAMES {
                let samples = &frames[t][4 * v..4 * v + 4];
                self.from.re[v][t] = samples[0] * window[0];
                self.from.im[v][t] = samples[1] * window[1];
                self.from.re[v][4 + t] = samples[2] * window[2];
                self.from.im[v][4 + t] = samples[3] * window[3];
            }
        }
    }

    /// The first of seven passes (Stockham's radix two, which needs no reordering): each vector holds two points,
    /// each with a turn of its own.
    #[inline(always)]
    fn first_pass<L: Lanes>(&mut self, tables: &Tables) {
        let half = VECTORS / 2;
        for v in 0..half {
            let [a, b] = [tables.turns[2 * v], tables.turns[2 * v + 1]];
            let cos = L::load(&[a.0, a.0, a.0, a.0, b.0, b.0, b.0, b.0]);
            let sin = L::load(&[a.1, a.1, a.1, a.1, b.1, b.1, b.1, b.1]);
            let (sum, turned) = butterfly::<L>(&self.from, v, v + half, cos, sin);
            let [mut sr, mut si, mut tr, mut ti] = [[0.0; 8]; 4];
            sum.0.store(&mut sr);
            sum.1.store(&mut si);
            turned.0.store(&mut tr);
            turned.1.store(&mut ti);
            for (to, sums, turneds) in [(&mut self.to.re, sr, tr), (&mut self.to.im, si, ti)] {
                to[2 * v][..4].copy_from_slice(&sums[..4]);
                to[2 * v][4..].copy_from_slice(&turneds[..4]);
                to[2 * v + 1][..4].copy_from_slice(&sums[4..]);
                to[2 * v + 1][4..].copy_from_slice(&turneds[4..]);
            }
        }
        std::mem::swap(&mut self.from, &mut self.to);
    }

    #[inline(always)]
    fn pass<L: Lanes>(&mut self, tables: &Tables, span: usize) {
        let width = span * FRAMES / 8; // vectors that share a turn
        for p in 0..VECTORS / 2 / width {
            let (cos, sin) = tables.turns[p * span];
            let (cos, sin) = (L::splat(cos), L::splat(sin));
            for q in 0..width {
                let (sum, turned) =
                    butterfly::<L>(&self.from, p * width + q, VECTORS / 2 + p * width + q, cos, sin);
                sum.0.store(&mut self.to.re[2 * p * width + q]);
                sum.1.store(&mut self.to.im[2 * p * width + q]);
                turned.0.store(&mut self.to.re[(2 * p + 1) * width + q]);
                turned.1.store(&mut self.to.im[(2 * p + 1) * width + q]);
            }
        }
        std::mem::swap(&mut self.from, &mut self.to);
    }

    /// Joins the transforms of the even and the odd samples, and takes magnitudes.
    #[inline(always)]
    fn join(&mut self, tables: &Tables) {
        let point = |k: usize, t: usize| {
            let (v, lane) = (k / 2, k % 2 * 4 + t);
            (self.from.re[v][lane], self.from.im[v][lane])
        };
        for k in 0..=POINTS / 2 {
            let (cos, sin) = tables.join[k];
            let mirror = (POINTS - k) % POINTS;
            for t in 0..FRAMES {
                let ((zr, zi), (mr, mi)) = (point(k, t), point(mirror, t));
                let (even_re, even_im) = (0.5 * (zr + mr), 0.5 * (zi - mi));
                let (odd_re, odd_im) = (0.5 * (zi + mi), 0.5 * (mr - zr));
                let (re, im) = (odd_re * cos - odd_im * sin, odd_re * sin + odd_im * cos);
                let (low_re, low_im) = (even_re + re, even_im + im);
                let (high_re, high_im) = (even_re - re, even_im - im);
                self.magnitudes[k][t] = (low_re * low_re + low_im * low_im).sqrt();
                self.magnitudes[POINTS - k][t] = (high_re * high_re + high_im * high_im).sqrt();
            }
        }
    }
}

/// Sum, and difference turned, of two vectors of complex points.
#[inline(always)]
fn butterfly<L: Lanes>(from: &Points, a: usize, b: usize, cos: L, sin: L) -> ((L, L), (L, L)) {
    let (ar, ai) = (L::load(&from.re[a]), L::load(&from.im[a]));
    let (br, bi) = (L::load(&from.re[b]), L::load(&from.im[b]));
    let (dr, di) = (ar.minus(br), ai.minus(bi));
    let zero = L::splat(0.0);
    let turned_re = dr.times(cos).plus_product(zero.minus(di), sin);
    let turned_im = dr.times(sin).plus_product(di, cos);
    ((ar.plus(br), ai.plus(bi)), (turned_re, turned_im))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Portable;

    #[test]
    fn the_spectra_are_those_of_the_plain_transform() {
        let input: [f32; INPUT] = std::array::from_fn(|n| ((n * n) as f32 * 0.37).sin() * 0.5);
        let mut spectra = Spectra::default();
        spectra.compute::<Portable>(&Tables::new(), &input);
        for k in 0..BINS {
            for t in 0..FRAMES {
                let (mut re, mut im) = (0.0, 0.0);
                for n in 0..FRAME {
                    let angle = std::f64::consts::TAU * ((k * n) % FRAME) as f64 / FRAME as f64;
                    let sample = f64::from(input[t * HOP + n]) * hann(n);
                    re += sample * angle.cos();
                    im += sample * angle.sin();
                }
                let expected = re.hypot(im) as f32;
                let got = spectra.magnitudes[k][t];
                assert!(
                    (got - expected).abs() < 2e-5,
                    "bin {k} frame {t}: {got} {expected}"
                );
            }
        }
    }
}
