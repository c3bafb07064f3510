//! Endurance: a conversation of any length in which members come, go and talk, and nothing breaks but patience.

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

/// Who takes part.
const NAMES: [&str; 3] = ["Ann", "Ben", "Cleo"];
/// When the first may speak, in seconds: the bot listens by then.
const OPENED: f64 = 5.0;

/// A conversation of three members that lasts about `lasts`; two of them leave and come back, together `returns` times.
pub fn endurance(seed: u64, lasts: Duration, returns: u32, clips: &Clips) -> Scenario {
    let mut chance = StdRng::seed_from_u64(seed);
    let away = absences(lasts.as_secs_f64(), returns);
    let mut events = talk(&mut chance, lasts.as_secs_f64(), &away, clips);
    for (name, leaves, comes) in &away {
        let member = (*name).to_owned();
        events.push((*leaves, Action::Leave { member }));
        events.push((*comes, join(name)));
    }
    events.push((SETTLED.min(lasts / 4).as_secs_f64(), Action::Rest));
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bot: toml::Table =
        toml::from_str("[limits]\nvoice_s = 86400\nwindow_s = 86400\n").unwrap_or_default();
    Scenario {
        title: format!(
            "{:.0} minutes of talk, {returns} returns, seed {seed}",
            lasts.as_secs_f64() / 60.0
        ),
        seed,
        dave: true,
        bot_commits: false,
        engines: Engines::Scripted,
        guild: "Den".to_owned(),
        text_channels: vec!["general".to_owned()],
        voice_channels: vec!["Lounge".to_owned()],
        members: NAMES
            .map(|n| Member {
                name: n.to_owned(),
                manages: false,
                is_bot: false,
            })
            .to_vec(),
        bot,
        steps: steps(events, lasts),
        expectations: expectations(),
        linger: Duration::from_secs(1),
        limit: lasts + Duration::from_mins(5),
    }
}

/// Who is away, from when to when, in seconds.
fn absences(until: f64, returns: u32) -> Vec<(&'static str, f64, f64)> {
    let share = (until - OPENED) / f64::from(returns.max(1));
    let one = |n: u32| {
        let leaves = OPENED + share * (f64::from(n) + 0.4);
        let name = if n.is_multiple_of(2) { "Ben" } else { "Cleo" };
        (name, leaves, leaves + (share * 0.3).min(20.0))
    };
    (0..returns).map(one).collect()
}

/// What everybody says, and when.
fn talk(chance: &mut StdRng, until: f64, away: &[(&str, f64, f64)], clips: &Clips) -> Vec<(f64, Action)> {
    let mut events = Vec::new();
    for name in NAMES {
        let mut at = OPENED + chance.random_range(0.0..4.0);
        while at < until - 6.0 {
            let (clip, length) = clips.0.choose(chance).cloned().unwrap_or_default();
            let end = at + length.as_secs_f64();
            // What is said a moment before leaving is rightly dropped: nobody does so here.
            let clash = |(who, leaves, comes): &(&str, f64, f64)| {
                *who == name && end + 4.0 > *leaves && at < comes + 2.0
            };
            if !away.iter().any(clash) {
                events.push((at, speech(name, clip)));
            }
            at = end + chance.random_range(3.0..9.0);
        }
    }
    events
}

fn steps(events: Vec<(f64, Action)>, lasts: Duration) -> Vec<Step> {
    let step = |label: String, when, action| Step {
        label,
        when,
        patience: None,
        action,
        line: 0,
    };
    let follows = |wait| When::After { event: None, wait };
    let mut steps: Vec<Step> = NAMES
        .iter()
        .map(|n| step(format!("{n} joins"), follows(Duration::ZERO), join(n)))
        .collect();
    steps.push(step(
        "start".to_owned(),
        follows(Duration::from_millis(300)),
        command("voice start"),
    ));
    for (n, (at, action)) in events.into_iter().enumerate() {
        let label = if action == Action::Rest {
            "settled".to_owned()
        } else {
            format!("event {}", n + 1)
        };
        steps.push(step(label, When::At(Duration::from_secs_f64(at)), action));
    }
    steps.push(step("stop".to_owned(), follows(CLOSING), command("voice stop")));
    // One minute after the end no session may be left: the answer to this tells.
    let minute = Duration::from_mins(1).min(lasts);
    steps.push(step(
        "status".to_owned(),
        follows(minute),
        command("voice status"),
    ));
    steps
}

fn expectations() -> Vec<Expectation> {
    let expect = |claim, after: Option<&str>| Expectation {
        claim,
        after: after.map(str::to_owned),
        within: None,
        line: 0,
    };
    let status = Claim::Answer {
        command: "status".to_owned(),
        words: "no voice session".to_owned(),
        hidden: None,
    };
    vec![
        expect(Claim::Memory { growth: GROWTH }, Some("settled")),
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
        expect(status, None),
    ]
}

fn join(name: &str) -> Action {
    Action::Join {
        member: name.to_owned(),
        channel: "Lounge".to_owned(),
    }
}

fn command(path: &str) -> Action {
    Action::Command {
        member: "Ann".to_owned(),
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
    use super::*;

    #[test]
    fn half_an_hour_is_full_of_talk_and_has_its_returns() {
        let scenario = endurance(1, Duration::from_mins(30), 10, &Clips::default());
        let count = |wanted: fn(&Action) -> bool| scenario.steps.iter().filter(|s| wanted(&s.action)).count();
        assert_eq!(count(|a| matches!(a, Action::Leave { .. })), 10);
        assert_eq!(count(|a| matches!(a, Action::Join { .. })), 13);
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
        assert!(*times.last().unwrap() < Duration::from_mins(30));
    }

    #[test]
    fn nobody_speaks_while_away() {
        let scenario = endurance(3, Duration::from_mins(10), 6, &Clips::default());
        let mut here = std::collections::BTreeSet::new();
        for step in &scenario.steps {
            match &step.action {
                Action::Join { member, .. } => _ = here.insert(member.clone()),
                Action::Leave { member } => assert!(here.remove(member)),
                Action::Speak(speech) => assert!(here.contains(&speech.member), "{}", step.label),
                _ => {}
            }
        }
    }
}
