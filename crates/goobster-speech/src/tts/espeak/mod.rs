//! espeak-ng: a formant voice for every language, and the phonemes that Piper voices read.
//!
//! [`Espeak`] is one copy of espeak-ng (library or program) that everyone shares, because the C library keeps its
//! state in globals. [`EspeakVoices`] speaks with it.

mod ffi;
mod program;
mod voices;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use goobster_core::language::Language;
use goobster_core::ports::{
    PortFuture, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice, VoiceQuality,
};

use self::ffi::{Library, ListedVoice};
use self::program::Program;
use crate::tts::failure::{voice_error, with_causes};
use crate::tts::pieces::{Piece, SplitRule, split};
use crate::tts::render::{RenderThread, Renderer};

/// What voices of this engine are called: `espeak-de`, `espeak-en-us`.
const NAME_PREFIX: &str = "espeak-";
/// No piece of text is spoken for longer.
const MAX_PIECE_SECONDS: usize = 120;

/// Where espeak-ng is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EspeakSource {
    /// The shared library (`libespeak-ng.so.1`), and its data folder unless the library knows it by itself.
    Library {
        /// The shared library: a path, or a bare name for the system's own search.
        library: PathBuf,
        /// The folder `espeak-ng-data`, or the folder that holds it.
        data: Option<PathBuf>,
    },
    /// The program `espeak-ng`: a path, or a bare name for `PATH`.
    Program(PathBuf),
}

impl EspeakSource {
    /// The places to look, best first: the runtime folder that set-up fills, the system's library, the program.
    pub fn candidates(runtime: Option<&Path>) -> Vec<Self> {
        let mut found = Vec::new();
        let folders = runtime
            .into_iter()
            .flat_map(|folder| [folder.join("espeak-ng"), folder.to_owned()]);
        for folder in folders {
            let names = [
                "libespeak-ng.so",
                "libespeak-ng.so.1",
                "libespeak-ng.dylib",
                "espeak-ng.dll",
            ];
            let library = names
                .iter()
                .map(|name| folder.join(name))
                .find(|path| path.is_file());
            let data = Some(folder.join("espeak-ng-data")).filter(|path| path.is_dir());
            found.extend(library.map(|library| Self::Library { library, data }));
        }
        let system = if cfg!(target_os = "macos") {
            "libespeak-ng.dylib"
        } else {
            "libespeak-ng.so.1"
        };
        found.push(Self::Library {
            library: system.into(),
            data: None,
        });
        found.push(Self::Program("espeak-ng".into()));
        found
    }
}

enum Backend {
    Library(Library),
    Program(Program),
}

/// One copy of espeak-ng. Cheap to clone; the work of all clones is done one after the other.
#[derive(Clone)]
pub struct Espeak {
    // The lock gives the exclusive use that the C library needs. It is taken by render threads only, never in async
    // code, and held for at most one piece of text (a few milliseconds).
    backend: Arc<Mutex<Backend>>,
    voices: Arc<[ListedVoice]>,
    rate: u32,
    source: Arc<EspeakSource>,
}

impl fmt::Debug for Espeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Espeak")
            .field("source", &self.source)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// Libraries opened so far: a second copy of one library would share its globals with the first.
fn opened() -> &'static Mutex<HashMap<PathBuf, Espeak>> {
    static OPENED: OnceLock<Mutex<HashMap<PathBuf, Espeak>>> = OnceLock::new();
    OPENED.get_or_init(Mutex::default)
}

impl Espeak {
    /// Opens espeak-ng. A library that was opened before is shared (with the data folder of the first time), and stays
    /// loaded until the process ends.
    pub fn open(source: &EspeakSource) -> Result<Self, SynthesiseError> {
        match source {
            EspeakSource::Program(path) => {
                let program = Program::open(path)?;
                let (voices, rate) = (program.voices().into(), program.rate());
                Ok(Self::new(Backend::Program(program), voices, rate, source))
            }
            EspeakSource::Library { library, data } => {
                let mut opened = opened().lock().unwrap_or_else(PoisonError::into_inner);
                let key = library.canonicalize().unwrap_or_else(|_| library.clone());
                if let Some(espeak) = opened.get(&key) {
                    return Ok(espeak.clone());
                }
                let library = Library::open(library, data.as_deref())?;
                let (voices, rate) = (library.voices().into(), library.rate());
                let espeak = Self::new(Backend::Library(library), voices, rate, source);
                opened.insert(key, espeak.clone());
                Ok(espeak)
            }
        }
    }

