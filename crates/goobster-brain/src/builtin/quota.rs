//! "How much time do I have left?"

use std::time::Duration;

use goobster_core::ports::RespondRequest;

use super::timer::spoken;
use super::words::{Words, any, begins, only};

/// What a member may still use. "How much time is left in the game?" and "how long do I have to boil an egg?" are not
/// about that: all words of the question must be.
const MINE: [&str; 27] = [
    "how much time do i have",
    "how much time do we have",
    "how much time have i",
    "how much time have we",
    "how much time i have",
    "how much time we have",
    "how much voice time do i have",
    "how much voice time do we have",
    "how much longer do i have",
    "how much longer do we have",
    "how long do i have",
    "how long do we have",
    "how long i have",
    "how long we have",
    "how long can i talk",
    "how long can we talk",
    "how long can i still talk",
    "how many minutes do i have",
    "how many minutes do we have",
    "do i have any time left",
    "do we have any time left",
    "what is my limit",
    "what are my limits",
    "my limit",
    "my limits",
    "my quota",
    "limits",
];
const OURS: [&str; 12] = [
    "how much",
    "how long is",
    "how long does",
    "how long will",
    "how many minutes",
    "what is my",
    "what is our",
    "what are my",
    "what are our",
    "when does my",
    "when does our",
    "when does this session",
];
const ABOUT: [&str; 47] = [
    "how",
    "much",
    "long",
    "longer",
    "many",
    "minutes",
    "what",
    "when",
    "does",
    "will",
    "left",
    "remaining",
    "remains",
    "still",
    "more",
    "today",
    "here",
    "to",
    "talk",
    "speak",
    "chat",
    "with",
    "you",
    "in",
    "this",
    "the",
    "session",
    "hour",
    "for",
    "talking",
    "of",
    "my",
    "our",
    "quota",
    "limit",
    "limits",
    "time",
    "voice",
    "is",
    "are",
    "do",
    "i",
    "we",
    "have",
    "last",
    "reset",
    "end",
];

pub(super) fn answer(words: &Words, request: &RespondRequest) -> Option<String> {
    let asked = words.asks_only(&MINE, &ABOUT)
        || words.requests().any(|request| {
            begins(request, &OURS)
                && only(request, &ABOUT)
                && any(request, &["session", "quota", "limit", "limits", "voice"])
        });
    if !asked {
        return None;
    }
    let Some(limits) = request.limits else {
        return Some("Nothing limits you here: talk as long as you like.".to_owned());
    };
    let resets = limits
        .resets_at
        .map(|at| at.since(request.turn.at))
        .filter(|left| *left > Duration::ZERO)
        .map(|left| format!(" It starts afresh in {}.", rounded(left)))
        .unwrap_or_default();
    if limits.left.is_zero() {
        return Some(format!("You have no voice time left.{resets}"));
    }
    Some(format!(
        "You have {} of voice time left.{resets}",
        rounded(limits.left)
    ))
}

/// Seconds do not matter beyond a few minutes.
fn rounded(span: Duration) -> String {
    if span < Duration::from_mins(3) {
        spoken(span)
    } else {
        spoken(Duration::from_mins(span.as_secs() / 60))
    }
}
