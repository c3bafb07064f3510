//! Voices: twenty varied sentences are spoken, and Whisper base writes down what it hears.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use goobster_audio::resample::Resampler;
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseRequest, SpeakRequest, SpeechToText, TextToSpeech,
};
use goobster_speech::scoring::{WordErrors, word_errors};
use goobster_speech::stt::AudioContext;
use serde::Deserialize;

use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// Sentences with numbers, links, times and plain words, and what a listener should write down.
const SENTENCES: &str = include_str!("../../../tests/data/spoken-sentences.json");

/// Ten words, different each time so that no cache answers.
const TEN_WORDS: [&str; 10] = [
    "The weather will be fine for most of the week.",
    "Somebody left a message for you while you were away.",
    "There are three people waiting in the other channel now.",
    "Your timer has been set and will ring very soon.",
    "Please tell me which of the two you would prefer.",
    "Nobody has said anything about it since early this morning.",
    "We could meet again tomorrow at the same old place.",
    "That is a question which I cannot answer right now.",
    "Here is what was said before you joined the call.",
    "It takes about an hour to get there by train.",
];

#[derive(Deserialize)]
struct Sentence {
    text: String,
    expected: String,
}

/// Scores Piper (standard) and espeak-ng (small).
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let sentences: Vec<Sentence> = serde_json::from_str(SENTENCES).context("spoken-sentences.json")?;
    let ears = config(Profile::Standard);
    let recogniser = Engines::new(&ears, false, quiet()).whisper(None, AudioContext::Full)?;
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for profile in [Profile::Standard, Profile::Small] {
        let config = config(profile);
        let voices = Engines::new(&config, false, quiet()).voices()?;
        let mut total = WordErrors::default();
        let mut spoken = Duration::ZERO;
        let mut making = Duration::ZERO;
        let mut voice = String::new();
        for sentence in &sentences {
            progress(&format!("voices: {}: {}", profile.name(), sentence.text));
            let speech = speak(voices.as_ref(), &sentence.text).await?;
            spoken += Duration::from_secs_f64(speech.samples.len() as f64 / 16_000.0);
            making += speech.took;
            voice = speech.voice;
            let heard = hear(&recogniser, speech.samples).await?;
            let errors = word_errors(&sentence.expected, &heard);
            if errors.errors() > 0 {
                mistakes.push([voice.clone(), sentence.expected.clone(), heard]);
            }
            total.words += errors.words;
            total.substitutions += errors.substitutions;
            total.deletions += errors.deletions;
            total.insertions += errors.insertions;
        }
        let mut first = Vec::new();
        for text in TEN_WORDS {
            first.push(speak(voices.as_ref(), text).await?.first);
        }
        first.sort_unstable();
        rows.push([
            profile.name().to_owned(),
            voice,
            format!(
                "{} of {} words, {:.1} %",
                total.errors(),
                total.words,
                total.rate() * 100.0
            ),
            format!("{} ms", first[first.len() / 2].as_millis()),
            format!("{:.3}", making.as_secs_f64() / spoken.as_secs_f64()),
        ]);
    }
    let header = [
        "profile",
        "voice",
        "heard wrong",
        "first audio, ten-word sentence (median)",
        "real-time factor",
    ];
    let body = format!(
        "{} sentences with numbers, times, links and plain words, heard by Whisper base with full context.\n\n{}\n\n\
         What was heard wrong:\n\n{}",
        sentences.len(),
        table(header, rows),
        table(["voice", "should be heard", "heard"], mistakes)
    );
    report.section("Voices", &body)
}

struct Speech {
    samples: Vec<f32>,
    voice: String,
    first: Duration,
    took: Duration,
}

/// Speaks a text; the samples at 16 kHz.
async fn speak(voices: &dyn TextToSpeech, text: &str) -> anyhow::Result<Speech> {
    let begun = Instant::now();
    let request = SpeakRequest {
        text: text.to_owned(),
        language: Language::ENGLISH,
        voice: None,
        abort: AbortFlag::new(),
    };
    let mut stream = voices.speak(request).await?;
    let mut resampler = Resampler::new(stream.rate, 16_000, 1)?;
    let (mut samples, mut first) = (Vec::new(), None);
    while let Some(chunk) = stream.chunks.recv().await {
        let chunk = chunk?;
        first.get_or_insert_with(|| begun.elapsed());
        resampler.process(&chunk.samples, &mut samples)?;
    }
    let took = begun.elapsed();
    resampler.flush(&mut samples)?;
    Ok(Speech {
        samples,
        voice: stream.voice,
        first: first.unwrap_or(took),
        took,
    })
}

async fn hear(recogniser: &dyn SpeechToText, samples: Vec<f32>) -> anyhow::Result<String> {
    let request = RecogniseRequest {
        audio: Arc::from(samples),
        language: LanguageChoice::Fixed(Language::ENGLISH),
        class: DecodeClass::Final,
        source: 0,
        prompt: None,
        abort: AbortFlag::new(),
    };
    Ok(recogniser.recognise(request).await?.text())
}
