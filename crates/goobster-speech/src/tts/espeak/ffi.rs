//! espeak-ng's C library, loaded at run time: the only place that calls it.
//!
//! espeak-ng is GPL-3, so it is never linked nor shipped with the program: the operator's copy is opened by path.
//! The library keeps everything in globals and is not thread-safe; [`Library`] therefore has only `&mut self`
//! methods, and [`super::Espeak`] keeps one of it behind a lock for the whole life of the process.
#![allow(unsafe_code)] // a foreign library is called; every block states why that is sound

use std::ffi::{CStr, CString, c_char, c_int, c_short, c_uint, c_void};
use std::path::Path;

use goobster_core::ports::SynthesiseError;

use crate::tts::failure::{engine_error, voice_error, voice_error_because};

/// `AUDIO_OUTPUT_SYNCHRONOUS`: the callback runs inside `espeak_Synth`, on the calling thread.
const OUTPUT_SYNCHRONOUS: c_int = 2;
/// `espeakINITIALIZE_DONT_EXIT`: without it a missing data folder ends the process.
const DONT_EXIT: c_int = 0x8000;
/// `espeakCHARS_UTF8`.
const CHARS_UTF8: c_uint = 1;
/// `espeakPHONEMES_IPA`.
const PHONEMES_IPA: c_int = 2;
/// Milliseconds of audio a callback hands over.
const BUFFER_MS: c_int = 60;
/// A clause never has more; `espeak_TextToPhonemes` must not keep us for ever.
const MAX_CLAUSES: usize = 256;
/// More voices than any release has: a bound on what is read from foreign memory.
const MAX_VOICES: usize = 4096;

type SynthCallback = unsafe extern "C" fn(*mut c_short, c_int, *mut Event) -> c_int;

/// `espeak_EVENT` of `speak_lib.h`; only `user_data` is read.
#[repr(C)]
struct Event {
    kind: c_int,
    unique_identifier: c_uint,
    text_position: c_int,
    length: c_int,
    audio_position: c_int,
    sample: c_int,
    user_data: *mut c_void,
    id: u64,
}

/// The head of `espeak_VOICE` of `speak_lib.h`; what follows is not read.
#[repr(C)]
struct RawVoice {
    name: *const c_char,
    languages: *const c_char,
    identifier: *const c_char,
}

struct Functions {
    set_voice_by_name: unsafe extern "C" fn(*const c_char) -> c_int,
    #[allow(clippy::type_complexity)] // the C signature, argument by argument
    synth: unsafe extern "C" fn(
        *const c_void,
        usize,
        c_uint,
        c_int,
        c_uint,
        c_uint,
        *mut c_uint,
        *mut c_void,
    ) -> c_int,
    text_to_phonemes: unsafe extern "C" fn(*mut *const c_void, c_int, c_int) -> *const c_char,
}

/// One language a voice speaks, as the library lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedVoice {
    /// The language tag: "de", "en-us", "cmn".
    pub(super) tag: String,
    /// The name to choose the voice by: "gmw/de", "sit/cmn".
    pub(super) file: String,
    /// Lower is better among voices of a language.
    pub(super) priority: u8,
}

/// The loaded and initialised library.
pub(super) struct Library {
    functions: Functions,
    rate: u32,
    voices: Vec<ListedVoice>,
    current: String,
    // Never unloaded: the library has no way to be initialised twice. Kept last, so that it outlives the pointers.
    _handle: std::mem::ManuallyDrop<libloading::Library>,
}

/// What the callback fills.
struct Sink<'a> {
    samples: Vec<f32>,
    limit: usize,
    stop: &'a dyn Fn() -> bool,
    stopped: bool,
}

