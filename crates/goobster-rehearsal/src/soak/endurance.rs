//! Endurance: a conversation of any length in which members come, go and talk, and nothing breaks but patience.
//!
//! A short session goes before it, so that what the bot holds only once (connections, threads, caches) is there when counting
//! begins. A minute after the end no session may be left, and nothing that one holds.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};

use super::Clips;
use crate::scenario::{Action, Claim, Engines, Expectation, Member, Presence, Scenario, Speech, Step, When};

/// After this long memory has settled, in a long conversation.
const SETTLED: Duration = Duration::from_mins(5);
/// Memory may grow by this much after that, in per cent.
const GROWTH: f64 = 5.0;
/// Words that scripted engines may divide wrongly, in per cent.
const WORD_ERRORS: f64 = 60.0;
/// Room for the last words to be captioned, and for the answer to the last command.
const CLOSING: Duration = Duration::from_secs(8);
/// How long a process rests before it is looked at.
const REST: Duration = Duration::from_mins(1);
/// Threads that wait for work, as after a command, are given up by then.
const IDLE: Duration = Duration::from_secs(15);

/// Connections to REST that are kept for a while after their last use.
const KEPT: u64 = 2;

/// Who may take part, in this order.
const NAMES: [&str; 10] = [
    "Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "June",
];
/// So many talk at once at most.
const AT_ONCE: usize = 3;
/// From the start of the long session to the first words, in seconds: the bot listens by then.
const OPENED: f64 = 5.0;

/// What to endure.
#[derive(Debug, Clone, Copy)]
pub struct Endurance {
    /// Who says what, and when, comes from this.
    pub seed: u64,
    /// How long the conversation lasts.
    pub lasts: Duration,
    /// How often a member leaves and comes back, in all.
    pub returns: u32,
    /// How many members take part, 2 to 10; at most three talk at once.
    pub members: usize,
}

