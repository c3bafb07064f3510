//! The Piper voice that set-up installs, spoken for real.

use std::time::{Duration, Instant};

use super::super::test_assets::{espeak, hear, piper, piper_files, request, seconds};
use super::*;

/// Ten-word sentences, with and without a clause to end the first piece at.
const TEN_WORDS: [&str; 6] = [
    "The old clock on the wall has stopped working again.",
    "When the rain stops, we will walk to the station.",
    "Please remember to close the window before you leave tonight.",
    "I am sorry, but the meeting has been moved again.",
    "Our train leaves from platform seven in about ten minutes.",
    "Nobody in the whole village knew where she had gone.",
];

#[tokio::test]
async fn inference_a_text_is_heard_before_all_of_it_is_made() {
    // How soon, in milliseconds, is measured by `cargo xtask eval voices`.
    let voice = piper();
    for (first, others) in [(0, 1..4), (1, 2..6)] {
        let text = format!("{} {}", TEN_WORDS[first], TEN_WORDS[others].join(" "));
        let text = text.as_str();
        let mut stream = voice.speak(request(text, "en")).await.unwrap();
        let first = stream.chunks.recv().await.unwrap().unwrap().samples;
        // It is no cheat of silence: sound begins within the first 60 ms.
        let onset = first.iter().position(|s| s.abs() > 0.01).unwrap();
        assert!(onset < 22_050 / 16, "{text}: sound begins at sample {onset}");
        let (first, rest) = (seconds(&first), seconds(&hear(stream).await.unwrap()));
        println!("{first:.2} s, then {rest:.2} s: {text}");
        assert!(
            first < rest,
            "{text}: {first} s before the first sound, of {} s",
            first + rest
        );
    }
}

#[tokio::test]
async fn inference_speech_is_level_and_has_no_clicks() {
    let voice = piper();
    let text = "First we wait, and then, after a while, somebody opens the door for us. It is good to see you! Is it?";
    let mut stream = voice.speak(request(text, "en")).await.unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.chunks.recv().await {
        chunks.push(chunk.unwrap().samples);
    }
    assert!(chunks.len() >= 4, "{} chunks", chunks.len());
    for samples in &chunks {
        let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        println!("{:.2} s, peak {peak:.2}", seconds(samples));
        assert!((0.1..=0.91).contains(&peak), "peak {peak}");
        assert!(
            samples[0].abs() < 0.001 && samples.last().unwrap().abs() < 0.001,
            "an edge clicks"
        );
    }
}

#[tokio::test]
async fn inference_abort_is_heard_at_once_and_the_voice_goes_on_for_others() {
    let voice = piper();
    let ask = request(
        &"This sentence goes on for quite a while, as sentences do. ".repeat(50),
        "en",
    );
    let abort = ask.abort.clone();
    let mut stream = voice.speak(ask).await.unwrap();
    stream.chunks.recv().await.unwrap().unwrap();
    abort.raise();
    let begun = Instant::now();
    let mut left = 0;
    while let Some(chunk) = stream.chunks.recv().await {
        left += usize::from(chunk.is_ok());
    }
    assert!(left <= 5, "{left} chunks after the abort");
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(
        seconds(
            &hear(voice.speak(request("Still here.", "en")).await.unwrap())
                .await
                .unwrap()
        ) > 0.3
    );
}

#[tokio::test]
async fn inference_only_its_own_voice_and_language() {
    let voice = piper();
    assert_eq!(voice.voices()[0].name, "en_US-joe-medium");
    assert!(matches!(
        voice.speak(request("Hallo.", "de")).await,
        Err(SynthesiseError::NoSuchVoice { .. })
    ));
    assert!(matches!(
        voice.speak(request("?!", "en")).await,
        Err(SynthesiseError::NothingToSay)
    ));
}

#[test]
fn inference_broken_files_are_clear_errors() {
    let good = piper_files();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken.onnx");
    let load = |files: PiperFiles| PiperVoice::load(&files, espeak(), 1).unwrap_err().to_string();

    let error = load(PiperFiles {
        model: model.clone(),
        ..good.clone()
    });
    assert!(error.contains("broken.onnx.json"), "{error}");
    std::fs::write(
        folder.path().join("broken.onnx.json"),
        config::tests::sample(|_| ()),
    )
    .unwrap();
    std::fs::write(&model, b"not a model").unwrap();
    let error = load(PiperFiles {
        model: model.clone(),
        ..good.clone()
    });
    assert!(error.contains("broken.onnx"), "{error}");
    let bytes = std::fs::read(&good.model).unwrap();
    std::fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    let error = load(PiperFiles { model, ..good });
    assert!(error.contains("broken.onnx"), "{error}");
}

/// In a process of its own the wrong library would be the first; here `ort` may be loaded, so the check itself is tested.
#[test]
fn a_runtime_that_is_not_there_is_a_clear_error() {
    let error = runtime::check(Path::new("/nowhere/libonnxruntime.so"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cargo xtask setup"), "{error}");
    let error = runtime::check(Path::new("libonnxruntime.so"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("absolute"), "{error}");
}
