//! From the words of a file to a scenario in which every name is known and every number makes sense.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::file::{ExpectWords, File, Person, StepWords};
use super::{
    Action, Claim, Expectation, Fault, Member, OWNER, RestKind, Scenario, ScenarioError, Speech, Step, When,
};

/// Larger than any scenario that a person writes, in bytes.
const LARGEST: usize = 1 << 20;
/// Longest time in a scenario, in seconds: a day.
const LONGEST: f64 = 86_400.0;
/// What is waited after the last step unless the file says otherwise.
const LINGER: Duration = Duration::from_secs(3);
/// How long a rehearsal may take unless the file says otherwise.
const LIMIT: Duration = Duration::from_mins(10);
/// Latest that packets can be: beyond it they count as lost everywhere.
const MOST_JITTER_MS: u64 = 2_000;
/// Jitter of which neighbouring packets overtake each other.
const REORDERING: Duration = Duration::from_millis(40);

/// Events that are there without a label.
const STANDING: [&str; 2] = ["listening", "left"];
/// Events of a labelled step besides the end of it.
const PARTS: [&str; 3] = ["began", "captioned", "replied"];

type Read<T> = Result<T, ScenarioError>;

impl Scenario {
    /// Reads a scenario from TOML.
    pub fn parse(text: &str) -> Read<Self> {
        if text.len() > LARGEST {
            let what = format!("it has {} bytes, more than {LARGEST}", text.len());
            return Err(ScenarioError::new(1, what, "this is no scenario"));
        }
        let file: File = toml::from_str(text).map_err(|e| refused(text, &e))?;
        let mut reader = Reader {
            text,
            file: &file,
            labels: BTreeSet::new(),
        };
        reader.scenario()
    }
}

/// The parser's words with the line they are about.
fn refused(text: &str, error: &toml::de::Error) -> ScenarioError {
    let line = error.span().map(|span| line_of(text, span.start));
    ScenarioError {
        place: None,
        line,
        what: error.message().trim().replace('\n', " "),
        remedy: "docs/rehearsal.md lists every key".to_owned(),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count()
}

struct Reader<'a> {
    text: &'a str,
    file: &'a File,
    labels: BTreeSet<String>,
}

