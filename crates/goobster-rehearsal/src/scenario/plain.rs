//! The scenario of `goobster rehearse WAV…`: nobody wrote it, everybody understands it.

use std::time::Duration;

use super::{Action, Claim, Engines, Expectation, Member, Scenario, Speech, Step, When};

/// A reply is waited for this long, then the next one speaks.
const PATIENCE: Duration = Duration::from_secs(15);
/// What people leave between a reply and their next words.
const PAUSE: Duration = Duration::from_millis(700);

impl Scenario {
    /// One member, or with `several` one for each recording, who joins, starts the bot, says the recordings one after the
    /// other and waits for the reply to each.
    pub fn plain(recordings: &[String], several: bool) -> Self {
        const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"];
        let count = if several { recordings.len().max(1) } else { 1 };
        let name = |n: usize| match NAMES.get(n) {
            Some(name) => (*name).to_owned(),
            None => format!("Member {}", n + 1),
        };
        let members: Vec<Member> = (0..count)
            .map(|n| Member {
                name: name(n),
                manages: false,
                is_bot: false,
            })
            .collect();
        let step = |label: String, action, event: Option<String>, wait, patience| Step {
            label,
            when: When::After { event, wait },
            patience,
            action,
            line: 0,
        };
        let at_once = Duration::ZERO;
        let mut steps: Vec<Step> = members
            .iter()
            .map(|m| {
                let join = Action::Join {
                    member: m.name.clone(),
                    channel: "Lounge".to_owned(),
                };
                step(format!("{} joins", m.name), join, None, at_once, None)
            })
            .collect();
        let start = Action::Command {
            member: name(0),
            path: "voice start".to_owned(),
            options: Vec::new(),
            channel: "general".to_owned(),
        };
        steps.push(step(
            "start".to_owned(),
            start,
            None,
            Duration::from_millis(300),
            None,
        ));
        let mut before = "listening".to_owned();
        for (n, recording) in recordings.iter().enumerate() {
            let label = format!("turn {}", n + 1);
            let speech = Action::Speak(Speech {
                member: name(if several { n } else { 0 }),
                clip: recording.clone(),
                text: None,
                gain_db: 0.0,
                loss: 0.0,
                jitter: Duration::ZERO,
            });
            let patience = (n > 0).then_some(PATIENCE);
            steps.push(step(label.clone(), speech, Some(before), PAUSE, patience));
            before = format!("{label}.replied");
        }
        steps.push(step(
            "the last reply".to_owned(),
            Action::Rest,
            Some(before),
            at_once,
            Some(PATIENCE),
        ));
        let expectation = |claim| Expectation {
            claim,
            after: None,
            within: None,
            line: 0,
        };
        Self {
            title: "Recordings, one after the other".to_owned(),
            seed: 1,
            dave: true,
            bot_commits: false,
            engines: Engines::Real,
            guild: "Den".to_owned(),
            text_channels: vec!["general".to_owned()],
            voice_channels: vec!["Lounge".to_owned()],
            members,
            bot: toml::Table::new(),
            steps,
            expectations: vec![
                // Words are judged where they are known; nobody knows those of a stranger's recording.
                expectation(Claim::NothingLost { word_errors: 100.0 }),
                expectation(Claim::SessionKept),
            ],
            linger: Duration::from_secs(1),
            limit: Duration::from_hours(1),
        }
    }
}
