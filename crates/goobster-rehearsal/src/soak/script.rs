//! From a seed to a scenario: a few members, what they say, and one to six things that break while they do.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};

use crate::scenario::{Action, Direction, Engines, Fault, Member, RestKind, Scenario, Speech, Step, When};

/// What members may say: recordings whose words are known, and how long each takes, about.
#[derive(Debug, Clone)]
pub struct Clips(pub Vec<(String, Duration)>);

impl Default for Clips {
    /// Short ones of the samples.
    fn default() -> Self {
        let clips = [
            ("librivox/0880", 3.0),
            ("librivox/0930", 2.5),
            ("cards/005", 3.5),
            ("questions/what-time-is-it", 1.8),
        ];
        Self(
            clips
                .into_iter()
                .map(|(name, s)| (name.to_owned(), Duration::from_secs_f64(s)))
                .collect(),
        )
    }
}

/// When the first thing may break or be said, after the bot is ready, in seconds: it listens by then.
const OPENED: f64 = 2.5;
/// How long things break and are said, in seconds.
const ACT: f64 = 12.0;
/// What the bot is given to recover before it is looked at.
const CALM: Duration = Duration::from_secs(10);
/// The bot's settings: short times, so that what ends after a time does so within the script.
const SETTINGS: &str = "[discord]\nalone_after_s = 5\nowner_grace_s = 8\ndrain_s = 6\n";

/// The question with which a script ends: is there a session?
pub(super) const STATUS: &str = "status";
/// The command with which a script begins anew.
pub(super) const AGAIN: &str = "again";

/// The scenario of a seed.
pub fn script(seed: u64, clips: &Clips) -> Scenario {
    let mut chance = StdRng::seed_from_u64(seed);
    let names = ["Ann", "Ben", "Cleo"];
    let count = chance.random_range(1..=names.len());
    let members: Vec<Member> = names[..count]
        .iter()
        .map(|n| Member {
            name: (*n).to_owned(),
            manages: false,
            is_bot: false,
        })
        .collect();
    let mut scene = Scene {
        steps: Vec::new(),
        chance,
        names: names[..count].to_vec(),
    };
    for name in &names[..count] {
        scene.follow(&format!("{name} joins"), Duration::ZERO, join(name));
    }
    scene.follow("start", Duration::from_millis(300), command("voice start"));
    let broken = scene.act(clips);
    let lasting = broken
        .iter()
        .any(|f| matches!(f, Fault::RemoveGuild | Fault::DeleteChannel { .. }));
    scene.follow("calm", CALM, Action::Rest);
    if !lasting {
        scene.follow(STATUS, Duration::ZERO, command("voice status"));
        // Who was dropped by the story is needed now.
        for name in scene.names.clone() {
            scene.follow(&format!("{name} is here"), Duration::ZERO, join(name));
        }
        scene.follow(AGAIN, Duration::from_millis(500), command("voice start"));
        scene.steps.push(Step {
            label: "last".to_owned(),
            when: When::After {
                event: Some("listening".to_owned()),
                wait: Duration::from_secs(1),
            },
            patience: Some(Duration::from_secs(10)),
            action: scene_speech(&mut scene.chance, "Ann", clips),
            line: 0,
        });
        scene.follow("end", Duration::from_secs(4), Action::Rest);
    }
    let told: Vec<String> = broken.iter().map(ToString::to_string).collect();
    let bot: toml::Table = toml::from_str(SETTINGS).unwrap_or_default();
    Scenario {
        title: format!("Seed {seed}: {}", told.join("; ")),
        seed,
        dave: scene.chance.random_bool(0.6),
        bot_commits: scene.chance.random_bool(0.3),
        engines: Engines::Scripted,
        guild: "Den".to_owned(),
        text_channels: vec!["general".to_owned()],
        voice_channels: vec!["Lounge".to_owned(), "Attic".to_owned()],
        members,
        bot,
        steps: scene.steps,
        expectations: Vec::new(),
        linger: Duration::from_secs(1),
        limit: Duration::from_mins(3),
    }
}

struct Scene {
    steps: Vec<Step>,
    chance: StdRng,
    names: Vec<&'static str>,
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

fn scene_speech(chance: &mut StdRng, name: &str, clips: &Clips) -> Action {
    let clip = clips.0.choose(chance).map(|(c, _)| c.clone()).unwrap_or_default();
    Action::Speak(Speech {
        member: name.to_owned(),
        clip,
        text: None,
        gain_db: 0.0,
        loss: 0.0,
        jitter: Duration::from_millis(chance.random_range(0..40)),
    })
}

impl Scene {
    /// A step after the one before.
    fn follow(&mut self, label: &str, wait: Duration, action: Action) {
        self.steps.push(Step {
            label: label.to_owned(),
            when: When::After { event: None, wait },
            patience: None,
            action,
            line: 0,
        });
    }

