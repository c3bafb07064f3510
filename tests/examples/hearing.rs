//! Measures what `docs/hearing.md` tabulates: false utterances in noise, speech over music, where recordings end.
//!
//! `cargo run --release -p goobster-tests --example hearing [FOLDER]`: FOLDER holds 16 kHz mono WAV recordings, by
//! default the sample speech of the set-up.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goobster_audio::endpoint::{EndReason, EndpointConfig};
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_audio::marks::Marks;
use goobster_audio::vad::{EarshotDetector, SileroDetector, SileroWeights, VoiceDetector};
use goobster_tests::recordings::{self, Recording};
use goobster_tests::signals;

/// Makes a detector that has heard nothing yet.
type Make = dyn Fn() -> Box<dyn VoiceDetector + Send>;

/// The figures of one pass.
#[derive(Default)]
struct Heard {
    /// Start of voice, end of voice, place in the stream when the end was decided, all in samples.
    utterances: Vec<(u64, u64, u64)>,
    discarded: usize,
    /// Duration of voice in seconds, mean probability, voiced fraction, level: of each utterance.
    evidence: Vec<(f32, f32, f32, f32)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(|| recordings::cache().join("speech"), PathBuf::from);
    let clips = recordings::read_all(&folder)?;
    let weights = Arc::new(SileroWeights::load(&recordings::cached(
        "models/silero-vad-16k.bin",
    )?)?);
    let detectors: [(&str, Box<Make>); 2] = [
        (
            "Silero",
            Box::new(move || Box::new(SileroDetector::new(Arc::clone(&weights)))),
        ),
        ("earshot", Box::new(|| Box::new(EarshotDetector::new()))),
    ];
    for (name, make) in &detectors {
        println!("\n## {name}\n");
        false_utterances(make)?;
        speech_over_background(make, &clips)?;
        recordings(make, &clips)?;
        thresholds(make, &clips)?;
        hushes(make, &clips)?;
    }
    Ok(())
}

fn hear(
    config: &EndpointConfig,
    detector: Box<dyn VoiceDetector + Send>,
    sound: &[f32],
) -> Result<Heard, Box<dyn Error>> {
    let mut listener = Listener::new(config, detector)?;
    let mut heard = Heard::default();
    for (index, frame) in sound.chunks(320).enumerate() {
        let now = (index * 320 + frame.len()) as u64;
        listener.push(frame, &mut |event| note(&mut heard, event, now));
    }
    listener.flush(&mut |event| note(&mut heard, event, sound.len() as u64));
    Ok(heard)
}

fn note(heard: &mut Heard, event: HeardEvent, now: u64) {
    match event {
        HeardEvent::Ended(u) => {
            let decided = if u.reason == EndReason::Flush {
                u64::MAX
            } else {
                now
            };
            heard
                .utterances
                .push((u.speech_start.samples(), u.voice_end.samples(), decided));
            let e = u.evidence;
            heard.evidence.push((
                e.voiced.as_secs_f32(),
                e.mean_probability,
                e.voiced_fraction(),
                e.level_db,
            ));
        }
        HeardEvent::Discarded { .. } => heard.discarded += 1,
        _ => {}
    }
}

fn false_utterances(make: &Make) -> Result<(), Box<dyn Error>> {
    const TEN_MINUTES: f64 = 600.0;
    println!("| ten minutes of | utterances | discarded | longest voice, s | highest mean probability |");
    println!("| --- | --- | --- | --- | --- |");
    let mut sounds = vec![("silence".to_owned(), signals::silence(TEN_MINUTES))];
    for db in [-60.0, -40.0, -30.0, -20.0, -10.0] {
        sounds.push((
            format!("white noise, {db} dB"),
            signals::white_noise(TEN_MINUTES, db, 1),
        ));
    }
    for db in [-40.0, -20.0] {
        sounds.push((
            format!("pulsed tones, {db} dB"),
            signals::pulsed_tones(TEN_MINUTES, db),
        ));
    }
    for (db, seed) in [(-40.0, 1), (-30.0, 2), (-20.0, 3), (-20.0, 4), (-14.0, 5)] {
        sounds.push((
            format!("music {seed}, {db} dB"),
            signals::music(TEN_MINUTES, db, seed),
        ));
    }
    for (name, sound) in sounds {
        let heard = hear(&EndpointConfig::conversation(), make(), &sound)?;
        let longest = heard.evidence.iter().map(|e| e.0).fold(0.0, f32::max);
        let surest = heard.evidence.iter().map(|e| e.1).fold(0.0, f32::max);
        println!(
            "| {name} | {} | {} | {longest:.2} | {surest:.2} |",
            heard.utterances.len(),
            heard.discarded
        );
        if std::env::var_os("VERBOSE").is_some() {
            for (u, e) in heard.utterances.iter().zip(&heard.evidence) {
                println!("    {:.2} {e:.2?}", u.0 as f64 / 16_000.0);
            }
        }
    }
    Ok(())
}

