//! From the words of a file to a scenario in which every name is known and every number makes sense.

mod actions;
mod claims;
mod values;

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::file::{File, Person, StepWords};
use super::{Member, OWNER, Scenario, ScenarioError, Step, When};
use values::{known, seconds};

/// Larger than any scenario that a person writes, in bytes.
const LARGEST: usize = 1 << 20;
/// What is waited after the last step unless the file says otherwise.
const LINGER: Duration = Duration::from_secs(3);
/// How long a rehearsal may take unless the file says otherwise.
const LIMIT: Duration = Duration::from_mins(10);

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

    fn voice_channel(&self, name: &str, line: usize) -> Read<String> {
        known("voice channel", name, &self.file.voice_channels, line)
    }

    fn text_channel(&self, name: &str, line: usize) -> Read<String> {
        known("text channel", name, &self.file.text_channels, line)
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
}
