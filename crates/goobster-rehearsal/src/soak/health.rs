//! What no script may bring about: a panic, a zombie, a lost message, a bot that cannot be started again or does not end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::script::{AGAIN, STATUS};
use crate::expectations::lost;
use crate::rehearse::Outcome;
use crate::scenario::{Fault, Scenario};
use crate::timeline::{Asked, Timeline};
use crate::words::contains;

/// The bot may be without voice in a channel for this long while it mends its connection.
const MENDED_WITHIN: Duration = Duration::from_secs(15);
/// Words that loss and broken sentences may cost, in per cent.
const WORD_ERRORS: f64 = 60.0;
/// How the bot says that there is no session.
const NO_SESSION: &str = "no voice session";

/// Something that is wrong with the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ailment {
    /// There was no rehearsal.
    NoRehearsal(String),
    /// Something panicked.
    Panic(String),
    /// It is in a channel without a session, or has a session in none, or sits there deaf.
    Zombie(String),
    /// What could be heard is not captioned, or a caption was never finished.
    Lost(String),
    /// It did not start or listen again when it was asked to.
    Stuck(String),
    /// It did not end as it should.
    Ending(String),
    /// Anything else that no bot should do.
    Conduct(String),
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, what) = match self {
            Self::NoRehearsal(what) => ("no rehearsal", what),
            Self::Panic(what) => ("panic", what),
            Self::Zombie(what) => ("zombie", what),
            Self::Lost(what) => ("lost", what),
            Self::Stuck(what) => ("stuck", what),
            Self::Ending(what) => ("ending", what),
            Self::Conduct(what) => ("conduct", what),
        };
        write!(f, "{kind}: {what}")
    }
}

/// Examines a bot that has been through a script.
pub fn examine(scenario: &Scenario, outcome: &Outcome) -> Vec<Ailment> {
    let timeline = &outcome.timeline;
    let mut ailments = Vec::new();
    if outcome.panics > 0 {
        let line = outcome.said.iter().find(|l| l.contains("panicked at")).cloned();
        ailments.push(Ailment::Panic(
            line.unwrap_or_else(|| format!("{} times", outcome.panics)),
        ));
    }
    ailments.extend(zombie(timeline).map(Ailment::Zombie));
    ailments.extend(lost(timeline, WORD_ERRORS).into_iter().map(Ailment::Lost));
    ailments.extend(stuck(scenario, timeline).map(Ailment::Stuck));
    ailments.extend(ending(timeline).map(Ailment::Ending));
    let conduct = timeline
        .strange_requests
        .iter()
        .map(|r| format!("it asked for {r}"));
    ailments.extend(conduct.map(Ailment::Conduct));
    // That a step could not happen says something about the script, not about the bot.
    let own = |what: &str| {
        what.contains("token") || what.contains("was not answered") || what.contains("ended by itself")
    };
    let remarks = timeline.remarks.iter().filter(|r| r.fails && own(&r.what));
    ailments.extend(remarks.map(|r| Ailment::Conduct(format!("at {}: {}", r.at, r.what))));
    ailments
}

/// What the bot says of itself is held against where it is.
fn zombie(timeline: &Timeline) -> Option<String> {
    let asked = timeline.requests.iter().position(|r| r.label == STATUS);
    if let Some(number) = asked
        && let Some(answer) = timeline.messages.iter().find(|m| m.answers == Some(number))
    {
        let session = !contains(&answer.words, NO_SESSION);
        let place = timeline.place_at(answer.at);
        let inside = place.is_some_and(|p| p.channel.is_some());
        match (session, inside) {
            (true, false) => return Some(format!("it has a session and is in no channel: {}", answer.words)),
            (false, true) => return Some("it is in a channel without a session".to_owned()),
            _ => {}
        }
    }
    // Deaf in a channel for longer than mending takes, at the end.
    let last = timeline.places.iter().rfind(|p| p.at <= timeline.over)?;
    let deaf = last.channel.is_some() && !last.connected && timeline.over.since(last.at) > MENDED_WITHIN;
    deaf.then(|| {
        format!(
            "deaf in {} since {}",
            last.channel.as_deref().unwrap_or_default(),
            last.at
        )
    })
}

