//! Spoken numbers to digits: "two hundred and one" is "201", "twenty dollars" "$20", "double oh seven" "007".
//!
//! Words are read from left to right into one number that grows until a word does not fit; the rules (what adds, what
//! multiplies, what is set side by side) are those of Whisper's normaliser.

/// A number while it is read.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    None,
    /// Read as a quantity: "two hundred".
    Whole(u128),
    /// Read digit by digit, or with a decimal point: leading zeros count.
    Written(String),
}

/// A word's part in a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Zero,
    /// 1 to 19.
    One(u128),
    /// 20 to 90.
    Ten(u128),
    /// 100, 1000 and so on.
    Multiplier(u128),
    /// An ordinal or plural ends its number.
    Ending(Kind, u128, &'static str),
    /// Stands before its number.
    Sign(char),
    /// Stands after its number.
    Unit(char),
    Percent,
    Per,
    And,
    Repeat(usize),
    Point,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    One,
    Ten,
    Multiplier,
}

const ONES: [&str; 19] = [
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
const ONES_ORDINAL: [&str; 19] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const MULTIPLIERS: [(&str, u128); 8] = [
    ("hundred", 100),
    ("thousand", 1_000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
    ("quadrillion", 1_000_000_000_000_000),
    ("quintillion", 1_000_000_000_000_000_000),
    ("sextillion", 1_000_000_000_000_000_000_000),
];

fn role(word: &str) -> Option<Role> {
    let plain = match word {
        "o" | "oh" | "zero" => Role::Zero,
        "zeroth" => Role::Ending(Kind::One, 0, "th"),
        "minus" | "negative" => Role::Sign('-'),
        "plus" | "positive" => Role::Sign('+'),
        "dollar" | "dollars" => Role::Unit('$'),
        "pound" | "pounds" => Role::Unit('£'),
        "euro" | "euros" => Role::Unit('€'),
        "cent" | "cents" => Role::Unit('¢'),
        "percent" => Role::Percent,
        "per" => Role::Per,
        "and" => Role::And,
        "double" => Role::Repeat(2),
        "triple" => Role::Repeat(3),
        "point" => Role::Point,
        _ => return number_role(word),
    };
    Some(plain)
}

fn number_role(word: &str) -> Option<Role> {
    let nth = |names: &[&str], word: &str| names.iter().position(|name| *name == word).map(|at| at as u128);
    if let Some(at) = nth(&ONES, word) {
        return Some(Role::One(at + 1));
    }
    if let Some(at) = nth(&ONES_ORDINAL, word) {
        let suffix = ["st", "nd", "rd"].get(at as usize).copied().unwrap_or("th");
        return Some(Role::Ending(Kind::One, at + 1, suffix));
    }
    if let Some(at) = nth(&TENS, word) {
        return Some(Role::Ten((at + 2) * 10));
    }
    // "twentieth" and "twenties" have lost their "y".
    let tens = |stem: &str| nth(&TENS, &format!("{stem}y")).map(|at| (at + 2) * 10);
    if let Some(ten) = word.strip_suffix("ieth").and_then(tens) {
        return Some(Role::Ending(Kind::Ten, ten, "th"));
    }
    if let Some(ten) = word.strip_suffix("ies").and_then(tens) {
        return Some(Role::Ending(Kind::Ten, ten, "s"));
    }
    let plural = word
        .strip_suffix("es")
        .filter(|stem| *stem == "six")
        .or_else(|| word.strip_suffix('s'));
    if let Some(at) = plural.and_then(|stem| nth(&ONES, stem)) {
        return Some(Role::Ending(Kind::One, at + 1, "s"));
    }
    let multiplier = |stem: &str| {
        MULTIPLIERS
            .iter()
            .find(|(name, _)| *name == stem)
            .map(|(_, value)| *value)
    };
    if let Some(value) = multiplier(word) {
        return Some(Role::Multiplier(value));
    }
    if let Some(value) = word.strip_suffix("th").and_then(multiplier) {
        return Some(Role::Ending(Kind::Multiplier, value, "th"));
    }
    let value = word.strip_suffix('s').and_then(multiplier)?;
    Some(Role::Ending(Kind::Multiplier, value, "s"))
}

fn is_numeric(word: &str) -> bool {
    let (whole, part) = word
        .split_once('.')
        .map_or((word, None), |(whole, part)| (whole, Some(part)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && part.is_none_or(digits)
}

/// Writes the numbers of a lower-case text in digits; words end up separated by single spaces.
pub(super) fn to_digits(text: &str) -> String {
    let text = prepare(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut reader = Reader {
        value: Value::None,
        prefix: None,
        out: Vec::new(),
    };
    let mut at = 0;
    while at < words.len() {
        let before = at.checked_sub(1).and_then(|at| role(words[at]));
        at += reader.read(words[at], before, words.get(at + 1).copied());
    }
    reader.finish();
    money_and_ones(reader.out)
}

struct Reader {
    value: Value,
    prefix: Option<char>,
    out: Vec<String>,
}

impl Reader {
    /// Reads a word; gives how many words were used up (2 when the next was part of it).
    fn read(&mut self, word: &str, before: Option<Role>, next: Option<&str>) -> usize {
        if self.figures(word) {
            return 1;
        }
        let next_role = next.and_then(role);
        let number_follows = next_role.is_some() || next.is_some_and(is_numeric);
        match role(word) {
            Some(Role::Zero) => self.value = Value::Written(self.written() + "0"),
            Some(Role::One(n)) => self.value = self.beside_or_added(Kind::One, n, before),
            Some(Role::Ten(n)) => self.value = self.beside_or_added(Kind::Ten, n, before),
            Some(Role::Multiplier(m)) => self.multiply(m),
            Some(Role::Ending(Kind::Multiplier, m, suffix)) => {
                self.multiply(m);
                self.end_with(suffix);
            }
            Some(Role::Ending(kind, n, suffix)) => {
                self.value = self.beside_or_added(kind, n, before);
                self.end_with(suffix);
            }
            Some(Role::Sign(sign)) => {
                self.finish();
                if number_follows {
                    self.prefix = Some(sign);
                } else {
                    self.put_word(word);
                }
            }
            Some(Role::Unit(unit)) if self.value != Value::None => {
                self.prefix = Some(unit);
                self.finish();
            }
            Some(Role::Percent) if self.value != Value::None => self.end_with("%"),
            Some(Role::Per) if self.value != Value::None && next == Some("cent") => {
                self.end_with("%");
                return 2;
            }
            Some(Role::And) if number_follows && matches!(before, Some(Role::Multiplier(_))) => {}
            Some(Role::Repeat(times)) => match next_role {
                Some(Role::Zero) => return self.repeat(0, times),
                Some(Role::One(n)) => return self.repeat(n, times),
                _ => self.put_word(word),
            },
            Some(Role::Point) if is_decimal(next_role) || next.is_some_and(is_numeric) => {
                self.value = Value::Written(self.written() + ".");
            }
            None | Some(Role::Unit(_) | Role::Percent | Role::Per | Role::And | Role::Point) => {
                self.put_word(word);
            }
        }
        1
    }

    /// A number that is in digits already, "$" and the like before it included.
    fn figures(&mut self, word: &str) -> bool {
        let sign = word.chars().next().filter(|c| "$£€¢+-".contains(*c));
        let digits = sign.map_or(word, |sign| &word[sign.len_utf8()..]);
        if !is_numeric(digits) {
            return false;
        }
        match &mut self.value {
            Value::Written(written) if written.ends_with('.') => written.push_str(word),
            _ => {
                self.finish();
                self.prefix = sign.or(self.prefix);
                self.value = match digits.parse() {
                    Ok(whole) => Value::Whole(whole),
                    Err(_) => Value::Written(digits.to_owned()),
                };
            }
        }
        true
    }

    fn written(&self) -> String {
        match &self.value {
            // A zero alone is forgotten before another digit, as nothing is.
            Value::None | Value::Whole(0) => String::new(),
            Value::Whole(n) => n.to_string(),
            Value::Written(text) => text.clone(),
        }
    }

    /// "twenty" + "one" is 21, "two hundred" + "twenty" 220; what does not fit is set beside: "nineteen" "ninety".
    fn beside_or_added(&self, kind: Kind, n: u128, before: Option<Role>) -> Value {
        let after_ten = matches!(before, Some(Role::Ten(_))) && kind == Kind::One && n < 10;
        match &self.value {
            Value::None => Value::Whole(n),
            Value::Written(text) if after_ten && text.ends_with('0') => {
                Value::Written(format!("{}{n}", &text[..text.len() - 1]))
            }
            Value::Written(text) => Value::Written(format!("{text}{n}")),
            Value::Whole(value) => {
                let room = if kind == Kind::One && n < 10 { 10 } else { 100 };
                let digit_by_digit = kind == Kind::One && matches!(before, Some(Role::One(_)));
                match value.checked_add(n) {
                    Some(sum) if value % room == 0 && !digit_by_digit => Value::Whole(sum),
                    _ => Value::Written(format!("{value}{n}")),
                }
            }
        }
    }

    fn multiply(&mut self, by: u128) {
        let product = match &self.value {
            Value::None => Some(by),
            Value::Whole(0) => Some(0),
            // Only what stands behind the last thousand is multiplied: "one million two | hundred".
            Value::Whole(value) => (value % 1000)
                .checked_mul(by)
                .and_then(|product| (value / 1000 * 1000).checked_add(product)),
            Value::Written(text) => scaled(text, by),
        };
        if product.is_none() {
            self.finish();
        }
        self.value = Value::Whole(product.unwrap_or(by));
    }

    fn repeat(&mut self, digit: u128, times: usize) -> usize {
        self.value = Value::Written(self.written() + &digit.to_string().repeat(times));
        2
    }

    fn end_with(&mut self, suffix: &str) {
        let text = match &self.value {
            Value::Whole(n) => n.to_string(),
            Value::None => String::new(),
            Value::Written(text) => text.clone(),
        };
        self.value = Value::Written(text + suffix);
        self.finish();
    }

    fn put_word(&mut self, word: &str) {
        self.finish();
        self.out.push(
            self.prefix
                .take()
                .map_or_else(|| word.to_owned(), |prefix| format!("{prefix}{word}")),
        );
    }

    fn finish(&mut self) {
        let text = match std::mem::replace(&mut self.value, Value::None) {
            Value::None => return,
            Value::Whole(n) => n.to_string(),
            Value::Written(text) => text,
        };
        self.out
            .push(self.prefix.take().into_iter().collect::<String>() + &text);
    }
}

fn is_decimal(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Zero | Role::One(_) | Role::Ten(_)))
}

/// A written decimal times a power of ten, if that is whole.
fn scaled(text: &str, by: u128) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let divisor = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let product = digits.checked_mul(by)?;
    (product % divisor == 0).then_some(product / divisor)
}

/// Letters and figures apart, endings joined to their figures, "and a half" as a decimal.
fn prepare(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut last = ' ';
    for c in text.chars() {
        let boundary = last.is_ascii_lowercase() && c.is_ascii_digit()
            || last.is_ascii_digit() && c.is_ascii_lowercase();
        if boundary {
            spaced.push(' ');
        }
        spaced.push(c);
        last = c;
    }
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let previous = out.last_mut();
        let counts = |word: &str| {
            matches!(
                role(word),
                Some(Role::Zero | Role::One(_) | Role::Ten(_) | Role::Multiplier(_))
            )
        };
        if words[at..].starts_with(&["and", "a", "half"])
            && previous.as_ref().is_some_and(|word| counts(word))
        {
            out.extend(["point".to_owned(), "five".to_owned()]);
            at += 3;
            continue;
        }
        match previous {
            Some(previous)
                if matches!(words[at], "st" | "nd" | "rd" | "th" | "s")
                    && previous.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                previous.push_str(words[at]);
            }
            _ => out.push(words[at].to_owned()),
        }
        at += 1;
    }
    out.join(" ")
}

