//! What is expected: one claim an expectation, and every name in it one that is there.

use super::super::file::ExpectWords;
use super::super::{Action, Claim, Expectation, Member, ScenarioError, Step};
use super::values::{member_named, percent, seconds, share};
use super::{Read, Reader};

impl Reader<'_> {
    pub(super) fn expectation(
        &self,
        words: &ExpectWords,
        members: &[Member],
        steps: &[Step],
        line: usize,
    ) -> Read<Expectation> {
        if let Some(after) = &words.after {
            self.event(after, line)?;
        }
        let mut claims = of_people(words, members, steps, line)?;
        claims.extend(self.of_place(words, line)?);
        claims.extend(of_the_rest(words, line)?);
        let wrong = |what: String, remedy: &str| Err(ScenarioError::new(line, what, remedy));
        let claim = match claims.len() {
            1 => claims.remove(0),
            0 => {
                let what = "this expectation expects nothing".to_owned();
                return wrong(what, "docs/rehearsal.md lists what can be expected");
            }
            count => {
                let what = format!("an expectation claims one thing, this one {count}");
                return wrong(what, "write an [[expect]] for each");
            }
        };
        Ok(Expectation {
            claim,
            after: words.after.clone(),
            within: words.within.map(|w| seconds("within", w, line)).transpose()?,
            line,
        })
    }

    fn of_place(&self, words: &ExpectWords, line: usize) -> Read<Vec<Claim>> {
        let mut claims = Vec::new();
        if let Some(presence) = words.bot {
            let channel = words
                .channel
                .as_ref()
                .map(|c| self.voice_channel(c, line))
                .transpose()?;
            claims.push(Claim::Bot { presence, channel });
        }
        if words.returns == Some(false) {
            claims.push(Claim::NoReturn);
        }
        if words.session_kept == Some(true) {
            claims.push(Claim::SessionKept);
        }
        if let Some(code) = words.exit_code {
            claims.push(Claim::ExitCode(code));
        }
        Ok(claims)
    }
}

/// What is said, captioned, answered and written.
fn of_people(words: &ExpectWords, members: &[Member], steps: &[Step], line: usize) -> Read<Vec<Claim>> {
    let step = |label: &String, fits: fn(&Action) -> bool, kind: &str| {
        if steps.iter().any(|s| s.label == *label && fits(&s.action)) {
            return Ok(label.clone());
        }
        Err(ScenarioError::new(
            line,
            format!("'{label}' is no step {kind}"),
            "name one",
        ))
    };
    let speaks = |a: &Action| matches!(a, Action::Speak(_));
    let asks = |a: &Action| matches!(a, Action::Command { .. } | Action::Press { .. });
    let mut claims = Vec::new();
    if let Some(label) = &words.caption {
        let speech = step(label, speaks, "in which somebody speaks")?;
        claims.push(Claim::Caption {
            speech,
            word_errors: errors(words, line)?,
        });
    }
    if let Some(name) = &words.no_caption {
        claims.push(Claim::NoCaption {
            member: member_named(name, members, line)?,
        });
    }
    if let Some(reply) = &words.reply {
        claims.push(Claim::Reply { words: reply.clone() });
    }
    if let Some(label) = &words.answer {
        let command = step(label, asks, "with a command or a button")?;
        let said = words.words.clone().unwrap_or_default();
        claims.push(Claim::Answer {
            command,
            words: said,
            hidden: words.hidden,
        });
    }
    if let Some(message) = &words.message {
        claims.push(Claim::Message {
            words: message.clone(),
        });
    }
    if let Some(message) = &words.no_message {
        claims.push(Claim::NoMessage {
            words: message.clone(),
        });
    }
    Ok(claims)
}

/// Figures and sound.
fn of_the_rest(words: &ExpectWords, line: usize) -> Read<Vec<Claim>> {
    let latency = |key: &str, value: Option<f64>| value.map(|v| seconds(key, v, line)).transpose();
    let mut claims = Vec::new();
    if words.nothing_lost == Some(true) {
        claims.push(Claim::NothingLost {
            word_errors: errors(words, line)?,
        });
    }
    let caption = latency("caption_within", words.caption_within)?;
    let reply = latency("reply_within", words.reply_within)?;
    if caption.is_some() || reply.is_some() {
        claims.push(Claim::Latency { caption, reply });
    }
    if let Some(growth) = words.memory_growth {
        claims.push(Claim::Memory {
            growth: percent("memory_growth", growth, line)?,
        });
    }
    claims.extend(words.leftovers.map(Claim::Leftovers));
    if let Some(audible) = words.audible {
        claims.push(if audible { Claim::Audible } else { Claim::Silent });
    }
    let correlation = share("correlation", words.correlation.unwrap_or(0.9), line)?;
    if let Some(clip) = &words.hears {
        claims.push(Claim::HeardWhole {
            clip: clip.clone(),
            correlation,
        });
    }
    if let Some(clip) = &words.echoes {
        claims.push(Claim::Echoes {
            clip: clip.clone(),
            correlation,
        });
    }
    Ok(claims)
}

fn errors(words: &ExpectWords, line: usize) -> Read<f64> {
    words
        .word_errors
        .map_or(Ok(0.0), |e| percent("word_errors", e, line))
}
