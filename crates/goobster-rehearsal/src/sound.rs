//! The bot's sound: decoded and put where it was heard, and compared with recordings.

use std::path::Path;
use std::time::Duration;

use goobster_audio::wav::TimelineWriter;
use goobster_audio::{SAMPLE_RATE, position};
use goobster_core::time::Moment;
use loopback_discord::BotFrame;
use opus2::{Channels, Decoder};

use crate::error::RehearsalError;

/// The rate of the WAV: what Discord carries.
const WAV_RATE: u32 = 48_000;
/// Samples that a frame may hold: 120 ms at 48 kHz.
const MOST_SAMPLES: usize = 5_760;
/// A packet that comes this much later than the one before begins a new stretch.
const STRETCH: Duration = Duration::from_millis(200);
/// Samples a value of an envelope: 10 ms at 16 kHz.
const STEP: usize = 160;

/// Decodes frames and hands over each with its place, as counted from `zero`. Within a stretch places follow the packets' own
/// time, so that a late packet leaves no gap; between stretches they follow the clock.
fn decode(
    frames: &[BotFrame],
    zero: Duration,
    rate: u32,
    mut each: impl FnMut(Duration, &[f32]) -> Result<(), RehearsalError>,
) -> Result<(), RehearsalError> {
    let name = "the bot's voice".to_owned();
    let refused = |source| RehearsalError::Opus {
        name: name.clone(),
        source,
    };
    let mut decoder = Decoder::new(rate, Channels::Mono).map_err(refused)?;
    let mut pcm = vec![0.0; MOST_SAMPLES];
    // The first packet of the stretch: when it came, its time stamp; and when the last one came.
    let mut stretch: Option<(Duration, u32, Duration)> = None;
    for frame in frames {
        let (began, stamp) = match stretch {
            Some((began, stamp, last)) if frame.at.saturating_sub(last) <= STRETCH => (began, stamp),
            _ => (frame.at, frame.timestamp),
        };
        stretch = Some((began, stamp, frame.at));
        let ahead = f64::from(frame.timestamp.wrapping_sub(stamp)) / 48_000.0;
        // Time stamps that jump (another connection) say nothing about time.
        let by_stamp = began + Duration::from_secs_f64(ahead.min(3_600.0));
        let near = by_stamp.abs_diff(frame.at) < Duration::from_secs(1);
        let at = if near { by_stamp } else { frame.at };
        // A frame that Opus refuses is not heard.
        if let Ok(samples) = decoder.decode_float(&frame.opus, &mut pcm, false) {
            each(at.saturating_sub(zero), &pcm[..samples])?;
        }
    }
    Ok(())
}

/// Writes what the bot said as a WAV that begins at moment zero.
pub fn write_wav(
    path: &Path,
    frames: &[BotFrame],
    zero: Duration,
    until: Moment,
) -> Result<(), RehearsalError> {
    let mut wav = TimelineWriter::create(path, WAV_RATE)?;
    decode(frames, zero, WAV_RATE, |at, pcm| {
        // A frame that the clip before it covers already would push all others back.
        if at + Duration::from_millis(60) >= wav.duration() {
            wav.place(at, pcm)?;
        }
        Ok(())
    })?;
    wav.silence_until(Duration::from_millis(until.as_millis()))?;
    wav.finish()?;
    Ok(())
}

/// What the bot said between two moments, 16 kHz mono.
pub fn heard(
    frames: &[BotFrame],
    zero: Duration,
    from: Moment,
    to: Moment,
) -> Result<Vec<f32>, RehearsalError> {
    let origin = Duration::from_millis(from.as_millis());
    let length = position::time_to_samples(to.since(from)) as usize;
    let mut sound = vec![0.0; length];
    decode(frames, zero, SAMPLE_RATE, |at, pcm| {
        if let Some(after) = at.checked_sub(origin) {
            let start = (position::time_to_samples(after) as usize).min(length);
            for (slot, sample) in sound[start..].iter_mut().zip(pcm) {
                *slot = *sample;
            }
        }
        Ok(())
    })?;
    Ok(sound)
}

/// How loud each 10 ms are.
pub fn envelope(sound: &[f32]) -> Vec<f32> {
    sound
        .chunks(STEP)
        .map(|c| (c.iter().map(|s| s * s).sum::<f32>() / c.len() as f32).sqrt())
        .collect()
}

