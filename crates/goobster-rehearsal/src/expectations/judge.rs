//! Each kind of claim, held against what happened.

use std::collections::HashMap;
use std::time::Duration;

use goobster_audio::position;
use goobster_core::time::Moment;
use loopback_discord::BotFrame;

use super::whereabouts::{bot, no_return, session_kept};
use super::{Verdict, healthy};
use crate::figures::{Figures, captions_of, millis_after};
use crate::recording::Recording;
use crate::scenario::{Claim, Expectation};
use crate::sound;
use crate::timeline::{Caption, Timeline};
use crate::words::{contains, word_errors};

/// What was found is cut here.
const SHOWN: usize = 300;

/// Everything that claims are held against.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What happened.
    pub timeline: &'a Timeline,
    /// How long it took.
    pub figures: &'a Figures,
    /// What the bot sent, and moment zero on the clock of these frames.
    pub sound: (&'a [BotFrame], Duration),
    /// What the bot brought to scripted engines to be heard, at 16 kHz.
    pub heard: &'a [Vec<f32>],
    /// Recordings that claims name.
    pub recordings: &'a HashMap<String, Recording>,
}

/// What was found, and whether it is what was claimed.
pub(super) type Found = (bool, String);

/// Judges one expectation.
pub fn judge(expectation: &Expectation, evidence: Evidence<'_>) -> Verdict {
    let (met, found) = match window(expectation, evidence.timeline) {
        Some((from, to)) => found(expectation, evidence, from, to),
        None => (
            false,
            format!(
                "'{}' never happened",
                expectation.after.as_deref().unwrap_or_default()
            ),
        ),
    };
    Verdict {
        expected: expectation.to_string(),
        line: expectation.line,
        met,
        found: found.chars().take(SHOWN).collect(),
    }
}

/// From when to when the claim is about; none if what it counts from never happened.
fn window(expectation: &Expectation, timeline: &Timeline) -> Option<(Moment, Moment)> {
    let from = match &expectation.after {
        None => Moment::ZERO,
        Some(name) => happened(timeline, name)?,
    };
    let to = match expectation.within {
        Some(within) => from.after(within),
        None => Moment::NEVER,
    };
    Some((from, to))
}

/// When an event first happened.
fn happened(timeline: &Timeline, name: &str) -> Option<Moment> {
    let speech = |label: &str| timeline.speeches.iter().find(|s| s.label == label);
    match name.rsplit_once('.') {
        Some((label, "captioned")) => crate::figures::captioned(timeline, speech(label)?),
        Some((label, "replied")) => crate::figures::reply_to(timeline, speech(label)?).map(|s| s.to),
        _ => match name {
            "listening" => timeline.places.iter().find(|p| p.connected).map(|p| p.at),
            "left" => {
                let joined = timeline.places.iter().position(|p| p.channel.is_some())?;
                timeline
                    .places
                    .iter()
                    .skip(joined)
                    .find(|p| p.channel.is_none())
                    .map(|p| p.at)
            }
            name => timeline.event(name),
        },
    }
}

