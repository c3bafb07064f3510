//! The mouth: sentences are synthesised one after the other, a little ahead of what is heard, and queued for playout; or
//! given to the host's own voice, which plays them itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goobster_audio::resample::Resampler;
use goobster_core::language::Language;
use goobster_core::ports::{AbortFlag, SpeakRequest, SynthesiseError, TextToSpeech};
use goobster_speech::tts::host::{HostEvent, HostVoice};
use tokio::sync::mpsc;

use super::playout::{Playout, PlayoutEvent, SharedPlayout};
use crate::admission::contained::contained;

/// Speech made ahead of what is heard, in seconds: enough to hide the synthesis of the next sentence, little enough that an
/// interruption wastes little.
const AHEAD_S: f64 = 10.0;

/// Sentences that may wait to be synthesised; a responder that says more is cut off by the conversation long before.
const WAITING: usize = 256;

/// What speaks.
#[derive(Clone)]
pub enum Throat {
    /// An engine that returns samples, in a voice by name or the best one.
    Samples(Arc<dyn TextToSpeech>, Option<String>),
    /// The host's own voice, which plays by itself.
    Host(Arc<dyn HostVoice>),
}

/// What a synthesis task reports, with the sentence it belongs to.
#[derive(Debug)]
pub enum Spoken {
    /// The voice was chosen; a word to the user when it is not what they would expect.
    Voice(Option<String>),
    /// Some samples at the playout's rate.
    Samples(Vec<f32>),
    /// The host began to play it.
    Began,
    /// The sentence is complete, or could not be spoken.
    Done(Result<(), SynthesiseError>),
}

/// Synthesises sentences in order. `K` names a sentence.
pub struct Mouth<K> {
    throat: Throat,
    reports: mpsc::Sender<(K, Spoken)>,
    waiting: VecDeque<(K, String, Language)>,
    making: Option<(K, AbortFlag)>,
    playout: SharedPlayout<K>,
    rate: u32,
    /// What the host played, to be told with the next frame.
    played: Vec<PlayoutEvent<K>>,
}

impl<K: Copy + Eq + Send + 'static> Mouth<K> {
    /// A silent mouth that speaks at `rate` samples a second. Tasks report on `reports`; pass what they say to
    /// [`Mouth::report`].
    pub fn new(throat: Throat, rate: u32, reports: mpsc::Sender<(K, Spoken)>) -> Self {
        Self {
            throat,
            reports,
            waiting: VecDeque::new(),
            making: None,
            playout: Arc::new(Mutex::new(Playout::new(rate))),
            rate,
            played: Vec::new(),
        }
    }

    /// Queues a sentence.
    pub fn say(&mut self, key: K, text: String, language: Language) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back((key, text, language));
        }
        self.advance();
    }

    /// Stops at once and forgets everything that was not heard.
    pub fn stop(&mut self) {
        self.waiting.clear();
        if let Some((_, abort)) = self.making.take() {
            abort.raise();
        }
        if let Throat::Host(host) = &self.throat
            && let Err(error) = host.stop()
        {
            tracing::warn!(%error, "the host's voice did not stop");
        }
        self.played.clear();
        self.playout().stop();
    }

    /// Whether nothing is being made or waits to be heard.
    pub fn is_silent(&self) -> bool {
        self.waiting.is_empty() && self.making.is_none() && self.playout().is_empty()
    }

    /// Whether a synthesis runs.
    pub fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Takes in what a task said. Returns the error of a sentence that could not be spoken.
    pub fn report(&mut self, key: K, spoken: Spoken) -> Option<SynthesiseError> {
        // A sentence that was stopped may still report.
        if self.making.as_ref().is_none_or(|(making, _)| *making != key) {
            return None;
        }
        match spoken {
            Spoken::Voice(_) => None,
            Spoken::Samples(samples) => {
                self.playout().push(key, &samples);
                None
            }
            Spoken::Began => {
                self.played.push(PlayoutEvent::Began(key));
                None
            }
            Spoken::Done(result) => {
                self.making = None;
                self.playout().complete(key);
                if matches!(self.throat, Throat::Host(_)) && result.is_ok() {
                    self.played.push(PlayoutEvent::Ended(key));
                }
                self.advance();
                result.err()
            }
        }
    }

    /// The line being heard and how much of it went out, `0.0..=1.0`.
    pub fn progress(&self) -> Option<(K, f32)> {
        self.playout().progress()
    }

    /// Draws one frame for the output.
    pub fn draw(&self, frame: &mut [f32]) {
        self.playout().draw(frame);
    }

    /// What began and ended since this was asked last, whoever drew it; the next sentence is made when there is room.
    pub fn events(&mut self) -> Vec<PlayoutEvent<K>> {
        let mut events = std::mem::take(&mut self.played);
        events.append(&mut self.playout().take_events());
        self.advance();
        events
    }

    /// The queue, for whoever draws from it on a clock of its own; `None` while nothing waits in it.
    pub fn waiting_sound(&self) -> Option<&SharedPlayout<K>> {
        (self.playout().waiting_s() > 0.0).then_some(&self.playout)
    }

    fn playout(&self) -> MutexGuard<'_, Playout<K>> {
        self.playout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&mut self) {
        if self.making.is_some() || self.playout().waiting_s() > AHEAD_S {
            return;
        }
        let Some((key, text, language)) = self.waiting.pop_front() else {
            return;
        };
        let abort = AbortFlag::new();
        self.making = Some((key, abort.clone()));
        let reports = self.reports.clone();
        match &self.throat {
            Throat::Samples(voices, voice) => {
                self.playout().open(key);
                let request = SpeakRequest {
                    text,
                    language,
                    voice: voice.clone(),
                    abort,
                };
                let (voices, rate) = (Arc::clone(voices), self.rate);
                tokio::spawn(async move {
                    let made = contained(synthesise(key, voices.as_ref(), request, rate, &reports)).await;
                    let result = made.unwrap_or_else(|what| {
                        tracing::error!(what, "a voice panicked");
                        let what = format!("the voice panicked: {what}");
                        Err(SynthesiseError::Engine { what, cause: None })
                    });
                    let _ = reports.send((key, Spoken::Done(result))).await;
                });
            }
            Throat::Host(host) => {
                let host = Arc::clone(host);
                tokio::spawn(async move {
                    let result = play_on_host(key, host.as_ref(), &text, language, &reports).await;
                    let _ = reports.send((key, Spoken::Done(result))).await;
                });
            }
        }
    }
}

