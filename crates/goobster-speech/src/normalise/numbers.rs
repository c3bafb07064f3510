//! English number words.

const ONES: [&str; 20] = [
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
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const SCALES: [(u64, &str); 5] = [
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
/// Longer numbers are read digit by digit: nobody follows "quadrillion".
const MAX_DIGITS: usize = 15;

/// A number as it is counted: 1234 is "one thousand two hundred thirty-four".
pub(super) fn cardinal(number: u64) -> String {
    if let Some(&(scale, name)) = SCALES.iter().find(|(scale, _)| number >= *scale) {
        let head = format!("{} {name}", cardinal(number / scale));
        return join(head, number % scale);
    }
    if number >= 100 {
        return join(format!("{} hundred", ONES[(number / 100) as usize]), number % 100);
    }
    if number >= 20 {
        let ten = TENS[(number / 10) as usize];
        return if number.is_multiple_of(10) {
            ten.to_owned()
        } else {
            format!("{ten}-{}", ONES[(number % 10) as usize])
        };
    }
    ONES[number as usize].to_owned()
}

fn join(head: String, rest: u64) -> String {
    if rest == 0 {
        head
    } else {
        format!("{head} {}", cardinal(rest))
    }
}

/// A number as a place in a row: 21 is "twenty-first".
pub(super) fn ordinal(number: u64) -> String {
    let words = cardinal(number);
    let at = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = words.split_at(at);
    let last = match last {
        "one" => "first",
        "two" => "second",
        "three" => "third",
        "five" => "fifth",
        "eight" => "eighth",
        "nine" => "ninth",
        "twelve" => "twelfth",
        _ if last.ends_with('y') => return format!("{head}{}ieth", &last[..last.len() - 1]),
        _ => return format!("{head}{last}th"),
    };
    format!("{head}{last}")
}

/// Digits one by one: "007" is "zero zero seven". Other characters are skipped.
pub(super) fn digits(text: &str) -> String {
    let words: Vec<_> = text
        .chars()
        .filter_map(|c| c.to_digit(10))
        .map(|digit| ONES[digit as usize])
        .collect();
    words.join(" ")
}

/// A written number, with thousands separators and a decimal part if it has them: "1,234.50".
pub(super) fn written(text: &str) -> String {
    let bare = text.replace(',', "");
    let (whole, fraction) = bare
        .split_once('.')
        .map_or((bare.as_str(), None), |(w, f)| (w, Some(f)));
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let whole = match whole.parse() {
        Ok(number) if !leading_zero && whole.len() <= MAX_DIGITS => cardinal(number),
        _ => digits(whole),
    };
    match fraction {
        Some(fraction) if !fraction.is_empty() => format!("{whole} point {}", digits(fraction)),
        _ => whole,
    }
}

/// Whether a written number is exactly one, for the singular of what is counted.
pub(super) fn is_one(text: &str) -> bool {
    text == "1"
}

/// A year as it is said: "nineteen ninety-nine", "two thousand five", "twenty twenty-six".
pub(super) fn year(year: u64) -> String {
    let (century, rest) = (year / 100, year % 100);
    match (century, rest) {
        (10 | 20, 0..=9) => cardinal(year),
        (10..=99, 0) => format!("{} hundred", cardinal(century)),
        (10..=99, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        (10..=99, _) => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => cardinal(year),
    }
}

/// A decade: 1990 is "nineteen nineties", 80 is "eighties".
pub(super) fn decade(number: u64) -> String {
    let words = if number < 100 {
        cardinal(number)
    } else {
        year(number)
    };
    match words.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{words}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_as_people_do() {
        for (number, words) in [
            (0, "zero"),
            (13, "thirteen"),
            (40, "forty"),
            (99, "ninety-nine"),
            (100, "one hundred"),
            (1234, "one thousand two hundred thirty-four"),
            (1_000_001, "one million one"),
        ] {
            assert_eq!(cardinal(number), words);
        }
        for (number, words) in [
            (1, "first"),
            (12, "twelfth"),
            (20, "twentieth"),
            (101, "one hundred first"),
            (33, "thirty-third"),
        ] {
            assert_eq!(ordinal(number), words);
        }
        assert_eq!(cardinal(u64::MAX).split(' ').next(), Some("eighteen"));
    }

    #[test]
    fn years_and_decades() {
        for (number, words) in [
            (1999, "nineteen ninety-nine"),
            (2005, "two thousand five"),
            (1900, "nineteen hundred"),
            (2026, "twenty twenty-six"),
            (1807, "eighteen oh seven"),
            (2000, "two thousand"),
        ] {
            assert_eq!(year(number), words);
        }
        assert_eq!(
            (decade(1990), decade(80), decade(2000)),
            (
                "nineteen nineties".into(),
                "eighties".into(),
                "two thousands".into()
            )
        );
    }

    #[test]
    fn written_numbers() {
        for (text, words) in [
            ("1,234.50", "one thousand two hundred thirty-four point five zero"),
            ("007", "zero zero seven"),
            ("0.5", "zero point five"),
            (
                "12345678901234567890",
                "one two three four five six seven eight nine zero one two three four five six seven eight nine zero",
            ),
        ] {
            assert_eq!(written(text), words);
        }
    }
}
