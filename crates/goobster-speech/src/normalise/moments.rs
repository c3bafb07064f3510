//! Dates and times of day in English words.

use regex::Captures;

use super::numbers::{cardinal, ordinal, year};
use super::patterns;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTH: &str = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)";

patterns! {
    ISO = r"\b([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::[0-9]{2}(?:\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?\b";
    SLASHED = r"\b([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})\b";
    DOTTED = r"\b([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})\b";
    MONTH_DAY = format!(r"\b({MONTH})\.?\s+([0-9]{{1,2}})(?:st|nd|rd|th)?(?:,?\s+([0-9]{{4}}))?\b");
    DAY_MONTH = format!(r"\b([0-9]{{1,2}})(?:st|nd|rd|th)?\s+(of\s+)?({MONTH})\b\.?(?:,?\s+([0-9]{{4}})\b)?");
    CLOCK = r"(?i)\b([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?:\s?(am|pm)\b)?";
    HOUR = r"(?i)\b([0-9]{1,2})\s?(am|pm)\b";
}

/// Every date and time of day in the text, in words.
pub(super) fn spoken(text: &str) -> String {
    let text = ISO.replace_all(text, |found: &Captures<'_>| {
        let Some(mut date) = date(number(&found[3]), number(&found[2]), number(&found[1])) else {
            return found[0].to_owned();
        };
        if let (Some(hour), Some(minute)) = (found.get(4), found.get(5))
            && let Some(time) = time(number(hour.as_str()), number(minute.as_str()), None)
        {
            date.push_str(" at ");
            date.push_str(&time);
        }
        date
    });
    // Written with slashes the month comes first (America), unless it cannot be one; with dots the day does.
    let text = SLASHED.replace_all(&text, |found: &Captures<'_>| {
        let (a, b, y) = (number(&found[1]), number(&found[2]), number(&found[3]));
        date(b, a, y)
            .or_else(|| date(a, b, y))
            .unwrap_or_else(|| found[0].to_owned())
    });
    let text = DOTTED.replace_all(&text, |found: &Captures<'_>| {
        let (a, b, y) = (number(&found[1]), number(&found[2]), number(&found[3]));
        date(a, b, y).unwrap_or_else(|| found[0].to_owned())
    });
    let text = CLOCK.replace_all(&text, |found: &Captures<'_>| {
        let half = found.get(4).map(|half| half.as_str().to_lowercase());
        time(number(&found[1]), number(&found[2]), half.as_deref()).unwrap_or_else(|| {
            // Not a time of day: a score, or a length of music.
            let parts = [
                Some(&found[1]),
                Some(&found[2]),
                found.get(3).map(|part| part.as_str()),
            ];
            let words: Vec<_> = parts
                .into_iter()
                .flatten()
                .map(|part| cardinal(number(part)))
                .collect();
            words.join(" to ")
        })
    });
    let text = HOUR.replace_all(&text, |found: &Captures<'_>| {
        let half = found[2].to_lowercase();
        time(number(&found[1]), 0, Some(&half)).unwrap_or_else(|| found[0].to_owned())
    });
    let text = MONTH_DAY.replace_all(&text, |found: &Captures<'_>| {
        named_date(&found[1], &found[2], found.get(3).map(|year| year.as_str()))
            .unwrap_or_else(|| found[0].to_owned())
    });
    let text = DAY_MONTH.replace_all(&text, |found: &Captures<'_>| {
        let year = found.get(4).map(|year| year.as_str());
        let said = match found.get(2) {
            Some(_) => day_of_month(&found[1], &found[3], year),
            None => named_date(&found[3], &found[1], year),
        };
        said.unwrap_or_else(|| found[0].to_owned())
    });
    text.into_owned()
}

/// Digits that a pattern matched; more than fit are no date.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

fn date(day: u64, month: u64, in_year: u64) -> Option<String> {
    let name = MONTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    (1..=31)
        .contains(&day)
        .then(|| format!("{name} {}, {}", ordinal(day), year(in_year)))
}

/// "November twenty-second, twenty twenty-six"
fn named_date(month: &str, day: &str, in_year: Option<&str>) -> Option<String> {
    let (name, day) = (month_name(month)?, day_of(day)?);
    Some(format!("{name} {day}{}", comma_year(in_year)))
}

/// "first of May, nineteen ninety-nine"
fn day_of_month(day: &str, month: &str, in_year: Option<&str>) -> Option<String> {
    let (name, day) = (month_name(month)?, day_of(day)?);
    Some(format!("{day} of {name}{}", comma_year(in_year)))
}

fn month_name(start: &str) -> Option<&'static str> {
    let start = start.get(..3).unwrap_or(start);
    MONTHS.iter().find(|name| name.starts_with(start)).copied()
}

fn day_of(digits: &str) -> Option<String> {
    let day = number(digits);
    (1..=31).contains(&day).then(|| ordinal(day))
}

fn comma_year(digits: Option<&str>) -> String {
    digits.map_or_else(String::new, |digits| format!(", {}", year(number(digits))))
}

/// A time of day; `half` is "am" or "pm" when it is written. The hours after noon are said as such.
fn time(hour: u64, minute: u64, half: Option<&str>) -> Option<String> {
    if hour > 24 || minute > 59 || (half.is_some() && !(1..=12).contains(&hour)) {
        return None;
    }
    let half = half.map_or_else(
        || match hour {
            0 | 24 => " a m",
            13..=23 => " p m",
            _ => "",
        },
        |half| if half == "am" { " a m" } else { " p m" },
    );
    let hours = cardinal(match hour {
        0 | 24 => 12,
        13..=23 => hour - 12,
        _ => hour,
    });
    Some(match minute {
        0 if half.is_empty() => format!("{hours} o'clock"),
        0 => format!("{hours}{half}"),
        1..=9 => format!("{hours} oh {}{half}", cardinal(minute)),
        _ => format!("{hours} {}{half}", cardinal(minute)),
    })
}