/// How much of the marked voice of clean clips is still inside utterances when something else sounds with it.
fn speech_over_background(make: &Make, clips: &[Recording]) -> Result<(), Box<dyn Error>> {
    println!(
        "\n| background | clips heard | voiced 20 ms frames inside utterances | frames of background inside |"
    );
    println!("| --- | --- | --- | --- |");
    let noise = signals::white_noise(60.0, -30.0, 9);
    let tones = signals::pulsed_tones(60.0, -30.0);
    let music = signals::music(60.0, -30.0, 9);
    let none = signals::white_noise(60.0, -90.0, 9);
    for (name, background, snr) in [
        ("none", &none, 60.0),
        ("white noise, 10 dB below", &noise, 10.0),
        ("white noise, 3 dB below", &noise, 3.0),
        ("pulsed tones, 10 dB below", &tones, 10.0),
        ("music, 20 dB below", &music, 20.0),
        ("music, 10 dB below", &music, 10.0),
        ("music, 5 dB below", &music, 5.0),
    ] {
        let (mut found, mut inside, mut voiced, mut outside, mut quiet) = (0, 0, 0, 0, 0);
        for clip in clips {
            let marks = Marks::of(&clip.sound);
            let lead = 48_000;
            let padded = [&vec![0.0; lead], &clip.sound[..], &vec![0.0; 48_000]].concat();
            let heard = hear(
                &EndpointConfig::conversation(),
                make(),
                &signals::mixed(&padded, background, snr),
            )?;
            let mut any = false;
            for sample in (0..padded.len()).step_by(320) {
                let at = sample as u64;
                let covered = heard
                    .utterances
                    .iter()
                    .any(|(start, end, _)| (*start..*end).contains(&at));
                if sample >= lead && marks.is_voiced(sample - lead) {
                    voiced += 1;
                    inside += usize::from(covered);
                    any |= covered;
                } else if sample < lead || sample > lead + clip.sound.len() {
                    quiet += 1;
                    outside += usize::from(covered);
                }
            }
            found += usize::from(any);
        }
        println!(
            "| {name} | {found} of {} | {:.1} % | {:.1} % |",
            clips.len(),
            100.0 * f64::from(inside as u32) / f64::from(voiced.max(1) as u32),
            100.0 * f64::from(outside as u32) / f64::from(quiet.max(1) as u32),
        );
    }
    Ok(())
}

/// When the end of each recording is decided, counted from the mark; and where a recording was cut in two.
fn recordings(make: &Make, clips: &[Recording]) -> Result<(), Box<dyn Error>> {
    println!(
        "\n| clip | s | longest pause by its marks, ms | voice ends by the detector, ms after the mark |"
    );
    println!("| --- | --- | --- | --- |");
    let padded: Vec<(&Recording, Marks, Vec<f32>)> = clips
        .iter()
        .map(|c| {
            let hiss = signals::white_noise(2.0, -75.0, 5);
            (c, Marks::of(&c.sound), [&c.sound[..], &hiss].concat())
        })
        .collect();
    for (clip, marks, sound) in &padded {
        let Some(end) = marks.last() else { continue };
        let heard = hear(&EndpointConfig::conversation(), make(), sound)?;
        let pause = marks
            .pauses(1)
            .iter()
            .map(ExactSizeIterator::len)
            .max()
            .unwrap_or(0)
            / 16;
        let after = heard
            .utterances
            .last()
            .map_or(f64::NAN, |u| (u.1 as f64 - end.end as f64) / 16.0);
        println!(
            "| {} | {:.1} | {pause} | {after:.0} |",
            clip.name,
            clip.sound.len() as f64 / 16_000.0
        );
    }
    println!("\n| clip | utterances: voiced s, mean probability, voiced fraction, level dB |");
    println!("| --- | --- |");
    for (clip, _, sound) in &padded {
        let heard = hear(&EndpointConfig::conversation(), make(), sound)?;
        let all: Vec<String> = heard
            .evidence
            .iter()
            .map(|(voiced, mean, fraction, level)| {
                format!("{voiced:.2}, {mean:.2}, {fraction:.2}, {level:.0}")
            })
            .collect();
        println!("| {} | {} |", clip.name, all.join("; "));
    }
    println!("\n| patience, ms | decided after the mark, ms: median, worst | clips cut in two | cuts |");
    println!("| --- | --- | --- | --- |");
    for patience in [300, 400, 500, 600, 700, 800, 1000, 1200] {
        let config = EndpointConfig {
            patience: Duration::from_millis(patience),
            ..EndpointConfig::conversation()
        };
        let (mut delays, mut cut, mut cuts) = (Vec::new(), Vec::new(), 0);
        for (clip, marks, sound) in &padded {
            let Some(end) = marks.last() else { continue };
            let heard = hear(&config, make(), sound)?;
            if heard.utterances.len() > 1 {
                cut.push(clip.name.as_str());
                cuts += heard.utterances.len() - 1;
            }
            if let Some((_, _, decided)) = heard.utterances.last().filter(|u| u.2 != u64::MAX) {
                delays.push((*decided as f64 - end.end as f64) / 16.0);
            }
        }
        delays.sort_by(f64::total_cmp);
        let median = delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN);
        let worst = delays.last().copied().unwrap_or(f64::NAN);
        println!(
            "| {patience} | {median:.0}, {worst:.0} | {} | {cuts} |",
            cut.join(", ")
        );
    }
    Ok(())
}

