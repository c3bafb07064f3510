//! Piper: neural voices (VITS models in ONNX) spoken by ONNX Runtime, with espeak-ng's phonemes.

mod config;
mod model;
mod phonemes;
mod runtime;

use std::path::{Path, PathBuf};

use goobster_core::ports::{
    PortFuture, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice, VoiceQuality,
};

use self::config::VoiceConfig;
use self::model::Model;
use super::espeak::Espeak;
use super::pieces::{Piece, SplitRule, split};
use super::render::{RenderThread, Renderer};

/// What a Piper voice needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PiperFiles {
    /// ONNX Runtime's shared library (1.17 or later), an absolute path.
    pub runtime: PathBuf,
    /// The voice's `.onnx`; its description `.onnx.json` lies beside it.
    pub model: PathBuf,
}

/// One Piper voice, on a thread of its own.
#[derive(Debug)]
pub struct PiperVoice {
    thread: RenderThread,
    config: VoiceConfig,
}

struct PiperRenderer {
    espeak: Espeak,
    tag: String,
    ids: std::collections::HashMap<char, Vec<i64>>,
    model: Model,
}

impl Renderer for PiperRenderer {
    fn render(
        &mut self,
        _: &str,
        piece: &Piece,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError> {
        let clauses = phonemes::clauses(&piece.text);
        let mut spoken = Vec::with_capacity(clauses.len());
        for clause in &clauses {
            spoken.push((self.espeak.phonemes(&self.tag, clause.text)?, clause.mark));
        }
        let ids = phonemes::ids(spoken.iter().map(|(ipa, mark)| (ipa.as_str(), *mark)), &self.ids);
        if stop() {
            return Err(SynthesiseError::Aborted);
        }
        if ids.is_empty() {
            Ok(Vec::new())
        } else {
            self.model.run(ids)
        }
    }
}

impl PiperVoice {
    /// Loads a voice and warms it up: about a second, blocking. `threads` is the number of cores that one sentence may
    /// use ([`PiperVoice::default_threads`]).
    pub fn load(files: &PiperFiles, espeak: Espeak, threads: usize) -> Result<Self, SynthesiseError> {
        let config = VoiceConfig::read(&files.model)?;
        let model = Model::load(&files.runtime, &files.model, &config, threads.max(1))?;
        let renderer = PiperRenderer {
            espeak,
            tag: config.espeak_tag.clone(),
            ids: config.ids.clone(),
            model,
        };
        let thread = RenderThread::start("piper", config.rate, renderer)?;
        Ok(Self { thread, config })
    }

    /// The threads that give the earliest first sample without taking the whole machine: two, one on a single core.
    pub fn default_threads() -> usize {
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2))
    }

    /// The voice's name, such as `en_US-joe-medium`.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    fn voice(&self) -> Voice {
        Voice {
            name: self.config.name.clone(),
            language: self.config.language,
            quality: VoiceQuality::Neural,
            engine: "piper",
        }
    }

    fn begin(&self, request: &SpeakRequest) -> Result<SpeechStream, SynthesiseError> {
        let wanted_other = match &request.voice {
            Some(name) => (*name != self.config.name).then(|| name.clone()),
            None => (request.language != self.config.language).then(|| request.language.to_string()),
        };
        if let Some(wanted) = wanted_other {
            return Err(SynthesiseError::NoSuchVoice {
                wanted,
                known: self.config.name.clone(),
            });
        }
        let text = crate::normalise::for_speech(&request.text, self.config.language);
        let pieces = split(&text, SplitRule::EARLY);
        let chunks = self.thread.speak(String::new(), pieces, request.abort.clone())?;
        Ok(SpeechStream {
            rate: self.config.rate,
            voice: self.config.name.clone(),
            notice: None,
            chunks,
        })
    }
}

impl TextToSpeech for PiperVoice {
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(async move { self.begin(&request) })
    }

    fn voices(&self) -> Vec<Voice> {
        vec![self.voice()]
    }
}

/// The Piper voices (`.onnx` with its `.onnx.json`) that lie in a folder, by name.
pub fn voices_in(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "onnx"))
        .filter(|path| {
            let mut json = path.as_os_str().to_owned();
            json.push(".json");
            PathBuf::from(json).is_file()
        })
        .collect();
    found.sort();
    found
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_description(json: &[u8]) -> Result<(), String> {
    VoiceConfig::parse(json, "fuzz".to_owned()).map(|_| ())
}

#[cfg(test)]
mod tests;
