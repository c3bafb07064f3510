//! The measurement behind admission: what a decode costs here, and what a speaker's sound costs before it.
//!
//! A fixed clip, made here, so that every start and every `goobster doctor` measures the same. Its decodes are of the kind
//! that is never repeated at another temperature: Whisper's time goes into encoding its window, whatever is in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::listener::Listener;
use goobster_audio::opus::SpeechDecoder;
use goobster_audio::vad::VoiceDetector;
use goobster_core::admission::capacity::SPEECH;
use goobster_core::admission::{Capacity, Costs, Fit, capacity, fit};
use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseError, RecogniseRequest, SPEECH_RATE, SpeechToText,
};
use metrics::gauge;
use serde::Serialize;

use super::guard::Seats;
use crate::config::Admission;
use crate::monitoring::names;

/// Decodes that are timed after the one that warms up; the fastest counts, for whatever else runs only makes it slower.
const DECODES: u32 = 2;
/// No further decode is begun after so long.
const PATIENCE: Duration = Duration::from_millis(1500);
/// And one that runs then is waited for so long.
const LONGEST: Duration = Duration::from_secs(20);
/// Seats where nothing can be measured: a server decides for itself.
const SERVER_SEATS: usize = 256;

/// What a recogniser was found to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its model.
    pub model: String,
    /// Seconds that a decode of four seconds of speech takes.
    pub decode_s: f64,
    /// People who talk without an end at the same time whose captions come in time.
    pub speakers: u32,
    /// The share of the machine that one of them takes.
    pub load: f64,
}

/// What a machine was found to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Cores there are.
    pub cores: usize,
    /// Seconds of a core that a second of one speaker's sound takes before it is decoded.
    pub audio_s: f64,
    /// The recogniser that was asked for; `None` for a server's, which is not ours to load.
    pub own: Option<Measured>,
    /// The smaller one.
    pub smaller: Option<Measured>,
}

impl Calibration {
    /// Measures, for two seconds or so.
    ///
    /// # Errors
    /// What the recogniser fails with.
    pub async fn measure(
        own: Option<&dyn SpeechToText>,
        smaller: Option<&dyn SpeechToText>,
        detector: Box<dyn VoiceDetector + Send>,
    ) -> Result<Self, RecogniseError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let audio_s = listening(detector);
        let mut calibration = Self {
            cores,
            audio_s,
            own: None,
            smaller: None,
        };
        if let Some(own) = own {
            calibration.own = Some(calibration.decoding(own).await?);
        }
        if let Some(smaller) = smaller {
            calibration.smaller = Some(calibration.decoding(smaller).await?);
        }
        Ok(calibration)
    }

    async fn decoding(&self, recogniser: &dyn SpeechToText) -> Result<Measured, RecogniseError> {
        let decode = decode_time(recogniser).await?;
        let Capacity { speakers, load } = capacity(&Costs {
            decode,
            workers: recogniser.load().workers,
            audio: self.audio_s,
            cores: self.cores,
        });
        Ok(Measured {
            model: recogniser.model().to_owned(),
            decode_s: decode.as_secs_f64(),
            speakers,
            load,
        })
    }

    /// Which model fits.
    pub fn fit(&self) -> Fit {
        let of = |measured: &Measured| Capacity {
            speakers: measured.speakers,
            load: measured.load,
        };
        match &self.own {
            Some(own) => fit(of(own), self.smaller.as_ref().map(of)),
            None => Fit::Own,
        }
    }

    /// The seats of this machine: as measured, or as somebody set them. At least one.
    pub fn seats(&self, set: &Admission) -> Seats {
        let per_call = set.per_call;
        let of = |measured: &Measured| (measured.speakers as usize).max(1);
        let measured = self.own.as_ref().map_or(SERVER_SEATS, of);
        let smaller = self.smaller.as_ref().map_or(measured, of);
        if let Some(set) = set.speakers {
            return Seats {
                own: set,
                smaller: set,
                per_call,
            };
        }
        let own = match self.fit() {
            Fit::Smaller => smaller,
            Fit::Own | Fit::Neither => measured,
        };
        Seats {
            own,
            smaller,
            per_call,
        }
    }

    /// What was found, in a line for people.
    pub fn words(&self) -> String {
        let one = |measured: &Measured| {
            format!(
                "{} speaker(s) at once with {} ({:.2} s for a decode)",
                measured.speakers, measured.model, measured.decode_s
            )
        };
        match (&self.own, &self.smaller) {
            (Some(own), Some(smaller)) => format!("{}; under load {}", one(own), one(smaller)),
            (Some(own), None) => one(own),
            (None, _) => "a server hears: as many speakers as it bears".to_owned(),
        }
    }
}