    /// Opens the first of [`EspeakSource::candidates`] that works; the error tells what was tried.
    pub fn find(runtime: Option<&Path>) -> Result<Self, SynthesiseError> {
        let mut tried = Vec::new();
        for source in EspeakSource::candidates(runtime) {
            match Self::open(&source) {
                Ok(espeak) => return Ok(espeak),
                Err(error) => tried.push(with_causes(&error)),
            }
        }
        Err(voice_error(format!(
            "espeak-ng was not found (run `cargo xtask setup`, or install espeak-ng). Tried: {}",
            tried.join("; ")
        )))
    }

    fn new(backend: Backend, voices: Arc<[ListedVoice]>, rate: u32, source: &EspeakSource) -> Self {
        Self {
            backend: Arc::new(Mutex::new(backend)),
            voices,
            rate,
            source: Arc::new(source.clone()),
        }
    }

    /// Which copy this is.
    pub fn source(&self) -> &EspeakSource {
        &self.source
    }

    /// Samples a second of what it speaks, in hertz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// espeak-ng's tag of the best voice for a language: "de", "en-us", "cmn" for "zh".
    pub fn tag_of(&self, language: Language) -> Option<&str> {
        voices::best(&self.voices, language).map(|voice| voice.tag.as_str())
    }

    /// The IPA phonemes of a clause, words apart by spaces. Blocks: never call it in async code.
    pub fn phonemes(&self, tag: &str, clause: &str) -> Result<String, SynthesiseError> {
        // A tag that is not listed may still be a voice's file.
        let tag = voices::named(&self.voices, tag).map_or(tag, |voice| voice.file.as_str());
        match &mut *self.lock() {
            Backend::Library(library) => library.phonemes(tag, clause),
            Backend::Program(program) => program.phonemes(tag, clause),
        }
    }

    /// Speaks one piece of text with the voice of a file. Blocks: never call it in async code.
    fn synthesise(
        &self,
        file: &str,
        text: &str,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError> {
        let limit = self.rate as usize * MAX_PIECE_SECONDS;
        match &mut *self.lock() {
            Backend::Library(library) => library.synthesise(file, text, limit, stop),
            Backend::Program(program) => program.synthesise(file, text, limit, stop),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backend> {
        // Nothing behind the lock is left half-done by a panic on our side of the boundary.
        self.backend.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// espeak-ng as a synthesiser, on a thread of its own.
#[derive(Debug)]
pub struct EspeakVoices {
    espeak: Espeak,
    thread: RenderThread,
}

struct EspeakRenderer(Espeak);

impl Renderer for EspeakRenderer {
    fn render(
        &mut self,
        voice: &str,
        piece: &Piece,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError> {
        self.0.synthesise(voice, &piece.text, stop)
    }
}

impl EspeakVoices {
    /// Starts the thread that speaks.
    pub fn new(espeak: Espeak) -> Result<Self, SynthesiseError> {
        let thread = RenderThread::start("espeak-ng", espeak.rate(), EspeakRenderer(espeak.clone()))?;
        Ok(Self { espeak, thread })
    }

    fn begin(&self, request: SpeakRequest) -> Result<SpeechStream, SynthesiseError> {
        let voice = match &request.voice {
            Some(name) => {
                let tag = name.strip_prefix(NAME_PREFIX).unwrap_or(name);
                voices::named(&self.espeak.voices, tag)
            }
            None => voices::best(&self.espeak.voices, request.language),
        };
        let Some(voice) = voice else {
            return Err(SynthesiseError::NoSuchVoice {
                wanted: request.voice.unwrap_or_else(|| request.language.to_string()),
                known: voices::summary(&self.espeak.voices),
            });
        };
        let spoken_in = voice.tag.parse().unwrap_or(request.language);
        let text = crate::normalise::for_speech(&request.text, spoken_in);
        let pieces = split(&text, SplitRule::SENTENCES);
        let chunks = self.thread.speak(voice.file.clone(), pieces, request.abort)?;
        let voice = format!("{NAME_PREFIX}{}", voice.tag);
        Ok(SpeechStream {
            rate: self.espeak.rate,
            voice,
            notice: None,
            chunks,
        })
    }
}

impl TextToSpeech for EspeakVoices {
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(async move { self.begin(request) })
    }

    fn voices(&self) -> Vec<Voice> {
        voices::distinct(&self.espeak.voices)
            .into_iter()
            .filter_map(|tag| {
                Some(Voice {
                    name: format!("{NAME_PREFIX}{tag}"),
                    language: tag.parse().ok()?,
                    quality: VoiceQuality::Formant,
                    engine: "espeak-ng",
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