impl Endurance {
    fn cast(&self) -> &'static [&'static str] {
        &NAMES[..self.members.clamp(2, NAMES.len())]
    }

    fn rest(&self) -> Duration {
        REST.min(self.lasts)
    }

    /// When the long session starts, in seconds: after the short one and a rest.
    fn begins(&self) -> f64 {
        50.0 + self.rest().as_secs_f64()
    }

    /// The scenario: a short session, a rest, the conversation, a rest.
    pub fn scenario(&self, clips: &Clips) -> Scenario {
        let mut chance = StdRng::seed_from_u64(self.seed);
        let away = self.absences();
        let mut events = self.talk(&mut chance, &away, clips);
        for (name, leaves, comes) in &away {
            events.push((*leaves, leave(name)));
            events.push((*comes, join(name)));
        }
        let settled = SETTLED.min(self.lasts / 4).as_secs_f64();
        events.push((self.begins() + settled, Action::Rest));
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let bot: toml::Table =
            toml::from_str("[limits]\nvoice_s = 86400\nwindow_s = 86400\n").unwrap_or_default();
        let member = |name: &&str| Member {
            name: (*name).to_owned(),
            manages: false,
            is_bot: false,
        };
        Scenario {
            title: format!(
                "{:.0} minutes of talk, {} members, {} returns, seed {}",
                self.lasts.as_secs_f64() / 60.0,
                self.cast().len(),
                self.returns,
                self.seed
            ),
            seed: self.seed,
            dave: true,
            bot_commits: false,
            engines: Engines::Scripted,
            guild: "Den".to_owned(),
            text_channels: vec!["general".to_owned()],
            voice_channels: vec!["Lounge".to_owned()],
            members: self.cast().iter().map(member).collect(),
            bot,
            steps: self.steps(events, clips),
            expectations: expectations(),
            linger: IDLE,
            limit: self.lasts + 2 * self.rest() + Duration::from_mins(5),
        }
    }

    /// Who is away, from when to when, in seconds.
    fn absences(&self) -> Vec<(&'static str, f64, f64)> {
        let cast = self.cast();
        let share = (self.lasts.as_secs_f64() - OPENED) / f64::from(self.returns.max(1));
        let one = |(n, name): (u32, &&'static str)| {
            let leaves = self.begins() + OPENED + share * (f64::from(n) + 0.4);
            (*name, leaves, leaves + (share * 0.3).min(20.0))
        };
        // The first member owns the session and stays.
        (0..self.returns)
            .zip(cast.iter().skip(1).cycle())
            .map(one)
            .collect()
    }

    /// What everybody says, and when: each of a few voices is lent to whoever is there and silent.
    fn talk(&self, chance: &mut StdRng, away: &[(&str, f64, f64)], clips: &Clips) -> Vec<(f64, Action)> {
        let until = self.begins() + self.lasts.as_secs_f64() - 6.0;
        let cast = self.cast();
        let mut said: Vec<(f64, f64, &str)> = Vec::new();
        let mut events = Vec::new();
        let mut voices: Vec<f64> = (0..AT_ONCE.min(cast.len()))
            .map(|_| self.begins() + OPENED + chance.random_range(0.0..4.0))
            .collect();
        loop {
            let first = voices.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((voice, at)) = first.map(|(n, at)| (n, *at)).filter(|(_, at)| *at < until) else {
                return events;
            };
            let (clip, length) = clips.0.choose(chance).cloned().unwrap_or_default();
            let end = at + length.as_secs_f64();
            // What is said a moment before leaving is rightly dropped: nobody does so here. And people breathe.
            let free: Vec<&str> = cast
                .iter()
                .copied()
                .filter(|name| {
                    let leaves = away
                        .iter()
                        .any(|(who, leaves, comes)| who == name && end + 4.0 > *leaves && at < comes + 2.0);
                    let talks = said
                        .iter()
                        .rev()
                        .take(4 * AT_ONCE)
                        .any(|(from, to, who)| who == name && at < to + 3.0 && end + 3.0 > *from);
                    !leaves && !talks
                })
                .collect();
            if let Some(name) = free.choose(chance) {
                said.push((at, end, name));
                events.push((at, speech(name, clip)));
            }
            voices[voice] = end + chance.random_range(3.0..9.0);
        }
    }

    fn steps(&self, events: Vec<(f64, Action)>, clips: &Clips) -> Vec<Step> {
        let (first, last) = (self.cast()[0], self.cast()[self.cast().len() - 1]);
        let mut steps: Vec<Step> = self
            .cast()
            .iter()
            .map(|n| step(format!("{n} joins"), follows(Duration::ZERO), join(n)))
            .collect();
        let mut then = |label: &str, wait, action| steps.push(step(label.to_owned(), follows(wait), action));
        let start = || command(first, "voice start");
        let stop = || command(first, "voice stop");
        then("short start", Duration::from_millis(300), start());
        let clip = clips.0.first().cloned().unwrap_or_default().0;
        then("short talk", Duration::from_secs(3), speech(first, clip));
        // A library's pool of threads is made when keys change in a call of many.
        then("short leave", Duration::from_secs(4), leave(last));
        then("short return", Duration::from_secs(2), join(last));
        then("short stop", Duration::from_secs(2), stop());
        then("rested", self.rest(), command("owner", "admin sessions"));
        then("begin", IDLE, Action::Rest);
        steps.push(step(
            "start".to_owned(),
            When::At(Duration::from_secs_f64(self.begins())),
            start(),
        ));
        for (n, (at, action)) in events.into_iter().enumerate() {
            let label = if action == Action::Rest {
                "settled".to_owned()
            } else {
                format!("event {}", n + 1)
            };
            steps.push(step(label, When::At(Duration::from_secs_f64(at)), action));
        }
        let mut then = |label: &str, wait, action| steps.push(step(label.to_owned(), follows(wait), action));
        then("stop", CLOSING, stop());
        // No session may be left by then: the answers tell.
        then("status", self.rest(), command(first, "voice status"));
        then("end", Duration::ZERO, command("owner", "admin sessions"));
        steps
    }
}

