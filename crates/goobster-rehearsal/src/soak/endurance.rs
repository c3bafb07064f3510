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

/// A conversation of three members that lasts about `lasts`; two of them leave and come back, together `returns` times.
pub fn endurance(seed: u64, lasts: Duration, returns: u32, clips: &Clips) -> Scenario {
    let mut chance = StdRng::seed_from_u64(seed);
    let names = ["Ann", "Ben", "Cleo"];
    let mut events: Vec<(f64, Action)> = Vec::new();
    let (from, until) = (5.0, lasts.as_secs_f64());
    // Who is away, from when to when: nobody speaks while away.
    let share = (until - from) / f64::from(returns.max(1));
    let away: Vec<(&str, f64, f64)> = (0..returns)
        .map(|n| {
            let leaves = from + share * (f64::from(n) + 0.4);
            let name = if n % 2 == 0 { "Ben" } else { "Cleo" };
            (name, leaves, leaves + (share * 0.3).min(20.0))
        })
        .collect();
    for (name, leaves, comes) in &away {
        events.push((
            *leaves,
            Action::Leave {
                member: (*name).to_owned(),
            },
        ));
        events.push((*comes, join(name)));
    }
    for name in names {
        let mut at = from + chance.random_range(0.0..4.0);
        while at < until - 6.0 {
            let (clip, length) = clips.0.choose(&mut chance).cloned().unwrap_or_default();
            let end = at + length.as_secs_f64();
            // What is said a moment before leaving is rightly dropped: nobody does so here.
            let clash = away
                .iter()
                .any(|(who, leaves, comes)| *who == name && end + 4.0 > *leaves && at < comes + 2.0);
            if !clash {
                events.push((at, speech(name, clip)));
            }
            at = end + chance.random_range(3.0..9.0);
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let step = |label: String, when, action| Step {
        label,
        when,
        patience: None,
        action,
        line: 0,
    };
    let follows = |wait| When::After { event: None, wait };
    let mut steps: Vec<Step> = names
        .iter()
        .map(|n| step(format!("{n} joins"), follows(Duration::ZERO), join(n)))
        .collect();
    steps.push(step(
        "start".to_owned(),
        follows(Duration::from_millis(300)),
        command("voice start"),
    ));
    for (n, (at, action)) in events.into_iter().enumerate() {
        steps.push(step(
            format!("event {}", n + 1),
            When::At(Duration::from_secs_f64(at)),
            action,
        ));
    }
    steps.push(step("stop".to_owned(), follows(CLOSING), command("voice stop")));
    // One minute after the end no session may be left: the answer to this tells.
    let minute = Duration::from_mins(1).min(lasts);
    steps.push(step(
        "status".to_owned(),
        follows(minute),
        command("voice status"),
    ));
    let settled = step(
        "settled".to_owned(),
        When::At(SETTLED.min(lasts / 4)),
        Action::Rest,
    );
    let place = steps
        .iter()
        .position(|s| matches!(s.when, When::At(at) if at > SETTLED.min(lasts / 4)));
    steps.insert(place.unwrap_or(steps.len() - 2), settled);
    let expect = |claim, after: Option<&str>| Expectation {
        claim,
        after: after.map(str::to_owned),
        within: None,
        line: 0,
    };
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
        members: names
            .iter()
            .map(|n| Member {
                name: (*n).to_owned(),
                manages: false,
                is_bot: false,
            })
            .collect(),
        bot,
        steps,
        expectations: vec![
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
            expect(
                Claim::Answer {
                    command: "status".to_owned(),
                    words: "no voice session".to_owned(),
                    hidden: None,
                },
                None,
            ),
        ],
        linger: Duration::from_secs(1),
        limit: lasts + Duration::from_mins(5),
    }
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