/// Logs what was found and what was made of it, and shows it as metrics.
pub(crate) fn tell(calibration: &Calibration, seats: Seats) {
    tracing::info!(
        own = seats.own,
        smaller = seats.smaller,
        cores = calibration.cores,
        audio_s = calibration.audio_s,
        "this machine follows so many people talking at once: {}",
        calibration.words()
    );
    let slow = match calibration.fit() {
        Fit::Own => None,
        Fit::Smaller => Some("this machine is too slow for its model: the smaller one hears instead"),
        Fit::Neither => Some(
            "this machine does not keep up with one speaker: use --profile small, or a server ([recogniser] url)",
        ),
    };
    if let Some(slow) = slow {
        tracing::warn!("{slow}");
    }
    for (model, seats, measured) in [
        ("own", seats.own, &calibration.own),
        ("smaller", seats.smaller, &calibration.smaller),
    ] {
        gauge!(names::CAPACITY, "model" => model).set(seats as f64);
        if let Some(measured) = measured {
            gauge!(names::CALIBRATED, "model" => model).set(measured.decode_s);
        }
    }
}

/// How long a decode takes when nothing else runs.
async fn decode_time(recogniser: &dyn SpeechToText) -> Result<Duration, RecogniseError> {
    let begun = Instant::now();
    let audio: Arc<[f32]> = babble().into();
    let mut best = Duration::MAX;
    for number in 0..=DECODES {
        let request = RecogniseRequest {
            audio: Arc::clone(&audio),
            language: LanguageChoice::Fixed(Language::ENGLISH),
            class: DecodeClass::Partial,
            source: u64::MAX,
            prompt: None,
            abort: AbortFlag::new(),
        };
        let started = Instant::now();
        let decode = tokio::time::timeout(LONGEST, recogniser.recognise(request));
        decode.await.map_err(|_| RecogniseError::Engine {
            what: format!(
                "a decode of {} s of sound takes longer than {LONGEST:?}",
                SPEECH.as_secs()
            ),
            cause: None,
        })??;
        // The first one also makes the worker's state; it counts only when there is time for no other.
        let warm = number > 0;
        if warm || begun.elapsed() > PATIENCE {
            best = best.min(started.elapsed());
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(best)
}

/// Seconds of a core that a second of a speaker's sound takes: Opus, resampling, voice activity, endpointing.
fn listening(detector: Box<dyn VoiceDetector + Send>) -> f64 {
    let sound = babble();
    let seconds = sound.len() as f64 / f64::from(SPEECH_RATE);
    let begun = Instant::now();
    if let Ok(mut listener) = Listener::new(&EndpointConfig::conversation(), detector) {
        for frame in sound.chunks(320) {
            listener.push(frame, &mut |_| {});
        }
    }
    if let Ok(mut decoder) = SpeechDecoder::new() {
        for _ in sound.chunks(320) {
            // What stands in for a lost packet costs what a packet costs.
            std::hint::black_box(decoder.conceal().map_or(0, <[f32]>::len));
        }
    }
    begun.elapsed().as_secs_f64() / seconds
}

/// Four seconds that sound like somebody who hums syllables: pulses at the pitch of a voice, through two resonances that
/// move, four syllables a second.
fn babble() -> Vec<f32> {
    let rate = f64::from(SPEECH_RATE);
    let samples = SPEECH.as_millis() as u32 * (SPEECH_RATE / 1000);
    let mut resonators = [Resonator::default(), Resonator::default()];
    let mut phase = 0.0_f64;
    (0..samples)
        .map(|n| {
            let t = f64::from(n) / rate;
            let syllable = (t * 4.0).fract();
            let turn = (t * 4.0).floor() / 3.0;
            phase += (110.0 + 25.0 * (t * 1.7).sin()) / rate;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let envelope = (syllable * std::f64::consts::PI).sin().max(0.0).sqrt();
            let formants = [500.0 + 250.0 * turn.sin(), 1500.0 + 500.0 * (turn * 2.0).cos()];
            let voice: f64 = resonators
                .iter_mut()
                .zip(formants)
                .map(|(resonator, at)| resonator.step(pulse, at / rate))
                .sum();
            (0.15 * envelope * voice).clamp(-0.9, 0.9) as f32
        })
        .collect()
}

/// A resonance: two poles.
#[derive(Default)]
struct Resonator([f64; 2]);

impl Resonator {
    /// `at` is its frequency as a share of the sample rate.
    fn step(&mut self, input: f64, at: f64) -> f64 {
        const RADIUS: f64 = 0.97;
        let output = input + 2.0 * RADIUS * (std::f64::consts::TAU * at).cos() * self.0[0]
            - RADIUS * RADIUS * self.0[1];
        self.0 = [output, self.0[0]];
        output
    }
}

#[cfg(test)]
#[path = "calibrate_tests.rs"]
mod tests;
