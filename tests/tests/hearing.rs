//! What must not be taken for speech is not, and speech is heard through music: Silero and the endpointer together.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.

use std::sync::Arc;

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::listener::{HeardEvent, Listener, Utterance};
use goobster_audio::marks::Marks;
use goobster_audio::vad::{SileroDetector, SileroWeights, VoiceDetector};
use goobster_tests::{recordings, signals};

const TEN_MINUTES: f64 = 600.0;

fn silero() -> SileroDetector {
    let weights = SileroWeights::load(&recordings::cached("models/silero-vad-16k.bin").unwrap()).unwrap();
    SileroDetector::new(Arc::new(weights))
}

fn utterances(config: &EndpointConfig, sound: &[f32]) -> Vec<Utterance> {
    // More buffers than any of these sounds can fill.
    let pool = Listener::pool_for(config, 100);
    let mut listener = Listener::with_pool(config, Box::new(silero()), pool).unwrap();
    let mut heard = Vec::new();
    let mut keep = |event| {
        if let HeardEvent::Ended(utterance) = event {
            heard.push(utterance);
        }
    };
    listener.push(sound, &mut keep);
    listener.flush(&mut keep);
    heard
}

fn conversation(sound: &[f32]) -> Vec<Utterance> {
    utterances(&EndpointConfig::conversation(), sound)
}

#[test]
fn ten_minutes_of_silence_are_silent() {
    assert_eq!(conversation(&signals::silence(TEN_MINUTES)).len(), 0);
}

#[test]
fn ten_minutes_of_white_noise_hold_no_speech() {
    for db in [-60.0, -20.0] {
        assert_eq!(
            conversation(&signals::white_noise(TEN_MINUTES, db, 1)).len(),
            0,
            "{db} dB"
        );
    }
}

#[test]
fn ten_minutes_of_music_hold_no_speech() {
    assert_eq!(conversation(&signals::music(TEN_MINUTES, -20.0, 3)).len(), 0);
}

#[test]
fn ten_minutes_of_pulsed_tones_give_hardly_an_utterance_and_none_that_is_convincing_for_long() {
    assert_eq!(conversation(&signals::pulsed_tones(TEN_MINUTES, -20.0)).len(), 0);
    let faint = conversation(&signals::pulsed_tones(TEN_MINUTES, -40.0));
    assert!(faint.len() <= 6, "{} utterances", faint.len());
    let convincing = faint.iter().filter(|u| !u.evidence.is_doubtful()).count();
    assert!(
        convincing <= 1,
        "{convincing} that a recogniser would have to refuse by itself"
    );
}

/// The part of the voiced frames of all recordings that lies inside utterances.
fn heard_part(background: &[f32], snr: f64) -> f64 {
    let (mut inside, mut voiced) = (0_u32, 0_u32);
    for recording in recordings::read_all(&recordings::cached("speech").unwrap()).unwrap() {
        let marks = Marks::of(&recording.sound);
        let sound = signals::mixed(&recording.sound, background, snr);
        let heard = conversation(&sound);
        assert!(!heard.is_empty(), "{} was not heard", recording.name);
        assert!(
            heard.iter().all(|u| !u.evidence.is_doubtful()),
            "{} was doubted",
            recording.name
        );
        for sample in (0..sound.len() as u64)
            .step_by(320)
            .filter(|s| marks.is_voiced(*s as usize))
        {
            voiced += 1;
            inside += u32::from(
                heard
                    .iter()
                    .any(|u| (u.start.samples()..u.end().samples()).contains(&sample)),
            );
        }
    }
    f64::from(inside) / f64::from(voiced)
}

#[test]
fn speech_ten_decibels_above_music_is_heard() {
    let part = heard_part(&signals::music(30.0, -20.0, 9), 10.0);
    assert!(part > 0.95, "{part}");
}

