//! How long a silence ends a turn: always the same, or by how this speaker pauses and by how complete their words are.
//!
//! Two things tell a pause from an end. A speaker who has paused for 0.7 s within their sentences will do so again; one who
//! never pauses for 0.3 s is done after less. And words that form a whole sentence are sooner at their end than words that
//! break off after "and the". The endpointer knows no words: whoever reads them says how complete they are, as a number.
//!
//! With `u` the pause of which [`QUANTILE`] of the speaker's recent ones were shorter, and `c` the completeness,
//!
//! ```text
//! patience = clamp(base(c) + weight * (u - u0), least, most)
//! ```
//!
//! where `base` goes straight from `incomplete` (`c = 0`) through the plain patience (`c = 0.5`) to `complete` (`c = 1`), is
//! `unread` while no words are known, and `u0` is that pause of a speaker who is not known yet. How the constants were
//! chosen is in `docs/hearing.md`.

use std::time::Duration;

use super::EndpointConfigError;
use crate::position::{samples_to_time, time_to_samples};

/// How many pauses of a speaker are remembered: a few minutes of conversation.
const REMEMBERED: usize = 16;
/// The share of remembered pauses that are at most as long as the one that counts.
const QUANTILE: f64 = 0.85;
/// Pauses of a speaker who is not known yet, in milliseconds: they give way to real ones, oldest first.
const UNKNOWN_SPEAKER_MS: [u64; REMEMBERED] = [
    480, 200, 240, 320, 200, 260, 360, 220, 280, 400, 220, 300, 240, 560, 260, 340,
];

/// Patience that follows the speaker and their words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptivePatience {
    /// Never less than this.
    pub least: Duration,
    /// Never more than this.
    pub most: Duration,
    /// After words that are certainly complete, with a speaker who pauses as most do.
    pub complete: Duration,
    /// After words that certainly break off, with such a speaker.
    pub incomplete: Duration,
    /// While it is not known what was said, with such a speaker.
    pub unread: Duration,
    /// How much longer for every second that the speaker's pauses are longer than those of most; `0.0..=4.0`.
    pub weight: f32,
}

impl AdaptivePatience {
    /// For conversation; the figures are in `docs/hearing.md`.
    pub const fn conversation() -> Self {
        Self {
            least: Duration::from_millis(320),
            most: Duration::from_millis(1400),
            complete: Duration::from_millis(400),
            incomplete: Duration::from_secs(1),
            unread: Duration::from_millis(800),
            weight: 1.0,
        }
    }

    /// Checks that the bounds hold each other; `hush` and `post_roll` must fit into the least patience.
    pub(super) fn check(&self, hush: Duration, post_roll: Duration) -> Result<(), EndpointConfigError> {
        let wrong = |field, value: String, rule| Err(EndpointConfigError { field, value, rule });
        if self.least < hush.max(post_roll) {
            let rule = "at least hush and post_roll";
            return wrong("adaptive.least", format!("{:?}", self.least), rule);
        }
        if self.most < self.least || self.most > Duration::from_secs(10) {
            let rule = "from adaptive.least to 10 s";
            return wrong("adaptive.most", format!("{:?}", self.most), rule);
        }
        if !(0.0..=4.0).contains(&self.weight) {
            return wrong("adaptive.weight", self.weight.to_string(), "from 0 to 4");
        }
        Ok(())
    }
}

/// The patience with one speaker. Allocates nothing.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    plain: u64,
    adaptive: Option<AdaptivePatience>,
    pauses: Pauses,
    completeness: Option<f32>,
    in_force: u64,
}

impl Patience {
    /// Patience with a speaker who is not known yet.
    pub(super) fn new(plain: Duration, adaptive: Option<AdaptivePatience>) -> Self {
        let mut patience = Self {
            plain: time_to_samples(plain),
            adaptive,
            pauses: Pauses::default(),
            completeness: None,
            in_force: 0,
        };
        patience.weigh();
        patience
    }

    /// The silence that ends the turn, in samples.
    pub(super) fn in_force(&self) -> u64 {
        self.in_force
    }

    /// A silence no longer than this, in samples, may have been a pause of the speaker though it ended a turn.
    pub(super) fn longest(&self) -> u64 {
        self.adaptive.map_or(0, |rule| time_to_samples(rule.most))
    }

    /// What was said before this pause is complete to this degree, `0.0..=1.0`; anything else is not heeded.
    pub(super) fn read(&mut self, completeness: f32) {
        if (0.0..=1.0).contains(&completeness) {
            self.completeness = Some(completeness);
            self.weigh();
        }
    }

    /// The speaker goes on, or begins anew: what they said before is not all any more.
    pub(super) fn forget_words(&mut self) {
        if self.completeness.take().is_some() {
            self.weigh();
        }
    }

    /// The speaker paused for this many samples and went on.
    pub(super) fn paused(&mut self, samples: u64) {
        if self.adaptive.is_some() {
            self.pauses.push(samples);
            self.weigh();
        }
    }

    fn weigh(&mut self) {
        self.in_force = match &self.adaptive {
            None => self.plain,
            Some(rule) => {
                let seconds = rule.base(self.completeness, samples_to_time(self.plain))
                    + f64::from(rule.weight) * self.pauses.beyond_most();
                let bounded = seconds.clamp(rule.least.as_secs_f64(), rule.most.as_secs_f64());
                time_to_samples(Duration::from_secs_f64(bounded))
            }
        };
    }
}

