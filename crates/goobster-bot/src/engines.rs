//! The engines of a profile: recogniser, voices, voice activity detector, responder, made from the cache and the
//! configuration. What is missing is fetched first, with progress on stderr, unless that is forbidden.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goobster_audio::vad::{EarshotDetector, SileroDetector, SileroWeights, VoiceDetector};
use goobster_brain::{ApiKey, BuiltIn, ChatConfig, OpenAiChat};
use goobster_core::language::Language;
use goobster_core::ports::{Responder, SpeechToText, TextToSpeech};
use goobster_models::manifest::{self, Artefact};
use goobster_models::{Cache, FetchOptions, State};
use goobster_speech::stt::{
    AudioContext, OpenAiRecogniser, OpenAiTranscriptionOptions, WhisperOptions, WhisperRecogniser,
};
use goobster_speech::tts::espeak::{Espeak, EspeakVoices};
use goobster_speech::tts::openai::{OpenAiVoice, SpeechServer};
use goobster_speech::tts::piper::{PiperFiles, PiperVoice};
use goobster_speech::tts::{SpeechCache, Voices};

use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::{Config, Profile, Recogniser, Synthesiser};
use crate::converse::room::DetectorFactory;

/// Bytes of speech that are remembered: about three minutes of what is said again and again ("Yes?").
const SPEECH_CACHE: usize = 16 << 20;

/// Names an ONNX Runtime library to use in place of the one in the cache; the hint of `manifest::ONNX_RUNTIME` says so.
const RUNTIME_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Makes engines on demand.
pub struct Engines<'a> {
    config: &'a Config,
    options: FetchOptions,
    terminal: Terminal,
}

impl<'a> Engines<'a> {
    /// Engines for a configuration; `offline` forbids fetching.
    pub fn new(config: &'a Config, offline: bool, terminal: Terminal) -> Self {
        let options = FetchOptions {
            offline,
            network: config.network,
            ..FetchOptions::default()
        };
        Self {
            config,
            options,
            terminal,
        }
    }

    /// The recogniser: a server when one is configured, else Whisper. `wanted` is a model by name or a ggml file.
    pub fn recogniser(&self, wanted: Option<&str>) -> Result<Arc<dyn SpeechToText>, Failure> {
        if wanted.is_none() && self.config.recogniser.url.is_some() {
            return self.remote_recogniser();
        }
        Ok(Arc::new(self.whisper(wanted, AudioContext::Trimmed)?))
    }

    /// Whisper in this process, with the context trimmed or full.
    pub fn whisper(
        &self,
        wanted: Option<&str>,
        audio_context: AudioContext,
    ) -> Result<WhisperRecogniser, Failure> {
        let name = wanted.unwrap_or(self.config.profile.model());
        let (own, usual) = (&self.config.recogniser, WhisperOptions::default());
        let options = WhisperOptions {
            workers: own.workers.unwrap_or(usual.workers),
            threads: own.threads.unwrap_or(usual.threads),
            waiting: own.waiting,
            overdue: own.overdue,
            grace: own.grace,
            replacements: own.replacements,
            audio_context,
            ..usual
        };
        let own = Path::new(name);
        if own.is_file() {
            let stem = own
                .file_stem()
                .unwrap_or(own.as_os_str())
                .to_string_lossy()
                .into_owned();
            return Ok(WhisperRecogniser::load(own, stem, &options)?);
        }
        let Some(model) = manifest::find(&format!("whisper-{name}")) else {
            return Err(Failure::Usage(format!(
                "no model '{name}': neither a file nor one of {} (see `goobster models list`)",
                model_names().join(", ")
            )));
        };
        Ok(WhisperRecogniser::load(&self.have(model)?, name, &options)?)
    }