/// Windows of 32 ms of all recordings, each with 4 s before and after it in which only the background sounds.
#[derive(Debug, Default)]
struct Windows {
    voiced: u32,
    /// Voiced ones that Silero by itself (at one half) and that the listener misses.
    missed_by_silero: u32,
    missed: u32,
    /// Windows a quarter of a second and more from any voice, and how many of them the listener takes for speech.
    empty: u32,
    false_alarms: u32,
}

fn judged(background: &[f32]) -> Windows {
    const AROUND: f64 = 4.0;
    const FAR: usize = 4000;
    let mut counts = Windows::default();
    for recording in recordings::read_all(&recordings::cached("speech").unwrap()).unwrap() {
        let marks = Marks::of(&recording.sound);
        let around = signals::silence(AROUND);
        let speech = [&around[..], &recording.sound, &around].concat();
        let sound = signals::mixed(&speech, background, 10.0);
        let heard = conversation(&sound);
        let mut detector = silero();
        let is_voiced = |sample: usize| {
            sample
                .checked_sub(around.len())
                .is_some_and(|at| at < recording.sound.len() && marks.is_voiced(at))
        };
        for (n, window) in sound.chunks_exact(512).enumerate() {
            let middle = n * 512 + 256;
            let probability = detector.probability(window);
            let inside =
                |u: &Utterance| (u.speech_start.samples()..u.voice_end.samples()).contains(&(middle as u64));
            let taken = heard.iter().any(inside);
            let near = (middle.saturating_sub(FAR)..middle + FAR).step_by(160);
            if is_voiced(middle) {
                counts.voiced += 1;
                counts.missed_by_silero += u32::from(probability < 0.5);
                counts.missed += u32::from(!taken);
            } else if !near.into_iter().any(is_voiced) {
                counts.empty += 1;
                counts.false_alarms += u32::from(taken);
            }
        }
    }
    counts
}

#[test]
fn music_and_game_sound_ten_decibels_below_the_voice_are_not_taken_for_it_and_hide_none_of_it() {
    for (name, background) in [
        ("music", signals::music(30.0, -20.0, 5)),
        ("other music", signals::music(30.0, -20.0, 17)),
        ("game", signals::game(30.0, -20.0, 5)),
        ("another game", signals::game(30.0, -20.0, 17)),
    ] {
        let w = judged(&background);
        assert!(
            w.voiced > 500 && w.empty > 2000,
            "{name}: too little to judge: {w:?}"
        );
        assert!(w.false_alarms * 20 <= w.empty, "{name}: {w:?}");
        assert!(w.missed <= w.missed_by_silero, "{name}: {w:?}");
    }
}

#[test]
fn ten_minutes_of_game_sound_hold_hardly_an_utterance() {
    let heard = conversation(&signals::game(TEN_MINUTES, -20.0, 3));
    let convincing = heard.iter().filter(|u| !u.evidence.is_doubtful()).count();
    assert!(convincing <= 1, "{convincing} convincing of {}", heard.len());
}

#[test]
fn clean_speech_is_heard_whole() {
    let part = heard_part(&signals::white_noise(10.0, -60.0, 1), 60.0);
    assert!(part > 0.985, "{part}");
}

#[test]
fn the_end_of_speech_is_decided_when_patience_has_run_out_after_the_mark() {
    let config = EndpointConfig::conversation();
    for recording in recordings::read_all(&recordings::cached("speech").unwrap()).unwrap() {
        let mark = Marks::of(&recording.sound).last().unwrap().end as f64;
        let sound = [&recording.sound[..], &signals::silence(2.0)].concat();
        let heard = conversation(&sound);
        let late = (heard.last().unwrap().voice_end.samples() as f64 - mark) / 16.0;
        let decided = late + config.patience.as_secs_f64() * 1000.0;
        assert!(
            (400.0..=800.0).contains(&decided),
            "{}: {decided} ms after the mark",
            recording.name
        );
    }
}

#[test]
fn transcription_keeps_a_famous_sentence_together() {
    let recording = recordings::read(&recordings::cached("speech/jfk.wav").unwrap()).unwrap();
    assert_eq!(
        utterances(&EndpointConfig::transcription(), &recording.sound).len(),
        1
    );
}
