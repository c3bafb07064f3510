//! Help, courtesies, other languages, and the honest answer to everything else.

use goobster_core::language::Language;
use goobster_core::ports::RespondRequest;

use super::words::{Words, begins, only};

const HELP: &str = "I can tell the time and the date, set timers, roll dice, sum up what was said, repeat my last \
    answer, and tell how much voice time you have left. For real conversation, my owner can connect me to a chat \
    server.";

pub(super) fn help(words: &Words) -> Option<String> {
    const TAIL: [&str; 21] = [
        "me", "us", "you", "some", "for", "here", "else", "with", "all", "i", "do", "the", "commands",
        "menu", "out", "need", "exactly", "a", "bit", "little", "today",
    ];
    let asked = words.asks_only(
        &[
            "help",
            "some help",
            "what can you do",
            "what else can you do",
            "what do you do",
            "what are you able to do",
            "what can i ask",
            "what can i say",
            "how do you work",
            "how can you help",
            "what you can do",
        ],
        &TAIL,
    );
    asked.then(|| HELP.to_owned())
}

pub(super) fn courtesy(words: &Words, request: &RespondRequest) -> Option<String> {
    let name = &request.turn.speaker;
    if words.asks_only(
        &[
            "who are you",
            "what are you",
            "what is your name",
            "whats your name",
            "your name",
            "what are you called",
        ],
        &["exactly", "really", "anyway"],
    ) {
        return Some(format!(
            "I am {}, a small voice assistant. I run offline, so I know little. Ask me for help to hear what I can do.",
            request.wake_name
        ));
    }
    if words.asks_only(
        &[
            "how are you",
            "how do you do",
            "how is it going",
            "how are things",
        ],
        &[
            "today", "doing", "feeling", "this", "evening", "morning", "my", "friend", "going",
        ],
    ) {
        return Some("I am well, thank you. What can I do for you?".to_owned());
    }
    if words.asks_only(
        &[
            "can you hear me",
            "can you hear us",
            "do you hear me",
            "hear me",
            "are you there",
            "are you still there",
            "you there",
        ],
        &["still", "okay", "well", "yet"],
    ) {
        return Some("Yes, I can hear you.".to_owned());
    }
    if words.asks(&["thanks", "thank you", "cheers", "many thanks"])
        && !words.asks(&["thanks to"])
        && words.list().len() <= 8
    {
        return Some("You are welcome.".to_owned());
    }
    greeting(words).map(|word| format!("{word}, {name}."))
}

/// "Hello" or "Goodbye", as one was greeted.
fn greeting(words: &Words) -> Option<&'static str> {
    // A name may be among the words, and a name can be any word; talk has more.
    let is = |phrases: &[&str], vocabulary: &[&str]| {
        words.requests().any(|request| {
            let other = |word: &&String| !only(std::slice::from_ref(*word), vocabulary);
            begins(request, phrases) && request.len() <= 6 && request.iter().filter(other).count() <= 1
        })
    };
    if is(
        &["bye", "goodbye", "good night", "good bye", "see you"],
        &[
            "bye",
            "goodbye",
            "good",
            "night",
            "see",
            "you",
            "later",
            "tomorrow",
            "soon",
            "everyone",
            "everybody",
            "all",
            "for",
            "next",
            "time",
            "and",
            "my",
            "friend",
            "friends",
        ],
    ) {
        return Some("Goodbye");
    }
    if is(
        &[
            "hello",
            "hi",
            "hey",
            "greetings",
            "good morning",
            "good evening",
            "good afternoon",
        ],
        &[
            "hello",
            "hi",
            "hey",
            "greetings",
            "good",
            "morning",
            "evening",
            "afternoon",
            "there",
            "everyone",
            "everybody",
            "all",
            "to",
            "you",
            "my",
            "friend",
            "friends",
            "and",
        ],
    ) {
        return Some("Hello");
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
