//! Length, fidelity and alias rejection over the rates that recordings have.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;

const RATES: [u32; 12] = [
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000,
];

fn tone(rate: u32, hz: f64, frames: usize) -> Vec<f32> {
    (0..frames)
        .map(|n| (0.5 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as f32)
        .collect()
}

fn convert(from: u32, to: u32, channels: usize, input: &[f32], block: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to, channels).unwrap();
    let mut out = Vec::new();
    for part in input.chunks(block * channels) {
        resampler.process(part, &mut out).unwrap();
    }
    resampler.flush(&mut out).unwrap();
    out
}

/// Power of `wanted - got` against the power of `wanted`, in dB, away from the edges.
fn snr_db(wanted: &[f32], got: &[f32], edge: usize) -> f64 {
    let range = edge..wanted.len().min(got.len()) - edge;
    let (mut signal, mut error) = (0.0f64, 0.0f64);
    for (w, g) in wanted[range.clone()].iter().zip(&got[range]) {
        signal += f64::from(*w).powi(2);
        error += f64::from(w - g).powi(2);
    }
    10.0 * (signal / error.max(1e-30)).log10()
}

#[test]
fn every_common_pair_keeps_a_tone_in_time_and_shape() {
    for from in RATES {
        for to in RATES {
            // A tone well inside both bands; compared with the same tone made at the target rate, so that a shift
            // of a single sample would show.
            let hz = 440.0;
            let got = convert(from, to, 1, &tone(from, hz, from as usize), 777);
            let wanted = tone(to, hz, to as usize);
            assert_eq!(got.len(), to as usize, "{from} -> {to}");
            let snr = snr_db(&wanted, &got, (to / 8) as usize);
            assert!(snr > 60.0, "{from} -> {to}: {snr:.1} dB");
        }
    }
}

#[test]
fn what_cannot_be_represented_is_removed_not_folded() {
    for from in [22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
        // 9.5 kHz would fold to 6.5 kHz, in the middle of the consonants.
        let got = convert(from, 16_000, 1, &tone(from, 9_500.0, from as usize), 960);
        let middle = &got[2_000..14_000];
        let rms = (middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64).sqrt();
        let rejection = 20.0 * (0.5 / 2f64.sqrt() / rms.max(1e-12)).log10();
        assert!(rejection > 90.0, "{from}: only {rejection:.1} dB");
    }
}

#[test]
fn speech_band_stays_flat() {
    for hz in [100.0, 1_000.0, 3_000.0, 5_000.0, 7_000.0] {
        let got = convert(48_000, 16_000, 1, &tone(48_000, hz, 48_000), 960);
        let snr = snr_db(&tone(16_000, hz, 16_000), &got, 2_000);
        assert!(snr > 60.0, "{hz} Hz: {snr:.1} dB");
    }
}

#[test]
fn playback_is_stereo_and_exact() {
    for from in [16_000, 22_050, 24_000] {
        let mut converter = PlaybackResampler::new(from).unwrap();
        let mut out = Vec::new();
        for part in tone(from, 440.0, from as usize).chunks(501) {
            converter.process(part, &mut out).unwrap();
        }
        converter.flush(&mut out).unwrap();
        assert_eq!(out.len(), 96_000);
        assert!(out.chunks_exact(2).all(|lr| lr[0].to_bits() == lr[1].to_bits()));
        let left: Vec<f32> = out.chunks_exact(2).map(|lr| lr[0]).collect();
        assert!(snr_db(&tone(48_000, 440.0, 48_000), &left, 6_000) > 60.0);
    }
}

#[test]
fn a_flushed_resampler_is_as_new() {
    let mut resampler = Resampler::new(44_100, 16_000, 1).unwrap();
    let input = tone(44_100, 300.0, 10_000);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    resampler.process(&input, &mut first).unwrap();
    resampler.flush(&mut first).unwrap();
    resampler.process(&input, &mut second).unwrap();
    resampler.flush(&mut second).unwrap();
    assert_eq!(first, second);
}

#[test]
fn impossible_requests_are_refused() {
    for (from, to, channels) in [
        (7_999, 16_000, 1),
        (16_000, 192_001, 1),
        (48_000, 16_000, 0),
        (48_000, 16_000, 9),
    ] {
        assert!(matches!(
            Resampler::new(from, to, channels),
            Err(AudioError::Resample { .. })
        ));
    }
    let mut stereo = Resampler::new(48_000, 16_000, 2).unwrap();
    assert!(stereo.process(&[0.0; 3], &mut Vec::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_pair_of_rates_gives_the_exact_length(
        from in MIN_RATE..=MAX_RATE, to in MIN_RATE..=MAX_RATE, channels in 1usize..=8,
        frames in 0usize..6_000, block in 1usize..5_000,
    ) {
        let input = vec![0.25; frames * channels];
        let out = convert(from, to, channels, &input, block);
        let exact = frames as f64 * f64::from(to) / f64::from(from);
        prop_assert!(out.len().is_multiple_of(channels));
        prop_assert!(((out.len() / channels) as f64 - exact).abs() <= 0.5 + 1e-6);
        prop_assert!(out.iter().all(|s| s.is_finite() && s.abs() < 0.5));
    }

    #[test]
    fn blocks_do_not_matter(pair in (0usize..12, 0usize..12), block in 1usize..3_000) {
        let (from, to) = (RATES[pair.0], RATES[pair.1]);
        let input = tone(from, 500.0, 9_000);
        prop_assert_eq!(convert(from, to, 1, &input, block), convert(from, to, 1, &input, 9_000));
    }

    #[test]
    fn channels_do_not_leak(channels in 2usize..=8, loud in 0usize..8) {
        let loud = loud % channels;
        let mono = tone(48_000, 700.0, 4_800);
        let input: Vec<f32> =
            mono.iter().flat_map(|s| (0..channels).map(move |c| if c == loud { *s } else { 0.0 })).collect();
        let out = convert(48_000, 16_000, channels, &input, 960);
        let alone = convert(48_000, 16_000, 1, &mono, 960);
        for (frame, wanted) in out.chunks_exact(channels).zip(&alone) {
            for (channel, sample) in frame.iter().enumerate() {
                let wanted = if channel == loud { *wanted } else { 0.0 };
                prop_assert!((sample - wanted).abs() < 1e-6);
            }
        }
    }
}
