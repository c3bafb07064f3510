//! Rates, delays and how sure they are.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::replay::Tally;

/// Draws of the bootstrap.
const DRAWS: usize = 2000;
/// Its seed: the same recordings give the same interval.
const SEED: u64 = 5;

/// The tallies of one setting, a recording each.
pub(super) type Tallies = Vec<Tally>;

/// A way of endpointing at several settings, from the most impatient to the most patient.
pub(super) type Curve = Vec<Tallies>;

/// What a setting comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Pauses taken for the end, `0.0..=1.0`.
    pub(super) cut: f64,
    /// From the end of a turn to the decision, in milliseconds.
    pub(super) median: f64,
    pub(super) mean: f64,
    pub(super) p95: f64,
}

/// A figure and the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub(super) figure: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A setting over these recordings, each as often as it is named; `None` where nothing paused or ended.
pub(super) fn point(tallies: &[Tally], picks: &[usize]) -> Option<Point> {
    let chosen = || picks.iter().filter_map(|pick| tallies.get(*pick));
    let pauses: usize = chosen().map(|tally| tally.pauses).sum();
    let cuts: usize = chosen().map(|tally| tally.cuts).sum();
    let mut delays: Vec<u32> = chosen().flat_map(|tally| tally.delays.iter().copied()).collect();
    if pauses == 0 || delays.is_empty() {
        return None;
    }
    delays.sort_unstable();
    let at = |share: f64| f64::from(delays[((delays.len() - 1) as f64 * share).round() as usize]);
    Some(Point {
        cut: cuts as f64 / pauses as f64,
        median: at(0.5),
        mean: delays.iter().map(|delay| f64::from(*delay)).sum::<f64>() / delays.len() as f64,
        p95: at(0.95),
    })
}

/// Between the last setting that cuts more than `rate` and the one after it, where it would cut just that many; the most
/// patient setting where all cut more, the most impatient where none does.
pub(super) fn at_rate(curve: &[Tallies], picks: &[usize], rate: f64) -> Option<Point> {
    let points: Vec<Point> = curve.iter().filter_map(|tallies| point(tallies, picks)).collect();
    let Some(over) = points.iter().rposition(|point| point.cut > rate) else {
        return points.first().copied();
    };
    let (hasty, Some(patient)) = (points[over], points.get(over + 1)) else {
        return points.last().copied();
    };
    let way = (hasty.cut - rate) / (hasty.cut - patient.cut);
    let between = |from: f64, to: f64| from + (to - from) * way;
    Some(Point {
        cut: rate,
        median: between(hasty.median, patient.median),
        mean: between(hasty.mean, patient.mean),
        p95: between(hasty.p95, patient.p95),
    })
}

/// A figure of recordings with its interval: bootstrap over the recordings, percentiles.
pub(super) fn interval(picks: &[usize], figure: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut drawn: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let again: Vec<usize> = picks
                .iter()
                .map(|_| picks[random.random_range(0..picks.len())])
                .collect();
            figure(&again)
        })
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        drawn
            .get(((drawn.len().max(1) - 1) as f64 * share).round() as usize)
            .copied()
    };
    Some(Interval {
        figure: figure(picks)?,
        from: at(0.025)?,
        to: at(0.975)?,
    })
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ({:.0} to {:.0})", self.figure, self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(pauses: usize, cuts: usize, delays: &[u32]) -> Tally {
        Tally {
            pauses,
            cuts,
            delays: delays.to_vec(),
        }
    }

    #[test]
    fn a_point_counts_recordings_as_often_as_they_are_named() {
        let tallies = [tally(10, 1, &[100, 200]), tally(30, 0, &[400])];
        let point = point(&tallies, &[0, 0, 1]).unwrap();
        assert!((point.cut - 0.04).abs() < 1e-9);
        assert!((point.median - 200.0).abs() < 1e-9 && (point.mean - 200.0).abs() < 1e-9);
        assert!((point.p95 - 400.0).abs() < 1e-9);
        assert_eq!(super::point(&tallies, &[]), None);
    }

    #[test]
    fn the_delay_at_a_rate_lies_between_the_settings_beside_it() {
        let curve: Curve = [(8, 300), (4, 500), (0, 900)]
            .map(|(cuts, delay)| vec![tally(100, cuts, &[delay])])
            .to_vec();
        let delay = |rate| at_rate(&curve, &[0], rate).unwrap().median;
        assert!((delay(0.06) - 400.0).abs() < 1e-9);
        assert!((delay(0.01) - 800.0).abs() < 1e-9);
        assert!((delay(0.5) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn an_interval_holds_its_figure_and_is_the_same_every_time() {
        let tallies: Tallies = (0..40).map(|n| tally(5, 0, &[300 + n * 10])).collect();
        let picks: Vec<usize> = (0..40).collect();
        let mean = |picks: &[usize]| point(&tallies, picks).map(|point| point.mean);
        let one = interval(&picks, mean).unwrap();
        let two = interval(&picks, mean).unwrap();
        assert!(one.from < one.figure && one.figure < one.to);
        assert!((one.figure - 495.0).abs() < 1e-9 && one.to - one.from > 30.0 && one.to - one.from < 120.0);
        assert_eq!(one.to_string(), two.to_string());
    }
}
