//! A long MP3 file to 16 kHz mono: the whole of `goobster-audio`'s reading (structure checks, symphonia, downmix, rubato) in
//! this process, beside ffmpeg as people run it: a whole process with its start, writing the samples into a pipe that is
//! read here. ffmpeg uses as many threads as it pleases; ours uses one.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use goobster_audio::file::AudioFile;
use goobster_benches::quality::Quality;
use goobster_benches::recordings::in_a_row;
use serde_json::json;

const GROUP: &str = "decode_mp3";
/// A 44.1 kHz stereo tone of a second, for machines without ffmpeg to encode with.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/goobster-audio/tests/fixtures/tone-44k-stereo.mp3"
);
const MINUTES: f64 = 10.0;
const READINGS: [&str; 5] = [
    "librivox/0870.wav",
    "librivox/0880.wav",
    "librivox/0890.wav",
    "librivox/0920.wav",
    "librivox/0930.wav",
];

/// Ten minutes of readings at 128 kb/s, encoded by ffmpeg once; without it the tone, again and again. Says which.
fn recording(folder: &Path) -> (PathBuf, &'static str) {
    let file = folder.join("decode-bench-readings.mp3");
    if file.is_file() || encode(folder, &file) {
        return (file, "readings at 128 kb/s");
    }
    let file = folder.join("decode-bench-tone.mp3");
    let tone = std::fs::read(FIXTURE).unwrap();
    // The tag at the head is skipped: ten bytes and the length in their last four, seven bits each.
    let size = tone[6..10]
        .iter()
        .fold(0, |size, byte| size << 7 | usize::from(*byte));
    let frames = &tone[10 + size..];
    std::fs::write(&file, frames.repeat((MINUTES * 60.0) as usize)).unwrap();
    (file, "a tone at 48 kb/s")
}

fn encode(folder: &Path, file: &Path) -> bool {
    let readings = in_a_row(&READINGS).unwrap();
    let raw = folder.join("decode-bench-readings.f32");
    let bytes: Vec<u8> = readings.samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    std::fs::write(&raw, bytes).unwrap();
    // Made under another name: a file that is there is whole.
    let passing = file.with_extension("part");
    let made = ffmpeg()
        .args([
            "-y",
            "-stream_loop",
            "-1",
            "-f",
            "f32le",
            "-ar",
            "16000",
            "-ac",
            "1",
            "-i",
        ])
        .arg(&raw)
        .args(["-t", &(MINUTES * 60.0).to_string(), "-ar", "44100", "-ac", "2"])
        .args(["-b:a", "128k", "-f", "mp3"])
        .arg(&passing)
        .status()
        .is_ok_and(|status| status.success());
    made && std::fs::rename(&passing, file).is_ok()
}

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error"])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    ffmpeg
}

/// Decodes block by block, as `goobster transcribe` does; how many samples.
fn ours(file: &Path) -> usize {
    let mut recording = AudioFile::open(file).unwrap();
    let (mut block, mut samples) = (Vec::new(), 0);
    while recording.next_block(&mut block).unwrap().is_some() {
        samples += black_box(&block).len();
    }
    samples
}

/// The same by ffmpeg's whole process.
fn theirs(file: &Path) -> std::io::Result<usize> {
    let output = ffmpeg()
        .arg("-i")
        .arg(file)
        .args(["-ac", "1", "-ar", "16000", "-f", "f32le", "-"])
        .output()?;
    Ok(output.stdout.len() / 4)
}

fn decode(criterion: &mut Criterion) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut quality = Quality::of(GROUP, env!("CARGO_TARGET_TMPDIR"));
    let mut made = None;
    let mut group = criterion.benchmark_group(GROUP);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.bench_function("ours", |bencher| {
        let (file, _) = made.get_or_insert_with(|| recording(&folder));
        bencher.iter(|| ours(file));
    });
    let Some((file, what)) = made else { return };
    let samples = ours(&file);
    let length = |samples: usize| samples as f64 / 16_000.0;
    quality.set(
        "ours",
        json!({ "text": format!("{what}, {:.2} s", length(samples)) }),
    );
    match theirs(&file) {
        Err(why) => quality.leave_out("ffmpeg", &why.to_string()),
        Ok(0) => quality.leave_out("ffmpeg", "it decodes nothing"),
        Ok(samples) => {
            group.bench_function("ffmpeg", |bencher| bencher.iter(|| theirs(&file).unwrap()));
            let text = format!("{:.2} s, process start included", length(samples));
            quality.set("ffmpeg", json!({ "text": text }));
        }
    }
    group.finish();
    quality.write().unwrap();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    targets = decode
}
criterion_main!(benches);
