//! Every recording that can be fetched, with what is said in it.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use goobster_audio::file::AudioFile;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_models::manifest::EVALUATION;
use goobster_models::{Cache, speech_clips};
use serde::Deserialize;

/// What is said in the recordings that bring no transcript along; written down by ear for this measurement.
const SPOKEN: &str = include_str!("../data/spoken.json");
/// An announcement of fewer words is a building block ("press", "extension"), not something that somebody says.
const ANNOUNCED_WORDS: usize = 6;
/// How the speaker of the announcements is labelled.
const ANNOUNCER: &str = "announcer";
/// The longest recording, in samples: five minutes.
const LONGEST: usize = 300 * 16_000;
/// Transcripts of announcements have some 10 kB, compressed.
const MAX_TEXT: u64 = 1 << 20;

/// One recording of one speaker.
pub(crate) struct Recording {
    /// The file, relative to the folder of recordings.
    pub(crate) name: String,
    /// Who speaks; the same label is the same voice.
    pub(crate) speaker: String,
    pub(crate) language: Language,
    /// Whether it is one of many announcements by the same voice.
    pub(crate) is_announcement: bool,
    /// What is said, with the marks of written language.
    pub(crate) transcript: String,
    /// 16 kHz mono.
    pub(crate) sound: Vec<f32>,
}

#[derive(Deserialize)]
struct Spoken {
    file: String,
    speaker: String,
    transcript: String,
}

/// Every recording, those of a speaker in a row, at most so many announcements of each voice; fetched where missing.
pub(crate) fn recordings(engines: &Engines<'_>, announcements: usize) -> anyhow::Result<Vec<Recording>> {
    for artefact in EVALUATION {
        engines.have(artefact).map_err(anyhow::Error::from)?;
    }
    let cache = Cache::locate()?;
    let mut recordings = Vec::new();
    let mut add = |path: &Path, name: String, speaker: &str, transcript: &str| {
        let sound = AudioFile::open(path)?.read_all(LONGEST)?;
        recordings.push(Recording {
            name,
            speaker: speaker.to_owned(),
            language: Language::ENGLISH,
            is_announcement: speaker == ANNOUNCER,
            transcript: transcript.to_owned(),
            sound,
        });
        Ok::<_, anyhow::Error>(())
    };
    for clip in speech_clips()? {
        let path = cache.root().join("speech").join(&clip.file);
        add(&path, clip.file.clone(), &clip.speaker, &clip.transcript)?;
    }
    let folder = cache.root().join("evaluation");
    for spoken in serde_json::from_str::<Vec<Spoken>>(SPOKEN).context("spoken.json")? {
        let path = folder.join(&spoken.file);
        add(&path, spoken.file, &spoken.speaker, &spoken.transcript)?;
    }
    for (key, transcript) in announced(&folder.join("prompts-en.txt.gz"))?
        .into_iter()
        .take(announcements)
    {
        let name = format!("prompts-en/{key}.wav");
        let path = folder.join(&name);
        // A few announcements are listed but not recorded.
        if path.is_file() {
            add(&path, name, ANNOUNCER, &transcript)?;
        }
    }
    Ok(recordings)
}

/// The announcements of a list `name: what is said`, those that are long enough and nothing but speech.
fn announced(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let named = || path.display().to_string();
    let file = std::fs::File::open(path).with_context(named)?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .take(MAX_TEXT)
        .read_to_string(&mut text)
        .with_context(named)?;
    let found = text.lines().filter_map(|line| {
        let (key, said) = line.split_once(':')?;
        let plain = !line.starts_with(';') && !said.contains(['[', '(']) && !key.contains("..");
        (plain && said.split_whitespace().count() >= ANNOUNCED_WORDS)
            .then(|| (key.trim().to_owned(), said.trim().to_owned()))
    });
    Ok(found.collect())
}
