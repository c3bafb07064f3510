//! "What time is it?", "What day is tomorrow?"

use goobster_core::time::UtcMillis;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::words::{Words, any, begins, only};

/// The time now and here. "What time is dinner?" and "what time is it in Tokyo?" go on, with words that are not ours.
const TIME: [&str; 18] = [
    "what time is it",
    "what is the time",
    "whats the time",
    "what time it is",
    "what the time is",
    "what is the current time",
    "what time do we have",
    "what time do you have",
    "tell the time",
    "the time",
    "the current time",
    "current time",
    "time",
    "do you have the time",
    "have you got the time",
    "got the time",
    "any idea what time it is",
    "how late is it",
];

/// The date, a day beside it, the month or the year; all of the request is about it, or it asks for something else
/// ("what day is your birthday?").
fn asks_day(request: &[String]) -> bool {
    const WORDS: [&str; 25] = [
        "what",
        "which",
        "whats",
        "is",
        "it",
        "are",
        "we",
        "do",
        "have",
        "the",
        "date",
        "day",
        "weekday",
        "today",
        "todays",
        "tomorrow",
        "yesterday",
        "of",
        "week",
        "month",
        "year",
        "this",
        "was",
        "currently",
        "current",
    ];
    if !only(request, &WORDS) {
        return false;
    }
    if begins(request, &["what", "which", "whats"]) {
        return any(request, &["date", "day", "weekday", "month", "year"])
            || request.join(" ").trim_end_matches(" please") == "what is today";
    }
    begins(request, &["the date", "date", "todays date", "today is date"])
        && !any(&request[1..], &["was", "it"])
}

pub(super) fn answer(words: &Words, now: UtcMillis, zone: &TimeZone) -> Option<String> {
    let here = Timestamp::from_millisecond(now.get())
        .ok()?
        .to_zoned(zone.clone());
    if words.asks_only(
        &TIME,
        &[
            "here",
            "currently",
            "exactly",
            "at",
            "the",
            "moment",
            "by",
            "your",
            "clock",
            "on",
        ],
    ) {
        let (hour, minute) = (here.hour(), here.minute());
        let half = if hour < 12 { "AM" } else { "PM" };
        let hour = match hour % 12 {
            0 => 12,
            other => other,
        };
        return Some(format!("It is {hour}:{minute:02} {half}."));
    }
    let words = words.requests().find(|request| asks_day(request))?;
    let day = any(
        words,
        &["date", "day", "today", "weekday", "tomorrow", "yesterday"],
    );
    if any(words, &["year"]) && !day {
        return Some(format!("It is {}.", here.year()));
    }
    if any(words, &["month"]) && !day {
        return Some(format!("It is {}.", month(here.date())));
    }
    let (label, date) = if any(words, &["tomorrow"]) {
        ("Tomorrow is", here.date().checked_add(1.day()).ok()?)
    } else if any(words, &["yesterday"]) {
        ("Yesterday was", here.date().checked_sub(1.day()).ok()?)
    } else {
        ("Today is", here.date())
    };
    Some(format!(
        "{label} {}, the {} of {} {}.",
        weekday(date),
        ordinal(date.day()),
        month(date),
        date.year()
    ))
}

fn weekday(date: Date) -> &'static str {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    usize::try_from(date.weekday().to_monday_zero_offset())
        .ok()
        .and_then(|day| DAYS.get(day))
        .copied()
        .unwrap_or("")
}

fn month(date: Date) -> &'static str {
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
    usize::try_from(date.month() - 1)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .copied()
        .unwrap_or("")
}

fn ordinal(day: i8) -> String {
    let ending = match (day % 10, day) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}
