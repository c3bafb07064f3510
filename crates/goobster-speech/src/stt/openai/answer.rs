//! Reading a server's answer, which is hostile until parsed.

use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::{RecognisedSegment, Recognition};
use serde::Deserialize;

use crate::stt::gate::{self, Evidence};

/// `verbose_json`, and `json` with nothing but the text.
#[derive(Debug, Deserialize)]
struct Answer {
    text: String,
    language: Option<String>,
    #[serde(default)]
    segments: Option<Vec<Segment>>,
}

#[derive(Debug, Deserialize)]
struct Segment {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    text: String,
    avg_logprob: Option<f32>,
    no_speech_prob: Option<f32>,
}

/// Confidence of a text that came without a figure.
const UNKNOWN: f32 = 0.5;

/// Segments in order within `clip`; `expected` is the language when the server names none that we know.
pub(super) fn read(
    body: &[u8],
    clip: Duration,
    expected: Language,
    prompt: Option<&str>,
) -> Result<Recognition, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(body)?;
    let language = answer.language.as_deref().and_then(language).unwrap_or(expected);
    let mut raw = answer.segments.unwrap_or_default();
    if raw.is_empty() {
        let end = clip.as_secs_f64();
        raw.push(Segment {
            start: 0.0,
            end,
            text: answer.text,
            avg_logprob: None,
            no_speech_prob: None,
        });
    }
    let no_speech = raw
        .iter()
        .filter_map(|segment| segment.no_speech_prob)
        .fold(None, |least: Option<f32>, p| {
            Some(least.map_or(p, |least| least.min(p)))
        });
    let mut segments = Vec::new();
    let mut earliest = Duration::ZERO;
    for segment in raw {
        let text = gate::clean(&segment.text);
        let (start, end) = (
            moment(segment.start, clip).max(earliest),
            moment(segment.end, clip),
        );
        let evidence = Evidence {
            no_speech: segment.no_speech_prob.unwrap_or(0.0),
            log_probability: segment.avg_logprob.unwrap_or(0.0),
            // The clip, as servers' segment times are not to be trusted with a verdict.
            seconds: clip.as_secs_f32(),
        };
        if let Some(doubt) = gate::doubt(&evidence, &text, prompt) {
            tracing::debug!(?doubt, ?evidence, text, "not taken for speech");
            continue;
        }
        let end = end.max(start);
        earliest = end;
        let confidence = segment
            .avg_logprob
            .map_or(UNKNOWN, |log| log.exp().clamp(0.0, 1.0));
        segments.push(RecognisedSegment {
            start,
            end,
            text,
            confidence,
        });
    }
    let no_speech = no_speech
        .unwrap_or(if segments.is_empty() { 1.0 } else { 0.0 })
        .clamp(0.0, 1.0);
    Ok(Recognition {
        segments,
        language,
        no_speech,
    })
}

fn moment(seconds: f64, clip: Duration) -> Duration {
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(Duration::ZERO)
        .min(clip)
}

/// OpenAI writes "english", others "en".
fn language(name: &str) -> Option<Language> {
    let name = name.trim().to_lowercase();
    let by_name = (0..=whisper_rs::get_lang_max_id())
        .find(|number| whisper_rs::get_lang_str_full(*number) == Some(name.as_str()))
        .and_then(whisper_rs::get_lang_str);
    by_name.unwrap_or(&name).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIP: Duration = Duration::from_secs(3);

    fn told(body: &str) -> Recognition {
        read(body.as_bytes(), CLIP, Language::ENGLISH, None).unwrap()
    }

    #[test]
    fn verbose_answers_keep_times_language_and_confidence() {
        let heard = told(
            r#"{"task":"transcribe","language":"german","duration":3.0,"text":" Guten Tag. Wie geht's?","segments":[
            {"id":0,"start":0.0,"end":1.2,"text":" Guten Tag.","avg_logprob":-0.1,"no_speech_prob":0.02},
            {"id":1,"start":1.0,"end":99.0,"text":" Wie geht's?","avg_logprob":-0.3,"no_speech_prob":0.01}]}"#,
        );
        assert_eq!(heard.language.code(), "de");
        assert_eq!(heard.text(), "Guten Tag. Wie geht's?");
        assert_eq!(heard.segments[1].start, heard.segments[0].end);
        assert_eq!(heard.segments[1].end, CLIP);
        assert!((heard.segments[0].confidence - 0.905).abs() < 0.01);
    }

    #[test]
    fn plain_answers_are_one_segment() {
        let heard = told(r#"{"text":"Hello."}"#);
        assert_eq!((heard.segments.len(), heard.segments[0].end), (1, CLIP));
    }

    #[test]
    fn silence_and_inventions_are_no_text() {
        assert!(told(r#"{"text":""}"#).segments.is_empty());
        let invented = r#"{"text":"Thank you.","segments":[
            {"start":0,"end":2,"text":" Thank you.","avg_logprob":-0.9,"no_speech_prob":0.7}]}"#;
        assert!(told(invented).segments.is_empty());
    }

    proptest! {
        #[test]
        fn any_times_end_up_ordered_and_inside(times in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..8)) {
            let segments: Vec<serde_json::Value> = times
                .iter()
                .map(|(start, end)| serde_json::json!({"start": start, "end": end, "text": "word"}))
                .collect();
            let body = serde_json::json!({"text": "word", "segments": segments}).to_string();
            if let Ok(heard) = read(body.as_bytes(), CLIP, Language::ENGLISH, None) {
                let mut earliest = Duration::ZERO;
                for segment in heard.segments {
                    prop_assert!(earliest <= segment.start && segment.start <= segment.end && segment.end <= CLIP);
                    earliest = segment.end;
                }
            }
        }
    }
}
