//! Keeps text that nobody spoke out of captions: Whisper answers silence, noise and music with stock phrases, loops and
//! annotations. A pure function of what the decoder reported and wrote.

mod phrases;
mod text;

pub use text::clean;

/// What is known of a decode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The model's probability that there is no speech, `0.0..=1.0`.
    pub no_speech: f32,
    /// The mean natural logarithm of the text tokens' probabilities, at most 0.
    pub log_probability: f32,
    /// Seconds of audio.
    pub seconds: f32,
}

/// Why text is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// Nothing is left once annotations are gone.
    NothingSaid,
    /// The model itself hears no speech, and is unsure of its words.
    NoSpeech,
    /// The words are improbable whatever the model thinks of the sound.
    Improbable,
    /// The same words over and over: a decoder loop.
    Loop,
    /// More words than a mouth can say in that time.
    TooFast,
    /// What Whisper writes when it hears nothing, on weak evidence.
    StockPhrase,
    /// Only words of the prompt, on weak evidence.
    PromptEcho,
}

/// No speech above this, together with [`UNSURE`], is silence (OpenAI's reference decoder has the same two limits).
const NO_SPEECH: f32 = 0.6;
/// A mean log-probability below this is unsure (a geometric mean of 0.37).
const UNSURE: f32 = -1.0;
/// A mean log-probability below this is worth nothing on its own (a geometric mean of 0.2).
const WORTHLESS: f32 = -1.6;
/// Evidence is weak when the model gives silence more than this...
const WEAK_NO_SPEECH: f32 = 0.2;
/// ...or its words less than this (a geometric mean of 0.55).
const WEAK_LOG_PROBABILITY: f32 = -0.6;
/// Letters a second that nobody utters; fast speech has 20-25.
const LETTERS_PER_SECOND: f32 = 45.0;

impl Evidence {
    /// Whether a stock phrase may be Whisper's own invention.
    pub fn is_weak(&self) -> bool {
        self.no_speech > WEAK_NO_SPEECH || self.log_probability < WEAK_LOG_PROBABILITY
    }

    /// Whether the decode should be tried again at a higher temperature: unsure, though speech is there.
    pub fn is_unsure(&self) -> bool {
        self.log_probability < UNSURE && self.no_speech <= NO_SPEECH
    }
}

/// Judges cleaned text; `None` means: show it. `prompt` is what the decoder was told to expect.
pub fn doubt(evidence: &Evidence, text: &str, prompt: Option<&str>) -> Option<Doubt> {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    if letters == 0 {
        return Some(Doubt::NothingSaid);
    }
    if evidence.no_speech > NO_SPEECH && evidence.log_probability < UNSURE {
        return Some(Doubt::NoSpeech);
    }
    // Not a number: the model's weights are broken or the audio was.
    if evidence.log_probability < WORTHLESS || evidence.log_probability.is_nan() {
        return Some(Doubt::Improbable);
    }
    if is_loop(text) {
        return Some(Doubt::Loop);
    }
    if letters as f32 > LETTERS_PER_SECOND * evidence.seconds.max(0.5) {
        return Some(Doubt::TooFast);
    }
    if evidence.is_weak() {
        if phrases::is_stock(text) {
            return Some(Doubt::StockPhrase);
        }
        if prompt.is_some_and(|prompt| echoes(text, prompt)) {
            return Some(Doubt::PromptEcho);
        }
    }
    None
}

/// Whether every word of the text is a word of the prompt.
pub fn echoes(text: &str, prompt: &str) -> bool {
    let prompt = words(prompt);
    let text = words(text);
    !text.is_empty() && text.iter().all(|word| prompt.contains(word))
}

/// Whether a phrase of up to 8 words comes four times or more in a row and makes up most of the text, or a single
/// word eight times. People say "no no no"; they do not say a sentence four times within 30 s.
pub fn is_loop(text: &str) -> bool {
    let words = words(text);
    (1..=8_usize).any(|period| {
        let least = if period == 1 { 8 } else { 4 };
        longest_run(&words, period) >= least
    }) || is_letter_loop(&words)
}

/// How often the phrase of `period` words that repeats most comes in a row.
fn longest_run(words: &[String], period: usize) -> usize {
    let mut same = 0_usize;
    let mut longest = 0;
    for at in period..words.len() {
        same = if words[at] == words[at - period] {
            same + 1
        } else {
            0
        };
        longest = longest.max(same);
    }
    if words.len() < period {
        0
    } else {
        longest / period + 1
    }
}

/// "Aaaaaaaaaaaa", "hahahahahahahahaha" and scripts without spaces: a unit of up to 4 letters, ten times in a row.
fn is_letter_loop(words: &[String]) -> bool {
    words
        .iter()
        .filter(|word| word.chars().count() >= 10)
        .any(|word| {
            let letters: Vec<char> = word.chars().collect();
            (1..=4).any(|period| {
                let mut same = 0;
                (period..letters.len()).any(|at| {
                    same = if letters[at] == letters[at - period] {
                        same + 1
                    } else {
                        0
                    };
                    same >= period * 9
                })
            })
        })
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests;
