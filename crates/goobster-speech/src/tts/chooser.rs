//! Which engine speaks: the best voice for the language, with a word to the user when it is not a neural one, and
//! another engine when the first fails.

use std::fmt;
use std::sync::Arc;

use goobster_core::language::Language;
use goobster_core::ports::{
    PcmChunk, PortFuture, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice, VoiceQuality,
};
use tokio::sync::mpsc;

use super::failure::with_causes;

/// Chunks a listener may be behind, as in the engines.
const CHUNKS_AHEAD: usize = 4;
/// Voices named in the message about one that does not exist.
const VOICES_SHOWN: usize = 12;

/// Several engines as one.
#[derive(Clone)]
pub struct Voices {
    engines: Vec<Arc<dyn TextToSpeech>>,
    /// Every voice with the engine it belongs to; engines do not change their voices.
    voices: Vec<(usize, Voice)>,
}

impl fmt::Debug for Voices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voices")
            .field("engines", &self.engines.len())
            .field("voices", &self.voices.len())
            .finish()
    }
}

/// An engine to try, and the name of its voice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    engine: usize,
    voice: Voice,
}

/// The engines to try in turn, and what to tell the user when the first of them speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    candidates: Vec<Candidate>,
    notice: Option<String>,
}

impl Voices {
    /// Composes engines; of two voices of equal quality the earlier engine's is taken.
    pub fn new(engines: Vec<Arc<dyn TextToSpeech>>) -> Self {
        let voices = engines
            .iter()
            .enumerate()
            .flat_map(|(i, engine)| engine.voices().into_iter().map(move |voice| (i, voice)))
            .collect();
        Self { engines, voices }
    }

    /// The voice that would speak a language, and the notice that would come with it; `None` when none can.
    pub fn best(&self, language: Language) -> Option<(Voice, Option<String>)> {
        let choice = choose(&self.voices, language, None).ok()?;
        choice
            .candidates
            .into_iter()
            .next()
            .map(|first| (first.voice, choice.notice))
    }

    async fn begin(&self, request: SpeakRequest) -> Result<SpeechStream, SynthesiseError> {
        let choice = choose(&self.voices, request.language, request.voice.as_deref())?;
        let mut failed: Option<(String, SynthesiseError)> = None;
        for candidate in choice.candidates {
            let own = SpeakRequest {
                voice: Some(candidate.voice.name.clone()),
                ..request.clone()
            };
            match first_chunk(self.engines[candidate.engine].as_ref(), own).await {
                Ok(mut stream) => {
                    stream.notice = match failed {
                        Some((name, error)) => Some(format!(
                            "the voice {name} failed ({error}); {} speaks",
                            candidate.voice.engine
                        )),
                        None => stream.notice.or(choice.notice),
                    };
                    return Ok(stream);
                }
                // No other engine would find something to say, and nobody listens to one.
                Err(error @ (SynthesiseError::Aborted | SynthesiseError::NothingToSay)) => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        voice = candidate.voice.name,
                        error = with_causes(&error),
                        "a voice failed"
                    );
                    // The first failure is the one to tell of: the others only stood in.
                    failed.get_or_insert((candidate.voice.name, error));
                }
            }
        }
        Err(failed.map_or(SynthesiseError::NothingToSay, |(_, error)| error))
    }
}

impl TextToSpeech for Voices {
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(self.begin(request))
    }

    fn voices(&self) -> Vec<Voice> {
        self.voices.iter().map(|(_, voice)| voice.clone()).collect()
    }
}