impl Library {
    /// Opens the library and initialises it with the data folder (the folder named `espeak-ng-data`, or its parent);
    /// `None` leaves the place to the library.
    pub(super) fn open(library: &Path, data: Option<&Path>) -> Result<Self, SynthesiseError> {
        let shown = library.display();
        let data = data.map(data_folder).transpose()?;
        // SAFETY: loading runs the library's initialisers; espeak-ng has none beyond the C run time's.
        let handle = unsafe { libloading::Library::new(library) }
            .map_err(|e| voice_error_because(format!("the espeak-ng library {shown} cannot be loaded"), e))?;
        let handle = std::mem::ManuallyDrop::new(handle);
        // SAFETY: the signatures are those of espeak-ng's `speak_lib.h`, unchanged since release 1.49.
        let (functions, initialise, set_callback, list_voices) = unsafe {
            let functions = Functions {
                set_voice_by_name: symbol(&handle, "espeak_SetVoiceByName", library)?,
                synth: symbol(&handle, "espeak_Synth", library)?,
                text_to_phonemes: symbol(&handle, "espeak_TextToPhonemes", library)?,
            };
            let initialise: unsafe extern "C" fn(c_int, c_int, *const c_char, c_int) -> c_int =
                symbol(&handle, "espeak_Initialize", library)?;
            let set_callback: unsafe extern "C" fn(SynthCallback) =
                symbol(&handle, "espeak_SetSynthCallback", library)?;
            let list_voices: unsafe extern "C" fn(*const c_void) -> *const *const RawVoice =
                symbol(&handle, "espeak_ListVoices", library)?;
            (functions, initialise, set_callback, list_voices)
        };
        let path = data.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
        // SAFETY: `path` is null or a live C string; DONT_EXIT keeps a failure from ending the process.
        let rate = unsafe { initialise(OUTPUT_SYNCHRONOUS, BUFFER_MS, path, DONT_EXIT) };
        let rate = u32::try_from(rate)
            .ok()
            .filter(|rate| (8_000..=96_000).contains(rate))
            .ok_or_else(|| {
                voice_error(format!(
                    "espeak-ng ({shown}) did not start: its data folder is missing or of another version"
                ))
            })?;
        // SAFETY: `gather` has the callback's signature and lives as long as the program.
        unsafe { set_callback(gather) };
        // SAFETY: null asks for all voices; the array is null-terminated and owned by the library.
        let voices = unsafe { read_voices(list_voices(std::ptr::null())) };
        if voices.is_empty() {
            return Err(voice_error(format!(
                "espeak-ng ({shown}) knows no voice: its data folder is incomplete"
            )));
        }
        Ok(Self {
            functions,
            rate,
            voices,
            current: String::new(),
            _handle: handle,
        })
    }

    /// Samples a second, in hertz (22,050 in every release so far).
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Every language of every voice.
    pub(super) fn voices(&self) -> &[ListedVoice] {
        &self.voices
    }