/// "$2 and ¢50" is "$2.50", "$0.36" is "¢36", and a single "1" reads better as "one".
fn money_and_ones(words: Vec<String>) -> String {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let cents = word
            .strip_prefix('¢')
            .and_then(|cents| cents.parse::<u32>().ok())
            .filter(|cents| *cents < 100);
        if let Some(cents) = cents {
            let and = usize::from(out.last().is_some_and(|last| last == "and"));
            let amount = out
                .len()
                .checked_sub(1 + and)
                .map(|at| out[at].clone())
                .filter(|amount| is_round_amount(amount));
            if let Some(amount) = amount {
                out.truncate(out.len() - 1 - and);
                out.push(format!("{amount}.{cents:02}"));
                continue;
            }
        }
        let small = ["$0.", "£0.", "€0."]
            .iter()
            .find_map(|prefix| word.strip_prefix(prefix));
        match small
            .filter(|cents| cents.len() <= 2)
            .and_then(|cents| cents.parse::<u32>().ok())
        {
            Some(cents) => out.push(format!("¢{cents}")),
            None if word == "1" => out.push("one".to_owned()),
            None if word == "1s" => out.push("ones".to_owned()),
            None => out.push(word),
        }
    }
    out.join(" ")
}

fn is_round_amount(word: &str) -> bool {
    word.strip_prefix(['$', '£', '€'])
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