impl AdaptivePatience {
    /// Seconds of patience with a speaker who pauses as most do.
    fn base(&self, completeness: Option<f32>, plain: Duration) -> f64 {
        let Some(completeness) = completeness.map(f64::from) else {
            return self.unread.as_secs_f64();
        };
        let middle = plain.as_secs_f64();
        let (end, way) = if completeness < 0.5 {
            (self.incomplete.as_secs_f64(), 1.0 - 2.0 * completeness)
        } else {
            (self.complete.as_secs_f64(), 2.0 * completeness - 1.0)
        };
        middle + (end - middle) * way
    }
}

/// The pauses a speaker made lately, in samples.
#[derive(Debug, Clone)]
struct Pauses {
    recent: [u64; REMEMBERED],
    next: usize,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            recent: UNKNOWN_SPEAKER_MS.map(|ms| time_to_samples(Duration::from_millis(ms))),
            next: 0,
        }
    }
}

impl Pauses {
    fn push(&mut self, samples: u64) {
        if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = samples;
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// By how many seconds this speaker's long pauses are longer than those of one who is not known yet.
    fn beyond_most(&self) -> f64 {
        let most = samples_to_time(Self::default().long());
        samples_to_time(self.long()).as_secs_f64() - most.as_secs_f64()
    }

    /// The pause at [`QUANTILE`].
    fn long(&self) -> u64 {
        let mut sorted = self.recent;
        sorted.sort_unstable();
        let rank = (QUANTILE * (REMEMBERED - 1) as f64).round() as usize;
        sorted.get(rank).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Duration = Duration::from_millis(600);
    const RULE: AdaptivePatience = AdaptivePatience::conversation();

    fn ms(patience: &Patience) -> u64 {
        patience.in_force() / 16
    }

    fn samples(ms: u64) -> u64 {
        ms * 16
    }

    #[test]
    fn a_plain_patience_heeds_neither_speaker_nor_words() {
        let mut patience = Patience::new(PLAIN, None);
        patience.paused(samples(1500));
        patience.read(1.0);
        assert_eq!((ms(&patience), patience.longest()), (600, 0));
    }

    #[test]
    fn words_move_it_between_its_three_points() {
        let mut patience = Patience::new(PLAIN, Some(RULE));
        assert_eq!(ms(&patience), RULE.unread.as_millis() as u64);
        for (completeness, expected) in [(0.0, RULE.incomplete), (0.5, PLAIN), (1.0, RULE.complete)] {
            patience.read(completeness);
            assert_eq!(ms(&patience), expected.as_millis() as u64, "{completeness}");
        }
        for nonsense in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
            patience.read(nonsense);
            assert_eq!(ms(&patience), RULE.complete.as_millis() as u64);
        }
        patience.forget_words();
        assert_eq!(ms(&patience), RULE.unread.as_millis() as u64);
    }

    #[test]
    fn a_slow_speaker_is_given_time_and_a_fast_one_is_answered_sooner() {
        let said = |pauses: &[u64]| {
            let mut patience = Patience::new(PLAIN, Some(RULE));
            for pause in pauses {
                patience.paused(samples(*pause));
            }
            patience.read(0.5);
            ms(&patience)
        };
        let unknown = said(&[]);
        assert!(said(&[180; REMEMBERED]) + 100 < unknown);
        assert!(
            said(&[800; 6]) > unknown + 200,
            "six long pauses are enough to be known by"
        );
        let forgotten = said(&[&[800; 6][..], &[180; REMEMBERED]].concat());
        assert_eq!(
            forgotten,
            said(&[180; REMEMBERED]),
            "what is long ago does not count"
        );
    }

    #[test]
    fn bounds_that_cross_are_named() {
        let (hush, roll) = (Duration::from_millis(160), Duration::from_millis(200));
        RULE.check(hush, roll).unwrap();
        let bad = [
            (
                AdaptivePatience {
                    least: Duration::from_millis(190),
                    ..RULE
                },
                "adaptive.least = 190ms",
            ),
            (
                AdaptivePatience {
                    most: Duration::from_millis(300),
                    ..RULE
                },
                "adaptive.most = 300ms",
            ),
            (
                AdaptivePatience {
                    most: Duration::from_secs(11),
                    ..RULE
                },
                "adaptive.most = 11s",
            ),
            (
                AdaptivePatience {
                    weight: f32::NAN,
                    ..RULE
                },
                "adaptive.weight = NaN",
            ),
        ];
        for (rule, expected) in bad {
            let message = rule.check(hush, roll).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    proptest! {
        #[test]
        fn patience_keeps_its_bounds_and_follows_words_and_pauses(
            pauses in proptest::collection::vec(0_u64..200_000, 0..40),
            less in 0.0_f32..=1.0,
            more in 0.0_f32..=1.0,
            longer in 0_u64..50_000,
        ) {
            let known = |pauses: &mut dyn Iterator<Item = u64>, completeness: f32| {
                let mut patience = Patience::new(PLAIN, Some(RULE));
                pauses.for_each(|p| patience.paused(p));
                patience.read(completeness);
                patience.in_force()
            };
            let (less, more) = (less.min(more), less.max(more));
            let held = known(&mut pauses.iter().copied(), less);
            prop_assert!(held >= time_to_samples(RULE.least) && held <= time_to_samples(RULE.most));
            prop_assert!(known(&mut pauses.iter().copied(), more) <= held, "complete words never wait longer");
            prop_assert!(
                known(&mut pauses.iter().map(|p| p + longer), less) >= held,
                "longer pauses never shorten it"
            );
        }
    }
}
