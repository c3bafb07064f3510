//! Whisper's English normaliser (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision",
//! appendix C): what does not change the meaning shall not count as an error.

use super::{numbers, spelling};

/// Words that carry nothing.
const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// Whole words written out. Contractions in speech, titles, and forms that are ambiguous to writing only.
const WORDS: &[(&str, &str)] = &[
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
    ("mr", "mister "),
    ("mrs", "missus "),
    ("st", "saint "),
    ("dr", "doctor "),
    ("prof", "professor "),
    ("capt", "captain "),
    ("gov", "governor "),
    ("ald", "alderman "),
    ("gen", "general "),
    ("sen", "senator "),
    ("rep", "representative "),
    ("pres", "president "),
    ("rev", "reverend "),
    ("hon", "honorable "),
    ("asst", "assistant "),
    ("assoc", "associate "),
    ("lt", "lieutenant "),
    ("col", "colonel "),
    ("jr", "junior "),
    ("sr", "senior "),
    ("esq", "esquire "),
];

/// Endings written out, longest meaning first: "'d been" is "had been", any other "'d" "would".
const ENDINGS: &[(&str, &str)] = &[
    ("'d been", " had been"),
    ("'s been", " has been"),
    ("'d gone", " had gone"),
    ("'s gone", " has gone"),
    ("'d done", " had done"),
    ("'s got", " has got"),
    ("n't", " not"),
    ("'re", " are"),
    ("'s", " is"),
    ("'d", " would"),
    ("'ll", " will"),
    ("'t", " not"),
    ("'ve", " have"),
    ("'m", " am"),
];

/// Lower case, without brackets, fillers and punctuation; contractions and titles written out, numbers in digits, and
/// American spelling. Words are separated by single spaces.
pub fn normalise_english(text: &str) -> String {
    let text = text.to_lowercase().replace(['’', '‘', '`', '´'], "'");
    let text = without_brackets(&text);
    let text = without_fillers(&text);
    let text = text.replace(" '", "'");
    let text = expand(&text);
    let text = between_digits(&text);
    let text = symbols(&text);
    let text = numbers::to_digits(&text);
    let text = spelling::american(&text);
    let text = lone_marks(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes "[...]", "<...>" and "(...)".
fn without_brackets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', '<', '(']) {
        kept.push_str(&rest[..at]);
        let close = if rest[at..].starts_with('(') {
            &[')'][..]
        } else {
            &[']', '>'][..]
        };
        if let Some(end) = rest[at..].find(close) {
            // An opened bracket within belongs to the annotation.
            rest = &rest[at + end + 1..];
        } else {
            kept.push(' ');
            rest = &rest[at + 1..];
        }
    }
    kept.push_str(rest);
    kept
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Splits into runs of word characters (apostrophes inside included) and everything between.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut inside = None;
    let mut iter = text.char_indices().peekable();
    while let Some((at, c)) = iter.next() {
        let joins = c == '\'' && inside == Some(true) && iter.peek().is_some_and(|(_, next)| is_word(*next));
        let word = is_word(c) || joins;
        if inside.is_some_and(|was| was != word) {
            found.push(&text[start..at]);
            start = at;
        }
        inside = Some(word);
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

fn without_fillers(text: &str) -> String {
    pieces(text)
        .into_iter()
        .filter(|piece| !FILLERS.contains(piece))
        .collect()
}

fn expand(text: &str) -> String {
    let mut expanded = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        match WORDS.iter().find(|(short, _)| *short == piece) {
            Some((_, long)) => expanded.push_str(long),
            None => expanded.push_str(piece),
        }
    }
    for (ending, long) in ENDINGS {
        expanded = replace_ending(&expanded, ending, long);
    }
    expanded
}

/// Replaces where no word character follows.
fn replace_ending(text: &str, ending: &str, long: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ending) {
        let behind = &rest[at + ending.len()..];
        replaced.push_str(&rest[..at]);
        replaced.push_str(if behind.chars().next().is_some_and(is_word) {
            ending
        } else {
            long
        });
        rest = behind;
    }
    replaced.push_str(rest);
    replaced
}

/// "1,000" is one number; "." stays only before a digit.
fn between_digits(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let digit = |at: Option<&char>| at.is_some_and(char::is_ascii_digit);
    let mut kept = String::with_capacity(text.len());
    for (at, c) in letters.iter().enumerate() {
        let before = digit(at.checked_sub(1).and_then(|at| letters.get(at)));
        let after = digit(letters.get(at + 1));
        match c {
            ',' if before && after => {}
            '.' if !after => kept.push(' '),
            _ => kept.push(*c),
        }
    }
    kept
}

/// Removes accents and turns marks to spaces, but keeps those that belong to numbers.
fn symbols(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ä' => kept.push('a'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' => kept.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' => kept.push('i'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ō' | 'ø' => kept.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'ū' => kept.push('u'),
            'ç' => kept.push('c'),
            'ñ' => kept.push('n'),
            'œ' => kept.push_str("oe"),
            'æ' => kept.push_str("ae"),
            'ß' => kept.push_str("ss"),
            // Combining accents.
            '\u{300}'..='\u{36f}' => {}
            '.' | '%' | '$' | '¢' | '€' | '£' => kept.push(c),
            c if is_word(c) => kept.push(c),
            _ => kept.push(' '),
        }
    }
    kept
}

/// What is left of the marks kept for numbers, where there is no number.
fn lone_marks(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let money = matches!(c, '.' | '$' | '¢' | '€' | '£')
            && !after.is_some_and(|c| c.is_ascii_digit() || *c == '.');
        let percent = *c == '%' && !before.is_some_and(char::is_ascii_digit);
        if money || percent {
            kept.push(' ');
        } else {
            kept.push(*c);
        }
    }
    kept
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
mod tests;