impl Reader<'_> {
    fn line<T>(&self, spanned: &Spanned<T>) -> usize {
        line_of(self.text, spanned.span().start)
    }

    fn scenario(&mut self) -> Read<Scenario> {
        let file = self.file;
        let members = self.members()?;
        for (what, channels) in [("text", &file.text_channels), ("voice", &file.voice_channels)] {
            if channels.is_empty() || channels.iter().any(|c| c.trim().is_empty()) {
                let what = format!("{what}_channels names no channel");
                return Err(ScenarioError::new(
                    1,
                    what,
                    "name at least one, or leave the key out",
                ));
            }
        }
        let mut steps = Vec::new();
        for (n, words) in file.step.iter().enumerate() {
            let line = self.line(words);
            steps.push(self.step(n, words.get_ref(), &members, line)?);
        }
        self.check_events(&steps)?;
        let mut expectations = Vec::new();
        for words in &file.expect {
            let line = self.line(words);
            expectations.push(self.expectation(words.get_ref(), &members, &steps, line)?);
        }
        Ok(Scenario {
            title: file.title.clone(),
            seed: file.seed,
            dave: file.dave,
            bot_commits: file.bot_commits,
            engines: file.engines,
            guild: file.guild.clone(),
            text_channels: file.text_channels.clone(),
            voice_channels: file.voice_channels.clone(),
            members,
            bot: file.bot.clone(),
            steps,
            expectations,
            linger: file.linger.map_or(Ok(LINGER), |s| seconds("linger", s, 1))?,
            limit: file.limit.map_or(Ok(LIMIT), |s| seconds("limit", s, 1))?,
        })
    }

    fn members(&self) -> Read<Vec<Member>> {
        let mut members: Vec<Member> = Vec::new();
        for person in &self.file.members {
            let line = self.line(person);
            let member = match person.get_ref() {
                Person::Name(name) => Member {
                    name: name.clone(),
                    manages: false,
                    is_bot: false,
                },
                Person::Table(t) => Member {
                    name: t.name.clone(),
                    manages: t.manages,
                    is_bot: t.bot,
                },
            };
            if member.name.trim().is_empty() || member.name.chars().count() > 32 {
                let what = format!("the member's name '{}' is not 1 to 32 characters", member.name);
                return Err(ScenarioError::new(line, what, "Discord allows no other"));
            }
            if member.name == OWNER || members.iter().any(|m| m.name == member.name) {
                let what = format!("the member's name '{}' is taken", member.name);
                return Err(ScenarioError::new(
                    line,
                    what,
                    "give each member another; 'owner' is always there",
                ));
            }
            members.push(member);
        }
        Ok(members)
    }

    fn step(&mut self, n: usize, words: &StepWords, members: &[Member], line: usize) -> Read<Step> {
        let label = words.label.clone().unwrap_or_else(|| format!("step {}", n + 1));
        if label.trim().is_empty() || label.contains('.') || STANDING.contains(&label.as_str()) {
            let what = format!("'{label}' cannot be a label");
            return Err(ScenarioError::new(
                line,
                what,
                "use words without a full stop, not 'listening' or 'left'",
            ));
        }
        if !self.labels.insert(label.clone()) {
            let what = format!("the label '{label}' is there twice");
            return Err(ScenarioError::new(line, what, "give each step its own"));
        }
        let wait = words.wait.map(|w| seconds("wait", w, line)).transpose()?;
        let when = match (words.at, &words.after) {
            (Some(_), Some(_)) => {
                return Err(ScenarioError::new(
                    line,
                    "both `at` and `after` are set",
                    "keep one of them",
                ));
            }
            (Some(_), None) if wait.is_some() => {
                return Err(ScenarioError::new(
                    line,
                    "`wait` does not go with `at`",
                    "add it to `at`",
                ));
            }
            (Some(at), None) => When::At(seconds("at", at, line)?),
            (None, event) => When::After {
                event: event.clone(),
                wait: wait.unwrap_or_default(),
            },
        };
        let action = self.action(words, members, line)?;
        Ok(Step {
            label,
            when,
            patience: words.patience.map(|p| seconds("patience", p, line)).transpose()?,
            action,
            line,
        })
    }

    fn action(&self, words: &StepWords, members: &[Member], line: usize) -> Read<Action> {
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

    fn voice_channel(&self, name: &str, line: usize) -> Read<String> {
        known("voice channel", name, &self.file.voice_channels, line)
    }

    fn text_channel(&self, name: &str, line: usize) -> Read<String> {
        known("text channel", name, &self.file.text_channels, line)
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
            "rest" => self.rest(words, line)?,
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

    fn rest(&self, words: &StepWords, line: usize) -> Read<Fault> {
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

    /// Every event that a step waits for is one that can happen before it.
    fn check_events(&self, steps: &[Step]) -> Read<()> {
        for (n, step) in steps.iter().enumerate() {
            let When::After {
                event: Some(event), ..
            } = &step.when
            else {
                continue;
            };
            self.event(event, step.line)?;
            let label = event.split('.').next().unwrap_or_default();
            if steps[n..].iter().any(|s| s.label == label) {
                let what = format!("'{}' waits for '{event}', which comes later", step.label);
                return Err(ScenarioError::new(
                    step.line,
                    what,
                    "put the steps in the order in which they begin",
                ));
            }
        }
        Ok(())
    }

    fn event(&self, event: &str, line: usize) -> Read<()> {
        let (label, part) = event.split_once('.').map_or((event, None), |(l, p)| (l, Some(p)));
        let fits = STANDING.contains(&event)
            || (self.labels.contains(label) && part.is_none_or(|p| PARTS.contains(&p)));
        if fits {
            return Ok(());
        }
        let what = format!("nothing is called '{event}'");
        let remedy = "name the label of a step, alone or with .began, .captioned or .replied, or 'listening', or 'left'";
        Err(ScenarioError::new(line, what, remedy))
    }

    fn expectation(
        &self,
        words: &ExpectWords,
        members: &[Member],
        steps: &[Step],
        line: usize,
    ) -> Read<Expectation> {
        if let Some(after) = &words.after {
            self.event(after, line)?;
        }
        let claim = self.claim(words, members, steps, line)?;
        Ok(Expectation {
            claim,
            after: words.after.clone(),
            within: words.within.map(|w| seconds("within", w, line)).transpose()?,
            line,
        })
    }

    fn claim(&self, words: &ExpectWords, members: &[Member], steps: &[Step], line: usize) -> Read<Claim> {
        let is_speech = |label: &String| match steps.iter().find(|s| s.label == *label) {
            Some(Step {
                action: Action::Speak(_),
                ..
            }) => Ok(label.clone()),
            _ => Err(ScenarioError::new(
                line,
                format!("'{label}' is no step in which somebody speaks"),
                "name one",
            )),
        };
        let is_command = |label: &String| match steps.iter().find(|s| s.label == *label) {
            Some(Step {
                action: Action::Command { .. } | Action::Press { .. },
                ..
            }) => Ok(label.clone()),
            _ => Err(ScenarioError::new(
                line,
                format!("'{label}' is no step with a command or a button"),
                "name one",
            )),
        };
        let errors = words
            .word_errors
            .map_or(Ok(0.0), |e| percent("word_errors", e, line))?;
        let latency = |key: &str, value: Option<f64>| value.map(|v| seconds(key, v, line)).transpose();
        let mut claims = Vec::new();
        if let Some(label) = &words.caption {
            claims.push(Claim::Caption {
                speech: is_speech(label)?,
                word_errors: errors,
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
            let said = words.words.clone().unwrap_or_default();
            claims.push(Claim::Answer {
                command: is_command(label)?,
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
        if words.nothing_lost == Some(true) {
            claims.push(Claim::NothingLost { word_errors: errors });
        }
        let (caption, reply) = (
            latency("caption_within", words.caption_within)?,
            latency("reply_within", words.reply_within)?,
        );
        if caption.is_some() || reply.is_some() {
            claims.push(Claim::Latency { caption, reply });
        }
        if let Some(code) = words.exit_code {
            claims.push(Claim::ExitCode(code));
        }
        if let Some(audible) = words.audible {
            claims.push(if audible { Claim::Audible } else { Claim::Silent });
        }
        if let Some(clip) = &words.echoes {
            let correlation = share("correlation", words.correlation.unwrap_or(0.9), line)?;
            claims.push(Claim::Echoes {
                clip: clip.clone(),
                correlation,
            });
        }
        match claims.len() {
            1 => Ok(claims.remove(0)),
            0 => Err(ScenarioError::new(
                line,
                "this expectation expects nothing",
                "docs/rehearsal.md lists what can be expected",
            )),
            _ => Err(ScenarioError::new(
                line,
                format!("an expectation claims one thing, this one {}", claims.len()),
                "write an [[expect]] for each",
            )),
        }
    }
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

fn member_named(name: &str, members: &[Member], line: usize) -> Read<String> {
    if name == OWNER || members.iter().any(|m| m.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).chain([OWNER]).collect();
    let what = format!("nobody is called '{name}'");
    Err(ScenarioError::new(
        line,
        what,
        format!("members: {}", names.join(", ")),
    ))
}

fn known(what: &str, name: &str, all: &[String], line: usize) -> Read<String> {
    if all.iter().any(|c| c == name) {
        return Ok(name.to_owned());
    }
    let told = format!("there is no {what} '{name}'");
    Err(ScenarioError::new(
        line,
        told,
        format!("choose one of {}", all.join(", ")),
    ))
}

fn seconds(key: &str, value: f64, line: usize) -> Read<Duration> {
    if (0.0..=LONGEST).contains(&value) {
        return Ok(Duration::from_secs_f64(value));
    }
    let what = format!("{key} = {value} is no time in seconds");
    Err(ScenarioError::new(line, what, "give 0 or more, a day at most"))
}

fn share(key: &str, value: f64, line: usize) -> Read<f64> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(ScenarioError::new(
        line,
        format!("{key} = {value} is no share"),
        "give 0 to 1: 0.05 is 5 %",
    ))
}

fn percent(key: &str, value: f64, line: usize) -> Read<f64> {
    if (0.0..=1_000.0).contains(&value) {
        return Ok(value);
    }
    Err(ScenarioError::new(
        line,
        format!("{key} = {value} is no percentage"),
        "10 is 10 %",
    ))
}
