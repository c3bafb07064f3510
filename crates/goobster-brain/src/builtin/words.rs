//! What was said as plain words: lower case, no punctuation, contractions opened, and numbers however they are
//! spoken or spelt.

/// A turn's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

/// Words of one turn at most; longer talk is no command.
const LONGEST: usize = 200;

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let text = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let mut words = Vec::new();
        for raw in text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '.' | ':'))) {
            let word = raw.trim_matches(|c: char| !c.is_alphanumeric());
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
            words.extend(
                [Some(stem), ending.map(str::to_owned)]
                    .into_iter()
                    .flatten()
                    .filter(|w| !w.is_empty()),
            );
            if words.len() >= LONGEST {
                break;
            }
        }
        Self(words)
    }

    pub(super) fn list(&self) -> &[String] {
        &self.0
    }

    /// Whether any of these words is there.
    pub(super) fn any(&self, wanted: &[&str]) -> bool {
        self.0.iter().any(|word| wanted.contains(&word.as_str()))
    }

    /// Whether all of them are there.
    pub(super) fn all(&self, wanted: &[&str]) -> bool {
        wanted.iter().all(|word| self.any(&[word]))
    }

    /// Whether these words follow each other somewhere; alternatives are whole phrases.
    pub(super) fn phrase(&self, wanted: &[&str]) -> bool {
        let joined = format!(" {} ", self.0.join(" "));
        wanted
            .iter()
            .any(|phrase| joined.contains(&format!(" {phrase} ")))
    }
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
            Words::of("What's the time, please?"),
            Words::of("what is the TIME please")
        );
        assert_eq!(
            Words::of("At 5 p.m. it\u{2019}s 1.5").list(),
            ["at", "5", "pm", "it", "is", "1.5"]
        );
        assert!(Words::of(" ?! \u{1F600}").list().is_empty());
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
