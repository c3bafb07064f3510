//! What was said and when: captions, the rolling transcript, and its export.
//!
//! - [`Caption`]: a stretch of one speaker's words, Goobster's own replies included.
//! - [`Transcript`]: the captions of a conversation, in order of time, bounded.
//! - [`CaptionWriter`]: one caption at a time to SubRip, WebVTT, JSON or plain text, so that a file of many hours
//!   never has to fit in memory.
//!
//! Names and texts are other people's: every format escapes or replaces what would break it.

mod cue;
mod json;
mod rolling;
mod stamp;
mod subtitle;
mod writer;

use serde::{Deserialize, Serialize};

pub use cue::{Cue, LINE_CHARS, LINES, cues, one_line};
pub use rolling::{Bounds, Transcript};
pub use stamp::{Stamp, StampStyle};
pub use writer::{CaptionFormat, CaptionWriter};

use crate::ids::UserId;
use crate::language::Language;
use crate::time::Moment;

/// Whose words a caption holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CaptionKind {
    /// A person spoke.
    Speech,
    /// Goobster answered; the text is what was really spoken.
    Reply,
}

/// What one speaker said in one stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// The speaker's name as people know it; any text, line breaks and markup included.
    pub speaker: String,
    /// When it began, from the transcript's origin.
    pub start: Moment,
    /// When it ended; before `start` counts as equal to `start`.
    pub end: Moment,
    /// The words; any text.
    pub text: String,
    /// The language spoken.
    pub language: Language,
    /// How sure the recogniser was, `0.0..=1.0`; `1.0` for replies.
    pub confidence: f32,
    /// Whose words they are.
    pub kind: CaptionKind,
    /// Who said it, or was answered, where that is known: names are not unique. It is never written to a file.
    pub whose: Option<UserId>,
}

#[cfg(test)]
pub(crate) fn caption(speaker: &str, start: u64, end: u64, text: &str) -> Caption {
    Caption {
        speaker: speaker.to_owned(),
        start: Moment::from_millis(start),
        end: Moment::from_millis(end),
        text: text.to_owned(),
        language: Language::ENGLISH,
        confidence: 0.9,
        kind: CaptionKind::Speech,
        whose: None,
    }
}
