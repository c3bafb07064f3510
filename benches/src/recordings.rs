//! The sample recordings as samples, with what is said in them.

use std::sync::Arc;

use goobster_audio::file::AudioFile;
use goobster_models::{Cache, speech_clips};

/// One minute: longer than any recording.
const LIMIT: usize = 60 * 16_000;

/// One recording, or several in a row.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// 16 kHz mono.
    pub samples: Arc<[f32]>,
    /// What is said.
    pub words: String,
}

impl Spoken {
    /// Its length.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / 16_000.0
    }
}

/// Recordings by their names below the cache's `speech` folder, one after the other.
///
/// # Errors
/// A word for people when one is not there: `cargo xtask setup` fetches them.
pub fn in_a_row(names: &[&str]) -> Result<Spoken, String> {
    let folder = Cache::locate().map_err(|e| e.to_string())?.root().join("speech");
    let clips = speech_clips().map_err(|e| e.to_string())?;
    let (mut samples, mut words) = (Vec::new(), Vec::new());
    for name in names {
        let clip = clips
            .iter()
            .find(|clip| clip.file == *name)
            .ok_or_else(|| format!("there is no recording {name}"))?;
        let mut file = AudioFile::open(folder.join(name)).map_err(|e| e.to_string())?;
        samples.extend(file.read_all(LIMIT).map_err(|e| e.to_string())?);
        words.push(clip.transcript.clone());
    }
    Ok(Spoken {
        samples: samples.into(),
        words: words.join(" "),
    })
}