/// Pearson's correlation of two stretches of equal length; 0 if one of them does not change.
pub fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    if length == 0 {
        return 0.0;
    }
    let (a, b) = (&a[..length], &b[..length]);
    let mean = |x: &[f32]| x.iter().map(|v| f64::from(*v)).sum::<f64>() / length as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x) - mean_a, f64::from(*y) - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa <= 0.0 || bb <= 0.0 {
        0.0
    } else {
        (ab / (aa * bb).sqrt()) as f32
    }
}

/// Where `wanted` fits best into `sound`, and how well; values of an [`envelope`] or samples. `step` is how many places are
/// skipped between two tries.
pub fn best_fit(sound: &[f32], wanted: &[f32], step: usize) -> Option<(usize, f32)> {
    let last = sound.len().checked_sub(wanted.len())?;
    let tries = (0..=last).step_by(step.max(1));
    let scored = tries.map(|at| (at, correlation(&sound[at..at + wanted.len()], wanted)));
    scored.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// How much of a recording is in a sound, wherever it begins: the correlation of the waves, from -1 to 1.
pub fn likeness(sound: &[f32], wanted: &[f32]) -> f32 {
    // Silence around both lets a recording fit that begins before or ends after.
    let mut padded = vec![0.0; 100 * STEP];
    padded.extend_from_slice(sound);
    padded.resize(padded.len().max(wanted.len()) + 100 * STEP, 0.0);
    let Some((coarse, _)) = best_fit(&envelope(&padded), &envelope(wanted), 1) else {
        return 0.0;
    };
    let around = (coarse * STEP).saturating_sub(3 * STEP);
    let until = (coarse * STEP + wanted.len() + 3 * STEP).min(padded.len());
    best_fit(&padded[around..until], wanted, 1).map_or(0.0, |(_, fit)| fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    /// A tone that swells and fades and rises in pitch.
    fn song(seconds: f32, hertz: f32) -> Vec<f32> {
        (0..(seconds * 16_000.0) as usize)
            .map(|n| {
                let t = n as f32 / 16_000.0;
                (t * 7.0).sin().abs() * (std::f32::consts::TAU * (hertz + 90.0 * t) * t).sin() * 0.4
            })
            .collect()
    }

    fn frames(sound: Vec<f32>, from_ms: u64) -> Vec<BotFrame> {
        let encoded = Recording::of("song", sound).frames(0.0).unwrap();
        let frame = |(n, opus): (usize, Vec<u8>)| BotFrame {
            at: Duration::from_millis(from_ms + 20 * n as u64 + (n as u64 * 7) % 11),
            sequence: n as u16,
            timestamp: 5_000 + 960 * n as u32,
            opus,
            encrypted: true,
        };
        encoded.into_iter().enumerate().map(frame).collect()
    }

    #[test]
    fn what_was_said_is_recognised_and_nothing_else() {
        let frames = frames(song(2.0, 200.0), 10_500);
        let zero = Duration::from_secs(10);
        let sound = heard(&frames, zero, Moment::ZERO, Moment::from_millis(4_000)).unwrap();
        assert!(sound[..7_000].iter().all(|s| s.abs() < 1e-3));
        let (same, other) = (
            likeness(&sound, &song(2.0, 200.0)),
            likeness(&sound, &song(2.0, 330.0)),
        );
        assert!(same > 0.9 && other < 0.5, "{same} {other}");
    }

    #[test]
    fn the_wav_is_as_long_as_the_rehearsal_with_the_sound_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.wav");
        write_wav(
            &path,
            &frames(song(1.0, 300.0), 11_000),
            Duration::from_secs(10),
            Moment::from_millis(3_000),
        )
        .unwrap();
        let sound = goobster_audio::file::AudioFile::open(&path)
            .unwrap()
            .read_all(1 << 20)
            .unwrap();
        assert!((47_900..=48_100).contains(&sound.len()), "{}", sound.len());
        let power = |from: usize| sound[from..from + 8_000].iter().map(|s| s * s).sum::<f32>();
        assert!(power(20_000) > 100.0 * power(2_000) && power(20_000) > 100.0 * power(38_000));
    }

    #[test]
    fn correlation_has_its_extremes() {
        let a = song(0.1, 100.0);
        let minus: Vec<f32> = a.iter().map(|s| -s).collect();
        assert!((correlation(&a, &a) - 1.0).abs() < 1e-5 && (correlation(&a, &minus) + 1.0).abs() < 1e-5);
        assert_eq!((correlation(&a, &[0.5; 9]), correlation(&[], &a)), (0.0, 0.0));
        assert!(best_fit(&a[..10], &a, 1).is_none());
    }
}