/// Chooses by name, else by language; the stand-ins follow, best first, one an engine.
fn choose(
    voices: &[(usize, Voice)],
    language: Language,
    name: Option<&str>,
) -> Result<Choice, SynthesiseError> {
    let candidate = |(engine, voice): &(usize, Voice)| Candidate {
        engine: *engine,
        voice: voice.clone(),
    };
    let chosen = match name {
        Some(name) => {
            let named = voices
                .iter()
                .find(|(_, voice)| voice.name.eq_ignore_ascii_case(name));
            Some(
                named
                    .map(candidate)
                    .ok_or_else(|| no_such_voice(voices, name.to_owned()))?,
            )
        }
        None => None,
    };
    let language = chosen.as_ref().map_or(language, |chosen| chosen.voice.language);
    let mut speaking: Vec<_> = voices
        .iter()
        .filter(|(_, voice)| voice.language == language)
        .collect();
    // Stable: engines keep their order among equals. An engine's own order of voices says which is best.
    speaking.sort_by_key(|(_, voice)| (rank(voice), !is_default(voice)));
    let by_name = chosen.is_some();
    let mut candidates: Vec<Candidate> = chosen.into_iter().collect();
    for found in speaking {
        if candidates.iter().all(|known| known.engine != found.0) {
            candidates.push(candidate(found));
        }
    }
    let Some(first) = candidates.first() else {
        return Err(no_such_voice(voices, language.to_string()));
    };
    let expected_neural = voices
        .iter()
        .any(|(_, voice)| voice.quality == VoiceQuality::Neural);
    // Who has no neural voice at all has chosen so, and knows how English sounds then.
    let surprised = !by_name && rank(&first.voice) > 0 && (expected_neural || language != Language::ENGLISH);
    let notice =
        surprised.then(|| format!("no neural voice for '{language}'; {} speaks", first.voice.engine));
    Ok(Choice { candidates, notice })
}

/// Lower is better.
fn rank(voice: &Voice) -> u8 {
    match voice.quality {
        VoiceQuality::Neural => 0,
        VoiceQuality::Host => 1,
        _ => 2,
    }
}

/// Whether an espeak-ng voice is the plain one of its language (`espeak-de`, and `espeak-en-us` for English) rather
/// than a regional one.
fn is_default(voice: &Voice) -> bool {
    let tag = voice.name.rsplit_once("espeak-").map_or("", |(_, tag)| tag);
    tag == "en-us" || (tag == voice.language.code() && voice.language != Language::ENGLISH)
}

fn no_such_voice(voices: &[(usize, Voice)], wanted: String) -> SynthesiseError {
    let mut names: Vec<_> = voices.iter().collect();
    names.sort_by_key(|(_, voice)| rank(voice));
    let shown: Vec<_> = names
        .iter()
        .take(VOICES_SHOWN)
        .map(|(_, voice)| voice.name.as_str())
        .collect();
    let mut known = shown.join(", ");
    if names.len() > VOICES_SHOWN {
        let more = names.len() - VOICES_SHOWN;
        known = format!("{known} and {more} more");
    }
    if known.is_empty() {
        "none (run `cargo xtask setup`)".clone_into(&mut known);
    }
    SynthesiseError::NoSuchVoice { wanted, known }
}

/// Begins to speak and waits for the first chunk, because an engine's failure shows only there.
async fn first_chunk(
    engine: &dyn TextToSpeech,
    request: SpeakRequest,
) -> Result<SpeechStream, SynthesiseError> {
    let mut stream = engine.speak(request).await?;
    let first = match stream.chunks.recv().await {
        Some(first) => first?,
        None => return Err(SynthesiseError::NothingToSay),
    };
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let rest = std::mem::replace(&mut stream.chunks, receiver);
    tokio::spawn(pass_on(first, rest, chunks));
    Ok(stream)
}

