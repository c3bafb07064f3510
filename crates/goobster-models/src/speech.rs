//! The sample speech and what is said in it: recordings of people, with transcripts made independently of any recogniser.

use serde::Deserialize;

use crate::error::ModelError;

/// The table as it is installed beside the recordings.
pub(crate) const TABLE: &str = include_str!("../data/speech.json");

/// One recording.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Clip {
    /// The file, relative to the cache's `speech` folder. Always 16 kHz mono 16-bit WAV.
    pub file: String,
    /// Who speaks; the same label is the same voice.
    pub speaker: String,
    /// The words that are said.
    pub transcript: String,
    /// The recording's licence.
    pub licence: String,
    /// Whether it is a question to whoever listens.
    pub question: bool,
    /// End of the last voiced 20 ms, in milliseconds from the start; marked by hand, never by a detector.
    pub end_of_speech_ms: Option<u32>,
}

#[derive(Deserialize)]
struct Table {
    clips: Vec<Clip>,
}

/// Every sample recording, in a fixed order.
pub fn clips() -> Result<Vec<Clip>, ModelError> {
    let table: Table = serde_json::from_str(TABLE).map_err(|e| ModelError::Format {
        file: "speech.json".to_owned(),
        offset: e.column() as u64,
        what: e.to_string(),
    })?;
    Ok(table.clips)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn every_clip_comes_with_the_manifest() {
        let clips = clips().unwrap();
        assert!(clips.iter().filter(|c| c.question).count() >= 2);
        for clip in &clips {
            let path = format!("speech/{}", clip.file);
            assert!(
                manifest::ALL
                    .iter()
                    .any(|a| path == a.path || path.starts_with(&format!("{}/", a.path))),
                "{path} is in no artefact"
            );
            assert!(clip.transcript.ends_with(['.', '?', ',']), "{}", clip.transcript);
        }
    }
}
