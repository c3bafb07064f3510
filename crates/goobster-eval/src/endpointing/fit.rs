//! Constants of adaptive patience chosen on some recordings, to be judged on others.

use std::time::Duration;

use goobster_audio::endpoint::{AdaptivePatience, EndpointConfig};

use super::replay::replay;
use super::statistics::point;
use super::turns::Turn;

/// What may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clues {
    /// The speaker's pauses and the words.
    Both,
    /// The speaker's pauses alone.
    Pauses,
    /// The words alone.
    Words,
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Adaptive patience with these milliseconds.
pub(super) fn adaptive(
    complete: u64,
    plain: u64,
    incomplete: u64,
    unread: u64,
    weight: f32,
) -> EndpointConfig {
    EndpointConfig {
        patience: ms(plain),
        adaptive: Some(AdaptivePatience {
            complete: ms(complete),
            incomplete: ms(incomplete),
            unread: ms(unread),
            weight,
            ..AdaptivePatience::conversation()
        }),
        ..EndpointConfig::conversation()
    }
}

/// The same, every patience longer by `by` milliseconds or shorter.
pub(super) fn shifted(config: &EndpointConfig, by: i64) -> EndpointConfig {
    let shift = |time: Duration| {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2) + by;
        Duration::from_millis(u64::try_from(ms.max(200)).unwrap_or(200))
    };
    EndpointConfig {
        patience: shift(config.patience),
        adaptive: config.adaptive.map(|rule| AdaptivePatience {
            complete: shift(rule.complete),
            incomplete: shift(rule.incomplete),
            unread: shift(rule.unread),
            least: rule.least.min(shift(rule.least)),
            most: rule.most.max(shift(rule.most)),
            ..rule
        }),
        ..*config
    }
}

/// Of all constants those with the least mean delay that cut at most `rate` of the pauses.
pub(super) fn best(
    speakers: &[Vec<&Turn>],
    window: usize,
    reading: Option<u64>,
    recordings: usize,
    clues: Clues,
    rate: f64,
) -> anyhow::Result<Option<EndpointConfig>> {
    let picks: Vec<usize> = (0..recordings).collect();
    let mut best: Option<(f64, EndpointConfig)> = None;
    for config in candidates(clues) {
        let tallies = replay(speakers, &config, window, reading, recordings)?;
        if let Some(point) = point(&tallies, &picks)
            && point.cut <= rate
            && best.as_ref().is_none_or(|(mean, _)| point.mean < *mean)
        {
            best = Some((point.mean, config));
        }
    }
    Ok(best.map(|(_, config)| config))
}

fn candidates(clues: Clues) -> Vec<EndpointConfig> {
    let mut configs = Vec::new();
    let weights: &[f32] = match clues {
        Clues::Words => &[0.0],
        _ => &[0.0, 0.75, 1.5],
    };
    for &weight in weights {
        for plain in (320..=1120).step_by(160) {
            if clues == Clues::Pauses {
                configs.push(adaptive(plain, plain, plain, plain, weight));
                continue;
            }
            for complete in (320..=plain.min(640)).step_by(80) {
                for incomplete in [800, 1100, 1400] {
                    for unread in [480, 640, 800, 960] {
                        configs.push(adaptive(complete, plain, incomplete.max(plain), unread, weight));
                    }
                }
            }
        }
    }
    configs
}