async fn pass_on(
    first: PcmChunk,
    mut rest: mpsc::Receiver<Result<PcmChunk, SynthesiseError>>,
    listener: mpsc::Sender<Result<PcmChunk, SynthesiseError>>,
) {
    let mut next = Some(Ok(first));
    while let Some(chunk) = next {
        if listener.send(chunk).await.is_err() {
            return;
        }
        next = tokio::select! {
            next = rest.recv() => next,
            () = listener.closed() => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use goobster_core::ports::AbortFlag;

    use super::*;

    fn voice(name: &str, language: &str, quality: VoiceQuality, engine: &'static str) -> Voice {
        Voice {
            name: name.to_owned(),
            language: language.parse().unwrap(),
            quality,
            engine,
        }
    }

    fn installed() -> Vec<(usize, Voice)> {
        vec![
            (0, voice("en_US-joe-medium", "en", VoiceQuality::Neural, "piper")),
            (1, voice("espeak-de", "de", VoiceQuality::Formant, "espeak-ng")),
            (1, voice("espeak-en-gb", "en", VoiceQuality::Formant, "espeak-ng")),
            (1, voice("espeak-en-us", "en", VoiceQuality::Formant, "espeak-ng")),
        ]
    }

    fn names(choice: &Choice) -> Vec<&str> {
        choice.candidates.iter().map(|c| c.voice.name.as_str()).collect()
    }

    #[test]
    fn neural_first_then_the_plain_formant_voice() {
        let choice = choose(&installed(), Language::ENGLISH, None).unwrap();
        assert_eq!(names(&choice), ["en_US-joe-medium", "espeak-en-us"]);
        assert_eq!(choice.notice, None);
    }

    #[test]
    fn a_language_without_a_neural_voice_says_so() {
        let choice = choose(&installed(), "de".parse().unwrap(), None).unwrap();
        assert_eq!(names(&choice), ["espeak-de"]);
        assert_eq!(
            choice.notice.as_deref(),
            Some("no neural voice for 'de'; espeak-ng speaks")
        );
        // The small profile has no neural voice by choice.
        let small = &installed()[1..];
        assert_eq!(choose(small, Language::ENGLISH, None).unwrap().notice, None);
        assert!(
            choose(small, "de".parse().unwrap(), None)
                .unwrap()
                .notice
                .is_some()
        );
    }

    #[test]
    fn a_voice_by_name_comes_without_a_notice() {
        let choice = choose(&installed(), Language::ENGLISH, Some("ESPEAK-DE")).unwrap();
        assert_eq!((names(&choice), &choice.notice), (vec!["espeak-de"], &None));
        let error = choose(&installed(), Language::ENGLISH, Some("bob"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'bob'") && error.contains("en_US-joe-medium"),
            "{error}"
        );
        let error = choose(&[], Language::ENGLISH, None).unwrap_err().to_string();
        assert!(error.contains("cargo xtask setup"), "{error}");
    }

    /// An engine whose stream carries these results.
    struct Scripted(Voice, fn() -> Vec<Result<PcmChunk, SynthesiseError>>);

    impl TextToSpeech for Scripted {
        fn speak(&self, _: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
            Box::pin(async {
                let (sender, chunks) = mpsc::channel(16);
                for result in self.1() {
                    sender.try_send(result).unwrap();
                }
                Ok(SpeechStream {
                    rate: 22_050,
                    voice: self.0.name.clone(),
                    notice: None,
                    chunks,
                })
            })
        }

        fn voices(&self) -> Vec<Voice> {
            vec![self.0.clone()]
        }
    }

    fn voices(neural: fn() -> Vec<Result<PcmChunk, SynthesiseError>>) -> Voices {
        let installed = installed();
        let (neural_voice, formant_voice) = (installed[0].1.clone(), installed[3].1.clone());
        let good = || {
            (0..3)
                .map(|i| {
                    Ok(PcmChunk {
                        samples: vec![i as f32],
                    })
                })
                .collect()
        };
        Voices::new(vec![
            Arc::new(Scripted(neural_voice, neural)),
            Arc::new(Scripted(formant_voice, good)),
        ])
    }

    fn request() -> SpeakRequest {
        SpeakRequest {
            text: "hi".to_owned(),
            language: Language::ENGLISH,
            voice: None,
            abort: AbortFlag::new(),
        }
    }

    #[tokio::test]
    async fn another_engine_stands_in_for_one_that_fails_and_says_so() {
        let broken = voices(|| {
            vec![Err(SynthesiseError::Engine {
                what: "out of memory".to_owned(),
                cause: None,
            })]
        });
        let mut stream = broken.speak(request()).await.unwrap();
        assert_eq!(stream.voice, "espeak-en-us");
        let notice = stream.notice.unwrap();
        assert!(
            notice.contains("out of memory") && notice.contains("espeak-ng speaks"),
            "{notice}"
        );
        let mut heard = Vec::new();
        while let Some(chunk) = stream.chunks.recv().await {
            heard.extend(chunk.unwrap().samples);
        }
        assert_eq!(heard, [0.0, 1.0, 2.0]);
    }

    #[tokio::test]
    async fn an_aborted_text_is_not_spoken_by_another_engine() {
        let aborted = voices(|| vec![Err(SynthesiseError::Aborted)]);
        assert!(matches!(
            aborted.speak(request()).await,
            Err(SynthesiseError::Aborted)
        ));
    }
}
