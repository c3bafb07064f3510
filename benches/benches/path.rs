//! A 20 ms packet from Opus to the endpointer's decision, packets encoded beforehand, and many speakers on one core.
//!
//! `path`: stereo CELT at 64 kb/s; `path_128k` and `path_silk`: 128 kb/s and voice at 24 kb/s. Ours decodes to 16 kHz mono;
//! `48k-stereo-rubato` decodes to 48 kHz stereo and resamples; both listen with Silero. `speakers_N` gives one packet to
//! each of N speakers, every one at another place of the recording, with weights and buffers shared.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use goobster_audio::opus::SpeechDecoder;
use goobster_audio::vad::{EarshotDetector, SileroDetector, SileroWeights, VoiceDetector};
use goobster_benches::call::{self, Kind, Receive, Speaker, Stereo};
use goobster_models::Cache;

fn weights() -> Arc<SileroWeights> {
    let cache = Cache::locate().unwrap();
    Arc::new(SileroWeights::load(&cache.root().join("models/silero-vad-16k.bin")).unwrap())
}

fn path(criterion: &mut Criterion) {
    let weights = weights();
    for (name, kind) in [
        ("path", Kind::Celt64),
        ("path_silk", Kind::Silk24),
        ("path_128k", Kind::Celt128),
    ] {
        let packets = call::packets(kind).unwrap();
        let pool = call::pool(3);
        let silero =
            || -> Box<dyn VoiceDetector + Send> { Box::new(SileroDetector::new(Arc::clone(&weights))) };
        let mut group = criterion.benchmark_group(name);
        let mut ours = Speaker::new(SpeechDecoder::new().unwrap(), silero(), &pool, 0).unwrap();
        group.bench_function("ours", |b| b.iter(|| ours.packet(&packets)));
        let mut theirs = Speaker::new(Stereo::rubato().unwrap(), silero(), &pool, 0).unwrap();
        group.bench_function("48k-stereo-rubato", |b| b.iter(|| theirs.packet(&packets)));
        let earshot = Box::new(EarshotDetector::new());
        let mut small = Speaker::new(SpeechDecoder::new().unwrap(), earshot, &pool, 0).unwrap();
        group.bench_function("ours-earshot", |b| b.iter(|| small.packet(&packets)));
        group.finish();
        for (side, heard) in [
            ("ours", heard(&ours)),
            ("theirs", heard(&theirs)),
            ("small", heard(&small)),
        ] {
            assert!(heard, "{name}: {side} heard nobody");
        }
    }
}

/// A path that hears nobody would be measured for nothing.
fn heard<D: Receive>(speaker: &Speaker<D>) -> bool {
    speaker.events > 0
}

fn speakers(criterion: &mut Criterion) {
    let weights = weights();
    let packets = call::packets(Kind::Celt64).unwrap();
    for count in [1, 16, 64, 256] {
        let pool = call::pool(count);
        let mut speakers: Vec<_> = (0..count)
            .map(|n| {
                let detector = Box::new(SileroDetector::new(Arc::clone(&weights)));
                Speaker::new(SpeechDecoder::new().unwrap(), detector, &pool, n * 37).unwrap()
            })
            .collect();
        let mut group = criterion.benchmark_group(format!("speakers_{count}"));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function("ours", |b| {
            b.iter(|| speakers.iter_mut().for_each(|speaker| speaker.packet(&packets)));
        });
        group.finish();
    }
}

criterion_group!(benches, path, speakers);
criterion_main!(benches);