/// What the two thresholds cost and gain.
fn thresholds(make: &Make, clips: &[Recording]) -> Result<(), Box<dyn Error>> {
    println!(
        "\n| start, stop | false utterances in 30 min of noise, tones, music | voice inside: clean | over music, 5 dB |"
    );
    println!("| --- | --- | --- | --- |");
    let backgrounds = [
        signals::white_noise(600.0, -20.0, 11),
        signals::pulsed_tones(600.0, -40.0),
        signals::music(600.0, -20.0, 12),
    ];
    for (start, stop) in [
        (0.3, 0.15),
        (0.4, 0.25),
        (0.5, 0.35),
        (0.6, 0.45),
        (0.7, 0.55),
        (0.8, 0.65),
    ] {
        let config = EndpointConfig {
            start_probability: start,
            stop_probability: stop,
            ..EndpointConfig::conversation()
        };
        let mut wrong = 0;
        for sound in &backgrounds {
            wrong += hear(&config, make(), sound)?.utterances.len();
        }
        let mut covered = [0.0; 2];
        for (slot, snr) in covered.iter_mut().zip([60.0, 5.0]) {
            let (mut inside, mut voiced) = (0_u32, 0_u32);
            for clip in clips {
                let marks = Marks::of(&clip.sound);
                let sound = signals::mixed(&clip.sound, &backgrounds[2], snr);
                let heard = hear(&config, make(), &sound)?;
                for sample in (0..clip.sound.len()).step_by(320).filter(|s| marks.is_voiced(*s)) {
                    let at = sample as u64;
                    voiced += 1;
                    inside += u32::from(heard.utterances.iter().any(|(s, e, _)| (*s..*e).contains(&at)));
                }
            }
            *slot = 100.0 * f64::from(inside) / f64::from(voiced.max(1));
        }
        println!(
            "| {start}, {stop} | {wrong} | {:.1} % | {:.1} % |",
            covered[0], covered[1]
        );
    }
    Ok(())
}

/// How often a pause is announced in the middle of an utterance: each is a speculative decode for nothing.
fn hushes(make: &Make, clips: &[Recording]) -> Result<(), Box<dyn Error>> {
    let seconds: f64 = clips.iter().map(|c| c.sound.len() as f64 / 16_000.0).sum();
    println!("\n| hush, ms | pauses announced in vain in {seconds:.0} s of speech |");
    println!("| --- | --- |");
    for hush in [64, 96, 128, 160, 192, 224, 256, 320] {
        let config = EndpointConfig {
            hush: Duration::from_millis(hush),
            ..EndpointConfig::conversation()
        };
        let mut resumed = 0;
        for clip in clips {
            let mut listener = Listener::new(&config, make())?;
            listener.push(&clip.sound, &mut |event| {
                resumed += u32::from(matches!(event, HeardEvent::Resumed { .. }));
            });
        }
        println!("| {hush} | {resumed} |");
    }
    Ok(())
}
