//! The listener as its callers use it: any chunking, gaps, refusals, bounds; on real and on scripted sound.
#![allow(clippy::unwrap_used, clippy::panic)] // The helpers of a test are tests too.

mod common;

use std::time::Duration;

use goobster_audio::endpoint::{EndReason, EndpointConfig};
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_audio::pool::AudioPool;
use goobster_audio::position::Position;
use goobster_audio::vad::{EarshotDetector, SileroDetector, VoiceDetector};
use proptest::prelude::*;

/// Takes loudness for speech, so that a test can script what is heard: amplitude 0.5 and more is certain voice.
struct Loudness;

impl VoiceDetector for Loudness {
    fn window(&self) -> usize {
        512
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        let mean = samples.iter().map(|s| s.abs()).sum::<f32>() / samples.len() as f32;
        (mean * 2.0).min(1.0)
    }

    fn reset(&mut self) {}
}

fn listener(detector: impl VoiceDetector + Send + 'static) -> Listener {
    Listener::new(&EndpointConfig::conversation(), Box::new(detector)).unwrap()
}

/// An event with everything in it that must not depend on chunking.
fn told(event: &HeardEvent) -> String {
    match event {
        HeardEvent::Ended(u) => {
            let sum = u.audio.iter().fold(0_u64, |hash, s| {
                hash.wrapping_mul(31).wrapping_add(u64::from(s.to_bits()))
            });
            format!(
                "Ended {} {} {} {:?} {:?} {sum}",
                u.start, u.speech_start, u.voice_end, u.reason, u.evidence
            )
        }
        other => format!("{other:?}"),
    }
}

fn hear(listener: &mut Listener, sound: &[f32], chunks: &mut dyn FnMut() -> usize) -> Vec<String> {
    let mut events = Vec::new();
    let mut rest = sound;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(chunks().clamp(1, rest.len()));
        listener.push(now, &mut |event| events.push(told(&event)));
        rest = later;
    }
    listener.flush(&mut |event| events.push(told(&event)));
    events
}

/// Noise that [`Loudness`] takes for voice where the script says so: tenths of seconds, loud or silent.
fn scripted(tenths: &[bool]) -> Vec<f32> {
    let mut seed = 7_u32;
    tenths
        .iter()
        .flat_map(|loud| std::iter::repeat_n(if *loud { 0.9 } else { 0.0 }, 1600))
        .map(|amplitude: f32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            amplitude * if seed & 0x8000_0000 == 0 { 1.0 } else { -0.8 }
        })
        .collect()
}

fn utterances(listener: &mut Listener, sound: &[f32]) -> Vec<(Position, Vec<f32>)> {
    let mut found = Vec::new();
    let mut keep = |event| {
        if let HeardEvent::Ended(u) = event {
            found.push((u.start, u.audio.to_vec()));
        }
    };
    listener.push(sound, &mut keep);
    listener.flush(&mut keep);
    found
}

#[test]
fn the_speech_of_a_recording_is_heard_whole() {
    let sound = common::clip("jfk.wav");
    for detector in [
        Box::new(SileroDetector::new(common::silero_weights())) as Box<dyn VoiceDetector + Send>,
        Box::new(EarshotDetector::new()),
    ] {
        let mut listener = Listener::new(&EndpointConfig::transcription(), detector).unwrap();
        let found = utterances(&mut listener, &sound);
        assert!(!found.is_empty());
        let kept: usize = found.iter().map(|(_, audio)| audio.len()).sum();
        assert!(kept > 9 * 16_000, "kept {} s of 11 s", kept / 16_000);
        for (start, audio) in &found {
            let start = start.samples() as usize;
            assert_eq!(
                audio[..],
                sound[start..start + audio.len()],
                "the audio is what was said, in its place"
            );
        }
    }
}

#[test]
fn what_was_heard_so_far_is_the_beginning_of_what_is_heard_in_the_end() {
    let sound = common::clip("jfk.wav");
    let mut listener = listener(SileroDetector::new(common::silero_weights()));
    let mut partials: Vec<(Position, Vec<f32>)> = Vec::new();
    let mut checked = 0;
    for chunk in sound.chunks(8000) {
        listener.push(chunk, &mut |event| {
            if let HeardEvent::Ended(u) = event {
                for (start, audio) in partials.drain(..) {
                    let shared = audio.len().min(u.audio.len());
                    assert_eq!(start, u.start);
                    assert_eq!(audio[..shared], u.audio[..shared]);
                    checked += 1;
                }
            }
        });
        if let Some(so_far) = listener.utterance_so_far() {
            partials.push((so_far.start, so_far.audio.to_vec()));
        }
    }
    assert!(checked >= 3, "{checked} partials were compared");
}

#[test]
fn pre_roll_keeps_the_first_syllable() {
    let mut script = vec![false; 10];
    script.extend([true; 10]);
    script.extend([false; 10]);
    let found = utterances(&mut listener(Loudness), &scripted(&script));
    let [(start, audio)] = &found[..] else {
        panic!("{} utterances", found.len())
    };
    assert!(
        (16_000 - 5312..=16_000 - 4800 + 512).contains(&start.samples()),
        "300 ms before the voice: {start}"
    );
    assert!(
        audio.len() > 16_000 + 4800 + 2000,
        "and 200 ms after it: {}",
        audio.len()
    );
}

