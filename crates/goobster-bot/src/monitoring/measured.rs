//! What is counted where it happens: decodes, turns, packets, failures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use goobster_core::health::{Deafness, FrameKind, HealthEvent};
use goobster_core::language::Language;
use goobster_core::ports::{
    DecodeClass, PortFuture, RecogniseError, RecogniseRequest, RecogniserLoad, Recognition, SPEECH_RATE,
    SpeechToText,
};
use metrics::{counter, histogram};

use super::{latency, names};
use crate::converse::turnbook::TurnTimes;

/// The kinds of what fails in a conversation.
pub(super) const ERROR_KINDS: [&str; 5] = ["hearing", "brain", "voice", "room", "call"];

/// Something failed that the conversation survives.
pub(crate) fn error(kind: &'static str) {
    counter!(names::ERRORS, "kind" => kind).increment(1);
}

/// What came of a packet.
pub(crate) fn health(event: &HealthEvent) {
    let (kind, count) = match event {
        HealthEvent::Unknown => return counter!(names::UNKNOWN).increment(1),
        HealthEvent::Skipped { packets, .. } => ("skipped", u64::from(*packets)),
        HealthEvent::Frame { kind, .. } => match kind {
            FrameKind::Voice => ("voice", 1),
            FrameKind::Silence => ("silence", 1),
            FrameKind::Concealed => ("lost", 1),
            FrameKind::Undecodable => ("undecodable", 1),
        },
        _ => return,
    };
    counter!(names::PACKETS, "kind" => kind).increment(count);
}

/// Somebody sends but is not heard.
pub(crate) fn unheard(why: Deafness) {
    let why = match why {
        Deafness::BrokenOff => "broken_off",
        Deafness::Missed => "missed",
        Deafness::NothingCame => "nothing_came",
        Deafness::Undecodable => "undecodable",
        _ => "other",
    };
    counter!(names::UNHEARD, "why" => why).increment(1);
}

/// A voice connection is made anew.
pub(crate) fn rejoin() {
    counter!(names::REJOINS).increment(1);
}

/// A voice connection broke.
pub(crate) fn link_lost() {
    counter!(names::LINKS_LOST).increment(1);
}

/// Somebody talked while more people did than can be followed.
pub(crate) fn not_followed() {
    counter!(names::NOT_FOLLOWED).increment(1);
}

/// A turn is over.
pub(crate) fn turn(times: &TurnTimes, ignored: Option<&'static str>) {
    let outcome = match (ignored, times.audible) {
        (Some(why), _) => why,
        (None, Some(_)) => "answered",
        (None, None) => "unanswered",
    };
    counter!(names::TURNS, "outcome" => outcome).increment(1);
    for (step, from, upto) in steps(times) {
        let took = upto.since(from);
        histogram!(names::STEP, "step" => step).record(took.as_secs_f64());
    }
    if let Some(captioned) = times.captioned {
        let took = captioned.since(times.speech_ended);
        histogram!(names::CAPTION).record(took.as_secs_f64());
        latency::CAPTION.record(took);
    }
    if let Some(audible) = times.audible {
        let took = audible.since(times.speech_ended);
        histogram!(names::REPLY).record(took.as_secs_f64());
        latency::REPLY.record(took);
    }
}

/// The steps of a turn that happened: a name, and from when to when.
pub(super) fn steps(
    times: &TurnTimes,
) -> impl Iterator<
    Item = (
        &'static str,
        goobster_core::time::Moment,
        goobster_core::time::Moment,
    ),
> {
    let steps = [
        ("endpoint", Some(times.speech_ended), Some(times.endpointed)),
        ("decode", Some(times.endpointed), times.captioned),
        ("respond", times.captioned, times.answered),
        ("speak", times.answered, times.synthesised),
        ("playout", times.synthesised, times.audible),
    ];
    // A speculative decode may have its text before the endpointer is sure: such a step takes no time.
    steps
        .into_iter()
        .filter_map(|(name, from, upto)| Some((name, from?, upto?)))
}

/// A recogniser whose decodes are counted.
pub(crate) struct Measured(pub(crate) Arc<dyn SpeechToText>);

impl SpeechToText for Measured {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        let class = match request.class {
            DecodeClass::Partial => "partial",
            DecodeClass::Speculative => "speculative",
            DecodeClass::Final => "final",
        };
        let audio = Duration::from_secs_f64(request.audio.len() as f64 / f64::from(SPEECH_RATE));
        Box::pin(async move {
            let begun = Instant::now();
            let result = self.0.recognise(request).await;
            let took = begun.elapsed();
            let outcome = match &result {
                Ok(_) => "recognised",
                Err(RecogniseError::Aborted) => "called_off",
                Err(RecogniseError::Overloaded { .. }) => "overloaded",
                Err(_) => "failed",
            };
            counter!(names::DECODES, "class" => class, "outcome" => outcome).increment(1);
            if result.is_ok() {
                histogram!(names::DECODE, "class" => class).record(took.as_secs_f64());
                // A speculative decode is mostly the one that counts.
                if class != "partial" && !audio.is_zero() {
                    histogram!(names::FACTOR).record(took.as_secs_f64() / audio.as_secs_f64());
                }
            }
            result
        })
    }

    fn model(&self) -> &str {
        self.0.model()
    }

    fn knows(&self, language: Language) -> bool {
        self.0.knows(language)
    }

    fn waiting(&self) -> usize {
        self.0.waiting()
    }

    fn load(&self) -> RecogniserLoad {
        self.0.load()
    }
}