    /// Speaks a text into at most `limit` samples in `-1.0..=1.0`. `stop` is asked every 60 ms of audio; when it
    /// says yes the result is [`SynthesiseError::Aborted`].
    pub(super) fn synthesise(
        &mut self,
        voice: &str,
        text: &str,
        limit: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError> {
        self.choose(voice)?;
        let text = c_string(text)?;
        let size = text.as_bytes_with_nul().len();
        let mut sink = Sink {
            samples: Vec::new(),
            limit,
            stop,
            stopped: false,
        };
        // SAFETY: `text` is a C string of `size` bytes; `sink` outlives the call, and in synchronous mode the callback
        // runs only inside it, on this thread. No identifier is asked for.
        let status = unsafe {
            (self.functions.synth)(
                text.as_ptr().cast(),
                size,
                0,
                1, // POS_CHARACTER
                0,
                CHARS_UTF8,
                std::ptr::null_mut(),
                (&raw mut sink).cast(),
            )
        };
        if sink.stopped {
            return Err(SynthesiseError::Aborted);
        }
        if status != 0 {
            return Err(engine_error(format!(
                "espeak-ng refused the text (status {status})"
            )));
        }
        Ok(sink.samples)
    }

    /// The IPA phonemes of a text, its clauses joined by single spaces.
    pub(super) fn phonemes(&mut self, voice: &str, text: &str) -> Result<String, SynthesiseError> {
        self.choose(voice)?;
        let text = c_string(text)?;
        let mut rest: *const c_void = text.as_ptr().cast();
        let mut all = String::new();
        for _ in 0..MAX_CLAUSES {
            // SAFETY: `rest` points into `text`, which is alive and NUL-terminated; the library moves it on, or sets it
            // to null at the end. The result is the library's own buffer, copied before the next call.
            let part = unsafe {
                let part =
                    (self.functions.text_to_phonemes)(&raw mut rest, CHARS_UTF8 as c_int, PHONEMES_IPA);
                (!part.is_null()).then(|| CStr::from_ptr(part).to_string_lossy().into_owned())
            };
            if let Some(part) = part {
                let part = part.trim();
                if !all.is_empty() && !part.is_empty() {
                    all.push(' ');
                }
                all.push_str(part);
            }
            if rest.is_null() {
                break;
            }
        }
        Ok(all)
    }

    fn choose(&mut self, voice: &str) -> Result<(), SynthesiseError> {
        if self.current == voice {
            return Ok(());
        }
        let name = c_string(voice)?;
        // SAFETY: a live C string; the library copies it.
        let status = unsafe { (self.functions.set_voice_by_name)(name.as_ptr()) };
        if status != 0 {
            self.current.clear();
            return Err(voice_error(format!(
                "espeak-ng has no voice '{voice}' (status {status})"
            )));
        }
        voice.clone_into(&mut self.current);
        Ok(())
    }
}

/// The folder to tell the library, as a C string, once it is known to hold espeak-ng's data.
fn data_folder(data: &Path) -> Result<CString, SynthesiseError> {
    let inner = data.join("espeak-ng-data");
    let folder = if inner.is_dir() { inner } else { data.to_owned() };
    for file in ["phontab", "phonindex", "phondata", "intonations"] {
        if !folder.join(file).is_file() {
            return Err(voice_error(format!(
                "{} is not espeak-ng's data folder: it has no file '{file}'",
                folder.display()
            )));
        }
    }
    // The library wants the folder that contains `espeak-ng-data`, or the folder itself: both are accepted since 1.50.
    CString::new(folder.as_os_str().as_encoded_bytes())
        .map_err(|e| voice_error_because(format!("the path {} cannot be used", folder.display()), e))
}

fn c_string(text: &str) -> Result<CString, SynthesiseError> {
    CString::new(text).map_err(|_| engine_error("the text holds a NUL character".to_owned()))
}

/// Looks a function up.
///
/// # Safety
/// `F` must be the function's true signature.
unsafe fn symbol<F: Copy>(
    library: &libloading::Library,
    name: &str,
    path: &Path,
) -> Result<F, SynthesiseError> {
    // SAFETY: the caller vouches for the signature; the library is never unloaded, so the copy stays valid.
    unsafe { library.get::<F>(name.as_bytes()) }
        .map(|found| *found)
        .map_err(|e| {
            voice_error_because(
                format!(
                    "{} is not a usable espeak-ng library: it has no '{name}'",
                    path.display()
                ),
                e,
            )
        })
}

/// Reads the list of voices.
///
/// # Safety
/// `list` must be null or a null-terminated array of valid voices.
unsafe fn read_voices(list: *const *const RawVoice) -> Vec<ListedVoice> {
    let mut voices = Vec::new();
    if list.is_null() {
        return voices;
    }
    for i in 0..MAX_VOICES {
        // SAFETY: the array ends with a null pointer, at which we stop.
        let voice = unsafe { *list.add(i) };
        if voice.is_null() {
            break;
        }
        // SAFETY: an entry of the array is a valid voice.
        let (mut at, identifier) = unsafe { ((*voice).languages.cast::<u8>(), (*voice).identifier) };
        if at.is_null() || identifier.is_null() {
            continue;
        }
        // SAFETY: not null, and a C string by the library's contract.
        let file = unsafe { CStr::from_ptr(identifier) }
            .to_string_lossy()
            .into_owned();
        // `languages` is a run of (priority byte, C string) that ends with a zero priority.
        for _ in 0..16 {
            // SAFETY: inside the run, by its own terminator.
            let priority = unsafe { *at };
            if priority == 0 {
                break;
            }
            // SAFETY: a C string follows the priority.
            let tag = unsafe { CStr::from_ptr(at.add(1).cast()) };
            voices.push(ListedVoice {
                tag: tag.to_string_lossy().into_owned(),
                file: file.clone(),
                priority,
            });
            // SAFETY: moves past the priority, the string and its NUL.
            at = unsafe { at.add(2 + tag.to_bytes().len()) };
        }
    }
    voices
}

/// Takes samples as espeak-ng makes them; the answer 1 stops it. Must not unwind into C: it only copies.
unsafe extern "C" fn gather(wav: *mut c_short, count: c_int, events: *mut Event) -> c_int {
    if events.is_null() {
        return 0;
    }
    // SAFETY: espeak-ng hands a list of events that is never empty; each carries the pointer given to `espeak_Synth`.
    let sink = unsafe { (*events).user_data }.cast::<Sink<'_>>();
    // SAFETY: that pointer is `Library::synthesise`'s sink, alive while the call lasts, and nobody else uses it.
    let Some(sink) = (unsafe { sink.as_mut() }) else {
        return 0;
    };
    let count = usize::try_from(count).unwrap_or(0);
    if !wav.is_null() && count > 0 {
        // SAFETY: `wav` points to `count` samples, by the callback's contract.
        let wav = unsafe { std::slice::from_raw_parts(wav, count) };
        let room = sink.limit.saturating_sub(sink.samples.len());
        sink.samples
            .extend(wav.iter().take(room).map(|&sample| f32::from(sample) / 32_768.0));
        if room < count {
            return 1;
        }
    }
    sink.stopped = (sink.stop)();
    c_int::from(sink.stopped)
}
