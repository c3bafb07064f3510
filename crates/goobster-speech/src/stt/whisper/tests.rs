//! The recogniser with the real model on a real recording; one context for all of them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use goobster_core::ports::{AbortFlag, DecodeClass};

use super::*;
use crate::scoring::word_errors;

/// The cache folder that set-up fills: `GOOBSTER_CACHE`, else the user's.
fn cached(path: &str) -> PathBuf {
    let home = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
    };
    let root = std::env::var_os("GOOBSTER_CACHE").map(PathBuf::from);
    let file = root
        .unwrap_or_else(|| home().unwrap_or_default().join("goobster"))
        .join(path);
    assert!(
        file.exists(),
        "{} is missing: run `cargo xtask setup` first",
        file.display()
    );
    file
}

fn recogniser() -> &'static WhisperRecogniser {
    static SHARED: OnceLock<WhisperRecogniser> = OnceLock::new();
    SHARED.get_or_init(|| {
        let file = cached("models/ggml-tiny.en-q8_0.bin");
        WhisperRecogniser::load(&file, "tiny.en-q8_0", &WhisperOptions::default()).unwrap()
    })
}

/// The recording's samples: 16 kHz mono 16 bits behind a header whose data chunk comes last.
fn speech() -> Vec<f32> {
    let file = std::fs::read(cached("speech/jfk.wav")).unwrap();
    let data = file.windows(4).position(|four| four == b"data").unwrap() + 8;
    file[data..]
        .chunks_exact(2)
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect()
}

fn request(audio: &[f32], class: DecodeClass) -> RecogniseRequest {
    RecogniseRequest {
        audio: Arc::from(audio),
        language: LanguageChoice::Detect,
        class,
        source: 1,
        prompt: None,
        abort: AbortFlag::new(),
    }
}

const SAID: &str = "And so my fellow Americans, ask not what your country can do for you, \
                    ask what you can do for your country.";

#[tokio::test]
async fn inference_a_recording_is_heard_with_times_and_confidence() {
    let audio = speech();
    let heard = recogniser()
        .recognise(request(&audio, DecodeClass::Final))
        .await
        .unwrap();
    assert!(word_errors(SAID, &heard.text()).errors() <= 1, "{}", heard.text());
    assert!(heard.no_speech < 0.3 && heard.confidence() > 0.6, "{heard:?}");
    let mut earliest = Duration::ZERO;
    for segment in &heard.segments {
        assert!(
            earliest <= segment.start && segment.start < segment.end,
            "{heard:?}"
        );
        earliest = segment.end;
    }
    assert!(earliest <= Duration::from_secs(11));
}

#[tokio::test]
async fn inference_noise_and_silence_say_nothing_even_when_a_name_is_expected() {
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(seed) / f64::from(u32::MAX) - 0.5) as f32
    };
    let hiss: Vec<f32> = (0..48_000).map(|_| noise() * 0.1).collect();
    for audio in [vec![0.0; 48_000], Vec::new(), hiss] {
        let mut asked = request(&audio, DecodeClass::Final);
        asked.prompt = Some("Goobster".into());
        let heard = recogniser().recognise(asked).await.unwrap();
        assert_eq!(heard.text(), "", "{heard:?}");
    }
}

#[tokio::test]
async fn inference_a_running_decode_stops_when_its_flag_is_raised() {
    let audio = speech();
    let asked = request(&audio, DecodeClass::Final);
    let abort = asked.abort.clone();
    let raise = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        abort.raise();
    };
    let (answer, ()) = tokio::join!(recogniser().recognise(asked), raise);
    assert!(matches!(answer, Err(RecogniseError::Aborted)), "{answer:?}");
    // The state is whole afterwards. Not a partial: a final of another test would call it off.
    let again = recogniser()
        .recognise(request(&audio[..48_000], DecodeClass::Speculative))
        .await
        .unwrap();
    assert!(again.text().to_lowercase().contains("fellow"), "{again:?}");
}

#[tokio::test]
async fn inference_what_the_model_cannot_do_is_refused_in_clear_words() {
    let recogniser = recogniser();
    let german: Language = "de".parse().unwrap();
    assert!(recogniser.knows(Language::ENGLISH) && !recogniser.knows(german));
    let mut asked = request(&[0.1; 1600], DecodeClass::Final);
    asked.language = LanguageChoice::Fixed(german);
    let error = recogniser.recognise(asked).await.unwrap_err().to_string();
    assert!(
        error.contains("English only") && error.contains("'de'"),
        "{error}"
    );
    let error = recogniser
        .recognise(request(&vec![0.1; 480_001], DecodeClass::Final))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("30 s"), "{error}");
    let error = recogniser
        .recognise(request(&[f32::NAN], DecodeClass::Final))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("sample 0"), "{error}");
}

#[test]
fn inference_a_model_cut_short_is_refused_before_whisper_sees_it() {
    let whole = std::fs::read(cached("models/ggml-tiny.en-q8_0.bin")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.bin");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let error = WhisperRecogniser::load(&cut, "cut", &WhisperOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cut.bin") && error.contains("cut off") && error.contains("models pull"),
        "{error}"
    );
}
