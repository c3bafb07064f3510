//! What was said as plain words: lower case, no punctuation, contractions opened, and numbers however they are
//! spoken or spelt.

/// A turn's words.
#[derive(Debug, Clone)]
pub(super) struct Words {
    list: Vec<String>,
    /// What stands before each word.
    breaks: Vec<Break>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    None,
    /// A comma or the like: something new may begin, or it goes on.
    Clause,
    Sentence,
}

/// Words of one turn at most; longer talk is no command.
const LONGEST: usize = 200;

/// What people say before what they want. Without these, "roll a die" is an order; after anything else ("people roll
/// dice", "I would never roll a die") it is talk.
const LEADS: [&str; 67] = [
    "please",
    "kindly",
    "just",
    "now",
    "then",
    "so",
    "and",
    "okay",
    "ok",
    "hey",
    "hi",
    "hello",
    "um",
    "uh",
    "oh",
    "well",
    "also",
    "but",
    "yes",
    "yeah",
    "yep",
    "sure",
    "alright",
    "all right",
    "right",
    "great",
    "good",
    "sorry",
    "actually",
    "maybe",
    "quickly",
    "first",
    "no",
    "can you",
    "could you",
    "would you",
    "will you",
    "can we",
    "could we",
    "can i",
    "could i",
    "may i",
    "i want",
    "i want to",
    "i want you to",
    "i need",
    "i need to",
    "i need you to",
    "i would like",
    "i would like to",
    "i would like you to",
    "id like",
    "id like to",
    "id like you to",
    "let us",
    "lets",
    "let is",
    "go ahead and",
    "give me",
    "give us",
    "tell me",
    "tell us",
    "do you know",
    "can you tell me",
    "could you tell me",
    "i want to know",
    "i would like to know",
];

/// What may stand around any command without changing it.
const FILLERS: [&str; 8] = [
    "please", "now", "then", "again", "thanks", "okay", "just", "right",
];

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let text = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let mut words = Self {
            list: Vec::new(),
            breaks: Vec::new(),
        };
        let mut pause = Break::Sentence;
        let is_mark = |c: char| {
            matches!(
                c,
                ',' | ';' | '!' | '?' | '\u{2026}' | '\u{2014}' | '\u{2013}' | '\n'
            )
        };
        let parts = text.split_inclusive(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '.' | ':')));
        for raw in parts {
            let mark = raw.chars().next_back().filter(|c| is_mark(*c));
            let end = raw.trim_end_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | ':')));
            let word = end.trim_matches(|c: char| !c.is_alphanumeric());
            let (stem, ending) = match word.split_once('\'') {
                Some((stem, "s")) => (stem, Some("is")),
                Some((stem, "re")) => (stem, Some("are")),
                Some((stem, "m")) => (stem, Some("am")),
                Some((stem, "ll")) => (stem, Some("will")),
                _ => (word, None),
            };
            // "a.m." and "U.S." lose their full stops, "1.5" keeps its point.
            let stem: String = stem.chars().filter(|c| *c != '\'').collect();
            let stem = if stem.parse::<f64>().is_ok() {
                stem
            } else {
                stem.replace('.', "")
            };
            for part in [Some(stem), ending.map(str::to_owned)].into_iter().flatten() {
                if !part.is_empty() {
                    words.list.push(part);
                    words.breaks.push(std::mem::replace(&mut pause, Break::None));
                }
            }
            match mark {
                Some('!' | '?' | '\u{2026}' | '\n') => pause = Break::Sentence,
                _ if end.ends_with('.') => pause = Break::Sentence,
                Some(_) if pause == Break::None => pause = Break::Clause,
                None if end.ends_with(':') && pause == Break::None => pause = Break::Clause,
                _ => {}
            }
            if words.list.len() >= LONGEST {
                break;
            }
        }
        words
    }

    pub(super) fn list(&self) -> &[String] {
        &self.list
    }

    /// Whether any of these words is there.
    pub(super) fn any(&self, wanted: &[&str]) -> bool {
        any(&self.list, wanted)
    }

    /// Whether these words follow each other somewhere; alternatives are whole phrases.
    pub(super) fn phrase(&self, wanted: &[&str]) -> bool {
        let joined = format!(" {} ", self.list.join(" "));
        wanted
            .iter()
            .any(|phrase| joined.contains(&format!(" {phrase} ")))
    }

    /// What may be meant for Goobster: the words from where a clause begins to the end of its sentence, as they are
    /// and without each of the courtesies before the matter.
    pub(super) fn requests(&self) -> impl Iterator<Item = &[String]> {
        let begins = (0..self.list.len()).filter(|at| self.breaks[*at] != Break::None);
        begins.flat_map(|begin| {
            let end = (begin + 1..self.list.len())
                .find(|at| self.breaks[*at] == Break::Sentence)
                .unwrap_or(self.list.len());
            std::iter::successors(Some(&self.list[begin..end]), |rest| {
                let after = LEADS
                    .iter()
                    .filter_map(|lead| after(rest, lead))
                    .min_by_key(|r| r.len());
                after.filter(|after| !after.is_empty())
            })
        })
    }

    /// Whether a request begins with one of these phrases.
    pub(super) fn asks(&self, phrases: &[&str]) -> bool {
        self.requests().any(|request| begins(request, phrases))
    }

    /// Whether a request is one of these phrases, followed by words of this vocabulary alone.
    pub(super) fn asks_only(&self, phrases: &[&str], vocabulary: &[&str]) -> bool {
        self.requests().any(|request| {
            phrases
                .iter()
                .filter_map(|phrase| after(request, phrase))
                .any(|rest| only(rest, vocabulary))
        })
    }
}

