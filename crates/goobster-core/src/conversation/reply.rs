//! The reply being made and spoken.

use super::history::Entry;
use super::{LineId, Lines, ReplyId, ReplyKind};
use crate::ids::{TurnId, UserId};
use crate::language::Language;
use crate::ports::Utterance;
use crate::time::Moment;

/// Characters a voice speaks in a second, about; used only where the transport reports no progress.
const CHARS_PER_SECOND: f32 = 14.0;

/// A turn to answer.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) who: UserId,
    pub(super) turns: Vec<TurnId>,
    pub(super) utterance: Utterance,
    pub(super) language: Language,
    pub(super) entry: Entry,
    /// Only the name was said.
    pub(super) only_called: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LineState {
    Waiting,
    Sent(LineId),
    Playing {
        line: LineId,
        since: Moment,
    },
    Spoken,
    /// The voice failed at it.
    Skipped,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) state: LineState,
    /// How much of it was heard, `0.0..=1.0`.
    pub(super) heard: f32,
    /// Whether it belongs to the answer; apologies do not.
    pub(super) counts: bool,
}

/// Who spoke over a reply, and since when nothing more was heard of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interruption {
    pub(super) who: UserId,
    pub(super) turn: TurnId,
    pub(super) news: Moment,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and most combinations occur"
)]
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: ReplyId,
    pub(super) kind: ReplyKind,
    pub(super) turn: Option<Turn>,
    pub(super) language: Language,
    pub(super) generating: bool,
    pub(super) failed: bool,
    cutter: Lines,
    pub(super) lines: Vec<Line>,
    bytes: usize,
    /// When the first line became ready to be spoken (again).
    pub(super) ready: Option<Moment>,
    /// Whether lines were handed to the voice since then.
    pub(super) started: bool,
    /// Whether any of it was heard.
    pub(super) audible: bool,
    pub(super) interruption: Option<Interruption>,
    /// When anything last happened to it.
    pub(super) news: Moment,
}

impl Reply {
    pub(super) fn new(
        id: ReplyId,
        kind: ReplyKind,
        turn: Option<Turn>,
        language: Language,
        now: Moment,
    ) -> Self {
        Self {
            id,
            kind,
            turn,
            language,
            generating: false,
            failed: false,
            cutter: Lines::new(),
            lines: Vec::new(),
            bytes: 0,
            ready: None,
            started: false,
            audible: false,
            interruption: None,
            news: now,
        }
    }

    pub(super) fn who(&self) -> Option<UserId> {
        self.turn.as_ref().map(|turn| turn.who)
    }

    /// Adds streamed text. Returns whether lines were added, and whether the bound was passed.
    pub(super) fn text(&mut self, text: &str, bound: usize) -> (bool, bool) {
        let room = bound.saturating_sub(self.bytes);
        let cut = (0..=text.len().min(room))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        self.bytes += cut;
        let lines = self.cutter.push(&text[..cut]);
        let added = !lines.is_empty();
        self.add(lines, true);
        (added, cut < text.len())
    }

    /// The text has ended.
    pub(super) fn finish_text(&mut self) {
        let lines = self.cutter.finish();
        self.add(lines, true);
        self.generating = false;
    }

    /// Adds a line that is not part of the answer.
    pub(super) fn aside(&mut self, text: &str) {
        self.add(vec![text.to_owned()], false);
    }

    pub(super) fn add(&mut self, lines: Vec<String>, counts: bool) {
        // A line without a letter or digit ("---") is nothing to speak.
        let speakable = lines
            .into_iter()
            .filter(|line| line.chars().any(char::is_alphanumeric));
        self.lines.extend(speakable.map(|text| Line {
            text,
            state: LineState::Waiting,
            heard: 0.0,
            counts,
        }));
    }

    pub(super) fn line(&mut self, wanted: LineId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| match line.state {
            LineState::Sent(id) | LineState::Playing { line: id, .. } => id == wanted,
            _ => false,
        })
    }

    /// Lines handed to the voice and not yet spoken.
    pub(super) fn outstanding(&self) -> usize {
        self.lines
            .iter()
            .filter(|l| matches!(l.state, LineState::Sent(_) | LineState::Playing { .. }))
            .count()
    }

    pub(super) fn is_spoken(&self) -> bool {
        self.lines
            .iter()
            .all(|line| matches!(line.state, LineState::Spoken | LineState::Skipped))
    }

    /// Takes back what was handed to the voice; how much was heard is kept.
    pub(super) fn take_back(&mut self, now: Moment) {
        for line in &mut self.lines {
            match line.state {
                LineState::Playing { since, .. } => {
                    if line.heard <= 0.0 {
                        let spoken = now.since(since).as_secs_f32() * CHARS_PER_SECOND;
                        line.heard = (spoken / line.text.chars().count().max(1) as f32).min(0.99);
                    }
                    line.state = LineState::Waiting;
                }
                LineState::Sent(_) => line.state = LineState::Waiting,
                _ => {}
            }
        }
        self.started = false;
        self.ready = None;
    }

    /// All lines of the answer, and of asides, as shown.
    pub(super) fn shown(&self) -> String {
        self.lines
            .iter()
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Bytes of [`Reply::shown`] that were spoken whole.
    pub(super) fn shown_spoken(&self) -> usize {
        let spoken = self
            .lines
            .iter()
            .take_while(|line| matches!(line.state, LineState::Spoken | LineState::Skipped));
        spoken
            .map(|line| line.text.len() + 1)
            .sum::<usize>()
            .min(self.shown().len())
    }

    /// What was really heard: whole lines, and the first words of one that was cut, with an ellipsis.
    pub(super) fn heard(&self, asides: bool) -> String {
        let mut parts: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.counts || asides) {
            match line.state {
                LineState::Spoken => parts.push(line.text.clone()),
                LineState::Skipped => {}
                _ if line.heard > 0.0 => {
                    let chars = (line.text.chars().count() as f32 * line.heard.min(1.0)) as usize;
                    let end = line
                        .text
                        .char_indices()
                        .nth(chars)
                        .map_or(line.text.len(), |(at, _)| at);
                    // A word counts once it was heard whole.
                    if let Some(space) = line.text[..end].rfind(' ') {
                        parts.push(format!("{}\u{2026}", &line.text[..space]));
                    }
                    break;
                }
                _ => break,
            }
        }
        parts.join(" ")
    }
}