fn found(expectation: &Expectation, evidence: Evidence<'_>, from: Moment, to: Moment) -> Found {
    let Evidence { timeline, .. } = evidence;
    let inside = |at: Moment| at >= from && at <= to;
    match &expectation.claim {
        Claim::Caption { speech, word_errors } => caption(expectation, timeline, speech, *word_errors),
        Claim::NoCaption { member } => {
            let theirs = timeline
                .captions
                .iter()
                .filter(|c| c.name == *member && inside(c.created()));
            let words: Vec<&str> = theirs.map(Caption::words).collect();
            (
                words.is_empty(),
                if words.is_empty() {
                    "none".to_owned()
                } else {
                    words.join(" / ")
                },
            )
        }
        Claim::Reply { words } => {
            let replies: Vec<_> = timeline
                .captions
                .iter()
                .filter(|c| c.is_reply && inside(c.created()))
                .collect();
            let fits = replies.iter().any(|c| contains(c.words(), words));
            (fits, listed(replies.iter().map(|c| c.words())))
        }
        Claim::Answer {
            command,
            words,
            hidden,
        } => {
            let request = timeline.requests.iter().position(|r| r.label == *command);
            let answers: Vec<_> = timeline
                .messages
                .iter()
                .filter(|m| m.answers.is_some() && m.answers == request)
                .collect();
            let fits = answers
                .iter()
                .any(|m| contains(&m.words, words) && hidden.is_none_or(|h| h == m.hidden) && inside(m.at));
            (fits, listed(answers.iter().map(|m| m.words.as_str())))
        }
        Claim::Message { words } => {
            let said: Vec<&str> = said(timeline, inside).collect();
            (said.iter().any(|m| contains(m, words)), listed(said.into_iter()))
        }
        Claim::NoMessage { words } => match said(timeline, inside).find(|m| contains(m, words)) {
            None => (true, "none".to_owned()),
            Some(message) => (false, message.to_owned()),
        },
        Claim::Bot { presence, channel } => bot(timeline, *presence, channel.as_deref(), from, to),
        Claim::NoReturn => no_return(timeline, from, to),
        Claim::SessionKept => session_kept(timeline),
        Claim::NothingLost { word_errors } => {
            let well = timeline
                .speeches
                .iter()
                .filter(|s| healthy::heard_well(timeline, s))
                .count();
            let lost = healthy::lost(timeline, *word_errors);
            let all = format!(
                "{well} of {} could be heard well, all captioned",
                timeline.speeches.len()
            );
            (
                lost.is_empty(),
                if lost.is_empty() { all } else { lost.join("; ") },
            )
        }
        Claim::Latency { caption, reply } => latency(evidence.figures, *caption, *reply, from),
        Claim::Memory { growth } => memory(timeline, *growth, from),
        Claim::Leftovers(most) => leftovers(timeline, *most, from),
        Claim::ExitCode(code) => match timeline.exits.last() {
            None => (false, "it never ended".to_owned()),
            Some(exit) => (exit.code == Some(*code), format!("{:?}", exit.code)),
        },
        Claim::Audible | Claim::Silent => {
            let heard: Vec<_> = timeline
                .sounds
                .iter()
                .filter(|s| s.to >= from && s.from <= to)
                .collect();
            let told: Vec<String> = heard.iter().map(|s| format!("{}-{}", s.from, s.to)).collect();
            let wanted = matches!(expectation.claim, Claim::Audible);
            (
                heard.is_empty() != wanted,
                if told.is_empty() {
                    "silence".to_owned()
                } else {
                    told.join(", ")
                },
            )
        }
        Claim::HeardWhole { clip, correlation } => heard_whole(evidence, clip, *correlation),
        Claim::Echoes { clip, correlation } => echoes(evidence, clip, *correlation, (from, to)),
    }
}

/// Some of what there is.
fn listed<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    match all.len() {
        0 => "nothing".to_owned(),
        count => all[count.saturating_sub(4)..].join(" / "),
    }
}

/// Everything that stood in messages in a time.
fn said<'a>(
    timeline: &'a Timeline,
    inside: impl Fn(Moment) -> bool + Copy + 'a,
) -> impl Iterator<Item = &'a str> {
    let of = move |m: &'a crate::timeline::Message| {
        m.revisions
            .iter()
            .filter(move |(at, _)| inside(*at))
            .map(|(_, words)| words.as_str())
    };
    timeline.messages.iter().flat_map(of)
}

fn caption(expectation: &Expectation, timeline: &Timeline, label: &str, most: f64) -> Found {
    let Some(speech) = timeline.speeches.iter().find(|s| s.label == label) else {
        return (false, "it was never said".to_owned());
    };
    let captions = captions_of(timeline, speech);
    let words: Vec<&str> = captions.iter().map(|c| c.words()).collect();
    let heard = words.join(" ");
    let Some(at) = crate::figures::captioned(timeline, speech) else {
        return (
            false,
            if heard.is_empty() {
                "nothing".to_owned()
            } else {
                format!("never final: {heard}")
            },
        );
    };
    let late = millis_after(at, speech.end_of_speech);
    let in_time = expectation
        .within
        .is_none_or(|w| late <= i64::try_from(w.as_millis()).unwrap_or(i64::MAX));
    let errors = speech
        .text
        .as_ref()
        .map(|said| word_errors(said, &heard).percent());
    let right = errors.is_none_or(|e| e <= most);
    let told = errors.map_or("words not known".to_owned(), |e| format!("{e:.1} % wrong"));
    (
        in_time && right && !heard.is_empty(),
        format!("{told}, {late} ms after the end of speech: \"{heard}\""),
    )
}

