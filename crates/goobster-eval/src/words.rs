//! Word error rates: every recording with a transcript, through the path of `goobster transcribe`.

use anyhow::Context as _;
use goobster_bot::cli::transcribe::Recording;
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, SpeechToText};
use goobster_models::{Cache, Clip, speech_clips};
use goobster_speech::scoring::{WordErrors, word_errors};
use goobster_speech::stt::AudioContext;

use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// One recording heard by one model.
struct Score {
    errors: WordErrors,
    heard: String,
}

/// Scores both profiles with the context trimmed and full.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let clips = speech_clips()?;
    let mut rows = Vec::new();
    let mut mistakes = Vec::new();
    for profile in [Profile::Standard, Profile::Small] {
        for context in [AudioContext::Trimmed, AudioContext::Full] {
            progress(&format!("words: {} {context:?}", profile.model()));
            let config = config(profile);
            let engines = Engines::new(&config, false, quiet());
            let recogniser = engines.whisper(None, context)?;
            let scores = score(&engines, &recogniser, &clips).await?;
            let narrow = total(&clips, &scores, is_reading);
            let wide = total(&clips, &scores, |_| true);
            rows.push([
                profile.name().to_owned(),
                profile.model().to_owned(),
                if context == AudioContext::Trimmed {
                    "trimmed"
                } else {
                    "full"
                }
                .to_owned(),
                shown(&narrow),
                shown(&wide),
            ]);
            if context == AudioContext::Trimmed {
                mistakes.extend(wrong(profile, &clips, &scores));
            }
        }
    }
    let header = [
        "profile",
        "model",
        "context",
        "LibriVox and jfk.wav",
        "every recording",
    ];
    let body = format!(
        "Errors of all words, after the Whisper English normaliser's rules, through the path of `goobster transcribe`.\n\
         Trimmed context is what users run; full context is the reference it is held against.\n\n{}\n\n\
         Recordings that were not understood completely (trimmed context):\n\n{}",
        table(header, rows),
        table(["profile", "recording", "said", "heard"], mistakes)
    );
    report.section("Word error rate", &body)
}

/// The recordings that the goals are stated for.
fn is_reading(clip: &Clip) -> bool {
    clip.file.starts_with("librivox/") || clip.file == "jfk.wav"
}

async fn score(
    engines: &Engines<'_>,
    recogniser: &dyn SpeechToText,
    clips: &[Clip],
) -> anyhow::Result<Vec<Score>> {
    let speech = Cache::locate()?.root().join("speech");
    let mut scores = Vec::new();
    for clip in clips {
        let mut heard = String::new();
        Recording::open(&speech.join(&clip.file), engines)?
            .transcribe(
                recogniser,
                LanguageChoice::Fixed(Language::ENGLISH),
                quiet(),
                &mut |caption| {
                    heard.push_str(&caption.text);
                    heard.push(' ');
                    Ok(())
                },
            )
            .await?
            .end
            .context(clip.file.clone())?;
        scores.push(Score {
            errors: word_errors(&clip.transcript, &heard),
            heard: heard.trim().to_owned(),
        });
    }
    Ok(scores)
}

/// Errors and words over the clips that `pick` takes.
fn total(clips: &[Clip], scores: &[Score], pick: impl Fn(&Clip) -> bool) -> (usize, usize) {
    clips
        .iter()
        .zip(scores)
        .filter(|(clip, _)| pick(clip))
        .fold((0, 0), |(errors, words), (_, score)| {
            (errors + score.errors.errors(), words + score.errors.words)
        })
}

fn shown((errors, words): &(usize, usize)) -> String {
    format!(
        "{errors} of {words} words, {:.1} %",
        *errors as f64 * 100.0 / (*words).max(1) as f64
    )
}

fn wrong(profile: Profile, clips: &[Clip], scores: &[Score]) -> Vec<[String; 4]> {
    clips
        .iter()
        .zip(scores)
        .filter(|(_, score)| score.errors.errors() > 0)
        .map(|(clip, score)| {
            [
                profile.name().to_owned(),
                clip.file.clone(),
                clip.transcript.clone(),
                score.heard.clone(),
            ]
        })
        .collect()
}