    /// The recogniser that takes over under load: the one that is set, or the small profile's where it is in the cache already.
    pub fn smaller_recogniser(&self) -> Result<Option<Arc<dyn SpeechToText>>, Failure> {
        if self.config.recogniser.url.is_some() {
            return Ok(None);
        }
        let usual = Profile::Small.model();
        let wanted = match self.config.admission.smaller_model.as_deref() {
            Some("none") => return Ok(None),
            Some(wanted) => wanted,
            None => {
                let model = manifest::find(&format!("whisper-{usual}"));
                let here =
                    |model: &Artefact| Ok::<_, Failure>(Cache::locate()?.state(model) == State::Present);
                match model {
                    Some(model) if here(model)? => usual,
                    _ => return Ok(None),
                }
            }
        };
        if wanted == self.config.profile.model() {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.whisper(Some(wanted), AudioContext::Trimmed)?)))
    }

    fn remote_recogniser(&self) -> Result<Arc<dyn SpeechToText>, Failure> {
        let Recogniser {
            url,
            model,
            api_key_env,
            timeout,
            attempts,
            requests,
            ..
        } = &self.config.recogniser;
        Ok(Arc::new(OpenAiRecogniser::new(OpenAiTranscriptionOptions {
            url: url.clone().unwrap_or_default(),
            model: model.clone().unwrap_or_else(|| "whisper-1".to_owned()),
            api_key: key(api_key_env.as_deref())?,
            timeout: *timeout,
            attempts: *attempts,
            concurrency: *requests,
            network: self.config.network,
            ..OpenAiTranscriptionOptions::default()
        })?))
    }

    /// The voices: a server's when one is configured, Piper's in the standard profile, and espeak-ng's.
    pub fn voices(&self) -> Result<Arc<dyn TextToSpeech>, Failure> {
        let mut engines: Vec<Arc<dyn TextToSpeech>> = Vec::new();
        if let Some(server) = self.remote_voice()? {
            engines.push(Arc::new(server));
        }
        self.have(&manifest::ESPEAK)
            .map(drop)
            .or_else(|failure| self.unless_elsewhere(failure))?;
        let espeak = Cache::locate()?.path_of(&manifest::ESPEAK);
        let espeak = Espeak::find(espeak.parent())?;
        if self.config.profile == Profile::Standard {
            match self.piper(espeak.clone()) {
                Ok(piper) => engines.push(Arc::new(piper)),
                Err(failure) => {
                    self.unless_elsewhere(failure)?;
                }
            }
        }
        engines.push(Arc::new(EspeakVoices::new(espeak)?));
        Ok(Arc::new(SpeechCache::new(Voices::new(engines), SPEECH_CACHE)))
    }

    /// A piece that exists only for other platforms is done without, with a word; any other failure stays one.
    fn unless_elsewhere(&self, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Models(goobster_models::ModelError::Platform { .. }) => {
                self.terminal.warn(&failure.to_string());
                Ok(())
            }
            other => Err(other),
        }
    }

    fn piper(&self, espeak: Espeak) -> Result<PiperVoice, Failure> {
        let runtime = match own_runtime(std::env::var_os(RUNTIME_VARIABLE)) {
            Some(library) => library,
            None => self.have(&manifest::ONNX_RUNTIME)?,
        };
        self.have(&manifest::PIPER_JOE_CONFIG)?;
        let model = self.have(&manifest::PIPER_JOE)?;
        Ok(PiperVoice::load(
            &PiperFiles { runtime, model },
            espeak,
            PiperVoice::default_threads(),
        )?)
    }

    fn remote_voice(&self) -> Result<Option<OpenAiVoice>, Failure> {
        let Synthesiser {
            url,
            model,
            voice,
            api_key_env,
        } = &self.config.synthesiser;
        let Some(url) = url else { return Ok(None) };
        let base = url
            .parse()
            .map_err(|e| Failure::Configuration(format!("synthesiser.url: {e}")))?;
        let model = model.clone().unwrap_or_else(|| "tts-1".to_owned());
        let voice = voice.clone().unwrap_or_else(|| "alloy".to_owned());
        let mut server = SpeechServer::new(base, model, voice);
        server.network = self.config.network;
        server.api_key = key(api_key_env.as_deref())?;
        Ok(Some(OpenAiVoice::new(server)?))
    }

    /// Makes voice activity detectors: Silero's network, one copy of its weights for all speakers; earshot, which needs
    /// no file, where the weights cannot be had.
    pub fn detectors(&self) -> DetectorFactory {
        let weights = self
            .have(&manifest::SILERO)
            .and_then(|path| {
                SileroWeights::load(&path).map_err(|e| {
                    Failure::SetupMissing(format!("{e}; `goobster models pull` fetches it again"))
                })
            })
            .map(Arc::new);
        match weights {
            Ok(weights) => Arc::new(move || Box::new(SileroDetector::new(Arc::clone(&weights)))),
            Err(failure) => {
                self.terminal.warn(&format!(
                    "{failure}\nthe small detector, earshot, listens instead"
                ));
                Arc::new(|| Box::new(EarshotDetector::new()))
            }
        }
    }

    /// One voice activity detector.
    pub fn detector(&self) -> Box<dyn VoiceDetector + Send> {
        self.detectors()()
    }

    /// The responder: a chat server when one is configured, else the built-in one.
    pub fn responder(&self) -> Result<Arc<dyn Responder>, Failure> {
        let brain = &self.config.brain;
        let Some(url) = &brain.url else {
            return Ok(Arc::new(BuiltIn::new()));
        };
        let mut options = ChatConfig::new(url.clone(), brain.model.clone().unwrap_or_default());
        options.network = self.config.network;
        options.api_key = brain.api_key_env.as_deref().map(ApiKey::from_env).transpose()?;
        options.first_token = brain.timeout;
        options.idle = brain.idle;
        options.reply = brain.reply;
        options.tries = brain.tries;
        options.max_tokens = brain.max_tokens;
        Ok(Arc::new(OpenAiChat::new(options)?))
    }

    /// Fetches a piece when it is missing; one that exists only for other platforms is done without, with a word.
    pub fn have_where_it_exists(&self, artefact: &'static Artefact) -> Result<(), Failure> {
        self.have(artefact)
            .map(drop)
            .or_else(|failure| self.unless_elsewhere(failure))
    }

    /// The path of a piece in the cache, fetched when it is missing.
    pub fn have(&self, artefact: &'static Artefact) -> Result<PathBuf, Failure> {
        let cache = Cache::locate()?;
        if cache.state(artefact) != State::Present {
            let mut progress = goobster_models::Terminal::default();
            goobster_models::ensure(&cache, &[artefact], &self.options, &mut progress)?;
        }
        Ok(cache.path_of(artefact))
    }
}

/// An ONNX Runtime of the user's own, named by [`RUNTIME_VARIABLE`]; empty counts as unset.
fn own_runtime(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The names of the Whisper models that can be fetched.
pub fn model_names() -> Vec<&'static str> {
    manifest::ALL
        .iter()
        .filter_map(|a| a.id.strip_prefix("whisper-"))
        .collect()
}

/// Whether a profile's model knows a language; a word for the user when it does not.
pub fn check_language(recogniser: &dyn SpeechToText, language: Language) -> Result<(), Failure> {
    if recogniser.knows(language) {
        return Ok(());
    }
    Err(Failure::BadInput(format!(
        "the model {} does not know '{language}'; --profile standard knows about 100 languages",
        recogniser.model()
    )))
}

/// The API key in an environment variable; unset is an error that names the variable.
fn key(variable: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(name) = variable else { return Ok(None) };
    match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
        _ => Err(Failure::Configuration(format!(
            "api_key_env: the environment variable {name} is not set"
        ))),
    }
}
