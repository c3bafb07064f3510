//! Money, shares, measures, ranges, fractions and plain numbers in English words.

use regex::Captures;

use super::numbers::{cardinal, decade, digits, is_one, ordinal, written, year};
use super::patterns;

const NUMBER: &str = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?";

/// Units after a number: as written, one of it, several of it. Longer ones come before those that begin them.
const UNITS: &[(&str, &str, &str)] = &[
    ("km/h", "kilometer per hour", "kilometers per hour"),
    ("m/s", "meter per second", "meters per second"),
    ("Mbit/s", "megabit per second", "megabits per second"),
    ("mph", "mile per hour", "miles per hour"),
    ("°C", "degree Celsius", "degrees Celsius"),
    ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    ("°", "degree", "degrees"),
    ("km", "kilometer", "kilometers"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("ms", "millisecond", "milliseconds"),
    ("min", "minute", "minutes"),
    ("mins", "minute", "minutes"),
    ("ml", "milliliter", "milliliters"),
    ("mg", "milligram", "milligrams"),
    ("kg", "kilogram", "kilograms"),
    ("kW", "kilowatt", "kilowatts"),
    ("kHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("Hz", "hertz", "hertz"),
    ("kB", "kilobyte", "kilobytes"),
    ("KB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("fps", "frame per second", "frames per second"),
    ("dB", "decibel", "decibels"),
    ("ft", "foot", "feet"),
    ("mi", "mile", "miles"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    ("hrs", "hour", "hours"),
    ("hr", "hour", "hours"),
    ("h", "hour", "hours"),
    ("s", "second", "seconds"),
    ("m", "meter", "meters"),
    ("g", "gram", "grams"),
    ("l", "liter", "liters"),
    ("L", "liter", "liters"),
    ("W", "watt", "watts"),
    ("V", "volt", "volts"),
];

patterns! {
    MONEY = format!(r"([$€£¥])\s?({NUMBER})(?:\s?(thousand|million|billion|trillion|[kKmMbB]n?)\b)?");
    MONEY_AFTER = format!(r"\b({NUMBER})\s?([€£¥])");
    PERCENT = format!(r"\b({NUMBER})\s?%");
    UNIT = format!(r"\b({NUMBER})\s?(km/h|m/s|Mbit/s|mph|°C|°F|°|(?:kHz|MHz|GHz|Hz|mins|min|lbs|lb|hrs|hr|fps|km|cm|mm|ms|ml|mg|kg|kW|kB|KB|MB|GB|TB|dB|ft|mi|oz|h|s|m|g|l|L|W|V)\b)");
    VERSION = r"\b([vV])?([0-9]+(?:\.[0-9]+){2,})\b";
    SHORT_VERSION = r"\b[vV]([0-9]+(?:\.[0-9]+)?)\b";
    PHONE = r"(?:\+[0-9]{1,3}[ -]?)?(?:\([0-9]{3}\) ?|\b[0-9]{3}[ -])[0-9]{3}-[0-9]{4}\b|\b[0-9]{3}-[0-9]{4}\b";
    MIXED_FRACTION = r"\b([0-9]{1,3}) ([1-9])/([2-9])\b";
    HALF_OF_ONE = r"(^|[^0-9] )1/2 ([a-z]{3,})\b";
    FRACTION = r"\b([0-9]{1,4})/([0-9]{1,4})\b";
    RANGE = format!(r"\b({NUMBER})(?:\s?[–—]\s?|-)({NUMBER})\b");
    ORDINAL = r"\b([0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3})+)(?:st|nd|rd|th)\b";
    DECADE = r"(?:\b|')((?:1[0-9]|20)?[0-9]0)'?s\b";
    THOUSANDS = format!(r"\b({NUMBER})k\b");
    TIMES = format!(r"\b({NUMBER})x\b");
    HASH = r"#\s?([0-9])";
    ABOUT = r"~\s?([0-9])";
    OPERATOR = r"([0-9)])\s*([+=×÷*/^<>])\s*([0-9(])";
    MINUS_BETWEEN = r"([0-9])\s+[-−]\s+([0-9])";
    MINUS = r"(^|[\s(=<>])[-−]([0-9])";
    PLUS = r"(^|[\s(])\+([0-9])";
    YEAR = r"\b(1[1-9][0-9]{2}|20[0-9]{2})\b(,[0-9]|\.[0-9])?";
    ANY = format!("({NUMBER})");
}

/// Fractions, powers and signs that a plain form would lose: "2½", "5²".
pub(super) fn signs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_digit = false;
    for c in text.chars() {
        let fraction = match c {
            '½' => "a half",
            '¼' => "a quarter",
            '¾' => "three quarters",
            '⅓' => "a third",
            '⅔' => "two thirds",
            _ => "",
        };
        if fraction.is_empty() {
            match c {
                '²' => out.push_str(" squared"),
                '³' => out.push_str(" cubed"),
                '™' | '®' | '©' => out.push(' '),
                _ => out.push(c),
            }
        } else {
            out.push_str(if after_digit { " and " } else { " " });
            out.push_str(fraction);
            out.push(' ');
        }
        after_digit = c.is_ascii_digit();
    }
    out
}

/// Every number in the text, with what it counts, in words.
pub(super) fn spoken(text: &str) -> String {
    let text = MONEY.replace_all(text, |f: &Captures<'_>| {
        money(&f[1], &f[2], f.get(3).map(|m| m.as_str()))
    });
    let text = MONEY_AFTER.replace_all(&text, |f: &Captures<'_>| money(&f[2], &f[1], None));
    let text = PERCENT.replace_all(&text, |f: &Captures<'_>| format!("{} percent", written(&f[1])));
    let text = VERSION.replace_all(&text, |f: &Captures<'_>| {
        let parts: Vec<_> = f[2].split('.').map(written).collect();
        let version = if f.get(1).is_some() { "version " } else { "" };
        format!("{version}{}", parts.join(" point "))
    });
    let text = SHORT_VERSION.replace_all(&text, |f: &Captures<'_>| format!("version {}", written(&f[1])));
    let text = PHONE.replace_all(&text, |f: &Captures<'_>| phone(&f[0]));
    let text = DECADE.replace_all(&text, |f: &Captures<'_>| {
        f[1].parse().map_or_else(|_| f[0].to_owned(), decade)
    });
    let text = RANGE.replace_all(&text, |f: &Captures<'_>| {
        format!("{} to {}", year_or_number(&f[1]), &f[2])
    });
    let text = UNIT.replace_all(&text, |f: &Captures<'_>| measure(&f[1], &f[2]));
    let text = ORDINAL.replace_all(&text, |f: &Captures<'_>| {
        f[1].replace(',', "")
            .parse()
            .map_or_else(|_| f[0].to_owned(), ordinal)
    });
    let text = MIXED_FRACTION.replace_all(&text, |f: &Captures<'_>| {
        format!("{} and {}", written(&f[1]), fraction(&f[2], &f[3]))
    });
    let text = HALF_OF_ONE.replace_all(&text, |f: &Captures<'_>| half_a(&f[1], &f[2]));
    let text = FRACTION.replace_all(&text, |f: &Captures<'_>| fraction(&f[1], &f[2]));
    let text = THOUSANDS.replace_all(&text, |f: &Captures<'_>| format!("{} thousand", written(&f[1])));
    let text = TIMES.replace_all(&text, |f: &Captures<'_>| format!("{} times", written(&f[1])));
    let text = HASH.replace_all(&text, "number $1");
    let text = ABOUT.replace_all(&text, "about $1");
    let text = MINUS_BETWEEN.replace_all(&text, "$1 minus $2");
    // Neighbouring operators share a digit ("1+2+3"), so the second pass finds those that the first stepped over.
    let text = OPERATOR.replace_all(&text, operator);
    let text = OPERATOR.replace_all(&text, operator);
    let text = MINUS.replace_all(&text, "${1}minus $2");
    let text = PLUS.replace_all(&text, "${1}plus $2");
    let text = YEAR.replace_all(&text, |f: &Captures<'_>| {
        if f.get(2).is_some() {
            f[0].to_owned()
        } else {
            f[1].parse().map_or_else(|_| f[0].to_owned(), year)
        }
    });
    ANY.replace_all(&text, |f: &Captures<'_>| format!(" {} ", written(&f[1])))
        .into_owned()
}

fn money(sign: &str, amount: &str, scale: Option<&str>) -> String {
    let (one, many, cent) = match sign {
        "€" => ("euro", "euros", Some(("cent", "cents"))),
        "£" => ("pound", "pounds", Some(("penny", "pence"))),
        "¥" => ("yen", "yen", None),
        _ => ("dollar", "dollars", Some(("cent", "cents"))),
    };
    if let Some(scale) = scale {
        let scale = match scale.chars().next() {
            Some('t') if scale != "thousand" => "trillion",
            Some('k' | 'K' | 't') => "thousand",
            Some('b' | 'B') => "billion",
            _ => "million",
        };
        return format!("{} {scale} {many}", written(amount));
    }
    let unit = |n: &str| if is_one(n) { one } else { many };
    let Some((whole, part)) = amount.split_once('.').filter(|(_, part)| part.len() == 2) else {
        return format!("{} {}", written(amount), unit(amount));
    };
    let cents: u64 = part.parse().unwrap_or(0);
    match (cents, cent) {
        (0, _) => format!("{} {}", written(whole), unit(whole)),
        (_, None) => format!("{} {many}", written(amount)),
        (_, Some((penny, pence))) => {
            let small = format!("{} {}", cardinal(cents), if cents == 1 { penny } else { pence });
            if whole == "0" {
                small
            } else {
                format!("{} {} and {small}", written(whole), unit(whole))
            }
        }
    }
}

fn measure(number: &str, unit: &str) -> String {
    let Some((_, one, many)) = UNITS.iter().find(|(written, ..)| *written == unit) else {
        return format!("{number} {unit}");
    };
    format!("{} {}", written(number), if is_one(number) { one } else { many })
}

/// "half a cup", where "one half cup" is what nobody says; "one half was" stays.
fn half_a(before: &str, word: &str) -> String {
    const NO_NOUNS: [&str; 16] = [
        "and", "are", "but", "for", "from", "has", "than", "that", "the", "then", "was", "will", "with",
        "when", "which", "plus",
    ];
    if NO_NOUNS.contains(&word) || word.ends_with('s') {
        return format!("{before}one half {word}");
    }
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) || word == "hour" {
        "an"
    } else {
        "a"
    };
    format!("{before}half {article} {word}")
}

/// A telephone number, its groups apart.
fn phone(number: &str) -> String {
    let groups: Vec<_> = number
        .split(|c: char| !c.is_ascii_digit())
        .map(digits)
        .filter(|g| !g.is_empty())
        .collect();
    groups.join(", ")
}

fn fraction(top: &str, bottom: &str) -> String {
    let named = match (top, bottom) {
        ("24", "7") => return "twenty-four seven".to_owned(),
        (_, "2") => Some(("half", "halves")),
        (_, "3") => Some(("third", "thirds")),
        (_, "4") => Some(("quarter", "quarters")),
        (_, "5") => Some(("fifth", "fifths")),
        (_, "8") => Some(("eighth", "eighths")),
        (_, "10") => Some(("tenth", "tenths")),
        _ => None,
    };
    let small = top.len() == 1 && top != "0";
    match named.filter(|_| small) {
        Some((one, _)) if is_one(top) => format!("one {one}"),
        Some((_, many)) => format!("{} {many}", written(top)),
        None => format!("{} out of {}", written(top), written(bottom)),
    }
}

fn operator(found: &Captures<'_>) -> String {
    let word = match &found[2] {
        "+" => "plus",
        "=" => "equals",
        "×" | "*" => "times",
        "÷" | "/" => "divided by",
        "^" => "to the power of",
        "<" => "is less than",
        _ => "is more than",
    };
    format!("{} {word} {}", &found[1], &found[3])
}

fn year_or_number(text: &str) -> String {
    match text.parse() {
        Ok(number) if text.len() == 4 && (1100..2100).contains(&number) => year(number),
        _ => written(text),
    }
}
