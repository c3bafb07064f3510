//! 20 ms of 48 kHz stereo `i16` to 16 kHz mono `f32`: the decimator beside rubato's FFT, libsoxr (HQ) and speexdsp (5).
//!
//! The last two are taken from the system where it has them. `quality/decimate.json` holds what each does to sines.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use goobster_audio::decimate::Decimator;
use goobster_benches::call;
use goobster_benches::quality::Quality;
use goobster_benches::resamplers::{FRAME, Rubato, Soxr, Speexdsp, ToSpeech};
use goobster_benches::response::measure;

const GROUP: &str = "decimate";

fn decimate(criterion: &mut Criterion) {
    let mut quality = Quality::of(GROUP, env!("CARGO_TARGET_TMPDIR"));
    let sound = call::stereo().unwrap();
    let mut group = criterion.benchmark_group(GROUP);
    group.throughput(Throughput::Elements(FRAME as u64));
    let mut side = |name: &str, resampler: &mut dyn ToSpeech| {
        let mut frames = sound.chunks_exact(2 * FRAME).cycle();
        let mut out = Vec::with_capacity(4 * FRAME);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                resampler.frame(frames.next().unwrap_or_default(), &mut out);
                black_box(out.last().copied())
            });
        });
    };

    side("ours", &mut Decimator::new());
    quality.set("ours", measure(Decimator::new));
    side("rubato", &mut Rubato::new().unwrap());
    quality.set("rubato", measure(|| Rubato::new().unwrap()));
    match Soxr::new() {
        Ok(mut soxr) => {
            side("soxr", &mut soxr);
            quality.set("soxr", measure(|| Soxr::new().unwrap()));
        }
        Err(why) => quality.leave_out("soxr", &why),
    }
    match Speexdsp::new() {
        Ok(mut speexdsp) => {
            side("speexdsp", &mut speexdsp);
            quality.set("speexdsp", measure(|| Speexdsp::new().unwrap()));
        }
        Err(why) => quality.leave_out("speexdsp", &why),
    }
    group.finish();
    quality.write().unwrap();
}

criterion_group!(benches, decimate);
criterion_main!(benches);
