//! espeak-ng as set-up installs it, spoken and read for real.

use std::time::Instant;

use goobster_core::ports::AbortFlag;

use super::super::test_assets::{espeak, hear, request, seconds};
use super::*;

#[test]
fn inference_phonemes_are_those_that_piper_voices_know() {
    let espeak = espeak();
    assert_eq!(espeak.phonemes("en-us", "hello world").unwrap(), "həlˈoʊ wˈɜːld");
    assert!(espeak.phonemes("de", "Guten Tag").unwrap().contains("ɡ"));
    assert_eq!(espeak.phonemes("en-us", "").unwrap(), "");
    assert_eq!(espeak.tag_of("zh".parse().unwrap()), Some("zh"));
    assert!(espeak.phonemes("xx-none", "hello").is_err());
}

#[tokio::test]
async fn inference_many_languages_are_spoken_with_sound() {
    let voices = EspeakVoices::new(espeak()).unwrap();
    for (language, text) in [
        ("en", "Good morning everyone."),
        ("de", "Guten Morgen."),
        ("zh", "早上好"),
        ("ar", "صباح الخير"),
    ] {
        let begun = Instant::now();
        let stream = voices.speak(request(text, language)).await.unwrap();
        let samples = hear(stream).await.unwrap();
        println!(
            "{language}: {:.2} s of speech in {:?}",
            seconds(&samples),
            begun.elapsed()
        );
        assert!(
            (0.4..4.0).contains(&seconds(&samples)),
            "{language}: {} s",
            seconds(&samples)
        );
        assert!(
            samples.iter().any(|s| s.abs() > 0.1) && samples.iter().all(|s| s.abs() <= 1.0),
            "{language}"
        );
    }
}

#[tokio::test]
async fn inference_abort_stops_a_long_text() {
    let voices = EspeakVoices::new(espeak()).unwrap();
    let ask = request(&"This goes on and on. ".repeat(200), "en");
    let abort: AbortFlag = ask.abort.clone();
    let mut stream = voices.speak(ask).await.unwrap();
    stream.chunks.recv().await.unwrap().unwrap();
    abort.raise();
    let mut more = 0;
    while stream.chunks.recv().await.is_some() {
        more += 1;
    }
    assert!(more < 20, "{more} chunks after the abort");
}

#[tokio::test]
async fn inference_voices_are_many_and_chosen_by_name() {
    let voices = EspeakVoices::new(espeak()).unwrap();
    assert!(voices.voices().len() > 80);
    let mut ask = request("Hello.", "en");
    ask.voice = Some("espeak-fr".to_owned());
    assert_eq!(voices.speak(ask.clone()).await.unwrap().voice, "espeak-fr");
    ask.voice = Some("nobody".to_owned());
    assert!(matches!(
        voices.speak(ask).await,
        Err(SynthesiseError::NoSuchVoice { .. })
    ));
    assert!(matches!(
        voices.speak(request("...", "en")).await,
        Err(SynthesiseError::NothingToSay)
    ));
}

#[test]
fn inference_one_library_is_shared_by_many_threads() {
    let handles: Vec<_> = (0..4)
        .map(|i| {
            let espeak = espeak();
            std::thread::spawn(move || {
                for _ in 0..50 {
                    let (tag, file) = if i % 2 == 0 {
                        ("en-us", "gmw/en-US")
                    } else {
                        ("de", "gmw/de")
                    };
                    assert!(!espeak.phonemes(tag, "hello").unwrap().is_empty());
                    assert!(!espeak.synthesise(file, "hello", &|| false).unwrap().is_empty());
                }
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
}

#[test]
fn what_is_not_espeak_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libespeak-ng.so.1");
    std::fs::write(&fake, b"not a library").unwrap();
    let source = EspeakSource::Library {
        library: fake.clone(),
        data: None,
    };
    let error = Espeak::open(&source).unwrap_err();
    assert!(matches!(error, SynthesiseError::Voice { .. }));
    assert!(error.to_string().contains("libespeak-ng.so.1"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn another_library_is_refused_by_its_missing_functions() {
    let source = EspeakSource::Library {
        library: "libc.so.6".into(),
        data: None,
    };
    let error = Espeak::open(&source).unwrap_err().to_string();
    assert!(error.contains("espeak_"), "{error}");
}

#[test]
fn inference_an_empty_data_folder_is_refused_before_the_library_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    // A copy under another name: the library itself may be open already.
    let library = folder.path().join("libespeak-ng.so.1");
    let EspeakSource::Library {
        library: installed, ..
    } = espeak().source().clone()
    else {
        panic!("a library")
    };
    std::fs::copy(installed, &library).unwrap();
    let source = EspeakSource::Library {
        library,
        data: Some(folder.path().to_owned()),
    };
    let error = Espeak::open(&source).unwrap_err().to_string();
    assert!(error.contains("phontab"), "{error}");
}

#[test]
fn the_runtime_folder_comes_first_and_the_program_last() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("libespeak-ng.so.1"), b"").unwrap();
    let candidates = EspeakSource::candidates(Some(folder.path()));
    assert!(
        matches!(&candidates[0], EspeakSource::Library { library, .. } if library.starts_with(folder.path()))
    );
    assert_eq!(
        candidates.last(),
        Some(&EspeakSource::Program("espeak-ng".into()))
    );
}

/// Set-up brings the library, not the program.
#[test]
#[ignore = "needs the program espeak-ng on the path"]
fn the_program_reads_and_speaks_as_the_library_does() {
    let espeak = Espeak::open(&EspeakSource::Program("espeak-ng".into())).unwrap();
    assert_eq!(espeak.phonemes("en-us", "hello world").unwrap(), "həlˈoʊ wˈɜːld");
    let samples = espeak.synthesise("gmw/en-US", "hello world", &|| false).unwrap();
    assert!((0.5..2.0).contains(&seconds(&samples)));
    let stopped = espeak.synthesise("gmw/en-US", &"on and on ".repeat(2000), &|| true);
    assert!(matches!(stopped, Err(SynthesiseError::Aborted)));
}
