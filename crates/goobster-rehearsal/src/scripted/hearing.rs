//! Hearing without a model: which part of which known recording is this? Told by its loudness over time.

use std::io::Cursor;

use futures_util::stream;
use goobster_audio::file::AudioFile;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::recording::Recording;
use crate::sound::{best_fit, envelope};

/// Longer sounds are no utterances: 40 s at 16 kHz.
const LONGEST: usize = 40 * 16_000;
/// Less alike than this is something else. Loss and Opus leave 0.9; other recordings reach 0.6.
const ALIKE: f32 = 0.72;
/// Quieter than this is silence: -50 dB.
const SILENT: f32 = 0.003;
/// Values of an envelope in a second.
const PER_SECOND: f64 = 100.0;
/// Values of an envelope that sounds may begin or end with and recordings not: half a second.
const MARGIN: usize = 50;

/// The recordings as they are remembered.
pub(super) struct Memory {
    known: Vec<Known>,
}

struct Known {
    words: Vec<String>,
    /// Loudness, with silence before and after.
    envelope: Vec<f32>,
    /// The voiced part of it.
    voiced: std::ops::Range<usize>,
}

impl Memory {
    pub(super) fn new(recordings: &[Recording]) -> Self {
        let known = recordings.iter().filter_map(|r| {
            let words = r.text.as_ref()?.split_whitespace().map(str::to_owned).collect();
            let at = |d: std::time::Duration| (d.as_secs_f64() * PER_SECOND) as usize + MARGIN;
            let mut padded = vec![0.0; MARGIN];
            padded.extend(envelope(&r.sound));
            padded.resize(padded.len() + MARGIN, 0.0);
            Some(Known {
                words,
                envelope: padded,
                voiced: at(r.first_voiced)..at(r.last_voiced),
            })
        });
        Self {
            known: known.collect(),
        }
    }

    /// The words that were said in a sound: of the recording that fits best, as many as the sound holds of it.
    pub(super) fn words(&self, sound: &[f32]) -> Option<String> {
        let heard = envelope(sound);
        let first = heard.iter().position(|v| *v > SILENT)?;
        let last = heard.iter().rposition(|v| *v > SILENT)?;
        let voiced = &heard[first..=last];
        let (fit, known, at) = self
            .known
            .iter()
            .filter_map(|k| fit(k, voiced))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        if fit < ALIKE {
            return None;
        }
        // Words are dealt out over the voiced part as if all took as long.
        let span = known.voiced.len().max(1) as f64;
        let share = |value: usize| (value.saturating_sub(known.voiced.start) as f64 / span).clamp(0.0, 1.0);
        let count = known.words.len() as f64;
        let (from, to) = (
            (share(at) * count).round() as usize,
            (share(at + voiced.len()) * count).round() as usize,
        );
        let words = known.words.get(from..to.max(from)).unwrap_or_default();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The answer of the server.
    pub(super) fn answer(&self, sound: &[f32]) -> Value {
        let seconds = sound.len() as f64 / 16_000.0;
        match self.words(sound) {
            None => json!({ "text": "", "language": "english", "duration": seconds, "segments": [] }),
            Some(text) => json!({
                "text": text, "language": "english", "duration": seconds,
                "segments": [{
                    "id": 0, "start": 0.0, "end": seconds, "text": text, "avg_logprob": -0.1, "no_speech_prob": 0.01,
                    "compression_ratio": 1.1, "temperature": 0.0,
                }],
            }),
        }
    }
}

/// How well a sound fits into a recording or around it, and where it begins there.
fn fit<'a>(known: &'a Known, voiced: &[f32]) -> Option<(f32, &'a Known, usize)> {
    if let Some((at, fit)) = best_fit(&known.envelope, voiced, 2) {
        return Some((fit, known, at));
    }
    // The sound is longer than the recording: there is more in it, but this may be the most of it.
    let part = &known.envelope[known.voiced.start..known.voiced.end.min(known.envelope.len())];
    best_fit(voiced, part, 2).map(|(_, fit)| (fit, known, known.voiced.start))
}

/// The sound in a request: 16 kHz mono.
pub(super) async fn sound(body: Bytes, kind: &str) -> Result<Vec<f32>, String> {
    let boundary = multer::parse_boundary(kind).map_err(|e| e.to_string())?;
    let once = stream::once(async move { Ok::<_, std::io::Error>(body) });
    let mut parts = multer::Multipart::new(once, boundary);
    while let Some(part) = parts.next_field().await.map_err(|e| e.to_string())? {
        if part.name() == Some("file") {
            let bytes = part.bytes().await.map_err(|e| e.to_string())?;
            let mut file =
                AudioFile::from_reader(Cursor::new(bytes), "speech.wav").map_err(|e| e.to_string())?;
            return file.read_all(LONGEST).map_err(|e| e.to_string());
        }
    }
    Err("`file` is missing".to_owned())
}
