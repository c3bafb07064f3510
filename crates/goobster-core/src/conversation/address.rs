//! Words that are a signal rather than a turn: hums that interrupt nobody, and "stop".

/// Sounds that mean "I am listening", not "let me speak".
const HUMS: [&str; 14] = [
    "mhm", "mm", "mmm", "hm", "hmm", "hmmm", "uh", "um", "uhm", "huh", "uhhuh", "ah", "mmhmm", "mmhm",
];

const HUSHES: [&str; 20] = [
    "stop",
    "stop it",
    "stop talking",
    "please stop",
    "stop please",
    "be quiet",
    "quiet",
    "quiet please",
    "shut up",
    "hush",
    "silence",
    "enough",
    "thats enough",
    "never mind",
    "nevermind",
    "cancel",
    "okay stop",
    "ok stop",
    "stopp",
    "halt",
];

/// Whether a text is nothing but hums (or nothing at all): "Mhm.", "Uh-huh", "*".
pub fn is_hum(text: &str) -> bool {
    text.split_whitespace()
        .map(letters)
        .all(|word| word.is_empty() || HUMS.contains(&word.as_str()))
}

/// Whether a text only asks for silence: "Stop!", "Be quiet.", "Never mind."
pub fn is_hush(text: &str) -> bool {
    let words: Vec<String> = text
        .split_whitespace()
        .map(letters)
        .filter(|word| !word.is_empty())
        .collect();
    !words.is_empty()
        && (HUSHES.contains(&words.join(" ").as_str())
            || words.iter().all(|word| word == "stop" || word == "no"))
        && words.iter().any(|word| word != "no")
}

fn letters(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hums_and_silence_are_no_turns_but_words_are() {
        for hum in ["", " . ", "Mhm.", "Uh-huh", "Um, hmm..."] {
            assert!(is_hum(hum), "{hum}");
        }
        for words in ["yes", "Mhm, but why?", "no", "42"] {
            assert!(!is_hum(words), "{words}");
        }
    }

    #[test]
    fn asking_for_silence_is_told_from_talking_about_it() {
        for hush in [
            "Stop!",
            "Stop, stop, stop.",
            "No, stop.",
            "Be quiet.",
            "Never mind",
            "That's enough.",
        ] {
            assert!(is_hush(hush), "{hush}");
        }
        for words in [
            "",
            "no",
            "No no",
            "Where is the bus stop?",
            "stop the timer",
            "cancel my order",
        ] {
            assert!(!is_hush(words), "{words}");
        }
    }
}
