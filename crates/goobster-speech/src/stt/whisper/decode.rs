//! One decode with whisper.cpp: greedy, one window, quality checked, language verified, text gated.
//!
//! whisper.cpp 1.8 reads its no-speech probability from a row of logits that a prompt of several tokens never fills, and
//! detects a language by encoding everything twice. Both come here from one more decoder step, of the start token
//! alone, over the encoding that is there already.
#![allow(unsafe_code)] // FFI: the abort callback is a C function with a pointer.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use goobster_core::language::Language;
use goobster_core::ports::{
    DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, RecognisedSegment, Recognition,
    SPEECH_RATE,
};
use whisper_rs::{FullParams, SamplingStrategy, WhisperState};

use super::audio_ctx;
use super::clip::Clip;
use super::languages::Habits;
use super::model::{Model, language_number, whisper_code};
use super::threads::Threads;
use super::tokens::{Kinds, Stretch, Token, stretches};
use super::{AudioContext, encoder, log, tail};
use crate::stt::gate::{self, Evidence};
use crate::stt::pool::{Engine, Stop};

/// Temperatures tried, after 0, for a final decode whose words are improbable or loop.
const FALLBACK_TEMPERATURES: [f32; 2] = [0.4, 0.8];
/// A decode that was called off is no measure of its cost, unless it had lasted this long already.
const SLOW_EVEN_UNFINISHED: Duration = Duration::from_secs(3);
/// Windows more, at most, for what a decode left out at the end.
const CONTINUATIONS: usize = 2;
/// Prompt tokens at most: names, not texts.
const PROMPT_TOKENS: usize = 48;

/// Decodes with one shared model.
#[derive(Debug)]
pub(super) struct WhisperEngine {
    pub(super) model: Model,
    pub(super) threads: Threads,
    pub(super) audio_context: AudioContext,
    pub(super) habits: Habits,
    /// whisper-rs leaks a string for each `set_language`: parameters are made once a language and copied.
    pub(super) templates: Mutex<HashMap<Language, FullParams<'static, 'static>>>,
}

/// What one run of the decoder is asked for.
struct Pass<'a> {
    language: Language,
    temperature: f32,
    timestamps: bool,
    prompt: &'a [i32],
    /// Decodes that run beside it.
    beside: usize,
}

/// What it gave.
struct Heard {
    stretches: Vec<Stretch>,
    text: String,
    evidence: Evidence,
    /// The language the model hears, and how sure it is; `None` for English-only models.
    detected: Option<(Language, f32)>,
}

impl Heard {
    fn is_poor(&self) -> bool {
        self.evidence.is_unsure() || gate::is_loop(&self.text)
    }
}

impl Engine for WhisperEngine {
    type State = WhisperState;

    fn make_state(&self) -> Result<WhisperState, RecogniseError> {
        let make = || self.model.context.create_state();
        encoder::hook::offering(self.model.encoder.as_ref(), make)
            .map_err(|error| failed("making a decoder state", error))
    }

    fn decode(
        &self,
        state: &mut WhisperState,
        request: &RecogniseRequest,
        beside: usize,
        stop: &Stop,
    ) -> Result<Recognition, RecogniseError> {
        let mut audio = Clip::of(&request.audio);
        let expected = match request.language {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Detect => self.habits.of(request.source),
        };
        let prompt = self.prompt_tokens(request.prompt.as_deref());
        let thorough = request.class != DecodeClass::Partial;
        let mut pass = Pass {
            language: expected,
            temperature: 0.0,
            timestamps: thorough,
            prompt: &prompt,
            beside,
        };
        let mut heard = self.run(state, &mut audio, &pass, stop)?;

        let believed = heard
            .detected
            .filter(|_| request.language == LanguageChoice::Detect)
            .filter(|(language, sure)| {
                let seconds = heard.evidence.seconds;
                self.habits.believes(request.source, *language, *sure, seconds)
            })
            .map(|(language, _)| language);
        if let Some(language) = believed.filter(|language| *language != expected) {
            pass.language = language;
            heard = self.run(state, &mut audio, &pass, stop)?;
        }
        if thorough && heard.is_poor() {
            for temperature in FALLBACK_TEMPERATURES {
                // A prompt is what often starts a loop.
                pass = Pass {
                    temperature,
                    prompt: &[],
                    ..pass
                };
                let again = self.run(state, &mut audio, &pass, stop)?;
                let better = again.evidence.log_probability > heard.evidence.log_probability;
                if !again.is_poor() || better && !gate::is_loop(&again.text) {
                    heard = again;
                }
                if !heard.is_poor() {
                    break;
                }
            }
        }
        if thorough {
            self.go_on(state, request, &pass, stop, &mut heard)?;
        }
        let mut doubt = gate::doubt(&heard.evidence, &heard.text, request.prompt.as_deref());
        // Nothing but the prompt: believe it only if something is heard without being prompted.
        if doubt.is_none()
            && request
                .prompt
                .as_ref()
                .is_some_and(|prompt| gate::echoes(&heard.text, prompt))
        {
            pass = Pass {
                temperature: 0.0,
                prompt: &[],
                ..pass
            };
            let unprompted = self.run(state, &mut audio, &pass, stop)?;
            doubt = gate::doubt(&unprompted.evidence, &unprompted.text, None);
        }
        if let Some(doubt) = doubt {
            tracing::debug!(?doubt, evidence = ?heard.evidence, text = heard.text, "not taken for speech");
            heard.stretches.clear();
        } else if let Some(language) = believed {
            self.habits.remember(request.source, language);
        }
        Ok(Recognition {
            segments: segments(heard.stretches),
            language: pass.language,
            no_speech: heard.evidence.no_speech,
        })
    }
}