async fn play_on_host<K: Copy>(
    key: K,
    host: &dyn HostVoice,
    text: &str,
    language: Language,
    reports: &mpsc::Sender<(K, Spoken)>,
) -> Result<(), SynthesiseError> {
    let mut utterance = match host.say(text, language) {
        Err(SynthesiseError::NothingToSay) => return Ok(()),
        other => other?,
    };
    loop {
        match utterance.next().await? {
            HostEvent::Begun => reports
                .send((key, Spoken::Began))
                .await
                .map_err(|_| SynthesiseError::Aborted)?,
            HostEvent::Ended => return Ok(()),
            _ => return Err(SynthesiseError::Aborted),
        }
    }
}

async fn synthesise<K: Copy>(
    key: K,
    voices: &dyn TextToSpeech,
    request: SpeakRequest,
    rate: u32,
    reports: &mpsc::Sender<(K, Spoken)>,
) -> Result<(), SynthesiseError> {
    let failed = |e: goobster_audio::AudioError| SynthesiseError::Engine {
        what: "converting the voice's sample rate".to_owned(),
        cause: Some(Box::new(e)),
    };
    let mut stream = match voices.speak(request).await {
        Ok(stream) => stream,
        // A sentence of nothing but symbols is a pause, not a fault.
        Err(SynthesiseError::NothingToSay) => return Ok(()),
        Err(error) => return Err(error),
    };
    let gone = || SynthesiseError::Aborted;
    reports
        .send((key, Spoken::Voice(stream.notice.take())))
        .await
        .map_err(|_| gone())?;
    let mut resampler = Resampler::new(stream.rate, rate, 1).map_err(failed)?;
    while let Some(chunk) = stream.chunks.recv().await {
        let mut samples = Vec::new();
        resampler.process(&chunk?.samples, &mut samples).map_err(failed)?;
        if !samples.is_empty() {
            reports
                .send((key, Spoken::Samples(samples)))
                .await
                .map_err(|_| gone())?;
        }
    }
    let mut rest = Vec::new();
    resampler.flush(&mut rest).map_err(failed)?;
    reports
        .send((key, Spoken::Samples(rest)))
        .await
        .map_err(|_| gone())
}
