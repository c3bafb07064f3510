//! What a step does: read from the keys that go with it, the others refused.

use std::time::Duration;

use super::super::file::StepWords;
use super::super::{Action, Fault, Member, RestKind, ScenarioError, Speech};
use super::values::{known, member_named, seconds, share};
use super::{Read, Reader};

/// Latest that packets can be: beyond it they count as lost everywhere.
const MOST_JITTER_MS: u64 = 2_000;
/// Jitter of which neighbouring packets overtake each other.
const REORDERING: Duration = Duration::from_millis(40);

impl Reader<'_> {
    pub(super) fn action(&self, words: &StepWords, members: &[Member], line: usize) -> Read<Action> {
        let kinds = [
            ("joins", words.joins.is_some()),
            ("leaves", words.leaves.is_some()),
            ("mutes", words.mutes.is_some()),
            ("clip", words.clip.is_some()),
            ("command", words.command.is_some()),
            ("presses", words.presses.is_some()),
            ("writes", words.writes.is_some()),
            ("fault", words.fault.is_some()),
        ];
        let there: Vec<&str> = kinds.iter().filter(|(_, t)| *t).map(|(k, _)| *k).collect();
        let kind = match there.as_slice() {
            [] => "",
            [kind] => kind,
            [one, other, ..] => {
                let what = format!("a step does one thing, this one has `{one}` and `{other}`");
                return Err(ScenarioError::new(line, what, "make two steps of it"));
            }
        };
        stray(words, kind, line)?;
        if kind == "fault" {
            return self.fault(words, members, line).map(Action::Fault);
        }
        if kind.is_empty() {
            return Ok(Action::Rest);
        }
        let member = || -> Read<String> {
            let name = words.member.as_ref().ok_or_else(|| {
                ScenarioError::new(line, format!("`{kind}` has no `member`"), "say who does it")
            })?;
            member_named(name, members, line)
        };
        let text = |name: &Option<String>| match name {
            Some(name) => self.text_channel(name, line),
            None => Ok(self.file.text_channels[0].clone()),
        };
        Ok(match kind {
            "joins" => {
                let channel = self.voice_channel(words.joins.as_deref().unwrap_or_default(), line)?;
                Action::Join {
                    member: member()?,
                    channel,
                }
            }
            "leaves" => Action::Leave { member: member()? },
            "mutes" => Action::Mute {
                member: member()?,
                on: words.mutes.unwrap_or(true),
            },
            "clip" => Action::Speak(speech(words, member()?, line)?),
            "command" => Action::Command {
                member: member()?,
                path: command_path(words.command.as_deref().unwrap_or_default(), line)?,
                options: options(words.options.as_ref(), line)?,
                channel: text(&words.channel)?,
            },
            "presses" => Action::Press {
                member: member()?,
                button: words.presses.clone().unwrap_or_default(),
            },
            _ => Action::Write {
                member: member()?,
                words: words.writes.clone().unwrap_or_default(),
                channel: text(&words.channel)?,
            },
        })
    }

    fn fault(&self, words: &StepWords, members: &[Member], line: usize) -> Read<Fault> {
        let need = |key: &str| {
            ScenarioError::new(
                line,
                format!("this fault needs `{key}`"),
                "docs/rehearsal.md lists them",
            )
        };
        let code = || words.code.ok_or_else(|| need("code"));
        let lasts = || {
            words
                .lasts
                .map_or_else(|| Err(need("lasts")), |s| seconds("lasts", s, line))
        };
        let channel = || words.channel.clone().ok_or_else(|| need("channel"));
        let name = words.fault.as_deref().unwrap_or_default();
        Ok(match name {
            "gateway-reconnect" => Fault::GatewayReconnect,
            "gateway-invalid" => Fault::GatewayInvalid {
                resumable: words.resumable.unwrap_or(false),
            },
            "gateway-close" => Fault::GatewayClose(code()?),
            "gateway-cut" => Fault::GatewayCut,
            "gateway-silence" => Fault::GatewaySilence,
            "voice-close" => Fault::VoiceClose(code()?),
            "voice-cut" => Fault::VoiceCut,
            "voice-silence" => Fault::VoiceSilence,
            "black-hole" => Fault::BlackHole(lasts()?),
            "new-group" => Fault::NewGroup,
            "downgrade" => Fault::Downgrade,
            "garble" => {
                let member = words.member.as_ref().ok_or_else(|| need("member"))?;
                Fault::Garble {
                    member: member_named(member, members, line)?,
                    lasts: lasts()?,
                }
            }
            "network" => Fault::Network {
                direction: words.direction.unwrap_or_default(),
                loss: share("loss", words.loss.unwrap_or(0.0), line)?,
                jitter: jitter(words, line)?,
                lasts: lasts()?,
            },
            "rest" => rest(words, line)?,
            "move-voice-server" => Fault::MoveVoiceServer,
            "drag-bot" => Fault::DragBot {
                channel: self.voice_channel(&channel()?, line)?,
            },
            "kick-bot" => Fault::KickBot,
            "delete-channel" => {
                let all: Vec<String> = self
                    .file
                    .voice_channels
                    .iter()
                    .chain(&self.file.text_channels)
                    .cloned()
                    .collect();
                Fault::DeleteChannel {
                    channel: known("channel", &channel()?, &all, line)?,
                }
            }
            "remove-guild" => Fault::RemoveGuild,
            "kill-bot" => Fault::KillBot,
            "terminate-bot" => Fault::TerminateBot,
            "start-bot" => Fault::StartBot,
            _ => {
                let what = format!("there is no fault '{name}'");
                return Err(ScenarioError::new(
                    line,
                    what,
                    format!("choose one of {}", Fault::NAMES.join(", ")),
                ));
            }
        })
    }
}

