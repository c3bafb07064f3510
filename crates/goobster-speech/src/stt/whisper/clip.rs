//! What is decoded: a request's samples, long enough for Whisper.

use super::audio_ctx;

/// The samples, and a padded copy for clips that are too short; made once a request.
pub(super) struct Clip<'a> {
    audio: &'a [f32],
    padded: Vec<f32>,
    /// Samples of the request, without padding.
    pub(super) spoken: usize,
}

impl<'a> Clip<'a> {
    pub(super) fn of(audio: &'a [f32]) -> Self {
        let mut padded = Vec::new();
        if audio.len() < audio_ctx::SHORTEST_CLIP {
            padded.extend_from_slice(audio);
            padded.resize(audio_ctx::SHORTEST_CLIP, 0.0);
        }
        Self {
            audio,
            padded,
            spoken: audio.len(),
        }
    }

    pub(super) fn padded(&self) -> &[f32] {
        if self.padded.is_empty() {
            self.audio
        } else {
            &self.padded
        }
    }
}
