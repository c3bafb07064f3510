//! Overload: several times as many people talk as the bot's machine can follow, for minutes, and others ask for sessions.
//!
//! First one member alone, for what captions take when nothing else happens; then everybody at once; then rest, and one member
//! again. [`judge`] says what became of the promises: from what was seen on Discord and from the bot's own metrics.

mod judge;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use judge::{Finding, Sample, judge};

use crate::scenario::{Action, Engines, Member, Scenario, Speech, Step, When};

/// Recordings of some length, as people talk who have something to say.
const CLIPS: [(&str, f64); 4] = [
    ("librivox/0890", 5.3),
    ("librivox/0920", 6.0),
    ("cards/005", 3.5),
    ("librivox/0870", 7.1),
];
/// When the first member begins, in seconds after the bot is ready: it listens by then.
const OPENED: f64 = 6.0;
/// Between two things that one member says alone: the caption is there by then, on a slow machine as well.
const PAUSE: f64 = 3.0;
/// How often somebody asks for a session while everybody talks.
const ASKS: f64 = 20.0;

/// What to endure.
#[derive(Debug, Clone)]
pub struct Overload {
    /// Who says what comes from this.
    pub seed: u64,
    /// How many talk at once.
    pub talkers: usize,
    /// For how long.
    pub lasts: Duration,
    /// When a request for a session is expected to be refused, after they have begun.
    pub refuses_after: Duration,
    /// What the bot is given to come back to itself.
    pub rest: Duration,
    /// How many things the first member says before everybody talks.
    pub alone: usize,
    /// Who hears and speaks.
    pub engines: Engines,
    /// The bot's configuration besides.
    pub bot: toml::Table,
}

impl Overload {
    /// When everybody begins to talk, in seconds after the bot is ready.
    pub fn begins(&self) -> f64 {
        let alone: f64 = (0..self.alone).map(|n| clip(n).1 + PAUSE).sum();
        OPENED + alone
    }

    /// When they are done.
    pub fn ends(&self) -> f64 {
        self.begins() + self.lasts.as_secs_f64()
    }

    /// The scenario.
    pub fn scenario(&self) -> Scenario {
        let mut events = self.alone("alone", OPENED);
        events.extend(self.crowd());
        events.extend(self.requests());
        let after = self.ends() + self.rest.as_secs_f64();
        events.push((after, "asks after".to_owned(), start(&name(1))));
        events.extend(self.alone("after", after + 2.0).into_iter().take(2));
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut steps: Vec<Step> = (0..=self.talkers)
            .map(|n| step(format!("{} joins", name(n)), now(), join(&name(n))))
            .collect();
        steps.push(step("start".to_owned(), now(), start(&name(0))));
        for (at, label, action) in events {
            steps.push(step(label, When::At(Duration::from_secs_f64(at)), action));
        }
        let mut bot = self.bot.clone();
        let limits = bot
            .entry("limits")
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let toml::Value::Table(limits) = limits {
            // It is the machine that refuses here, not a limit.
            limits.entry("per_guild").or_insert(toml::Value::Integer(100));
            limits.entry("total").or_insert(toml::Value::Integer(100));
        }
        Scenario {
            title: format!(
                "{} people talk at once for {:.0} s, seed {}",
                self.talkers,
                self.lasts.as_secs_f64(),
                self.seed
            ),
            seed: self.seed,
            dave: true,
            bot_commits: false,
            engines: self.engines,
            guild: "Market".to_owned(),
            text_channels: vec!["general".to_owned()],
            voice_channels: vec!["Square".to_owned()],
            members: (0..=self.talkers)
                .map(|n| Member {
                    name: name(n),
                    manages: false,
                    is_bot: false,
                })
                .collect(),
            bot,
            steps,
            expectations: Vec::new(),
            linger: Duration::from_secs(6),
            limit: Duration::from_secs_f64(after) + Duration::from_mins(3),
        }
    }

    /// One member, one thing after the other.
    fn alone(&self, label: &str, from: f64) -> Vec<(f64, String, Action)> {
        let mut at = from;
        (0..self.alone)
            .map(|n| {
                let (clip, length) = clip(n);
                let said = (at, format!("{label} {n}"), speech(&name(0), clip));
                at += length + PAUSE;
                said
            })
            .collect()
    }

    /// Everybody, without an end.
    fn crowd(&self) -> Vec<(f64, String, Action)> {
        let mut chance = StdRng::seed_from_u64(self.seed);
        let mut said = Vec::new();
        for n in 0..self.talkers {
            let mut at = self.begins() + chance.random_range(0.0..1.5);
            let mut turn = chance.random_range(0..CLIPS.len());
            while at < self.ends() {
                let (clip, length) = clip(turn);
                said.push((at, format!("load {n} {}", said.len()), speech(&name(n), clip)));
                at += length + chance.random_range(1.0..2.0);
                turn += 1;
            }
        }
        said
    }

    /// Somebody who asks for a session, again and again.
    fn requests(&self) -> Vec<(f64, String, Action)> {
        let mut at = self.begins() + self.refuses_after.as_secs_f64();
        let mut asked = Vec::new();
        while at < self.ends() {
            asked.push((at, format!("asks {}", asked.len()), start(&name(1))));
            at += ASKS;
        }
        asked
    }
}

fn clip(n: usize) -> (&'static str, f64) {
    CLIPS[n % CLIPS.len()]
}

/// The first owns the session, the second asks for another; the last only listens.
fn name(n: usize) -> String {
    format!("Member {}", n + 1)
}

fn now() -> When {
    When::After {
        event: None,
        wait: Duration::from_millis(50),
    }
}

fn step(label: String, when: When, action: Action) -> Step {
    Step {
        label,
        when,
        patience: None,
        action,
        line: 0,
    }
}

fn join(name: &str) -> Action {
    Action::Join {
        member: name.to_owned(),
        channel: "Square".to_owned(),
    }
}

fn start(name: &str) -> Action {
    Action::Command {
        member: name.to_owned(),
        path: "voice start".to_owned(),
        options: Vec::new(),
        channel: "general".to_owned(),
    }
}

fn speech(member: &str, clip: &str) -> Action {
    Action::Speak(Speech {
        member: member.to_owned(),
        clip: clip.to_owned(),
        text: None,
        gain_db: 0.0,
        loss: 0.0,
        jitter: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_talks_nearly_all_the_time_and_nobody_over_themselves() {
        let overload = Overload {
            seed: 3,
            talkers: 8,
            lasts: Duration::from_mins(2),
            refuses_after: Duration::from_secs(15),
            rest: Duration::from_secs(70),
            alone: 6,
            engines: Engines::Scripted,
            bot: toml::Table::new(),
        };
        let scenario = overload.scenario();
        for n in 0..8 {
            let mut until = 0.0;
            let mut talked = 0.0;
            for step in &scenario.steps {
                let (Action::Speak(said), When::At(at)) = (&step.action, &step.when) else {
                    continue;
                };
                if said.member != name(n) || !step.label.starts_with("load") {
                    continue;
                }
                let length = CLIPS.iter().find(|(clip, _)| *clip == said.clip).unwrap().1;
                assert!(at.as_secs_f64() >= until);
                until = at.as_secs_f64() + length;
                talked += length;
            }
            assert!(talked > 0.7 * 120.0, "{talked}");
        }
        let asked = scenario
            .steps
            .iter()
            .filter(|step| step.label.starts_with("asks "));
        assert_eq!(asked.count(), 7);
    }
}
