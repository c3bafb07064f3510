//! The filter's coefficients: the Remez exchange of Parks and `McClellan` ("Chebyshev approximation for nonrecursive
//! digital filters with linear phase", 1972), run once a process in double precision.
//!
//! Of all linear-phase filters of a length it finds the one whose largest weighted error is smallest. A window reaches
//! the same stop band only with a pass band that is needlessly flat: the Kaiser window needs 264 taps for 95 dB here.

use std::f64::consts::PI;

use super::TAPS;

/// Edges of the bands in Hz; between them the response falls freely.
pub(super) const PASS_END: f64 = 7_000.0;
pub(super) const STOP_START: f64 = 8_100.0;
const RATE: f64 = 48_000.0;

/// An error in the pass band counts this much of one in the stop band: 100 dB of rejection at 0.004 dB of ripple.
const PASS_WEIGHT: f64 = 0.025;

/// Half of the taps: the response is `cos(w / 2)` times a polynomial of `cos w` with this many coefficients.
const UNKNOWNS: usize = TAPS / 2;
/// Points at which the best response errs equally, with alternating signs.
const EXTREMES: usize = UNKNOWNS + 1;
/// Points of the frequency grid for each unknown.
const DENSITY: usize = 24;
/// Exchanges after which it stops in any case; it takes about ten.
const MAX_EXCHANGES: usize = 60;

/// One frequency of the grid: what is wanted there, and how much an error counts, both divided by `cos(w / 2)`.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// `cos w`.
    x: f64,
    wanted: f64,
    weight: f64,
    stop: bool,
}

/// The taps of the low-pass, symmetric, with a sum of about 1.
pub(super) fn taps() -> [f64; TAPS] {
    let grid = grid();
    let mut extremes: Vec<usize> = (0..EXTREMES)
        .map(|i| i * (grid.len() - 1) / (EXTREMES - 1))
        .collect();
    let mut response = Interpolation::through(&grid, &extremes);
    for _ in 0..MAX_EXCHANGES {
        let errors: Vec<f64> = grid
            .iter()
            .map(|p| p.weight * (p.wanted - response.at(p.x)))
            .collect();
        let next = exchange(&grid, &errors);
        if next.len() != EXTREMES || next == extremes {
            break;
        }
        extremes = next;
        response = Interpolation::through(&grid, &extremes);
    }
    inverse_transform(&response)
}

fn grid() -> Vec<Point> {
    let step = RATE / 2.0 / (DENSITY * UNKNOWNS) as f64;
    // The response of an even number of taps is zero at half the rate, whatever the taps are.
    let bands = [(0.0, PASS_END, false), (STOP_START, RATE / 2.0 - step, true)];
    let mut grid = Vec::new();
    for (from, to, stop) in bands {
        let steps = ((to - from) / step).ceil();
        for i in 0..=steps as usize {
            let angle = PI * (from + (to - from) * i as f64 / steps) / (RATE / 2.0);
            let half = (angle / 2.0).cos();
            let (wanted, weight) = if stop { (0.0, 1.0) } else { (1.0, PASS_WEIGHT) };
            grid.push(Point {
                x: angle.cos(),
                wanted: wanted / half,
                weight: weight * half,
                stop,
            });
        }
    }
    grid
}

/// The polynomial that errs equally at the extremes, in barycentric form.
struct Interpolation {
    nodes: Vec<f64>,
    weights: Vec<f64>,
    values: Vec<f64>,
}

impl Interpolation {
    fn through(grid: &[Point], extremes: &[usize]) -> Self {
        let points: Vec<Point> = extremes.iter().map(|i| grid[*i]).collect();
        let weights: Vec<f64> = points
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let others = points.iter().enumerate().filter(|(j, _)| *j != i);
                // Nodes fill an interval of length 2: the factor keeps the product near one.
                1.0 / others.map(|(_, q)| 2.0 * (p.x - q.x)).product::<f64>()
            })
            .collect();
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let weighted = |value: &dyn Fn(usize) -> f64| -> f64 {
            weights.iter().enumerate().map(|(i, w)| w * value(i)).sum()
        };
        let ripple = weighted(&|i| points[i].wanted) / weighted(&|i| sign(i) / points[i].weight);
        Self {
            nodes: points.iter().map(|p| p.x).collect(),
            values: points
                .iter()
                .enumerate()
                .map(|(i, p)| p.wanted - sign(i) * ripple / p.weight)
                .collect(),
            weights,
        }
    }

    fn at(&self, x: f64) -> f64 {
        let (mut above, mut below) = (0.0, 0.0);
        for ((node, weight), value) in self.nodes.iter().zip(&self.weights).zip(&self.values) {
            let distance = x - node;
            if distance.abs() < 1e-14 {
                return *value;
            }
            let share = weight / distance;
            above += share * value;
            below += share;
        }
        above / below
    }
}

/// The next extremes: the largest error of each run of one sign within a band, thinned to the number that is needed.
fn exchange(grid: &[Point], errors: &[f64]) -> Vec<usize> {
    let mut extremes: Vec<usize> = Vec::new();
    for i in 0..errors.len() {
        let falls_towards = |j: Option<usize>| {
            j.filter(|j| *j < grid.len() && grid[*j].stop == grid[i].stop)
                .is_none_or(|j| errors[j] * errors[i].signum() <= errors[i].abs())
        };
        if !(falls_towards(i.checked_sub(1)) && falls_towards(Some(i + 1))) {
            continue;
        }
        match extremes.last_mut() {
            Some(last) if errors[*last].signum() == errors[i].signum() => {
                if errors[i].abs() > errors[*last].abs() {
                    *last = i;
                }
            }
            _ => extremes.push(i),
        }
    }
    while extremes.len() > EXTREMES {
        // Signs must go on alternating: one too many goes at an end, more go in pairs.
        let size = |i: usize| errors[extremes[i]].abs();
        let last = extremes.len() - 1;
        if extremes.len() == EXTREMES + 1 {
            extremes.remove(if size(0) < size(last) { 0 } else { last });
        } else {
            let pair = (0..last)
                .min_by(|a, b| size(*a).max(size(a + 1)).total_cmp(&size(*b).max(size(b + 1))))
                .unwrap_or(0);
            extremes.drain(pair..pair + 2);
        }
    }
    extremes
}

/// Taps from the response at as many frequencies as there are taps.
fn inverse_transform(response: &Interpolation) -> [f64; TAPS] {
    let step = 2.0 * PI / TAPS as f64;
    let amplitudes: Vec<f64> = (0..UNKNOWNS)
        .map(|k| {
            let angle = step * k as f64;
            (angle / 2.0).cos() * response.at(angle.cos())
        })
        .collect();
    std::array::from_fn(|n| {
        let from_centre = n as f64 - (TAPS - 1) as f64 / 2.0;
        let waves = amplitudes.iter().enumerate().skip(1);
        let sum: f64 = waves
            .map(|(k, a)| 2.0 * a * (step * k as f64 * from_centre).cos())
            .sum();
        (amplitudes[0] + sum) / TAPS as f64
    })
}