impl WhisperEngine {
    /// Decodes what the words of a clip left out at its end, and adds it.
    fn go_on(
        &self,
        state: &mut WhisperState,
        request: &RecogniseRequest,
        pass: &Pass<'_>,
        stop: &Stop,
        heard: &mut Heard,
    ) -> Result<(), RecogniseError> {
        for _ in 0..CONTINUATIONS {
            let until = heard.stretches.last().map_or(Duration::ZERO, |last| last.end);
            let Some(from) = tail::unheard(&request.audio, until) else {
                return Ok(());
            };
            let pass = Pass { prompt: &[], ..*pass };
            let rest = self.run(state, &mut Clip::of(&request.audio[from..]), &pass, stop)?;
            if rest.stretches.is_empty() || gate::doubt(&rest.evidence, &rest.text, None).is_some() {
                return Ok(());
            }
            heard.text = format!("{} {}", heard.text, rest.text);
            heard
                .stretches
                .extend(rest.stretches.into_iter().map(|stretch| Stretch {
                    start: until + stretch.start,
                    end: until + stretch.end,
                    ..stretch
                }));
        }
        Ok(())
    }

    fn run(
        &self,
        state: &mut WhisperState,
        clip: &mut Clip<'_>,
        pass: &Pass<'_>,
        stop: &Stop,
    ) -> Result<Heard, RecogniseError> {
        let mut params = self.template(pass.language);
        params.set_temperature(pass.temperature);
        params.set_no_timestamps(!pass.timestamps);
        params.set_tokens(pass.prompt);
        let frames = match self.audio_context {
            AudioContext::Trimmed if pass.timestamps => audio_ctx::trimmed(clip.spoken, audio_ctx::LEAST),
            AudioContext::Trimmed => audio_ctx::trimmed(clip.spoken, audio_ctx::LEAST_PARTIAL),
            AudioContext::Full => audio_ctx::FULL,
        };
        params.set_audio_ctx(frames as i32);
        // Fast speech has 7 tokens a second; a loop would run to the model's limit of 224.
        let most = 24 + 12 * clip.spoken / SPEECH_RATE as usize;
        params.set_max_tokens(most.min(224) as i32);
        // SAFETY: `asked_to_stop` reads its pointer as `Stop`; `stop` outlives the call below, the only one that uses it.
        unsafe {
            params.set_abort_callback(Some(asked_to_stop));
            params.set_abort_callback_user_data(std::ptr::from_ref(stop).cast_mut().cast());
        }
        let threads = self.threads.choose(pass.timestamps, pass.beside);
        params.set_n_threads(threads as i32);
        encoder::hook::prepare(threads, stop);
        log::take_last_error();
        let begun = Instant::now();
        let outcome = state.full(params, clip.padded());
        let took = begun.elapsed();
        tracing::debug!(
            seconds = clip.spoken as f32 / SPEECH_RATE as f32,
            thorough = pass.timestamps,
            pass.temperature,
            threads,
            frames,
            ?took,
            called_off = stop.is_raised(),
            "decoded"
        );
        // What a decode costs beside others is no measure of what it costs alone.
        if pass.beside == 0 && (!stop.is_raised() || took > SLOW_EVEN_UNFINISHED) {
            self.threads.record(threads, frames, took);
        }
        if stop.is_raised() {
            return Err(RecogniseError::Aborted);
        }
        outcome.map_err(|error| failed("decoding", error))?;

        let context = &self.model.context;
        let kinds = Kinds {
            end_of_text: context.token_eot(),
            first_timestamp: context.token_beg(),
        };
        let mut tokens = Vec::new();
        for segment in state.as_iter() {
            for token in (0..segment.n_tokens()).filter_map(|number| segment.get_token(number)) {
                let id = token.token_id();
                let bytes = if id < kinds.end_of_text {
                    token.to_bytes().unwrap_or(b"").to_vec()
                } else {
                    Vec::new()
                };
                tokens.push(Token {
                    id,
                    bytes,
                    probability: token.token_probability(),
                });
            }
        }
        let seconds = clip.spoken as f32 / SPEECH_RATE as f32;
        let stretches: Vec<Stretch> = stretches(&tokens, kinds, Duration::from_secs_f32(seconds))
            .into_iter()
            .map(|stretch| Stretch {
                text: gate::clean(&stretch.text),
                ..stretch
            })
            .filter(|stretch| stretch.text.chars().any(char::is_alphanumeric))
            .collect();
        let (no_speech, detected) = self.first_impression(state)?;
        let (sum, count) = stretches
            .iter()
            .fold((0.0, 0), |(sum, n), s| (sum + s.log_probability, n + s.tokens));
        let log_probability = if count == 0 { 0.0 } else { sum / count as f32 };
        let text = stretches
            .iter()
            .map(|stretch| stretch.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        Ok(Heard {
            stretches,
            text,
            evidence: Evidence {
                no_speech,
                log_probability,
                seconds,
            },
            detected,
        })
    }

    /// What the model expects right after the start token: no speech, or speech in some language.
    fn first_impression(
        &self,
        state: &mut WhisperState,
    ) -> Result<(f32, Option<(Language, f32)>), RecogniseError> {
        let context = &self.model.context;
        let start = context.token_sot();
        state
            .decode(&[start], 0, 1)
            .map_err(|error| failed("judging the sound", error))?;
        let logits = state
            .get_logits()
            .map_err(|error| failed("judging the sound", error))?;
        let no_speech = probability(logits, context.token_nosp() as usize);
        if !self.model.shape.is_multilingual() {
            return Ok((no_speech, None));
        }
        let numbers = start as usize + 1..;
        let languages = logits
            .get(start as usize + 1..context.token_translate() as usize)
            .unwrap_or(&[]);
        let best = numbers
            .zip(languages)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(token, _)| token);
        let detected = best.and_then(|token| {
            let number = (token - start as usize - 1) as i32;
            let code = whisper_rs::get_lang_str(number)?;
            Some((
                code.parse().ok()?,
                probability(languages, token - start as usize - 1),
            ))
        });
        Ok((no_speech, detected))
    }

