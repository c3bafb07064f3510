//! What a rehearsal leaves on disk: the bot's voice, the transcript, the bot's words, and a page to look at.
//!
//! - `page`: the page's frame and tables. - `drawing`: its timeline. - `markup`: text of others becomes harmless.

mod drawing;
mod markup;
mod page;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::transcript::{self, CaptionFormat, CaptionKind, Transcript};
use loopback_discord::BotFrame;

use crate::error::RehearsalError;
use crate::figures::reply_to;
use crate::rehearse::Outcome;
use crate::sound;
use crate::timeline::{Caption, Timeline};

pub use page::html;

/// Writes everything into a folder; gives the files.
pub fn write(
    folder: &Path,
    outcome: &Outcome,
    frames: &[BotFrame],
    zero: Duration,
) -> Result<Vec<PathBuf>, RehearsalError> {
    let mut files = Vec::new();
    let wav = folder.join("reply.wav");
    sound::write_wav(&wav, frames, zero, outcome.timeline.over)?;
    files.push(wav);
    let transcript = transcript(&outcome.timeline);
    for (name, format) in [
        ("captions.srt", CaptionFormat::SubRip),
        ("captions.vtt", CaptionFormat::WebVtt),
        ("transcript.json", CaptionFormat::Json),
        ("transcript.txt", CaptionFormat::Text),
    ] {
        let path = folder.join(name);
        let file = File::create(&path).map_err(RehearsalError::io(&path))?;
        transcript
            .write(format, BufWriter::new(file))
            .map_err(RehearsalError::io(&path))?;
        files.push(path);
    }
    for (name, text) in [
        ("bot.log", outcome.said.join("\n") + "\n"),
        ("report.html", html(outcome)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(RehearsalError::io(&path))?;
        files.push(path);
    }
    let path = folder.join("timeline.json");
    let file = File::create(&path).map_err(RehearsalError::io(&path))?;
    serde_json::to_writer(BufWriter::new(file), &outcome.timeline)
        .map_err(|e| RehearsalError::io(&path)(e.into()))?;
    files.push(path);
    Ok(files)
}

/// The captions as a transcript. People's words begin when they were said, replies when they were heard.
fn transcript(timeline: &Timeline) -> Transcript {
    let mut transcript = Transcript::default();
    for caption in timeline.captions.iter().filter(|c| c.deleted.is_none()) {
        let (start, end) = times(timeline, caption);
        transcript.push(transcript::Caption {
            speaker: caption.name.clone(),
            start,
            end,
            text: caption.words().to_owned(),
            language: Language::ENGLISH,
            confidence: 1.0,
            kind: if caption.is_reply {
                CaptionKind::Reply
            } else {
                CaptionKind::Speech
            },
            whose: None,
        });
    }
    transcript
}

/// From when to when a caption's words were said, as well as the timeline knows.
fn times(
    timeline: &Timeline,
    caption: &Caption,
) -> (goobster_core::time::Moment, goobster_core::time::Moment) {
    let last = caption.revisions.last().map_or(caption.created(), |r| r.at);
    if caption.is_reply {
        let near = |s: &&crate::timeline::Sound| {
            s.to >= caption.created() && s.from <= last.after(Duration::from_secs(3))
        };
        return timeline
            .sounds
            .iter()
            .find(near)
            .map_or((caption.created(), last), |s| (s.from, s.to));
    }
    let said = timeline
        .speeches
        .iter()
        .filter(|s| s.member == caption.name && s.from <= last)
        .max_by_key(|s| s.from)
        .map(|s| (s.voice_from, s.end_of_speech));
    let (from, to) = said.unwrap_or((caption.created(), last));
    // Several captions of one speech keep their order by the time that stands in them.
    (from.max(caption.stamp.min(to)), to)
}

/// The label of the speech that a sound of the bot answers.
fn answers(timeline: &Timeline, sound: crate::timeline::Sound) -> Option<&str> {
    let answered = timeline
        .speeches
        .iter()
        .rev()
        .find(|s| reply_to(timeline, s) == Some(sound));
    answered.map(|s| s.label.as_str())
}
