//! Noise: what is not speech must give no caption, and speech over music must still be heard.

use std::path::Path;

use anyhow::Context as _;
use goobster_audio::file::AudioFile;
use goobster_audio::wav::WavWriter;
use goobster_bot::cli::transcribe::Recording;
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, SpeechToText};
use goobster_models::{Cache, speech_clips};
use goobster_speech::scoring::{WordErrors, word_errors};
use goobster_speech::stt::AudioContext;
use goobster_tests::signals;

use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// Counts captions in ten minutes of each noise, in both profiles, then scores speech over music.
pub(crate) async fn measure(minutes: f64, report: &mut Report) -> anyhow::Result<()> {
    let seconds = minutes * 60.0;
    let noises: [(&str, Vec<f32>); 5] = [
        ("silence", signals::silence(seconds)),
        ("white noise, -30 dB", signals::white_noise(seconds, -30.0, 1)),
        ("white noise, -50 dB", signals::white_noise(seconds, -50.0, 2)),
        ("pulsed tones, -20 dB", signals::pulsed_tones(seconds, -20.0)),
        ("synthetic music, -20 dB", signals::music(seconds, -20.0, 3)),
    ];
    let folder = tempfile::tempdir()?;
    let (mut rows, mut over_music) = (Vec::new(), Vec::new());
    for profile in [Profile::Standard, Profile::Small] {
        let config = config(profile);
        let engines = Engines::new(&config, false, quiet());
        let recogniser = engines.whisper(None, AudioContext::Trimmed)?;
        for (name, sound) in &noises {
            progress(&format!("noise: {} {name}", profile.name()));
            let file = folder.path().join("noise.wav");
            write(&file, sound)?;
            let captions = captions(&engines, &recogniser, &file).await?;
            rows.push([
                profile.name().to_owned(),
                (*name).to_owned(),
                captions.len().to_string(),
                captions.join(" / "),
            ]);
        }
        over_music.push(speech_over_music(profile, &engines, &recogniser, folder.path()).await?);
    }
    let body = format!(
        "{minutes} minutes of each, through the path of `goobster transcribe`.\n\n{}\n\n\
         Every recording with synthetic music 10 dB below it:\n\n{}",
        table(["profile", "noise", "captions", "what they said"], rows),
        table(
            ["profile", "clean", "over music", "recordings with no caption"],
            over_music
        )
    );
    report.section("What is not speech", &body)
}

async fn speech_over_music(
    profile: Profile,
    engines: &Engines<'_>,
    recogniser: &dyn SpeechToText,
    folder: &Path,
) -> anyhow::Result<[String; 4]> {
    let speech = Cache::locate()?.root().join("speech");
    let (mut clean, mut mixed, mut missed) = (WordErrors::default(), WordErrors::default(), 0);
    for (seed, clip) in (0..).zip(speech_clips()?) {
        progress(&format!("noise: {} {} over music", profile.name(), clip.file));
        let path = speech.join(&clip.file);
        let sound = AudioFile::open(&path)?.read_all(16_000 * 60)?;
        // Half a second of music on either side, as it would be in a room.
        let sound = [signals::silence(0.5), sound, signals::silence(0.5)].concat();
        let music = signals::music(sound.len() as f64 / 16_000.0, -20.0, seed);
        let file = folder.join("mixed.wav");
        write(&file, &signals::mixed(&sound, &music, 10.0))?;
        for (path, total) in [(&path, &mut clean), (&file, &mut mixed)] {
            let heard = captions(engines, recogniser, path).await?.join(" ");
            missed += usize::from(path == &file && heard.is_empty());
            let errors = word_errors(&clip.transcript, &heard);
            total.words += errors.words;
            total.substitutions += errors.substitutions;
            total.deletions += errors.deletions;
            total.insertions += errors.insertions;
        }
    }
    let shown = |e: &WordErrors| format!("{} of {} words, {:.1} %", e.errors(), e.words, e.rate() * 100.0);
    Ok([
        profile.name().to_owned(),
        shown(&clean),
        shown(&mixed),
        missed.to_string(),
    ])
}

async fn captions(
    engines: &Engines<'_>,
    recogniser: &dyn SpeechToText,
    file: &Path,
) -> anyhow::Result<Vec<String>> {
    let mut captions = Vec::new();
    Recording::open(file, engines)?
        .transcribe(
            recogniser,
            LanguageChoice::Fixed(Language::ENGLISH),
            quiet(),
            &mut |caption| {
                captions.push(caption.text);
                Ok(())
            },
        )
        .await?
        .end
        .with_context(|| file.display().to_string())?;
    Ok(captions)
}

fn write(file: &Path, samples: &[f32]) -> anyhow::Result<()> {
    let mut writer = WavWriter::create(file, 16_000, 1)?;
    writer.write(samples)?;
    writer.finish()?;
    Ok(())
}