fn expectations() -> Vec<Expectation> {
    let expect = |claim, after: Option<&str>| Expectation {
        claim,
        after: after.map(str::to_owned),
        within: None,
        line: 0,
    };
    let answer = |command: &str, words: &str| {
        let claim = Claim::Answer {
            command: command.to_owned(),
            words: words.to_owned(),
            hidden: None,
        };
        expect(claim, None)
    };
    vec![
        expect(Claim::Memory { growth: GROWTH }, Some("settled")),
        expect(Claim::Leftovers(KEPT), Some("begin")),
        expect(
            Claim::NothingLost {
                word_errors: WORD_ERRORS,
            },
            None,
        ),
        expect(
            Claim::Bot {
                presence: Presence::Out,
                channel: None,
            },
            Some("stop"),
        ),
        answer("status", "no voice session"),
        answer("rested", "no task of one is left"),
        answer("end", "no task of one is left"),
    ]
}

fn follows(wait: Duration) -> When {
    When::After { event: None, wait }
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
        channel: "Lounge".to_owned(),
    }
}

fn leave(name: &str) -> Action {
    Action::Leave {
        member: name.to_owned(),
    }
}

fn command(member: &str, path: &str) -> Action {
    Action::Command {
        member: member.to_owned(),
        path: path.to_owned(),
        options: Vec::new(),
        channel: "general".to_owned(),
    }
}

fn speech(member: &str, clip: String) -> Action {
    Action::Speak(Speech {
        member: member.to_owned(),
        clip,
        text: None,
        gain_db: 0.0,
        loss: 0.0,
        jitter: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn made(seed: u64, minutes: u64, returns: u32, members: usize) -> Scenario {
        Endurance {
            seed,
            lasts: Duration::from_mins(minutes),
            returns,
            members,
        }
        .scenario(&Clips::default())
    }

    #[test]
    fn half_an_hour_is_full_of_talk_and_has_its_returns() {
        let scenario = made(1, 30, 10, 3);
        let count = |wanted: fn(&Action) -> bool| scenario.steps.iter().filter(|s| wanted(&s.action)).count();
        assert_eq!(count(|a| matches!(a, Action::Leave { .. })), 11);
        assert_eq!(count(|a| matches!(a, Action::Join { .. })), 14);
        assert!(count(|a| matches!(a, Action::Speak(_))) > 300);
        let times: Vec<Duration> = scenario
            .steps
            .iter()
            .filter_map(|s| match s.when {
                When::At(at) => Some(at),
                When::After { .. } => None,
            })
            .collect();
        assert!(times.is_sorted(), "settled stands in its place");
        assert!(*times.last().unwrap() < Duration::from_mins(32));
    }

    #[test]
    fn nobody_speaks_while_away_and_at_most_three_at_once() {
        let lengths: BTreeMap<String, f64> = Clips::default()
            .0
            .iter()
            .map(|(clip, length)| (clip.clone(), length.as_secs_f64()))
            .collect();
        for (seed, members) in [(3, 3), (4, 10), (5, 2)] {
            let scenario = made(seed, 10, 6, members);
            let mut here = BTreeSet::new();
            let mut talking: Vec<(f64, &str)> = Vec::new();
            let mut heard = BTreeSet::new();
            for step in &scenario.steps {
                match (&step.action, step.when.clone()) {
                    (Action::Join { member, .. }, _) => _ = here.insert(member.clone()),
                    (Action::Leave { member }, _) => assert!(here.remove(member)),
                    (Action::Speak(speech), When::At(at)) => {
                        let at = at.as_secs_f64();
                        assert!(here.contains(&speech.member), "{}", step.label);
                        talking.retain(|(end, _)| *end > at);
                        assert!(talking.iter().all(|(_, who)| *who != speech.member));
                        talking.push((at + lengths[&speech.clip], &speech.member));
                        assert!(talking.len() <= AT_ONCE);
                        heard.insert(speech.member.clone());
                    }
                    _ => {}
                }
            }
            assert_eq!(heard.len(), members, "everybody says something");
        }
    }
}
