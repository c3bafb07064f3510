//! Reads what was said up to a pause, and keeps it: recognising a thousand beginnings takes minutes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use goobster_core::hearing::completeness;
use goobster_core::ports::{AbortFlag, DecodeClass, LanguageChoice, RecogniseRequest, SpeechToText};
use goobster_models::Cache;

use crate::corpus::Recording;
use crate::report::progress;

/// What was said up to a pause.
pub(super) struct Read {
    pub(super) text: String,
    pub(super) completeness: f32,
}

/// A recogniser that remembers.
pub(super) struct Reader<'r> {
    recogniser: &'r dyn SpeechToText,
    file: PathBuf,
    known: BTreeMap<String, String>,
    took: Vec<Duration>,
}

impl<'r> Reader<'r> {
    /// A reader that remembers what it read before with this model.
    pub(super) fn new(recogniser: &'r dyn SpeechToText) -> anyhow::Result<Self> {
        let file = Cache::locate()?
            .root()
            .join("evaluation")
            .join(format!("read-by-{}.json", recogniser.model()));
        let known = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| file.display().to_string())?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Self {
            recogniser,
            file,
            known,
            took: Vec::new(),
        })
    }

    /// Reads `heard`, the part `span` of a recording.
    pub(super) async fn read(
        &mut self,
        recording: &Recording,
        span: Range<usize>,
        heard: &[f32],
    ) -> anyhow::Result<Read> {
        let key = format!("{} {}..{}", recording.name, span.start, span.end);
        let text = if let Some(text) = self.known.get(&key) {
            text.clone()
        } else {
            let request = RecogniseRequest {
                audio: Arc::from(heard),
                language: LanguageChoice::Fixed(recording.language),
                class: DecodeClass::Speculative,
                source: 0,
                prompt: None,
                abort: AbortFlag::new(),
            };
            let begun = Instant::now();
            let text = match self.recogniser.recognise(request).await {
                Ok(recognition) => recognition.text(),
                // A machine that others are busy on may give a decode up: a pause is lost, not the measurement.
                Err(error) => {
                    progress(&format!("endpointing: {key} is left out: {error}"));
                    String::new()
                }
            };
            self.took.push(begun.elapsed());
            self.known.insert(key, text.clone());
            if self.took.len().is_multiple_of(50) {
                progress(&format!("endpointing: {} pauses read", self.took.len()));
                self.keep()?;
            }
            text
        };
        Ok(Read {
            completeness: completeness(&text, recording.language),
            text,
        })
    }

    /// How long reading took in the middle, when anything had to be read.
    pub(super) fn usual_time(&mut self) -> Option<Duration> {
        self.took.sort_unstable();
        self.took.get(self.took.len() / 2).copied()
    }

    /// Writes down what is known.
    pub(super) fn keep(&self) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&self.known)?;
        std::fs::write(&self.file, text).with_context(|| self.file.display().to_string())
    }
}
