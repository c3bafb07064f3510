//! "Set a timer for five minutes", "remind me in an hour to stretch".

use std::time::Duration;

use super::Answer;
use super::words::{Words, number};

/// The longest timer: it lives in memory only, so more would be a promise that a restart breaks.
const LONGEST: Duration = Duration::from_hours(24);

pub(super) fn answer(words: &Words) -> Option<Answer> {
    let asked =
        words.any(&["timer", "alarm", "countdown", "remind", "reminder"]) || words.phrase(&["wake me"]);
    if !asked {
        return None;
    }
    if words.any(&["cancel", "delete", "remove", "stop"]) {
        return Some(Answer::say(
            "I cannot take a timer back once it runs. It will ring once and then be quiet.",
        ));
    }
    let Some((span, end)) = duration(words.list()) else {
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

/// The time span in the words, and where it ends: the sum of "an hour and twenty minutes".
fn duration(words: &[String]) -> Option<(Duration, usize)> {
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
