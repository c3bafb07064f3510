//! "Set a timer for five minutes", "remind me in an hour to stretch".

use std::time::Duration;

use super::Answer;
use super::words::{Words, any, begins, number};

/// The longest timer: it lives in memory only, so more would be a promise that a restart breaks.
const LONGEST: Duration = Duration::from_hours(24);

const NOUNS: [&str; 4] = ["timer", "alarm", "countdown", "reminder"];

pub(super) fn answer(words: &Words) -> Option<Answer> {
    let found = duration(words.list());
    if !is_set(words, found.is_some()) {
        let cancelled = words.asks(&[
            "cancel", "delete", "remove", "stop", "clear", "end", "abort", "turn off",
        ]) && words.any(&NOUNS);
        return cancelled.then(|| {
            Answer::say("I cannot take a timer back once it runs. It will ring once and then be quiet.")
        });
    }
    let Some((span, end)) = found else {
        return Some(Answer::say(
            "For how long? Say, for example: set a timer for five minutes.",
        ));
    };
    if span.is_zero() {
        return Some(Answer::say("A timer of no time at all? It would be up already."));
    }
    if span > LONGEST {
        return Some(Answer::say(
            "That is too long for me: my timers run for a day at most.",
        ));
    }
    let length = spoken(span);
    let announcement = match purpose(words.list(), end) {
        Some(what) => format!("Here is your reminder: {what}."),
        None => format!("Your timer for {length} is up."),
    };
    Some(Answer {
        text: format!("All right, {length}, starting now."),
        timer: Some((span, announcement)),
    })
}

/// Whether a timer is asked for, not spoken of: "remind me to stop the oven in ten minutes" is, "stop the timer" and
/// "that reminder came late" are not.
fn is_set(words: &Words, has_duration: bool) -> bool {
    const MAKE: [&str; 9] = [
        "set", "start", "make", "create", "begin", "put", "add", "run", "give",
    ];
    const ONE: [&str; 3] = ["a timer", "an alarm", "a reminder"];
    words.requests().any(|request| {
        (begins(request, &MAKE) && any(request, &NOUNS) && (has_duration || !any(request, &["off", "is", "was"])))
            || (begins(request, &["remind me", "remind us"])
                && (has_duration
                    || begins(
                        &request[2..],
                        &["to", "about", "that", "in", "at", "on", "after", "tomorrow", "tonight", "later"],
                    )))
            || (begins(request, &["wake me", "wake us", "set me a", "ring me in"])
                && (has_duration || any(request, &["up"])))
            || (begins(request, &NOUNS) && (has_duration || request.len() == 1) && !any(request, &["is", "was"]))
            || (begins(request, &ONE) && has_duration && !any(request, &["is", "was"]))
            // "A five minute timer, please": little else is said.
            || (has_duration && number(request).is_some() && any(request, &NOUNS) && request.len() <= 7)
    })
}

/// The time span that is meant, and where it ends: the one after "in", "for" or "after" rather than one that belongs to
/// what is to be done ("remind me to take a day off in ten minutes").
fn duration(words: &[String]) -> Option<(Duration, usize)> {
    let marked = |at: &usize| matches!(words[*at].as_str(), "in" | "for" | "after");
    (0..words.len())
        .filter(marked)
        .find_map(|at| {
            let more = words
                .get(at + 1)
                .is_some_and(|word| matches!(word.as_str(), "about" | "another"));
            let begin = at + 1 + usize::from(more);
            let (span, end) = first_duration(&words[begin..])?;
            begins_duration(&words[begin..]).then_some((span, begin + end))
        })
        .or_else(|| first_duration(words))
}

/// Whether the words begin with a time span.
fn begins_duration(words: &[String]) -> bool {
    number(words).is_some_and(|(_, used)| words.get(used).is_some_and(|unit| unit_seconds(unit).is_some()))
}

/// The first time span in the words, and where it ends: the sum of "an hour and twenty minutes".
fn first_duration(words: &[String]) -> Option<(Duration, usize)> {
    let mut seconds = 0.0_f64;
    let mut end = None;
    let mut at = 0;
    while at < words.len() {
        let found = number(&words[at..]).and_then(|(count, used)| {
            let unit = words.get(at + used)?;
            // "an hour and a half": the half comes after its unit.
            let tail: Vec<&str> = words[at + used + 1..]
                .iter()
                .take(3)
                .map(String::as_str)
                .collect();
            let half = tail == ["and", "a", "half"];
            let per = unit_seconds(unit)?;
            Some((
                (count + if half { 0.5 } else { 0.0 }) * per,
                used + 1 + if half { 3 } else { 0 },
            ))
        });
        match found {
            Some((more, used)) => {
                seconds += more;
                at += used;
                end = Some(at);
            }
            // A span is said in one go.
            None if end.is_some() && words[at] != "and" => break,
            None => at += 1,
        }
    }
    end.map(|end| {
        (
            Duration::from_millis((seconds * 1000.0).round().clamp(0.0, 1e15) as u64),
            end,
        )
    })
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "second" | "seconds" | "sec" | "secs" | "s" => Some(1.0),
        "minute" | "minutes" | "min" | "mins" => Some(60.0),
        "hour" | "hours" | "hr" | "hrs" | "h" => Some(3600.0),
        "day" | "days" => Some(86_400.0),
        _ => None,
    }
}

/// What to be reminded of: the words after "to" or "about", before or after the time.
fn purpose(words: &[String], end: usize) -> Option<String> {
    let me = words.iter().position(|word| word == "me")?;
    let after = words
        .iter()
        .enumerate()
        .skip(me + 1)
        .find(|(_, w)| matches!(w.as_str(), "to" | "about" | "that"))?
        .0;
    let rest = &words[after + 1..];
    // "to stretch in five minutes": the time is no part of it.
    let rest = if after < end {
        let cut = rest
            .iter()
            .rposition(|word| matches!(word.as_str(), "in" | "after"))?;
        &rest[..cut]
    } else {
        rest
    };
    let rest: Vec<&str> = rest
        .iter()
        .map(|word| if word == "my" { "your" } else { word.as_str() })
        .collect();
    (!rest.is_empty()).then(|| rest.join(" "))
}

/// A span as people say it: "5 minutes", "1 hour and 20 minutes".
pub(super) fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts: Vec<String> = [
        (seconds / 3600, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
    .collect();
    match parts.split_last() {
        None => "less than a second".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}