/// The middle of the first minute that counts against the middle of the last: single samples say little.
fn memory(timeline: &Timeline, growth: f64, from: Moment) -> Found {
    const STRETCH: Duration = Duration::from_mins(1);
    let middle = |from: Moment, to: Moment| {
        let within = timeline.vitals.iter().filter(|v| v.at >= from && v.at <= to);
        let mut bytes: Vec<u64> = within.map(|v| v.memory).collect();
        bytes.sort_unstable();
        bytes.get(bytes.len() / 2).copied()
    };
    let begins = middle(from, from.after(STRETCH));
    let ends = middle(timeline.over.before(STRETCH).max(from), timeline.over);
    let (Some(begins), Some(ends)) = (begins, ends) else {
        return (false, "memory was not looked at".to_owned());
    };
    let grown = 100.0 * (ends as f64 / begins.max(1) as f64 - 1.0);
    let told = format!("from {} to {} MiB, {grown:.1} %", begins >> 20, ends >> 20);
    (grown <= growth, told)
}

/// What the process held when counting began against what it held at the last look.
fn leftovers(timeline: &Timeline, most: u64, from: Moment) -> Found {
    let (Some(begins), Some(ends)) = (
        timeline.vitals.iter().rev().find(|v| v.at <= from),
        timeline.vitals.last(),
    ) else {
        return (false, "the process was not looked at".to_owned());
    };
    let met = ends.threads <= begins.threads + most && ends.descriptors <= begins.descriptors + most;
    let told = format!(
        "from {} to {} threads, from {} to {} file descriptors",
        begins.threads, ends.threads, begins.descriptors, ends.descriptors
    );
    (met, told)
}

fn latency(figures: &Figures, caption: Option<Duration>, reply: Option<Duration>, from: Moment) -> Found {
    let turns: Vec<_> = figures.turns.iter().filter(|t| t.end_of_speech >= from).collect();
    let worst = |times: Vec<i64>| times.into_iter().max();
    let captions = worst(turns.iter().filter_map(|t| t.caption_ms).collect());
    let replies = worst(turns.iter().filter_map(|t| t.reply_audio_ms).collect());
    let within = |worst: Option<i64>, limit: Option<Duration>| match (worst, limit) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(worst), Some(limit)) => worst <= i64::try_from(limit.as_millis()).unwrap_or(i64::MAX),
    };
    let all = caption.is_none() || turns.iter().all(|t| t.caption_ms.is_some());
    let told = |what: &str, worst: Option<i64>| match worst {
        Some(ms) => format!("slowest {what} {ms} ms"),
        None => format!("no {what}"),
    };
    let met = all && within(captions, caption) && within(replies, reply);
    (
        met,
        format!("{}, {}", told("caption", captions), told("reply", replies)),
    )
}

/// Whether one of the sounds that the bot heard is what was sent, from its first voiced 20 ms to its last. What was sent is the
/// recording after its way through Opus: the codec keeps how speech sounds, not its wave.
fn heard_whole(evidence: Evidence<'_>, clip: &str, least: f64) -> Found {
    let Some(recording) = evidence.recordings.get(clip) else {
        return (false, "the recording was not prepared".to_owned());
    };
    let sent = match recording.as_sent() {
        Ok(sent) => sent,
        Err(error) => return (false, error.to_string()),
    };
    let at = |time: Duration| (position::time_to_samples(time) as usize).min(sent.len());
    let voiced = &sent[at(recording.first_voiced)..at(recording.last_voiced)];
    let likeness = |sound: &Vec<f32>| sound::likeness(sound, voiced);
    let best = evidence.heard.iter().map(likeness).fold(0.0_f32, f32::max);
    (
        f64::from(best) >= least,
        format!(
            "correlation {best:.3}, the best of {} sounds",
            evidence.heard.len()
        ),
    )
}

fn echoes(evidence: Evidence<'_>, clip: &str, least: f64, (from, to): (Moment, Moment)) -> Found {
    let Some(recording) = evidence.recordings.get(clip) else {
        return (false, "the recording was not prepared".to_owned());
    };
    let (frames, zero) = evidence.sound;
    let mut best = 0.0_f32;
    for sound in evidence
        .timeline
        .sounds
        .iter()
        .filter(|s| s.to >= from && s.from <= to)
    {
        match sound::heard(
            frames,
            zero,
            sound.from.before(Duration::from_millis(100)),
            sound.to,
        ) {
            Ok(heard) => best = best.max(sound::likeness(&heard, &recording.sound)),
            Err(error) => return (false, error.to_string()),
        }
    }
    (f64::from(best) >= least, format!("correlation {best:.3}"))
}

#[cfg(test)]
mod tests;