fn rest(words: &StepWords, line: usize) -> Read<Fault> {
    let kind = match (words.status, words.late, words.retry_after) {
        (Some(429), None, after) => RestKind::TooMany {
            retry_after: seconds("retry_after", after.unwrap_or(1.0), line)?,
        },
        (Some(status @ 400..=599), None, None) => RestKind::Status(status),
        (None, Some(late), None) => RestKind::Late(seconds("late", late, line)?),
        (None, None, None) => RestKind::Cut,
        _ => {
            let what = "`status` (400 to 599), `late` and `retry_after` do not go together like this";
            let remedy = "give `status`, or `status = 429` with `retry_after`, or `late`, or none to cut the connection";
            return Err(ScenarioError::new(line, what, remedy));
        }
    };
    Ok(Fault::Rest {
        kind,
        method: words.method.clone(),
        path: words.path.clone().unwrap_or_default(),
        times: words.times.unwrap_or(1),
    })
}

/// Keys that do not go with what the step does: they would be ignored, and whoever wrote them misled.
fn stray(words: &StepWords, kind: &str, line: usize) -> Read<()> {
    let keys: [(&str, bool, &[&str]); 17] = [
        (
            "member",
            words.member.is_some(),
            &[
                "joins", "leaves", "mutes", "clip", "command", "presses", "writes", "fault",
            ],
        ),
        ("text", words.text.is_some(), &["clip"]),
        ("gain_db", words.gain_db.is_some(), &["clip"]),
        ("loss", words.loss.is_some(), &["clip", "fault"]),
        ("jitter_ms", words.jitter_ms.is_some(), &["clip", "fault"]),
        ("reorder", words.reorder.is_some(), &["clip", "fault"]),
        ("options", words.options.is_some(), &["command"]),
        (
            "channel",
            words.channel.is_some(),
            &["command", "writes", "fault"],
        ),
        ("code", words.code.is_some(), &["fault"]),
        ("resumable", words.resumable.is_some(), &["fault"]),
        ("lasts", words.lasts.is_some(), &["fault"]),
        ("direction", words.direction.is_some(), &["fault"]),
        ("status", words.status.is_some(), &["fault"]),
        ("late", words.late.is_some(), &["fault"]),
        ("retry_after", words.retry_after.is_some(), &["fault"]),
        (
            "method",
            words.method.is_some() || words.path.is_some(),
            &["fault"],
        ),
        ("times", words.times.is_some(), &["fault"]),
    ];
    match keys
        .iter()
        .find(|(_, there, with)| *there && !with.contains(&kind))
    {
        None => Ok(()),
        Some((key, _, with)) => {
            let what = format!("`{key}` goes only with {}", with.join(", "));
            Err(ScenarioError::new(
                line,
                what,
                "remove it, or say what the step does",
            ))
        }
    }
}

fn speech(words: &StepWords, member: String, line: usize) -> Read<Speech> {
    let gain_db = words.gain_db.unwrap_or(0.0);
    if !(-60.0..=30.0).contains(&gain_db) {
        return Err(ScenarioError::new(
            line,
            format!("gain_db = {gain_db} is outside -60 to 30"),
            "0 changes nothing",
        ));
    }
    Ok(Speech {
        member,
        clip: words.clip.clone().unwrap_or_default(),
        text: words.text.clone(),
        gain_db: gain_db as f32,
        loss: share("loss", words.loss.unwrap_or(0.0), line)?,
        jitter: jitter(words, line)?,
    })
}

fn jitter(words: &StepWords, line: usize) -> Read<Duration> {
    let ms = words.jitter_ms.unwrap_or(0);
    if ms > MOST_JITTER_MS {
        let what = format!("jitter_ms = {ms} is more than {MOST_JITTER_MS}");
        return Err(ScenarioError::new(
            line,
            what,
            "packets that late are lost: use `loss`",
        ));
    }
    let jitter = Duration::from_millis(ms);
    Ok(if words.reorder == Some(true) {
        jitter.max(REORDERING)
    } else {
        jitter
    })
}

fn command_path(command: &str, line: usize) -> Read<String> {
    let path = command.strip_prefix('/').unwrap_or(command).trim();
    if path.is_empty() {
        return Err(ScenarioError::new(
            line,
            "`command` names no command",
            "write it as typed: \"/voice start\"",
        ));
    }
    Ok(path.to_owned())
}

fn options(table: Option<&toml::Table>, line: usize) -> Read<Vec<(String, serde_json::Value)>> {
    let value = |name: &str, value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone().into()),
        toml::Value::Integer(number) => Ok((*number).into()),
        toml::Value::Float(number) => Ok((*number).into()),
        toml::Value::Boolean(whether) => Ok((*whether).into()),
        _ => Err(ScenarioError::new(
            line,
            format!("the option '{name}' is neither text, number nor true or false"),
            "Discord knows no other",
        )),
    };
    let given = table.into_iter().flatten();
    given
        .map(|(name, v)| Ok((name.clone(), value(name, v)?)))
        .collect()
}
