//! The English rules, in the order in which they may be applied: abbreviations before dates, dates before times, times
//! before numbers, numbers before signs.

use regex::Captures;

use super::{letters, moments, patterns, quantities};

/// What is written short and said long. Those that end with a full stop keep it when the sentence ends there.
const SHORT: &[(&str, &str)] = &[
    ("Dr.", "Doctor"),
    ("Mr.", "Mister"),
    ("Mrs.", "Missus"),
    ("Ms.", "Miz"),
    ("Prof.", "Professor"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("etc.", "et cetera"),
    ("vs.", "versus"),
    ("approx.", "approximately"),
    ("a.m.", "am"),
    ("p.m.", "pm"),
    ("A.M.", "am"),
    ("P.M.", "pm"),
    ("Jr.", "Junior"),
    ("Sr.", "Senior"),
    ("Mt.", "Mount"),
    ("Ave.", "Avenue"),
    ("Blvd.", "Boulevard"),
    ("dept.", "department"),
    ("est.", "established"),
    ("incl.", "including"),
    ("max.", "maximum"),
    ("min.", "minimum"),
    ("vol.", "volume"),
    ("fig.", "figure"),
];
/// Words of chats.
const SLANG: &[(&str, &str)] = &[
    ("btw", "by the way"),
    ("imo", "in my opinion"),
    ("imho", "in my humble opinion"),
    ("idk", "I don't know"),
    ("tbh", "to be honest"),
    ("brb", "be right back"),
    ("omw", "on my way"),
    ("omg", "oh my god"),
    ("afaik", "as far as I know"),
    ("fyi", "for your information"),
    ("asap", "as soon as possible"),
    ("thx", "thanks"),
    ("pls", "please"),
    ("vs", "versus"),
    ("etc", "et cetera"),
    ("ppl", "people"),
    ("w/o", "without"),
    ("w/", "with"),
];

patterns! {
    ABBREVIATION = r"(?:^|\b)(?:Dr|Mrs|Mr|Ms|Prof|e\.g|i\.e|etc|vs|approx|a\.m|p\.m|A\.M|P\.M|Jr|Sr|Mt|Ave|Blvd|dept|est|incl|max|min|vol|fig)\.(\s*$|\s+[A-Z]|\n)?";
    SAINT = r"\bSt\.\s+([A-Z])";
    STREET = r"\bSt\.";
    NUMBER_SIGN = r"\b(?:No|no|Nr)\.\s?([0-9])|№\s?([0-9])";
    INITIALS = r"\b(?:[A-Z]\.){2,}";
    CHAT = r"(?i)\b(?:btw|imo|imho|idk|tbh|brb|omw|omg|afaik|fyi|asap|thx|pls|vs|etc|ppl|w/o\b|w/)";
    CHAT_END = r"(?i)^(?:btw|imo|imho|idk|tbh|brb|omw|omg|afaik|fyi|asap|thx|pls|vs|etc|ppl)[a-z0-9]";
    LETTER_DIGIT = r"([A-Za-z])([0-9])";
    DIGIT_LETTER = r"([0-9])([A-Za-z])";
    HASHTAG = r"(^|\s)#([A-Za-z])";
}

/// The text in words: no digit is left.
pub(super) fn words(text: &str) -> String {
    let text = abbreviations(text);
    let text = moments::spoken(&text);
    let text = quantities::spoken(&apart(&text));
    let text = HASHTAG.replace_all(&text, "${1}hashtag $2");
    let text = letters::calm(&text);
    signs(&text)
}

fn abbreviations(text: &str) -> String {
    let text = SAINT.replace_all(text, "Saint $1");
    let text = STREET.replace_all(&text, "Street");
    let text = NUMBER_SIGN.replace_all(&text, "number $1$2");
    let text = ABBREVIATION.replace_all(&text, |found: &Captures<'_>| {
        let before_new = found.get(1).is_some();
        let tail = found.get(1).map_or("", |tail| tail.as_str());
        let short = &found[0][..found[0].len() - tail.len()];
        let Some((_, long)) = SHORT.iter().find(|(known, _)| *known == short) else {
            return found[0].to_owned();
        };
        // Before a name a title's stop is no end; elsewhere a capital, or the end of the text, begins a new sentence.
        let title = short.starts_with(|c: char| c.is_uppercase()) && !short.ends_with("M.");
        let ends = before_new && !title && !matches!(short, "e.g." | "i.e." | "vs." | "approx.");
        format!("{long}{}{tail}", if ends { "." } else { "" })
    });
    let text = INITIALS.replace_all(&text, |found: &Captures<'_>| {
        found[0].replace('.', " ").trim_end().to_owned()
    });
    chat(&text)
}

/// Chat words, when they stand alone ("pls", not "plsql").
fn chat(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for found in CHAT.find_iter(text) {
        let part_of_word = CHAT_END.is_match(&text[found.start()..]);
        let word = found.as_str().to_lowercase();
        let long = SLANG
            .iter()
            .find(|(short, _)| *short == word)
            .map(|(_, long)| *long);
        out.push_str(&text[from..found.start()]);
        match long.filter(|_| !part_of_word) {
            Some(long) => {
                out.push_str(long);
                if word.ends_with('/') {
                    out.push(' ');
                }
            }
            None => out.push_str(found.as_str()),
        }
        from = found.end();
    }
    out.push_str(&text[from..]);
    out
}

/// Letters set apart from digits where no rule reads them together: "B12" is "B 12".
fn apart(text: &str) -> String {
    let text = LETTER_DIGIT.replace_all(text, |found: &Captures<'_>| {
        if matches!(&found[1], "v" | "V") {
            found[0].to_owned()
        } else {
            format!("{} {}", &found[1], &found[2])
        }
    });
    text.into_owned()
}

/// Signs that are said, wherever they stand.
fn signs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let word = match c {
            '&' => "and",
            '+' => "plus",
            '=' => "equals",
            '@' => "at",
            '%' => "percent",
            '$' => "dollars",
            '€' => "euros",
            '£' => "pounds",
            '×' => "times",
            '÷' => "divided by",
            '±' => "plus or minus",
            '≈' => "about",
            '≤' => "at most",
            '≥' => "at least",
            '≠' => "is not",
            '°' => "degrees",
            '§' => "section",
            '→' => "to",
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push(' ');
        out.push_str(word);
        out.push(' ');
    }
    DIGIT_LETTER.replace_all(&out, "$1 $2").into_owned()
}
