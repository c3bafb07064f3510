//! Help, courtesies, limits, other languages, and the honest answer to everything else.

use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::RespondRequest;

use super::timer::spoken;
use super::words::Words;

const HELP: &str = "I can tell the time and the date, set timers, roll dice, sum up what was said, repeat my last \
    answer, and tell how much voice time you have left. For real conversation, my owner can connect me to a chat \
    server.";

pub(super) fn limits(words: &Words, request: &RespondRequest) -> Option<String> {
    let asked = words.phrase(&[
        "time left",
        "time remaining",
        "minutes left",
        "voice left",
        "my limit",
        "my limits",
    ]) || (words.any(&["long", "much"]) && words.any(&["left", "remaining"]))
        || words.phrase(&["limits left", "quota"]);
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

pub(super) fn courtesy(words: &Words, request: &RespondRequest) -> Option<String> {
    let list = words.list();
    let short = list.len() <= 6;
    let name = &request.turn.speaker;
    let any = |wanted: &[&str]| words.any(wanted);
    if words.phrase(&[
        "what can you do",
        "can you do",
        "what do you do",
        "how do you work",
    ]) || (short && any(&["help"]))
    {
        return Some(HELP.to_owned());
    }
    if words.phrase(&["who are you", "what are you", "your name"]) {
        return Some(format!(
            "I am {}, a small voice assistant. I run offline, so I know little. Ask me for help to hear what I can do.",
            request.wake_name
        ));
    }
    if words.phrase(&["how are you", "how do you do", "how is it going"]) {
        return Some("I am well, thank you. What can I do for you?".to_owned());
    }
    if words.phrase(&["can you hear me", "do you hear me", "are you there", "you there"]) {
        return Some("Yes, I can hear you.".to_owned());
    }
    if !short {
        return None;
    }
    if any(&["thanks", "thank", "cheers"]) {
        return Some("You are welcome.".to_owned());
    }
    if any(&["bye", "goodbye"]) || words.phrase(&["good night", "see you", "good bye"]) {
        return Some(format!("Goodbye, {name}."));
    }
    if any(&["hello", "hi", "hey", "greetings"])
        || words.phrase(&["good morning", "good evening", "good afternoon"])
    {
        return Some(format!("Hello, {name}."));
    }
    None
}

pub(super) fn unknown(seed: u64) -> &'static str {
    const ANSWERS: [&str; 3] = [
        "I do not know that one. I am only a small offline helper; ask me what I can do.",
        "Sorry, that is beyond me. Without a chat server I know just a few things, such as the time, timers and dice.",
        "I cannot answer that. Say help, and I will tell you what I can do.",
    ];
    ANSWERS[(seed % ANSWERS.len() as u64) as usize]
}

/// In another language there is one honest sentence. `None` for English, and for languages whose words we are not
/// sure of: those are answered in English.
pub(super) fn foreign(language: Language, words: &Words) -> Option<&'static str> {
    // Short turns are often taken for another language; English words tell.
    const ENGLISH: [&str; 14] = [
        "what", "the", "time", "is", "you", "help", "timer", "set", "roll", "dice", "hello", "thanks",
        "repeat", "date",
    ];
    if words.any(&ENGLISH) {
        return None;
    }
    match language.code() {
        "de" => Some("Entschuldigung, ohne Chat-Server verstehe ich nur ein wenig Englisch."),
        "fr" => Some("Désolé, sans serveur de discussion, je ne comprends qu'un peu d'anglais."),
        "es" => Some("Lo siento, sin un servidor de chat solo entiendo un poco de inglés."),
        _ => None,
    }
}
