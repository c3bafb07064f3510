//! The weight file's errors, and both engines against each other. Needs the model of the set-up: without it there is
//! nothing to compare.

use super::*;

fn weight_bytes() -> Vec<u8> {
    let cache = std::env::var_os("GOOBSTER_CACHE").map_or_else(
        || std::path::PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/goobster"),
        Into::into,
    );
    let path = cache.join("models/silero-vad-16k.bin");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask setup` first", path.display()))
}

fn weights() -> Arc<SileroWeights> {
    Arc::new(SileroWeights::from_bytes(&weight_bytes()).unwrap())
}

/// Seeded noise of changing loudness: every layer is exercised, no audio file needed.
fn noise(windows: usize) -> Vec<f32> {
    let mut seed = 1_u32;
    (0..windows * WINDOW)
        .map(|n| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let loudness = ((n / 3000 * 7 % 10) as f32 / 10.0).powi(3);
            (f32::from((seed >> 16) as u16) / 32_768.0 - 1.0) * loudness
        })
        .collect()
}

#[test]
fn both_engines_agree() {
    let weights = weights();
    let mut portable = SileroDetector::with_engine(Arc::clone(&weights), Engine::Portable);
    let mut best = SileroDetector::new(weights);
    let mut largest = 0.0_f32;
    for window in noise(400).chunks_exact(WINDOW) {
        largest = largest.max((portable.probability(window) - best.probability(window)).abs());
    }
    assert!(largest < 1e-6, "the largest difference is {largest}");
}

#[test]
fn together_is_the_same_to_the_last_bit_as_one_after_the_other() {
    let shared = weights();
    let sound = noise(60);
    for engine in [Engine::best(), Engine::Portable] {
        for speakers in [1, 2, 3, 4, 7, 9] {
            let new = || SileroDetector::with_engine(Arc::clone(&shared), engine);
            let mut together: Vec<_> = (0..speakers).map(|_| new()).collect();
            let mut alone: Vec<_> = (0..speakers).map(|_| new()).collect();
            for step in 0..40 {
                let part = |n: usize| &sound[(step + n) * WINDOW..(step + n + 1) * WINDOW];
                let mut windows: Vec<_> = together
                    .iter_mut()
                    .enumerate()
                    .map(|(n, detector)| SileroWindow::new(detector, part(n)))
                    .collect();
                judge_together(&mut windows);
                let expected: Vec<f32> = alone
                    .iter_mut()
                    .enumerate()
                    .map(|(n, d)| d.probability(part(n)))
                    .collect();
                let got: Vec<f32> = windows.iter().map(SileroWindow::probability).collect();
                assert_eq!(got, expected, "{speakers} speakers");
            }
        }
    }
}

#[test]
fn detectors_that_share_no_weights_are_judged_too() {
    let sound = noise(5);
    let window = &sound[4 * WINDOW..];
    let expected = SileroDetector::new(weights()).probability(window);
    let (mut a, mut b) = (SileroDetector::new(weights()), SileroDetector::new(weights()));
    let mut windows = [
        SileroWindow::new(&mut a, window),
        SileroWindow::new(&mut b, window),
    ];
    judge_together(&mut windows);
    assert!(
        windows
            .iter()
            .all(|w| w.probability().to_bits() == expected.to_bits())
    );
}

#[test]
fn a_reset_forgets_everything_and_bad_samples_do_no_lasting_harm() {
    let mut detector = SileroDetector::new(weights());
    let sound = noise(20);
    let run = |detector: &mut SileroDetector| -> Vec<f32> {
        sound
            .chunks_exact(WINDOW)
            .map(|window| detector.probability(window))
            .collect()
    };
    let first = run(&mut detector);
    for bad in [f32::NAN, f32::INFINITY, f32::MIN] {
        assert!((0.0..=1.0).contains(&detector.probability(&[bad; WINDOW])));
    }
    assert!(run(&mut detector).iter().all(|p| (0.0..=1.0).contains(p)));
    detector.reset();
    assert_eq!(run(&mut detector), first);
}

#[test]
fn a_file_that_is_no_model_is_refused_with_what_is_wrong() {
    let good = weight_bytes();
    assert_eq!(good.len(), SileroWeights::FILE_SIZE);
    let changed = |at: usize, bytes: &[u8]| {
        let mut copy = good.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    let longer = [&good[..], &[0]].concat();
    let after_basis = 16 + 4 + "stft.basis".len() + 4 + 12 + 4 * 258 * 256;
    let cases: [(&[u8], &str); 9] = [
        (b"", "does not begin with GOOBSVAD"),
        (b"GOOBSVAD", "ends at byte 8"),
        (&good[..good.len() - 1], "ends at byte"),
        (&longer, "follow its end"),
        (&changed(8, &[9]), "version 9"),
        (
            &changed(16, &[0xff; 4]),
            "the length of the name stft.basis at byte 16 is 4294967295",
        ),
        (&changed(20, b"x"), "is not stft.basis"),
        (&changed(46, &1.0_f32.to_le_bytes()), "Fourier transform"),
        (
            &changed(after_basis + 4 + 16 + 4 + 12, &f32::NAN.to_le_bytes()),
            "encoder.0.weight holds NaN",
        ),
    ];
    for (bytes, expected) in cases {
        let message = SileroWeights::from_bytes(bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} should contain {expected}");
        assert!(message.contains("set the models up again"), "{message}");
    }
    let missing = SileroWeights::load(std::path::Path::new("/nowhere/vad.bin"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("/nowhere/vad.bin"), "{missing}");
}
