//! Recordings to text: Whisper base as the standard profile runs it, beside faster-whisper with the same weights (8-bit
//! integers, one beam, English, two threads each). One warm model a side. An iteration is every recording of the length
//! once; the time is that of one. Ours is timed from the request to the text, the peer inside its own process.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot begin should say where"
)]

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use goobster_benches::faster_whisper::{FasterWhisper, Given};
use goobster_benches::is_quick;
use goobster_benches::quality::Quality;
use goobster_benches::recordings::{Spoken, in_a_row};
use goobster_core::language::Language;
use goobster_core::ports::{AbortFlag, DecodeClass, LanguageChoice, RecogniseRequest, SpeechToText as _};
use goobster_models::{Cache, manifest};
use goobster_speech::scoring::word_errors;
use goobster_speech::stt::{WhisperOptions, WhisperRecogniser};
use serde_json::{Value, json};

const THREADS: usize = 2;
const PEER: &str = "faster-whisper";

/// A length and its recordings; those in one list are played in a row.
const LENGTHS: [(&str, &[&[&str]]); 3] = [
    (
        "transcribe_3s",
        &[
            &["librivox/0880.wav"],
            &["librivox/0930.wav"],
            &["commands/go-somewhere.wav"],
            &["questions/grapefruit-in-french.wav"],
        ],
    ),
    (
        "transcribe_10s",
        &[
            &["librivox/0870.wav", "librivox/0880.wav"],
            &["librivox/0920.wav", "librivox/0930.wav"],
            &[
                "librivox/0890.wav",
                "commands/go-somewhere.wav",
                "questions/what-time-is-it.wav",
            ],
        ],
    ),
    (
        "transcribe_30s",
        &[
            &[
                "librivox/0870.wav",
                "librivox/0880.wav",
                "librivox/0890.wav",
                "librivox/0920.wav",
                "librivox/0930.wav",
                "questions/grapefruit-in-french.wav",
                "questions/what-time-is-it.wav",
            ],
            &[
                "jfk.wav",
                "librivox/0870.wav",
                "librivox/0920.wav",
                "librivox/0890.wav",
            ],
        ],
    ),
];

/// Ours, loaded when first needed.
struct Ours {
    recogniser: WhisperRecogniser,
    runtime: tokio::runtime::Runtime,
}

impl Ours {
    fn load() -> Self {
        let path = Cache::locate().unwrap().path_of(&manifest::WHISPER_BASE);
        let options = WhisperOptions {
            workers: 1,
            threads: THREADS,
            ..WhisperOptions::default()
        };
        Self {
            recogniser: WhisperRecogniser::load(&path, "base", &options).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    fn transcribe(&self, spoken: &Spoken) -> (Duration, String) {
        let request = RecogniseRequest {
            audio: spoken.samples.clone(),
            language: LanguageChoice::Fixed(Language::ENGLISH),
            class: DecodeClass::Final,
            source: 0,
            prompt: None,
            abort: AbortFlag::new(),
        };
        let begun = Instant::now();
        let heard = self.runtime.block_on(self.recogniser.recognise(request)).unwrap();
        let took = begun.elapsed();
        let text: Vec<&str> = heard.segments.iter().map(|s| s.text.as_str()).collect();
        (took, text.join(" "))
    }
}

/// Word errors over a length's recordings, as the report shows them.
fn errors(spoken: &[Spoken], heard: &[String]) -> Value {
    let (mut errors, mut words) = (0, 0);
    for (spoken, heard) in spoken.iter().zip(heard) {
        let found = word_errors(&spoken.words, heard);
        errors += found.errors();
        words += found.words;
    }
    let shortest = spoken.iter().map(Spoken::seconds).fold(f64::MAX, f64::min);
    let longest = spoken.iter().map(Spoken::seconds).fold(0.0, f64::max);
    let text = format!("{} recordings of {shortest:.1}-{longest:.1} s", spoken.len());
    json!({ "errors": errors, "words": words, "text": text })
}

fn transcribe(criterion: &mut Criterion) {
    let ours: OnceCell<Ours> = OnceCell::new();
    let peer: OnceCell<Result<std::cell::RefCell<FasterWhisper>, String>> = OnceCell::new();
    for (name, recordings) in LENGTHS {
        let spoken: Vec<Spoken> = recordings.iter().map(|names| in_a_row(names).unwrap()).collect();
        // What is timed; the words are counted over all of them.
        let timed = if is_quick() { 1 } else { spoken.len() };
        let mut quality = Quality::of(name, env!("CARGO_TARGET_TMPDIR"));
        let mut measured = false;
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.bench_function("ours", |bencher| {
            measured = true;
            let ours = ours.get_or_init(Ours::load);
            bencher.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        spoken[..timed]
                            .iter()
                            .map(|s| ours.transcribe(s).0)
                            .sum::<Duration>()
                    })
                    .sum::<Duration>()
                    / timed as u32
            });
        });
        // A pattern on the command line may leave all of it out.
        if !measured {
            group.finish();
            continue;
        }
        let ours = ours.get_or_init(Ours::load);
        let heard: Vec<String> = spoken.iter().map(|s| ours.transcribe(s).1).collect();
        quality.set("ours", errors(&spoken, &heard));
        match peer.get_or_init(|| FasterWhisper::start(THREADS).map(Into::into)) {
            Err(why) => quality.leave_out(PEER, why),
            Ok(peer) => {
                let mut peer = peer.borrow_mut();
                let handed_over: Vec<Given> = spoken.iter().map(|s| peer.give(s).unwrap()).collect();
                group.bench_function(PEER, |bencher| {
                    bencher.iter_custom(|iterations| {
                        (0..iterations)
                            .map(|_| {
                                let took = handed_over[..timed].iter().map(|g| peer.transcribe(g).unwrap().0);
                                took.sum::<Duration>()
                            })
                            .sum::<Duration>()
                            / timed as u32
                    });
                });
                let heard: Vec<String> = handed_over
                    .iter()
                    .map(|g| peer.transcribe(g).unwrap().1)
                    .collect();
                let mut figures = errors(&spoken, &heard);
                figures["text"] = json!(format!("version {}", peer.version));
                quality.set(PEER, figures);
            }
        }
        group.finish();
        quality.write().unwrap();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    targets = transcribe
}
criterion_main!(benches);
