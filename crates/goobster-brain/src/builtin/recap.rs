//! "What did we talk about?", "Say that again."

use goobster_core::ports::RespondRequest;

use super::words::Words;

/// Turns told in a recap.
const TOLD: usize = 4;
/// Characters of each at most.
const CHARS: usize = 120;

pub(super) fn answer(words: &Words, request: &RespondRequest) -> Option<String> {
    let repeat = words.phrase(&[
        "say that again",
        "say it again",
        "repeat that",
        "repeat it",
        "repeat please",
        "please repeat",
        "come again",
        "once more",
        "what did you say",
        "what did you just say",
        "can you repeat",
        "could you repeat",
    ]) || words.list() == ["repeat"]
        || words.list() == ["again"];
    if repeat {
        let last = request
            .history
            .iter()
            .rev()
            .find_map(|exchange| exchange.reply.as_deref());
        return Some(last.map_or_else(|| "I have not said anything yet.".to_owned(), str::to_owned));
    }
    let recap = words.any(&["recap", "summary", "summarize", "summarise"])
        || words.phrase(&[
            "what was said",
            "what have we said",
            "what did we talk about",
            "what did we say",
            "what have we talked about",
            "what did i say",
            "what did i miss",
            "said so far",
            "talked about so far",
            "what did everyone say",
        ])
        || (words.all(&["what", "did"]) && words.list().last().is_some_and(|word| word == "say"));
    if !recap {
        return None;
    }
    let mut speakers: Vec<&str> = Vec::new();
    for exchange in &request.history {
        if !speakers.contains(&exchange.said.speaker.as_str()) {
            speakers.push(&exchange.said.speaker);
        }
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