/// After everything it must be possible to begin anew.
fn stuck(scenario: &Scenario, timeline: &Timeline) -> Option<String> {
    if !scenario.steps.iter().any(|s| s.label == AGAIN) {
        return None;
    }
    let request = timeline.requests.iter().find(|r| r.label == AGAIN)?;
    if let Some(refused) = &request.refused {
        return Some(format!("/voice start could not be asked: {refused}"));
    }
    let place = timeline.place_at(timeline.over);
    (!place.is_some_and(|p| p.connected)).then(|| {
        let place = place
            .and_then(|p| p.channel.clone())
            .unwrap_or_else(|| "no channel".to_owned());
        format!(
            "asked to start at {}, at the end it is in {place} and does not listen",
            request.at
        )
    })
}

fn ending(timeline: &Timeline) -> Option<String> {
    let last = timeline.exits.last()?;
    match (last.asked, last.code) {
        (Asked::End, Some(0)) => None,
        (Asked::End, code) => Some(format!("asked to end, it ended with {code:?}")),
        (Asked::Nothing, code) => Some(format!("it ended by itself with {code:?}")),
        (Asked::Killed, _) => {
            // Killed by the script and never started again: nothing is wrong with that.
            let by_script = timeline
                .faults
                .iter()
                .any(|f| f.order == Fault::KillBot && f.hit && f.at.after(Duration::from_secs(2)) >= last.at);
            (!by_script).then(|| "it had to be killed".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use goobster_core::time::Moment;

    use super::*;
    use crate::figures::Figures;
    use crate::soak::{Clips, script};
    use crate::timeline::{Exit, Message, Place, Request};

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    /// A bot that came through: asked for its status at 30 s, which says `status`, in `channel` all the time.
    fn outcome(status: &str, channel: Option<&str>, connected: bool) -> Outcome {
        let request = |label: &str, ms| Request {
            label: label.into(),
            member: "Ann".into(),
            what: "/voice".into(),
            at: at(ms),
            answered: Some(at(ms + 50)),
            refused: None,
        };
        let timeline = Timeline {
            over: at(50_000),
            requests: vec![request(STATUS, 30_000), request(AGAIN, 31_000)],
            messages: vec![Message {
                at: at(30_100),
                channel: "general".into(),
                words: status.into(),
                revisions: vec![(at(30_100), status.into())],
                hidden: true,
                notice: false,
                buttons: Vec::new(),
                files: Vec::new(),
                answers: Some(0),
                deleted: None,
            }],
            places: vec![Place {
                at: at(1_000),
                channel: channel.map(str::to_owned),
                connected,
            }],
            exits: vec![Exit {
                at: at(51_000),
                code: Some(0),
                asked: Asked::End,
            }],
            ..Timeline::default()
        };
        Outcome {
            title: String::new(),
            seed: 1,
            figures: Figures::of(&timeline),
            timeline,
            verdicts: Vec::new(),
            said: Vec::new(),
            contacts: None,
            panics: 0,
            files: Vec::new(),
            wall: Duration::ZERO,
        }
    }

    fn kinds(outcome: &Outcome) -> Vec<&'static str> {
        let scenario = (0..100)
            .map(|s| script(s, &Clips::default()))
            .find(|s| s.steps.iter().any(|s| s.label == AGAIN))
            .unwrap();
        examine(&scenario, outcome)
            .iter()
            .map(|a| match a {
                Ailment::Zombie(_) => "zombie",
                Ailment::Stuck(_) => "stuck",
                Ailment::Ending(_) => "ending",
                Ailment::Panic(_) => "panic",
                _ => "other",
            })
            .collect()
    }

    const SESSION: &str = "Ann's session in Lounge: active";
    const NONE: &str = "There is no voice session here. `/voice start` begins one.";

    #[test]
    fn a_sound_bot_has_no_ailment_and_a_zombie_is_found_out() {
        assert!(kinds(&outcome(SESSION, Some("Lounge"), true)).is_empty());
        assert_eq!(kinds(&outcome(NONE, Some("Lounge"), true)), ["zombie"]);
        assert_eq!(kinds(&outcome(SESSION, None, false)), ["zombie", "stuck"]);
        assert_eq!(
            kinds(&outcome(SESSION, Some("Lounge"), false)),
            ["zombie", "stuck"]
        );
        assert_eq!(kinds(&outcome(NONE, None, false)), ["stuck"]);
    }

    #[test]
    fn panics_and_bad_ends_are_found() {
        let mut sick = outcome(SESSION, Some("Lounge"), true);
        sick.panics = 1;
        sick.timeline.exits[0].code = Some(101);
        assert_eq!(kinds(&sick), ["panic", "ending"]);
        sick.panics = 0;
        sick.timeline.exits[0] = Exit {
            at: at(51_000),
            code: None,
            asked: Asked::Killed,
        };
        assert_eq!(kinds(&sick), ["ending"]);
    }
}