    /// What happens in the middle, in order of time; gives what breaks.
    fn act(&mut self, clips: &Clips) -> Vec<Fault> {
        let mut events: Vec<(f64, Action)> = Vec::new();
        for name in self.names.clone() {
            let mut at = OPENED + self.chance.random_range(0.0..3.0);
            while at < OPENED + ACT - 4.0 {
                if name != "Ann" && self.chance.random_bool(0.15) {
                    events.push((
                        at,
                        Action::Leave {
                            member: name.to_owned(),
                        },
                    ));
                    at += self.chance.random_range(1.0..3.0);
                    events.push((at, join(name)));
                    at += 1.0;
                }
                let speech = scene_speech(&mut self.chance, name, clips);
                let lasts = match &speech {
                    Action::Speak(speech) => clips
                        .0
                        .iter()
                        .find(|(c, _)| *c == speech.clip)
                        .map_or(3.0, |(_, d)| d.as_secs_f64()),
                    _ => 0.0,
                };
                events.push((at, speech));
                at += lasts + self.chance.random_range(1.5..4.0);
            }
        }
        let mut broken = Vec::new();
        for _ in 0..self.chance.random_range(1..=6) {
            let at = OPENED + self.chance.random_range(0.0..ACT);
            let fault = self.fault();
            if fault == Fault::KillBot {
                let back = at + self.chance.random_range(0.5..2.0);
                events.push((back, Action::Fault(Fault::StartBot)));
            }
            events.push((at, Action::Fault(fault.clone())));
            broken.push(fault);
        }
        // What cannot be mended comes last, and seldom.
        if self.chance.random_bool(0.1) {
            let fault = if self.chance.random_bool(0.5) {
                Fault::RemoveGuild
            } else {
                Fault::DeleteChannel {
                    channel: "Lounge".to_owned(),
                }
            };
            events.push((OPENED + ACT + 0.5, Action::Fault(fault.clone())));
            broken.push(fault);
        }
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (n, (at, action)) in events.into_iter().enumerate() {
            self.steps.push(Step {
                label: format!("event {}", n + 1),
                when: When::At(Duration::from_secs_f64(at)),
                patience: None,
                action,
                line: 0,
            });
        }
        broken
    }

    fn fault(&mut self) -> Fault {
        let chance = &mut self.chance;
        let lasts = Duration::from_millis(chance.random_range(500..4_000));
        match chance.random_range(0..24) {
            0 => Fault::GatewayReconnect,
            1 => Fault::GatewayInvalid { resumable: true },
            2 => Fault::GatewayInvalid { resumable: false },
            3 => Fault::GatewayCut,
            4 => Fault::GatewayClose(4_000),
            6 => Fault::VoiceClose(4_015),
            7 => Fault::VoiceCut,
            8 => Fault::BlackHole(lasts),
            9 => Fault::NewGroup,
            10 => Fault::Downgrade,
            11 => Fault::Garble {
                member: "Ann".to_owned(),
                lasts,
            },
            12 | 13 => Fault::Network {
                direction: *[Direction::Down, Direction::Up, Direction::Both]
                    .choose(chance)
                    .unwrap_or(&Direction::Down),
                loss: chance.random_range(0.0..0.4),
                jitter: Duration::from_millis(chance.random_range(0..80)),
                lasts,
            },
            14..=16 => Fault::Rest {
                kind: match chance.random_range(0..4) {
                    0 => RestKind::Status(503),
                    1 => RestKind::TooMany { retry_after: lasts },
                    2 => RestKind::Late(lasts),
                    _ => RestKind::Cut,
                },
                method: None,
                path: "/messages".to_owned(),
                times: chance.random_range(1..=3),
            },
            17 => Fault::MoveVoiceServer,
            18 => Fault::DragBot {
                channel: "Attic".to_owned(),
            },
            19 => Fault::KickBot,
            20 => Fault::KillBot,
            21 => Fault::VoiceClose(*[4_014, 4_017, 4_021, 4_022].choose(chance).unwrap_or(&4_014)),
            _ => Fault::VoiceClose(4_006),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_script_every_time_and_others_make_others() {
        let clips = Clips::default();
        for seed in 0..50 {
            assert_eq!(script(seed, &clips), script(seed, &clips));
        }
        let titles: BTreeSet<String> = (0..200)
            .map(|s| script(s, &clips).title.split_once(": ").unwrap().1.to_owned())
            .collect();
        assert!(titles.len() > 150, "{}", titles.len());
    }

    #[test]
    fn scripts_are_scenarios_of_one_to_seven_faults_with_all_of_them_somewhere() {
        let clips = Clips::default();
        let mut kinds = BTreeSet::new();
        for seed in 0..400 {
            let scenario = script(seed, &clips);
            let faults: Vec<&Fault> = scenario
                .steps
                .iter()
                .filter_map(|s| match &s.action {
                    Action::Fault(f) if *f != Fault::StartBot => Some(f),
                    _ => None,
                })
                .collect();
            assert!((1..=7).contains(&faults.len()));
            kinds.extend(
                faults
                    .iter()
                    .map(|f| std::mem::discriminant(*f))
                    .map(|d| format!("{d:?}")),
            );
            let times: Vec<Duration> = scenario
                .steps
                .iter()
                .filter_map(|s| match s.when {
                    When::At(at) => Some(at),
                    When::After { .. } => None,
                })
                .collect();
            assert!(times.is_sorted(), "seed {seed}");
            let labels: BTreeSet<&String> = scenario.steps.iter().map(|s| &s.label).collect();
            assert_eq!(labels.len(), scenario.steps.len(), "seed {seed}");
            let spoken = scenario
                .steps
                .iter()
                .filter(|s| matches!(s.action, Action::Speak(_)))
                .count();
            assert!(spoken >= 1, "seed {seed}");
        }
        assert!(kinds.len() >= 18, "{kinds:?}");
    }
}
