//! What must not be taken for speech is not, and speech is heard through music: Silero and the endpointer together.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.

use std::sync::Arc;

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::listener::{HeardEvent, Listener, Utterance};
use goobster_audio::marks::Marks;
use goobster_audio::vad::{SileroDetector, SileroWeights};
use goobster_tests::{recordings, signals};

const TEN_MINUTES: f64 = 600.0;

fn utterances(config: &EndpointConfig, sound: &[f32]) -> Vec<Utterance> {
    let weights = SileroWeights::load(&recordings::cached("models/silero-vad-16k.bin").unwrap()).unwrap();
    // More buffers than any of these sounds can fill.
    let pool = Listener::pool_for(config, 100);
    let detector = Box::new(SileroDetector::new(Arc::new(weights)));
    let mut listener = Listener::with_pool(config, detector, pool).unwrap();
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
