//! "What did we talk about?", "Say that again."

use goobster_core::ports::RespondRequest;

use super::words::Words;

/// Turns told in a recap.
const TOLD: usize = 4;
/// Characters of each at most.
const CHARS: usize = 120;

/// "Say that again": what was answered last.
pub(super) fn repeat(words: &Words, request: &RespondRequest) -> Option<String> {
    const TAIL: [&str; 26] = [
        "that", "it", "this", "yourself", "the", "your", "last", "answer", "reply", "sentence", "one",
        "what", "you", "said", "for", "me", "us", "once", "more", "time", "slowly", "louder", "a", "part",
        "thing", "bit",
    ];
    let asked = words.asks_only(&["repeat", "say that again", "say it again", "say again"], &TAIL)
        || words.asks_only(
            &["what did you say", "what did you just say", "what was that again"],
            &[],
        )
        || words.asks_only(&["again", "once more", "one more time", "come again"], &[]);
    asked.then(|| {
        let last = request
            .history
            .iter()
            .rev()
            .find_map(|exchange| exchange.reply.as_deref());
        last.map_or_else(|| "I have not said anything yet.".to_owned(), str::to_owned)
    })
}

/// "What did we talk about?", "What did Bob say?": the last turns.
pub(super) fn recap(words: &Words, request: &RespondRequest) -> Option<String> {
    const TAIL: [&str; 33] = [
        "of",
        "this",
        "the",
        "our",
        "what",
        "was",
        "were",
        "we",
        "i",
        "you",
        "said",
        "say",
        "have",
        "talked",
        "about",
        "conversation",
        "discussion",
        "meeting",
        "talk",
        "call",
        "chat",
        "session",
        "everything",
        "everyone",
        "so",
        "far",
        "until",
        "today",
        "while",
        "away",
        "gone",
        "for",
        "me",
    ];
    let mut speakers: Vec<&str> = Vec::new();
    for exchange in &request.history {
        if !speakers.contains(&exchange.said.speaker.as_str()) {
            speakers.push(&exchange.said.speaker);
        }
    }
    let told_apart = ["i", "we", "everyone", "everybody", "people", "they"].map(str::to_owned);
    let names = speakers.iter().map(|name| Words::of(name).list().join(" "));
    let one_speaker = names
        .chain(told_apart)
        .any(|name| words.asks_only(&[format!("what did {name} say").as_str()], &TAIL));
    let everything = [
        "recap",
        "a recap",
        "summary",
        "a summary",
        "give a summary",
        "the summary",
        "summarize",
        "summarise",
        "sum up",
        "what was said",
        "what have we said",
        "what did we talk about",
        "what have we talked about",
        "what were we talking about",
        "what did i miss",
    ];
    if !(one_speaker || words.asks_only(&everything, &TAIL)) {
        return None;
    }
    // "What did Bob say?" asks for one speaker.
    let asked: Vec<&str> = speakers
        .iter()
        .copied()
        .filter(|name| words.phrase(&[Words::of(name).list().join(" ").as_str()]))
        .chain(
            words
                .phrase(&["did i say"])
                .then_some(request.turn.speaker.as_str()),
        )
        .collect();
    let told: Vec<_> = request
        .history
        .iter()
        .rev()
        .filter(|exchange| asked.is_empty() || asked.contains(&exchange.said.speaker.as_str()))
        .take(TOLD)
        .collect();
    if told.is_empty() {
        return Some("Nothing that I remember.".to_owned());
    }
    let lines = told.iter().rev().map(|exchange| {
        let answered = exchange.reply.as_ref().filter(|_| asked.is_empty());
        let answered = answered
            .map(|reply| format!(" I answered: {}", sentence(reply)))
            .unwrap_or_default();
        format!(
            "{} said: {}{answered}",
            exchange.said.speaker,
            sentence(&exchange.said.text)
        )
    });
    Some(lines.collect::<Vec<_>>().join(" "))
}

/// A text as one sentence: bounded, with an end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short.truncate(short.rfind(' ').unwrap_or(short.len()));
        short.push('\u{2026}');
    } else if !short.ends_with(['.', '!', '?', '\u{2026}']) {
        short.push('.');
    }
    short
}
