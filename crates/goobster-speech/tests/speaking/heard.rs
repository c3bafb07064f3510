//! Varied sentences, written as people write them, must be heard as they are meant.

use goobster_core::ports::TextToSpeech;
use goobster_speech::scoring::word_errors;
use goobster_speech::tts::espeak::Espeak;
use goobster_speech::tts::piper::{PiperFiles, PiperVoice};

use crate::support::{asset, hear, listener, request, samples};

/// Renderings of each sentence: a voice varies, and one unlucky rendering must not decide.
const RENDERINGS: usize = 2;

/// Speaks all sentences and adds up what was heard wrong.
async fn word_error_rate(voice: &dyn TextToSpeech) -> f64 {
    let sentences = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/spoken-sentences.json"
    );
    let sentences: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(sentences).unwrap()).unwrap();
    assert_eq!(sentences.len(), 20);
    let listener = listener();
    let (mut words, mut errors) = (0, 0);
    for sentence in sentences.iter().cycle().take(RENDERINGS * sentences.len()) {
        let (text, expected) = (
            sentence["text"].as_str().unwrap(),
            sentence["expected"].as_str().unwrap(),
        );
        let stream = voice.speak(request(text)).await.unwrap();
        let rate = stream.rate;
        let heard = hear(&listener, &samples(stream).await, rate).await;
        let score = word_errors(expected, &heard);
        if score.errors() > 0 {
            println!(
                "{} of {} words: {expected:?}\n heard {heard:?}",
                score.errors(),
                score.words
            );
        }
        words += score.words;
        errors += score.errors();
    }
    println!(
        "{errors} errors in {words} words: {:.1} %",
        100.0 * errors as f64 / words as f64
    );
    errors as f64 / words as f64
}

#[tokio::test]
async fn inference_piper_is_understood() {
    let files = PiperFiles {
        runtime: asset("runtime/libonnxruntime.so"),
        model: asset("voices/en_US-joe-medium.onnx"),
    };
    let espeak = Espeak::find(Some(&asset("runtime"))).unwrap();
    let voice = PiperVoice::load(&files, espeak, PiperVoice::default_threads()).unwrap();
    let rate = word_error_rate(&voice).await;
    assert!(
        rate <= 0.03,
        "{:.1} % of the words were heard wrong",
        100.0 * rate
    );
}
