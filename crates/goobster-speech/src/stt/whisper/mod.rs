//! whisper.cpp in this process: one model shared by a few worker threads, each with a state of its own.

mod audio_ctx;
mod clip;
mod decode;
mod encoder;
mod ggml_check;
mod ggml_layout;
mod languages;
mod log;
mod model;
mod tail;
mod threads;
mod tokens;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::{
    LanguageChoice, PortFuture, RecogniseError, RecogniseRequest, RecogniserLoad, Recognition, SPEECH_RATE,
    SpeechToText,
};

use self::decode::WhisperEngine;
pub use self::ggml_check::{BadModel, ModelShape, check_ggml};
pub use self::ggml_layout::WeightType;
use self::languages::Habits;
pub use self::model::check_file;
use self::threads::Threads;
use super::pool::{DecodePool, PoolStats};
use super::scheduler::Limits;

/// How much of Whisper's 30 s window is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AudioContext {
    /// What the clip needs, at least half: two to three times faster for short clips.
    #[default]
    Trimmed,
    /// All of it, as the reference does; for measuring what trimming costs.
    Full,
}

/// How a recogniser uses the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhisperOptions {
    /// Decodes at once; each needs 20-35 MB for its state.
    pub workers: usize,
    /// Threads a decode at most; fewer are used while something else wants the cores.
    pub threads: usize,
    /// Decodes that wait at most, finals not counted.
    pub waiting: usize,
    /// A decode that takes longer is reported, asked to stop, and its caller told.
    pub overdue: Duration,
    /// A decode that runs on for so long after it was asked to stop hangs: its thread is given up.
    pub grace: Duration,
    /// Threads that hang and were replaced, at most at the same time.
    pub replacements: usize,
    /// The language expected of somebody not heard yet, when languages are detected. A wrong guess costs one decode.
    pub first_language: Language,
    /// How much of the window is encoded.
    pub audio_context: AudioContext,
}

impl Default for WhisperOptions {
    /// One decode at a time with up to four threads, as many as pay (see `threads`): the caption of one speaker comes
    /// soonest so. Cores beyond four have workers of their own.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.clamp(1, 4);
        Self {
            workers: (cores / threads).clamp(1, 8),
            threads,
            waiting: 64,
            overdue: Duration::from_mins(1),
            grace: Duration::from_secs(10),
            replacements: 2,
            first_language: Language::ENGLISH,
            audio_context: AudioContext::Trimmed,
        }
    }
}

/// Quieter than this (-80 dBFS at its loudest sample) is silence, whatever Whisper would make of it.
const SILENCE: f32 = 1e-4;

/// Speech-to-text by whisper.cpp.
pub struct WhisperRecogniser {
    name: String,
    pool: DecodePool<WhisperEngine>,
}

impl WhisperRecogniser {
    /// Checks and loads a ggml Whisper model and starts its workers. Blocks for 0.05-0.5 s.
    ///
    /// # Errors
    /// [`RecogniseError::Model`] says which file, what is wrong with it, and what to do.
    pub fn load(
        path: &Path,
        name: impl Into<String>,
        options: &WhisperOptions,
    ) -> Result<Self, RecogniseError> {
        let model = model::load(path)?;
        if model::language_number(&model.shape, options.first_language).is_none()
            && model.shape.is_multilingual()
        {
            return Err(RecogniseError::BadRequest(format!(
                "the model does not know the language '{}'",
                options.first_language
            )));
        }
        let first = if model.shape.is_multilingual() {
            options.first_language
        } else {
            Language::ENGLISH
        };
        let engine = WhisperEngine {
            model,
            threads: Threads::up_to(options.threads),
            audio_context: options.audio_context,
            habits: Habits::new(first),
            templates: Mutex::new(HashMap::new()),
        };
        let limits = Limits {
            workers: options.workers,
            waiting: options.waiting,
            waiting_finals: 1024,
            overdue: options.overdue,
            grace: options.grace,
            replacements: options.replacements,
        };
        Ok(Self {
            name: name.into(),
            pool: DecodePool::new(engine, limits)?,
        })
    }

    /// What the model's header says.
    pub fn shape(&self) -> ModelShape {
        self.pool.engine().model.shape
    }

    /// What has been decoded so far, and what waits.
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    fn check(&self, request: &RecogniseRequest) -> Result<(), RecogniseError> {
        let bad = |what: String| Err(RecogniseError::BadRequest(what));
        if request.audio.len() > audio_ctx::LONGEST_CLIP {
            let seconds = request.audio.len() as f64 / f64::from(SPEECH_RATE);
            return bad(format!(
                "it lasts {seconds:.1} s and Whisper hears at most 30 s at once: split it"
            ));
        }
        if let Some(at) = request.audio.iter().position(|sample| !sample.is_finite()) {
            return bad(format!("sample {at} is not a number"));
        }
        match request.language {
            LanguageChoice::Fixed(language) if !self.knows(language) => {
                let known = if self.shape().is_multilingual() {
                    "has no such language"
                } else {
                    "knows English only"
                };
                bad(format!(
                    "the model '{}' {known} (asked for '{language}')",
                    self.name
                ))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for WhisperRecogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhisperRecogniser")
            .field("name", &self.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl SpeechToText for WhisperRecogniser {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        Box::pin(async move {
            self.check(&request)?;
            if request.audio.iter().all(|sample| sample.abs() < SILENCE) {
                let language = match request.language {
                    LanguageChoice::Fixed(language) => language,
                    LanguageChoice::Detect => self.pool.engine().habits.of(request.source),
                };
                return Ok(Recognition {
                    segments: Vec::new(),
                    language,
                    no_speech: 1.0,
                });
            }
            self.pool.decode(request).await
        })
    }

    fn model(&self) -> &str {
        &self.name
    }

    fn knows(&self, language: Language) -> bool {
        model::language_number(&self.shape(), language).is_some()
    }

    fn waiting(&self) -> usize {
        self.stats().waiting
    }

    fn load(&self) -> RecogniserLoad {
        self.pool.load()
    }
}

#[cfg(test)]
mod tests;