#[test]
fn an_endless_talker_is_cut_and_nothing_is_lost() {
    let sound = scripted(&vec![true; 1000]);
    let found = utterances(&mut listener(Loudness), &sound);
    assert_eq!(
        found.len(),
        4,
        "100 s of speech without a pause, 28 s at most each"
    );
    let mut at = 0;
    for (start, audio) in &found {
        assert_eq!(start.samples(), at, "each goes on where the last one ended");
        assert!(audio.len() <= 28 * 16_000);
        assert_eq!(audio[..], sound[at as usize..at as usize + audio.len()]);
        at += audio.len() as u64;
    }
    assert_eq!(at, sound.len() as u64);
}

#[test]
fn when_every_buffer_is_in_use_the_loss_is_told_and_the_next_utterance_is_heard() {
    let pool = AudioPool::new(1, 28 * 16_000);
    let mut listener =
        Listener::with_pool(&EndpointConfig::conversation(), Box::new(Loudness), pool.clone()).unwrap();
    let sentence = scripted(&[&[false; 10][..], &[true; 10], &[false; 10]].concat());
    let mut held = Vec::new();
    let mut kinds = String::new();
    for round in 0..3 {
        listener.push(&sentence, &mut |event| match event {
            HeardEvent::Started { .. } => kinds.push('S'),
            HeardEvent::Paused { .. } => kinds.push('p'),
            HeardEvent::Refused { .. } => kinds.push('R'),
            HeardEvent::Ended(u) => {
                kinds.push('E');
                held.push(u);
            }
            other => panic!("{other:?}"),
        });
        if round == 1 {
            held.clear();
        }
    }
    assert_eq!(kinds, "SpERSpE");
    drop(held);
    assert_eq!(pool.available(), 1);
}

#[test]
fn a_gap_is_that_much_silence_and_ends_the_utterance() {
    let mut listener = listener(Loudness);
    let mut reasons = Vec::new();
    let mut keep = |event| {
        if let HeardEvent::Ended(u) = event {
            reasons.push((u.start, u.reason));
        }
    };
    let sentence = scripted(&[true; 10]);
    listener.push(&sentence, &mut keep);
    listener.gap(Duration::from_hours(1), &mut keep);
    assert_eq!(listener.position(), Position::new(16_000 + 3600 * 16_000));
    listener.push(&sentence, &mut keep);
    listener.gap(Duration::from_secs(1), &mut keep);
    let [(first, EndReason::Silence), (second, EndReason::Silence)] = reasons[..] else {
        panic!("{reasons:?}")
    };
    assert_eq!(first, Position::START);
    assert!(
        second.millis() > 3_600_600 && second.millis() < 3_601_000,
        "{second}"
    );
}

#[test]
fn sound_that_is_not_sound_is_survived() {
    let mut listener = listener(EarshotDetector::new());
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        listener.push(&vec![bad; 5000], &mut |event| {
            if let HeardEvent::Ended(u) = event {
                assert!(u.audio.iter().all(|s| s.abs() <= 1.0));
            }
        });
    }
    listener.flush(&mut |_| {});
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn chunking_changes_nothing(
        script in prop::collection::vec((any::<bool>(), 1_usize..12), 1..40),
        sizes in prop::collection::vec(1_usize..3000, 1..20),
    ) {
        let tenths: Vec<bool> = script.iter().flat_map(|(loud, n)| std::iter::repeat_n(*loud, *n)).collect();
        let sound = scripted(&tenths);
        let whole = hear(&mut listener(Loudness), &sound, &mut || usize::MAX);
        let mut cycle = sizes.iter().copied().cycle();
        let pieces = hear(&mut listener(Loudness), &sound, &mut || cycle.next().unwrap());
        prop_assert_eq!(&whole, &pieces);
        let started = whole.iter().filter(|e| e.starts_with("Started")).count();
        let finished = whole.iter().filter(|e| e.starts_with("Ended") || e.starts_with("Discarded")).count();
        prop_assert_eq!(started, finished);
    }

    #[test]
    fn a_gap_equals_silence(before in 0_usize..40_000, gap in 0_u64..80_000, after in 0_usize..40_000) {
        let voice = scripted(&[true; 25]);
        let (before, after) = (&voice[..before], &voice[..after]);
        let mut silent = listener(Loudness);
        let sound = [before, &vec![0.0; gap as usize], after].concat();
        let expected = hear(&mut silent, &sound, &mut || 480);
        let mut gapped = listener(Loudness);
        let mut events = Vec::new();
        let mut keep = |event: HeardEvent| events.push(told(&event));
        gapped.push(before, &mut keep);
        gapped.gap_samples(gap, &mut keep);
        gapped.push(after, &mut keep);
        gapped.flush(&mut keep);
        prop_assert_eq!(events, expected);
    }
}
