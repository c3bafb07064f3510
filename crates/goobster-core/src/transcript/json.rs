//! A caption as a JSON object with times in seconds.

use serde::{Deserialize, Serialize};

use super::{Caption, CaptionKind};
use crate::language::Language;
use crate::time::Moment;

#[derive(Serialize, Deserialize)]
struct Wire {
    speaker: String,
    start_s: f64,
    end_s: f64,
    text: String,
    language: Language,
    confidence: f32,
    kind: CaptionKind,
}

impl Serialize for Caption {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire {
            speaker: self.speaker.clone(),
            start_s: self.start.as_secs_f64(),
            end_s: self.end.max(self.start).as_secs_f64(),
            text: self.text.clone(),
            language: self.language,
            // JSON has no NaN; what is not a number is no confidence at all.
            confidence: if self.confidence.is_finite() {
                self.confidence.clamp(0.0, 1.0)
            } else {
                0.0
            },
            kind: self.kind,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Caption {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let moment = |seconds: f64| Moment::from_millis((seconds.max(0.0) * 1000.0).round() as u64);
        Ok(Self {
            speaker: wire.speaker,
            start: moment(wire.start_s),
            end: moment(wire.end_s),
            text: wire.text,
            language: wire.language,
            confidence: wire.confidence,
            kind: wire.kind,
            whose: None,
        })
    }
}
