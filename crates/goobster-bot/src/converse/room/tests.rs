//! A room of real parts, except for what needs a model: the recogniser hears one sentence, the voice hums, and loud is
//! speech.

mod crowd;
mod forgetting;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::vad::VoiceDetector;
use goobster_audio::wav::WavWriter;
use goobster_brain::BuiltIn;
use goobster_core::conversation::{ConversationConfig, ReplyId};
use goobster_core::language::Language;
use goobster_core::ports::{
    LanguageChoice, PcmChunk, PortFuture, RecogniseError, RecogniseRequest, RecognisedSegment, Recognition,
    Responder, SpeakRequest, SpeechStream, SpeechToText, SynthesiseError, TextToSpeech, Voice,
};
use goobster_core::time::{Moment, UtcMillis};
use tokio::sync::mpsc;

use super::{LONGEST_TAIL, Outcome, Pace, RoomParts, hold, rings_in_time};
use crate::admission::guard::Guard;
use crate::cli::exit::Failure;
use crate::converse::mouth::Throat;
use crate::converse::speakers::Speaker;
use crate::converse::trace::{TraceSink, TurnTrace, Value, field};
use crate::converse::witness::{FinalCaption, PartialCaption, Reply, TurnEnd, Witness};

struct Hears(&'static str);

impl SpeechToText for Hears {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        let end = Duration::from_secs_f64(request.audio.len() as f64 / 16_000.0);
        Box::pin(async move {
            Ok(Recognition {
                segments: vec![RecognisedSegment {
                    start: Duration::ZERO,
                    end,
                    text: self.0.to_owned(),
                    confidence: 0.9,
                }],
                language: Language::ENGLISH,
                no_speech: 0.0,
            })
        })
    }

    fn model(&self) -> &'static str {
        "one sentence"
    }

    fn knows(&self, _: Language) -> bool {
        true
    }
}

struct Hums;

impl TextToSpeech for Hums {
    fn speak(&self, _: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(async {
            let (sender, chunks) = mpsc::channel(1);
            let samples = (0..16_000).map(|n| 0.1 * (n as f32 * 0.1).sin()).collect();
            let _ = sender.try_send(Ok(PcmChunk { samples }));
            Ok(SpeechStream {
                rate: 16_000,
                voice: "hum".to_owned(),
                notice: None,
                chunks,
            })
        })
    }

    fn voices(&self) -> Vec<Voice> {
        Vec::new()
    }
}

struct Loudness;

impl VoiceDetector for Loudness {
    fn window(&self) -> usize {
        512
    }

    fn probability(&mut self, samples: &[f32]) -> f32 {
        let loud = samples.iter().any(|sample| sample.abs() > 0.05);
        if loud { 0.99 } else { 0.01 }
    }

    fn reset(&mut self) {}
}

/// What was said and when, and what went wrong.
#[derive(Default)]
struct Notes {
    replies: Vec<(String, Option<Moment>)>,
    /// Who was captioned, and from when to when.
    captions: Vec<(String, Moment, Moment)>,
    troubles: Vec<String>,
    /// From the end of each turn until the endpointer was sure.
    sure_after: Vec<Duration>,
    traces: Vec<TurnTrace>,
}

#[derive(Default)]
struct Kept(Mutex<Vec<TurnTrace>>);

impl TraceSink for Kept {
    fn take(&self, trace: &TurnTrace, _: Moment) {
        self.0.lock().unwrap().push(trace.clone());
    }
}

impl Witness for Notes {
    fn partial(&mut self, _: &PartialCaption<'_>) -> Result<(), Failure> {
        Ok(())
    }
    fn caption(&mut self, caption: &FinalCaption<'_>) -> Result<(), Failure> {
        self.captions
            .push((caption.speaker.to_owned(), caption.from, caption.upto));
        Ok(())
    }
    fn dropped(&mut self, _: goobster_core::ids::TurnId) -> Result<(), Failure> {
        Ok(())
    }
    fn reply_grows(&mut self, _: ReplyId, _: &str) -> Result<(), Failure> {
        Ok(())
    }
    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), Failure> {
        self.replies.push((reply.spoken.to_owned(), reply.from));
        Ok(())
    }
    fn turn(&mut self, turn: &TurnEnd<'_>) -> Result<(), Failure> {
        self.sure_after
            .push(turn.times.endpointed.since(turn.times.speech_ended));
        Ok(())
    }
    fn trouble(&mut self, text: &str) -> Result<(), Failure> {
        self.troubles.push(text.to_owned());
        Ok(())
    }
    fn sound(&mut self, _: &[f32]) -> Result<(), Failure> {
        Ok(())
    }
}

