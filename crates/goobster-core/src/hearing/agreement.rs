//! Which words of a growing caption are firm: those on which two decodes in a row agree.
//!
//! Local agreement of two hypotheses (Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech
//! Recognition", 2020; used for Whisper by Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription
//! System", 2023). What is firm stays until the final caption, so captions do not flicker.

/// A caption that is still forming.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forming {
    /// Words that will not change before the final caption.
    pub firm: String,
    /// Words that may.
    pub tentative: String,
}

impl Forming {
    /// Both parts as one line.
    pub fn text(&self) -> String {
        match (self.firm.is_empty(), self.tentative.is_empty()) {
            (true, _) => self.tentative.clone(),
            (_, true) => self.firm.clone(),
            _ => format!("{} {}", self.firm, self.tentative),
        }
    }
}

/// Compares each hypothesis with the one before.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    firm: Vec<String>,
    last: Vec<String>,
}

impl Agreement {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the newest hypothesis of the whole utterance so far.
    pub fn push(&mut self, hypothesis: &str) -> Forming {
        let words: Vec<String> = hypothesis.split_whitespace().map(str::to_owned).collect();
        let agreed = words
            .iter()
            .zip(&self.last)
            .take_while(|(new, old)| key(new) == key(old))
            .count()
            .min(words.len());
        if agreed > self.firm.len() {
            // Firm words keep the spelling they were shown with.
            self.firm.extend_from_slice(&words[self.firm.len()..agreed]);
        }
        let tentative = words.get(self.firm.len()..).unwrap_or_default().join(" ");
        self.last = words;
        Forming {
            firm: self.firm.join(" "),
            tentative,
        }
    }
}

/// A word for comparison: letters and digits in lower case.
fn key(word: &str) -> String {
    let key: String = word
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    if key.is_empty() { word.to_owned() } else { key }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_become_firm_when_two_hypotheses_agree() {
        let mut agreement = Agreement::new();
        assert_eq!(
            agreement.push("And so my"),
            Forming {
                firm: String::new(),
                tentative: "And so my".into()
            }
        );
        assert_eq!(
            agreement.push("and so, my fellow"),
            Forming {
                firm: "and so, my".into(),
                tentative: "fellow".into()
            }
        );
        let third = agreement.push("And so my yellow Americans");
        assert_eq!(
            (third.firm.as_str(), third.tentative.as_str()),
            ("and so, my", "yellow Americans")
        );
    }

    #[test]
    fn a_shorter_hypothesis_takes_nothing_firm_away() {
        let mut agreement = Agreement::new();
        agreement.push("one two three");
        agreement.push("one two three");
        assert_eq!(
            agreement.push("one"),
            Forming {
                firm: "one two three".into(),
                tentative: String::new()
            }
        );
    }

    proptest! {
        #[test]
        fn firm_only_grows(hypotheses in proptest::collection::vec("[ab]( [ab.]{1,2}){0,6}", 1..12)) {
            let mut agreement = Agreement::new();
            let mut before = String::new();
            for hypothesis in &hypotheses {
                let forming = agreement.push(hypothesis);
                prop_assert!(forming.firm.starts_with(&before));
                before = forming.firm;
            }
        }
    }
}