/// Whether any of these words is among `words`.
pub(super) fn any(words: &[String], wanted: &[&str]) -> bool {
    words.iter().any(|word| wanted.contains(&word.as_str()))
}

/// Whether `words` are of this vocabulary alone, courtesies aside.
pub(super) fn only(words: &[String], vocabulary: &[&str]) -> bool {
    words
        .iter()
        .all(|word| vocabulary.contains(&word.as_str()) || FILLERS.contains(&word.as_str()))
}

/// Whether `words` begin with one of these phrases.
pub(super) fn begins(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| after(words, phrase).is_some())
}

/// What follows a phrase that `words` begin with.
fn after<'a>(words: &'a [String], phrase: &str) -> Option<&'a [String]> {
    let mut rest = words;
    for part in phrase.split(' ') {
        let (first, others) = rest.split_first()?;
        if first != part {
            return None;
        }
        rest = others;
    }
    Some(rest)
}

/// The number that begins at `words[0]`, and how many words it takes: "5", "1.5", "five", "twenty five",
/// "a hundred and twenty", "one and a half", "a", "half a". Up to 999,999.
pub(super) fn number(words: &[String]) -> Option<(f64, usize)> {
    let at = |index: usize| words.get(index).map(String::as_str);
    if at(0) == Some("half") {
        let article = usize::from(matches!(at(1), Some("a" | "an")));
        return Some((0.5, 1 + article));
    }
    if at(0) == Some("quarter") && at(1) == Some("of") {
        return Some((0.25, 2 + usize::from(matches!(at(2), Some("a" | "an")))));
    }
    let (mut value, mut used) = match at(0)? {
        digits if digits.parse::<f64>().is_ok_and(|n| n.is_finite() && n >= 0.0) => {
            (digits.parse::<f64>().ok()?, 1)
        }
        "a" | "an" if matches!(at(1), Some("hundred" | "thousand")) => (1.0, 1),
        "a" if at(1) == Some("couple") => (2.0, 2 + usize::from(at(2) == Some("of"))),
        "a" | "an" => return Some((1.0, 1)),
        word => below_hundred(word, at(1))?,
    };
    if at(used) == Some("hundred") {
        value *= 100.0;
        used += 1;
        let and = usize::from(at(used) == Some("and"));
        if let Some(word) = at(used + and)
            && let Some((rest, more)) = below_hundred(word, at(used + and + 1))
        {
            value += rest;
            used += and + more;
        }
    }
    if at(used) == Some("thousand") {
        value *= 1000.0;
        used += 1;
    }
    if at(used) == Some("and") && matches!(at(used + 1), Some("a")) && at(used + 2) == Some("half") {
        value += 0.5;
        used += 3;
    }
    (value <= 999_999.0).then_some((value, used))
}

fn below_hundred(word: &str, next: Option<&str>) -> Option<(f64, usize)> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let small = |word: &str| SMALL.iter().position(|other| *other == word);
    if let Some(value) = small(word) {
        return Some((value as f64, 1));
    }
    let tens = TENS
        .iter()
        .position(|other| *other == word || (word == "fourty" && *other == "forty"))?;
    let tens = (tens as f64 + 2.0) * 10.0;
    match next.and_then(small).filter(|unit| (1..10).contains(unit)) {
        Some(unit) => Some((tens + unit as f64, 2)),
        None => Some((tens, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_punctuation_do_not_matter() {
        assert_eq!(
            Words::of("What's the time, please?").list(),
            Words::of("what is the TIME please").list()
        );
        assert_eq!(
            Words::of("At 5 p.m. it\u{2019}s 1.5").list(),
            ["at", "5", "pm", "it", "is", "1.5"]
        );
        assert!(Words::of(" ?! \u{1F600}").list().is_empty());
    }

    #[test]
    fn a_request_begins_where_a_clause_does_whatever_the_courtesy() {
        for text in [
            "Roll it",
            "Okay, could you please roll it?",
            "I see. Roll it!",
            "Gubster, roll it",
            "I'd like to roll it",
            "Let's roll it",
        ] {
            assert!(Words::of(text).asks(&["roll"]), "{text}");
        }
        for text in ["They roll it", "I did not roll it", "How do you roll it?", ""] {
            assert!(!Words::of(text).asks(&["roll"]), "{text}");
        }
        let words = Words::of("I see. Roll it, now. Or not.");
        assert!(words.requests().any(|request| request == ["roll", "it", "now"]));
        assert!(words.asks_only(&["roll"], &["it"]) && !words.asks_only(&["roll"], &[]));
    }

    #[test]
    fn numbers_are_understood_as_they_are_spoken() {
        for (text, expected) in [
            ("5", 5.0),
            ("1.5", 1.5),
            ("five", 5.0),
            ("twenty-five", 25.0),
            ("a hundred and twenty", 120.0),
            ("two thousand", 2000.0),
            ("one and a half", 1.5),
            ("half an", 0.5),
            ("an", 1.0),
            ("a couple of", 2.0),
        ] {
            let words = Words::of(text);
            assert_eq!(
                number(words.list()),
                Some((expected, words.list().len())),
                "{text}"
            );
        }
        for text in ["", "many", "inf", "nan", "9999999999"] {
            assert_eq!(number(Words::of(text).list()), None, "{text}");
        }
    }
}