/// A recording: so many seconds of voice, and a second of silence.
fn recording(dir: &std::path::Path, name: &str, seconds: f32) -> PathBuf {
    let file = dir.join(format!("{name}.wav"));
    let mut writer = WavWriter::create(&file, 16_000, 1).unwrap();
    let sound = (0..(seconds * 16_000.0) as usize)
        .map(|n| 0.3 * (n as f32 * 0.1).sin())
        .chain(std::iter::repeat_n(0.0, 16_000));
    writer.write(&sound.collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    file
}

fn parts(recogniser: impl SpeechToText + 'static, responder: impl Responder + 'static) -> RoomParts {
    RoomParts {
        recogniser: Arc::new(recogniser),
        throat: Throat::Samples(Arc::new(Hums), None),
        responder: Arc::new(responder),
        detectors: Arc::new(|| Box::new(Loudness)),
        loudspeaker: None,
        limits: None,
        guard: Guard::open(),
        traces: Arc::new(Kept::default()),
        conversation: ConversationConfig::default(),
        endpoint: EndpointConfig::adapting(),
        language: LanguageChoice::Fixed(Language::ENGLISH),
        pace: Pace::Fast,
        begun: UtcMillis::new(0),
    }
}

/// A conversation in which one recording of a second and a half is heard as `sentence`.
async fn converse(sentence: &'static str) -> (Notes, Outcome) {
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "ada", 1.5);
    let mut notes = Notes::default();
    let speakers = vec![Speaker::new("Ada".to_owned(), vec![file]).unwrap()];
    let traces = Arc::new(Kept::default());
    let mut parts = parts(Hears(sentence), BuiltIn::new());
    parts.traces = Arc::clone(&traces) as Arc<dyn TraceSink>;
    let outcome = hold(parts, speakers, &mut notes).await.unwrap();
    notes.traces = std::mem::take(&mut traces.0.lock().unwrap());
    (notes, outcome)
}

#[tokio::test]
async fn a_conversation_lasts_until_its_timer_has_rung() {
    for (sentence, seconds, said) in [
        (
            "Set a timer for ten seconds.",
            10,
            "Your timer for 10 seconds is up.",
        ),
        (
            "Set a timer for five minutes.",
            300,
            "Your timer for 5 minutes is up.",
        ),
    ] {
        let (notes, outcome) = converse(sentence).await;
        let spoken: Vec<&str> = notes.replies.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(spoken.len(), 2, "{spoken:?}");
        assert_eq!(spoken[1], said);
        let (Some(set), Some(rung)) = (notes.replies[0].1, notes.replies[1].1) else {
            panic!("both were heard: {:?}", notes.replies);
        };
        let between = rung.since(set);
        let asked = Duration::from_secs(seconds);
        assert!(
            between + Duration::from_secs(1) >= asked && between <= asked + Duration::from_secs(1),
            "{between:?}"
        );
        assert!(notes.troubles.is_empty(), "{:?}", notes.troubles);
        assert!(
            outcome.audio < asked + Duration::from_secs(12),
            "{:?}",
            outcome.audio
        );
    }
}

#[tokio::test]
async fn a_timer_that_is_too_long_a_wait_is_not_waited_for_and_that_is_told() {
    let (notes, outcome) = converse("Set a timer for two hours.").await;
    assert_eq!(notes.replies.len(), 1, "{:?}", notes.replies);
    assert!(
        matches!(&notes.troubles[..], [trouble] if trouble.contains("before a timer rang")),
        "{:?}",
        notes.troubles
    );
    assert!(outcome.audio < Duration::from_secs(10), "{:?}", outcome.audio);
    let (notes, _) = converse("Hello.").await;
    assert!(notes.troubles.is_empty(), "{:?}", notes.troubles);
}

#[tokio::test]
async fn a_turn_is_one_trace_from_its_first_sample_to_the_end_of_its_reply() {
    let (notes, _) = converse("Hello.").await;
    let [trace] = &notes.traces[..] else {
        panic!("one turn, one trace: {:?}", notes.traces);
    };
    assert_eq!(trace.field(field::OUTCOME), Some(Value::Word("answered")));
    let steps = ["listen", "endpoint", "recognise", "decide", "reply"];
    let spans: Vec<_> = steps.iter().map(|name| trace.find(name).unwrap()).collect();
    // Each begins where the one before ends.
    assert!(spans[0].from < spans[0].upto && spans[0].upto.as_millis() >= 1_400);
    for pair in spans.windows(2) {
        assert_eq!(pair[0].upto, pair[1].from, "{pair:?}");
        assert_eq!(pair[1].parent, Some(0));
    }
    for name in ["respond", "synthesise", "play"] {
        let parent = trace.find(name).unwrap().parent.unwrap();
        assert_eq!(trace.spans[parent].name, "reply");
    }
    // The hum lasts a second.
    let played = trace.find("play").unwrap();
    assert!(
        played.upto.since(played.from) >= Duration::from_millis(900),
        "{played:?}"
    );
    let decodes: Vec<_> = trace.spans.iter().filter(|span| span.name == "decode").collect();
    assert!(
        decodes
            .iter()
            .any(|span| span.fields.contains(&(field::OUTCOME, Value::Word("recognised")))),
        "{decodes:?}"
    );
    // The timer that rings later answers nobody.
    let (notes, _) = converse("Set a timer for ten seconds.").await;
    assert_eq!((notes.replies.len(), notes.traces.len()), (2, 1));
}

#[tokio::test]
async fn who_breaks_off_is_given_more_time_than_who_has_asked() {
    let mut sure = Vec::new();
    for sentence in ["What time is it?", "I would like to know the"] {
        let (notes, _) = converse(sentence).await;
        assert_eq!(notes.sure_after.len(), 1, "{:?}", notes.sure_after);
        sure.extend(notes.sure_after);
    }
    assert!(sure[0] + Duration::from_millis(300) <= sure[1], "{sure:?}");
}

#[test]
fn only_what_rings_within_the_tail_is_worth_waiting_for() {
    let now = Moment::from_millis(60_000);
    let at = |seconds: u64| Some(now.after(Duration::from_secs(seconds)));
    assert!(!rings_in_time(None, now, Duration::ZERO));
    assert!(rings_in_time(at(0), now, Duration::ZERO));
    assert!(rings_in_time(at(300), now, Duration::from_secs(10)));
    assert!(!rings_in_time(at(3600), now, Duration::ZERO));
    assert!(!rings_in_time(at(1), now, LONGEST_TAIL));
}
