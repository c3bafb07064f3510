//! Whisper's mel filter bank: 80 triangular filters on Slaney's scale over a 400-point spectrum at 16 kHz, each normalised
//! to unit area. The same numbers as `librosa.filters.mel(sr=16000, n_fft=400, n_mels=80)`, which OpenAI shipped
//! with the original weights.

/// Samples a second that Whisper hears.
const SAMPLE_RATE: f64 = 16_000.0;
/// Points of the Fourier transform: 25 ms.
const FFT: usize = 400;
/// Bins of its one-sided spectrum.
pub(crate) const BINS: usize = FFT / 2 + 1;

// Slaney's Auditory Toolbox: linear below 1 kHz (200/3 Hz a mel), logarithmic above (27 mels for a factor of 6.4).
const HZ_A_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1_000.0;
const BREAK_MEL: f64 = BREAK_HZ / HZ_A_MEL;

fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn hz_to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ {
        hz / HZ_A_MEL
    } else {
        BREAK_MEL + (hz / BREAK_HZ).ln() / log_step()
    }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < BREAK_MEL {
        mel * HZ_A_MEL
    } else {
        BREAK_HZ * (log_step() * (mel - BREAK_MEL)).exp()
    }
}

/// The filter bank, `mels` rows of [`BINS`] weights, row after row.
pub(crate) fn filters(mels: usize) -> Vec<f32> {
    let top = hz_to_mel(SAMPLE_RATE / 2.0);
    let edges: Vec<f64> = (0..mels + 2)
        .map(|i| mel_to_hz(top * i as f64 / (mels + 1) as f64))
        .collect();
    let mut out = Vec::with_capacity(mels * BINS);
    for edge in edges.windows(3) {
        let (low, centre, high) = (edge[0], edge[1], edge[2]);
        let area = 2.0 / (high - low);
        for bin in 0..BINS {
            let hz = bin as f64 * SAMPLE_RATE / FFT as f64;
            let rising = (hz - low) / (centre - low);
            let falling = (high - hz) / (high - centre);
            // librosa rounds the triangle to single precision before it scales it; so do we.
            let triangle = rising.min(falling).max(0.0) as f32;
            out.push((f64::from(triangle) * area) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn the_bank_has_whispers_numbers() {
        let bank = filters(80);
        assert_eq!(bank.len(), 80 * BINS);
        // The first filter of the published bank peaks at bin 1 with 0.0248626.
        assert!((bank[1] - 0.024_862_6).abs() < 1e-6, "{}", bank[1]);
        assert_eq!(bank[0], 0.0);
        // Every filter hears something, and none reaches past its neighbours' centres.
        for row in bank.chunks(BINS) {
            assert!(row.iter().any(|w| *w > 0.0));
            let first = row.iter().position(|w| *w > 0.0).unwrap();
            let last = row.iter().rposition(|w| *w > 0.0).unwrap();
            assert!(
                row[first..=last].iter().all(|w| *w > 0.0),
                "one contiguous triangle"
            );
        }
    }

    #[test]
    fn the_scale_is_its_own_inverse() {
        for hz in [0.0, 440.0, 999.0, 1_000.0, 1_001.0, 7_999.0] {
            assert!((mel_to_hz(hz_to_mel(hz)) - hz).abs() < 1e-9 * (1.0 + hz));
        }
    }
}
