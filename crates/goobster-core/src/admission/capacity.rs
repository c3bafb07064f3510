//! From what decoding and listening cost on a machine to how many people it can follow at once.
//!
//! Somebody who never stops talks in turns: some seconds of speech, then a pause that ends the turn. Each turn asks for one
//! final decode and, for pauses inside it, for some that are thrown away. Whisper's time hardly depends on the length of what
//! it hears (it encodes a window), so a turn's price is a number of decodes, not a number of seconds.
//!
//! `load = decodes a turn * decode time / turn and pause / workers + audio path / cores`
//!
//! and the speakers that fit are those whose loads together stay below [`SHARE`]. Growing captions are left out: they use
//! what is left over, and are the first to give way.

use std::time::Duration;

/// Speech in a turn of somebody who goes on and on, and what a measurement should decode.
pub const SPEECH: Duration = Duration::from_secs(4);
/// The pause that ends it; together a turn every five seconds.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Decodes a turn that cannot be done without: the final one, and every second turn one that was begun in a pause inside it.
pub const DECODES: f64 = 1.5;
/// How much of the machine may go into them. At half, a decode waits for half of another on average (a single server with
/// constant service times: `load / (2 * (1 - load))`), and the rest is there for growing captions, replies and the system.
pub const SHARE: f64 = 0.5;
/// More is not promised on a measurement of a second.
const MOST: u32 = 256;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// How long a decode of [`SPEECH`] takes when nothing else runs.
    pub decode: Duration,
    /// Decodes that run at once without slowing each other.
    pub workers: usize,
    /// Seconds of one core that a second of one speaker's sound takes before it is decoded: packets, resampling, detection.
    pub audio: f64,
    /// Cores of the machine.
    pub cores: usize,
}

/// How many people talking at once fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// People who talk without an end at the same time and whose captions come in time; 0 when not even one's do.
    pub speakers: u32,
    /// The share of the machine that one of them takes; 1 is all of it.
    pub load: f64,
}

/// How many speakers these costs allow.
///
/// A cost that is no number, or negative, counts as nothing can be promised.
pub fn capacity(costs: &Costs) -> Capacity {
    let workers = costs.workers.max(1) as f64;
    let turn = (SPEECH + PAUSE).as_secs_f64();
    let decoding = DECODES * costs.decode.as_secs_f64() / turn / workers;
    let load = decoding + costs.audio.max(0.0) / costs.cores.max(1) as f64;
    if !load.is_finite() || costs.audio.is_nan() {
        return Capacity {
            speakers: 0,
            load: f64::INFINITY,
        };
    }
    let fit = (SHARE / load.max(f64::MIN_POSITIVE)).min(f64::from(MOST));
    Capacity {
        // Between 0 and MOST; what fits but for a rounding error fits.
        speakers: (fit + 1e-9).floor() as u32,
        load,
    }
}

/// Which model fits a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The one that was asked for.
    Own,
    /// Only a smaller one: it takes over at once.
    Smaller,
    /// None keeps up with even one speaker: one is tried all the same.
    Neither,
}

/// Which of two models fits; `smaller` is `None` where there is none.
pub fn fit(own: Capacity, smaller: Option<Capacity>) -> Fit {
    match (own.speakers, smaller) {
        (1.., _) => Fit::Own,
        (0, Some(Capacity { speakers: 1.., .. })) => Fit::Smaller,
        _ => Fit::Neither,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn costs(decode_ms: u64, audio: f64) -> Costs {
        Costs {
            decode: Duration::from_millis(decode_ms),
            workers: 1,
            audio,
            cores: 2,
        }
    }

    #[test]
    fn a_known_machine_gives_a_known_number() {
        // 1.5 * 0.4 s / 5 s = 0.12 of the worker, and 0.01 / 2 of the cores: 0.5 / 0.125 = 4.
        let fits = capacity(&costs(400, 0.01));
        assert_eq!(fits.speakers, 4);
        assert!((fits.load - 0.125).abs() < 1e-9);
        assert_eq!(capacity(&costs(170, 0.01)).speakers, 8);
        assert_eq!(capacity(&costs(1_700, 0.0)).speakers, 0);
        let two = Costs {
            workers: 2,
            ..costs(400, 0.0)
        };
        assert_eq!(capacity(&two).speakers, 8);
    }

    #[test]
    fn a_free_machine_and_a_nonsense_cost_are_bounded() {
        assert_eq!(capacity(&costs(0, 0.0)).speakers, MOST);
        assert_eq!(capacity(&costs(100, f64::NAN)).speakers, 0);
        assert_eq!(capacity(&costs(100, f64::INFINITY)).speakers, 0);
        assert_eq!(capacity(&costs(100, -1.0)), capacity(&costs(100, 0.0)));
    }

    #[test]
    fn the_model_that_fits() {
        let of = |speakers| Capacity { speakers, load: 0.1 };
        assert_eq!(fit(of(1), Some(of(9))), Fit::Own);
        assert_eq!(fit(of(0), Some(of(1))), Fit::Smaller);
        assert_eq!(fit(of(0), Some(of(0))), Fit::Neither);
        assert_eq!(fit(of(0), None), Fit::Neither);
    }

    proptest! {
        #[test]
        fn dearer_never_fits_more(decode in 0_u64..5_000, more in 0_u64..5_000, audio in 0.0..2.0_f64, dear in 0.0..2.0_f64) {
            let cheap = capacity(&costs(decode, audio));
            prop_assert!(capacity(&costs(decode + more, audio)).speakers <= cheap.speakers);
            prop_assert!(capacity(&costs(decode, audio + dear)).speakers <= cheap.speakers);
        }

        #[test]
        fn what_fits_stays_within_the_share(decode in 1_u64..5_000, audio in 0.0..0.5_f64, workers in 1_usize..16) {
            let fits = capacity(&Costs { workers, ..costs(decode, audio) });
            prop_assert!(f64::from(fits.speakers) * fits.load <= SHARE + 1e-9);
            prop_assert!(fits.speakers == MOST || f64::from(fits.speakers + 1) * fits.load > SHARE - 1e-9);
        }
    }
}
