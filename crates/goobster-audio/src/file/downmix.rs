//! Many channels to one, without clipping: the gains of a mix always sum to 1.
//!
//! Gains follow ITU-R BS.775: the centre (where the voice is) in full, left and right at -3 dB, surrounds at -6 dB,
//! low-frequency effects not at all; then they are scaled to sum to 1.

use symphonia::core::audio::Channels;

use crate::resample::MAX_CHANNELS;

const FRONT: f32 = std::f32::consts::FRAC_1_SQRT_2;
const SURROUND: f32 = 0.5;

/// The gain of each channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Downmix {
    gains: [f32; MAX_CHANNELS],
    channels: usize,
}

impl Downmix {
    /// Equal shares of 1 to 8 channels whose places are unknown. `None` for any other number.
    pub(crate) fn even(channels: usize) -> Option<Self> {
        Self::normalised(&[1.0; MAX_CHANNELS][..channels.min(MAX_CHANNELS)], channels)
    }

    /// The mix for channels in the order of symphonia's bits. `None` for none or too many.
    pub(crate) fn placed(places: Channels) -> Option<Self> {
        let count = places.count();
        if count <= 2 {
            // Mono and stereo, whatever the places are called.
            return Self::even(count);
        }
        let mut gains = [0.0; MAX_CHANNELS];
        for (gain, place) in gains.iter_mut().zip(places.iter()) {
            *gain = match place {
                Channels::FRONT_CENTRE => 1.0,
                Channels::FRONT_LEFT
                | Channels::FRONT_RIGHT
                | Channels::FRONT_LEFT_CENTRE
                | Channels::FRONT_RIGHT_CENTRE
                | Channels::FRONT_LEFT_WIDE
                | Channels::FRONT_RIGHT_WIDE => FRONT,
                Channels::LFE1 | Channels::LFE2 => 0.0,
                _ => SURROUND,
            };
        }
        Self::normalised(&gains[..count.min(MAX_CHANNELS)], count).or_else(|| Self::even(count))
    }

    /// The mix for the channel order of Vorbis and of Opus' mapping family 1 (Vorbis I, section 4.3.9).
    pub(crate) fn vorbis_order(channels: usize) -> Option<Self> {
        let (f, s) = (FRONT, SURROUND);
        match channels {
            3 => Self::normalised(&[f, 1.0, f], 3),
            4 => Self::normalised(&[f, f, s, s], 4),
            5 => Self::normalised(&[f, 1.0, f, s, s], 5),
            6 => Self::normalised(&[f, 1.0, f, s, s, 0.0], 6),
            7 => Self::normalised(&[f, 1.0, f, s, s, s, 0.0], 7),
            8 => Self::normalised(&[f, 1.0, f, s, s, s, s, 0.0], 8),
            other => Self::even(other),
        }
    }

    fn normalised(gains: &[f32], channels: usize) -> Option<Self> {
        let sum: f32 = gains.iter().sum();
        if !(1..=MAX_CHANNELS).contains(&channels) || sum <= 0.0 {
            return None;
        }
        let mut all = [0.0; MAX_CHANNELS];
        for (to, from) in all.iter_mut().zip(gains) {
            *to = from / sum;
        }
        Some(Self { gains: all, channels })
    }

    /// The number of channels that go in.
    pub(crate) const fn channels(&self) -> usize {
        self.channels
    }

    /// Appends the mix of `interleaved` to `mono`. What is no finite number counts as silence.
    pub(crate) fn apply(&self, interleaved: &[f32], mono: &mut Vec<f32>) {
        let clean = |sample: f32| {
            if sample.is_finite() {
                sample.clamp(-LOUDEST, LOUDEST)
            } else {
                0.0
            }
        };
        match self.channels {
            1 => mono.extend(interleaved.iter().map(|s| clean(*s))),
            2 => mono.extend(
                interleaved
                    .chunks_exact(2)
                    .map(|lr| f32::midpoint(clean(lr[0]), clean(lr[1]))),
            ),
            n => mono.extend(interleaved.chunks_exact(n).map(|frame| {
                frame
                    .iter()
                    .zip(&self.gains)
                    .map(|(s, gain)| clean(*s) * gain)
                    .sum::<f32>()
            })),
        }
    }
}

/// Floating-point files may exceed full scale and be turned down later; beyond this (24 dB) they are broken.
const LOUDEST: f32 = 16.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(downmix: &Downmix, interleaved: &[f32]) -> Vec<f32> {
        let mut mono = Vec::new();
        downmix.apply(interleaved, &mut mono);
        mono
    }

    #[test]
    fn no_layout_can_clip() {
        for channels in 1..=MAX_CHANNELS {
            for downmix in [Downmix::even(channels), Downmix::vorbis_order(channels)] {
                let out = mix(&downmix.unwrap(), &vec![1.0; channels]);
                assert!((out[0] - 1.0).abs() < 1e-6, "{channels}: {out:?}");
            }
        }
        for bits in 1..1u32 << 12 {
            let places = Channels::from_bits_truncate(bits);
            if let Some(downmix) = Downmix::placed(places) {
                let out = mix(&downmix, &vec![1.0; places.count()]);
                assert!((out[0] - 1.0).abs() < 1e-5, "{bits:b}: {out:?}");
            } else {
                assert!(places.count() > MAX_CHANNELS, "{bits:b}");
            }
        }
    }

    #[test]
    fn the_centre_leads_and_the_effects_channel_is_left_out() {
        let places = Channels::FRONT_LEFT
            | Channels::FRONT_RIGHT
            | Channels::FRONT_CENTRE
            | Channels::LFE1
            | Channels::REAR_LEFT
            | Channels::REAR_RIGHT;
        let downmix = Downmix::placed(places).unwrap();
        let one = |n: usize| {
            let mut frame = [0.0; 6];
            frame[n] = 1.0;
            mix(&downmix, &frame)[0]
        };
        assert!(one(2) > one(0) && one(0) > one(4));
        assert!(one(3).abs() < f32::EPSILON);
        // A file that has only effects still gives its sound.
        assert!((mix(&Downmix::placed(Channels::LFE1).unwrap(), &[0.5])[0] - 0.5).abs() < f32::EPSILON);
    }

    #[test]
    fn what_is_no_number_is_silence() {
        let out = mix(
            &Downmix::even(2).unwrap(),
            &[f32::NAN, 0.5, f32::INFINITY, f32::NEG_INFINITY, 0.5, 0.5],
        );
        assert_eq!(out, [0.25, 0.0, 0.5]);
    }

    #[test]
    fn other_counts_are_refused() {
        assert!(
            Downmix::even(0).is_none() && Downmix::even(9).is_none() && Downmix::vorbis_order(9).is_none()
        );
    }
}
