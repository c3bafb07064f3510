//! "What time is it?", "What day is tomorrow?"

use goobster_core::time::UtcMillis;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::words::Words;

pub(super) fn answer(words: &Words, now: UtcMillis, zone: &TimeZone) -> Option<String> {
    let here = Timestamp::from_millisecond(now.get())
        .ok()?
        .to_zoned(zone.clone());
    let question = words.any(&["what", "which", "tell", "is", "whats", "current"]) || words.list().len() <= 2;
    if words.phrase(&[
        "what time",
        "the time",
        "time is it",
        "current time",
        "whats the time",
    ]) && question
        && !words.phrase(&["the time of", "of the time", "all the time"])
    {
        let (hour, minute) = (here.hour(), here.minute());
        let half = if hour < 12 { "AM" } else { "PM" };
        let hour = match hour % 12 {
            0 => 12,
            other => other,
        };
        return Some(format!("It is {hour}:{minute:02} {half}."));
    }
    let about_day = words.any(&["day", "date", "today", "weekday", "month", "year"]);
    if !(about_day && question && words.any(&["what", "which", "date", "whats"])) {
        return None;
    }
    if words.phrase(&["year is it", "what year"]) {
        return Some(format!("It is {}.", here.year()));
    }
    if words.phrase(&["what month", "which month"]) {
        return Some(format!("It is {}.", month(here.date())));
    }
    if !words.any(&["date", "today", "weekday"]) && !words.phrase(&["what day", "which day", "the day"]) {
        return None;
    }
    let (label, date) = if words.any(&["tomorrow"]) {
        ("Tomorrow is", here.date().checked_add(1.day()).ok()?)
    } else if words.any(&["yesterday"]) {
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
