//! Voice activity of 32 ms: Silero's network by hand beside the same network in ONNX Runtime, webrtc-vad (strictest mode)
//! and earshot (two windows of 16 ms); one thread each.
//!
//! `vad_together` judges sixteen speakers at once. `quality/vad.json` holds how far each agrees with ours over the recording, in quiet and with white noise 10 dB below:
//! the share of windows in which both say the same at 0.5, and for the same network the largest difference.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use goobster_audio::vad::silero::{SileroWindow, judge_together};
use goobster_audio::vad::{EarshotDetector, SileroDetector, SileroWeights, VoiceDetector};
use goobster_benches::call;
use goobster_benches::detectors::{OnnxSilero, WebRtc};
use goobster_benches::quality::Quality;
use goobster_models::Cache;
use serde_json::json;

const GROUP: &str = "vad";
const WINDOW: usize = 512;

/// The answer for 32 ms: of a detector with shorter windows, its mean.
fn judge(detector: &mut dyn VoiceDetector, window: &[f32]) -> f32 {
    let parts = window.chunks_exact(detector.window());
    let count = parts.len() as f32;
    parts.map(|part| detector.probability(part)).sum::<f32>() / count
}

fn vad(criterion: &mut Criterion) {
    let cache = Cache::locate().unwrap();
    let weights = SileroWeights::load(&cache.root().join("models/silero-vad-16k.bin")).unwrap();
    let weights = Arc::new(weights);
    let speech = call::speech().unwrap();
    let power = speech.iter().map(|s| s * s).sum::<f32>() / speech.len() as f32;
    let mut seed = 7_u32;
    // A uniform distribution over -1..1 has a power of a third.
    let amplitude = (0.3 * power).sqrt();
    let noisy = speech.iter().map(|sample| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        sample + amplitude * (f32::from((seed >> 16) as u16) / 32_768.0 - 1.0)
    });
    let sound: Vec<f32> = speech.iter().copied().chain(noisy).collect();
    let answers = |detector: &mut dyn VoiceDetector| -> Vec<f32> {
        sound
            .chunks_exact(WINDOW)
            .map(|window| judge(detector, window))
            .collect()
    };

    let mut quality = Quality::of(GROUP, env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group(GROUP);
    let mut side = |name: &str, detector: &mut dyn VoiceDetector| {
        let mut windows = speech.chunks_exact(WINDOW).cycle();
        group.bench_function(name, |b| {
            b.iter(|| black_box(judge(detector, windows.next().unwrap_or_default())));
        });
        detector.reset();
        answers(detector)
    };

    let ours = side("ours", &mut SileroDetector::new(weights));
    let agreement = |theirs: &[f32]| {
        let same = ours
            .iter()
            .zip(theirs)
            .filter(|(a, b)| (**a >= 0.5) == (**b >= 0.5));
        (same.count() as f64 / ours.len() as f64 * 1e4).round() / 1e4
    };
    quality.set("ours", json!({ "agreement": 1.0 }));
    match OnnxSilero::new() {
        Ok(mut detector) => {
            let theirs = side("onnxruntime", &mut detector);
            let differences = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
            let largest = differences.fold(0.0_f32, f32::max);
            let figures = json!({ "agreement": agreement(&theirs), "largest_difference": largest });
            quality.set("onnxruntime", figures);
        }
        Err(why) => quality.leave_out("onnxruntime", &why),
    }
    let theirs = side("webrtc-vad", &mut WebRtc::new());
    quality.set("webrtc-vad", json!({ "agreement": agreement(&theirs) }));
    let theirs = side("earshot", &mut EarshotDetector::new());
    quality.set("earshot", json!({ "agreement": agreement(&theirs) }));
    group.finish();
    quality.write().unwrap();
}

/// Sixteen speakers' windows: through the network four at a time, beside one after the other.
fn together(criterion: &mut Criterion) {
    let cache = Cache::locate().unwrap();
    let weights = Arc::new(SileroWeights::load(&cache.root().join("models/silero-vad-16k.bin")).unwrap());
    let speech = call::speech().unwrap();
    let mut speakers: [_; 16] = std::array::from_fn(|_| SileroDetector::new(Arc::clone(&weights)));
    let mut places = (0..speech.len() / WINDOW - speakers.len()).cycle();
    let mut group = criterion.benchmark_group("vad_together");
    group.throughput(Throughput::Elements(speakers.len() as u64));
    let window = |place: usize| &speech[place * WINDOW..(place + 1) * WINDOW];
    group.bench_function("ours", |b| {
        b.iter(|| {
            let place = places.next().unwrap_or_default();
            let mut n = 0;
            let mut windows: [_; 16] = speakers.each_mut().map(|detector| {
                n += 1;
                SileroWindow::new(detector, window(place + n - 1))
            });
            judge_together(&mut windows);
            black_box(windows.iter().map(SileroWindow::probability).sum::<f32>())
        });
    });
    group.bench_function("one-by-one", |b| {
        b.iter(|| {
            let place = places.next().unwrap_or_default();
            let judged = speakers.iter_mut().enumerate();
            black_box(judged.map(|(n, d)| d.probability(window(place + n))).sum::<f32>())
        });
    });
    group.finish();
}

criterion_group!(benches, vad, together);
criterion_main!(benches);