    fn template(&self, language: Language) -> FullParams<'static, 'static> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        templates
            .entry(language)
            .or_insert_with(|| self.new_template(language))
            .clone()
    }

    fn new_template(&self, language: Language) -> FullParams<'static, 'static> {
        // `best_of: 1` keeps one decoder: more would re-allocate the state's cache for good.
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        let code = whisper_code(&language);
        // Never a language that the model lacks: whisper.cpp would index with -1.
        let known = language_number(&self.model.shape, language).is_some();
        let code: &'static str = if known {
            whisper_rs::get_lang_id(code).and_then(whisper_rs::get_lang_str)
        } else {
            None
        }
        .unwrap_or("en");
        params.set_language(Some(code));
        params.set_no_context(true);
        // One window: the rest of it is silence, and a second one would be encoded for nothing.
        params.set_single_segment(true);
        params.set_suppress_blank(true);
        params.set_suppress_nst(true);
        // Fallback and silence are judged here, with a no-speech probability that is one.
        params.set_temperature_inc(0.0);
        params.set_no_speech_thold(2.0);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        params.set_print_special(false);
        params
    }

    fn prompt_tokens(&self, prompt: Option<&str>) -> Vec<i32> {
        let Some(prompt) = prompt.map(str::trim).filter(|prompt| !prompt.is_empty()) else {
            return Vec::new();
        };
        // A token is a byte at least, so this never overflows the buffer that whisper-rs makes (which it does not check).
        let text: String = format!(" {prompt}")
            .chars()
            .filter(|c| *c != '\0')
            .take(512)
            .collect();
        let mut tokens = self
            .model
            .context
            .tokenize(&text, text.len() + 1)
            .unwrap_or_default();
        tokens.truncate(PROMPT_TOKENS);
        tokens
    }
}

fn segments(stretches: Vec<Stretch>) -> Vec<RecognisedSegment> {
    stretches
        .into_iter()
        .map(|stretch| RecognisedSegment {
            confidence: stretch.confidence(),
            start: stretch.start,
            end: stretch.end,
            text: stretch.text,
        })
        .collect()
}

/// The softmax of one logit.
fn probability(logits: &[f32], at: usize) -> f32 {
    let Some(logit) = logits.get(at) else { return 0.0 };
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|other| (other - highest).exp()).sum();
    let share = (logit - highest).exp() / sum;
    if share.is_finite() { share } else { 1.0 }
}

fn failed(what: &str, error: whisper_rs::WhisperError) -> RecogniseError {
    let what = match log::take_last_error() {
        Some(said) => format!("{what}: {said}"),
        None => what.to_owned(),
    };
    RecogniseError::Engine {
        what,
        cause: Some(error.into()),
    }
}

unsafe extern "C" fn asked_to_stop(stop: *mut c_void) -> bool {
    // SAFETY: set together with this function to a `Stop` that lives as long as the decode.
    let stop = unsafe { &*stop.cast::<Stop>() };
    stop.is_raised()
}
