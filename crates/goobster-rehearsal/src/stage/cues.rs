//! Cues: which step is due. Pure: moments and events come in, a step's number comes out.

use std::time::Duration;

use goobster_core::time::Moment;

use crate::scenario::{Step, When};

/// What is waited for this long has failed to come.
const PATIENCE: Duration = Duration::from_secs(45);
/// The bot must have been listening (or gone) for this long before steps that wait for it go on: what broke a moment ago may not
/// have shown yet.
const STANDING: Duration = Duration::from_millis(300);

/// What the cues look at.
pub(super) trait Events {
    /// When an event of this name first happened.
    fn event(&self, name: &str) -> Option<Moment>;
    /// Since when the bot has been listening, while it is.
    fn listening_since(&self) -> Option<Moment>;
    /// Since when the bot has been in no voice channel, while it is in none, and once it was in one.
    fn gone_since(&self) -> Option<Moment>;
}

/// Where the play is.
#[derive(Debug, Default)]
pub(super) struct Cues {
    /// When each step so far began, and was over.
    begun: Vec<(Moment, Option<Moment>)>,
}

/// A step that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Its number.
    pub(super) step: usize,
    /// What it waited for in vain, if it did, and whether that was to be reckoned with.
    pub(super) in_vain: Option<(String, bool)>,
}

impl Cues {
    /// The next step, if it is due. Steps begin in their order.
    pub(super) fn due(&self, steps: &[Step], now: Moment, events: &impl Events) -> Option<Due> {
        let number = self.begun.len();
        let step = steps.get(number)?;
        let before = self.begun.last().copied();
        let due = |at: Option<Moment>| {
            at.filter(|at| *at <= now).map(|_| Due {
                step: number,
                in_vain: None,
            })
        };
        let When::After { event, wait } = &step.when else {
            let When::At(at) = step.when else { return None };
            return due(Some(Moment::ZERO.after(at)));
        };
        let over = match before {
            None => Some(Moment::ZERO),
            Some((_, over)) => over,
        };
        let Some(event) = event else {
            return due(over.map(|o| o.after(*wait)));
        };
        let standing = |since: Option<Moment>| {
            let from = since?.max(over?).after(STANDING);
            (from <= now).then(|| since.unwrap_or(from).max(over.unwrap_or(from)))
        };
        let happened = match event.as_str() {
            "listening" => standing(events.listening_since()),
            "left" => standing(events.gone_since()),
            name => events.event(name),
        };
        let patience = step.patience.unwrap_or(PATIENCE);
        let given_up = happened.is_none() && over.is_some_and(|over| now.since(over) > patience);
        due(happened.map(|h| h.after(*wait))).or_else(|| {
            given_up.then(|| Due {
                step: number,
                in_vain: Some((event.clone(), step.patience.is_some())),
            })
        })
    }

    pub(super) fn begin(&mut self, now: Moment) {
        self.begun.push((now, None));
    }

    /// A step is over.
    pub(super) fn over(&mut self, step: usize, now: Moment) {
        if let Some((_, over)) = self.begun.get_mut(step) {
            over.get_or_insert(now);
        }
    }

    /// When the last step was over, once all are.
    pub(super) fn all_over(&self, steps: &[Step]) -> Option<Moment> {
        if self.begun.len() < steps.len() {
            return None;
        }
        let over: Option<Vec<Moment>> = self.begun.iter().map(|(_, over)| *over).collect();
        Some(over?.into_iter().max().unwrap_or(Moment::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scenario::Action;

    #[derive(Default)]
    struct Known {
        events: BTreeMap<&'static str, u64>,
        listening: Option<u64>,
    }

    impl Events for Known {
        fn event(&self, name: &str) -> Option<Moment> {
            self.events.get(name).map(|m| Moment::from_millis(*m))
        }

        fn listening_since(&self) -> Option<Moment> {
            self.listening.map(Moment::from_millis)
        }

        fn gone_since(&self) -> Option<Moment> {
            None
        }
    }

    fn step(when: When, patience: Option<u64>) -> Step {
        Step {
            label: "x".into(),
            when,
            patience: patience.map(Duration::from_millis),
            action: Action::Rest,
            line: 0,
        }
    }

    fn after(event: Option<&str>, wait: u64) -> When {
        When::After {
            event: event.map(str::to_owned),
            wait: Duration::from_millis(wait),
        }
    }

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    #[test]
    fn steps_follow_each_other_the_clock_or_an_event() {
        let steps = [
            step(after(None, 0), None),
            step(after(None, 100), None),
            step(When::At(Duration::from_secs(5)), None),
            step(after(Some("a.replied"), 50), None),
        ];
        let mut known = Known::default();
        let mut cues = Cues::default();
        let due = |cues: &Cues, known: &Known, now| cues.due(&steps, at(now), known).map(|d| d.step);
        assert_eq!(due(&cues, &known, 0), Some(0));
        cues.begin(at(0));
        assert_eq!(due(&cues, &known, 1_000), None, "the first is not over");
        cues.over(0, at(1_000));
        assert_eq!(
            (due(&cues, &known, 1_099), due(&cues, &known, 1_100)),
            (None, Some(1))
        );
        cues.begin(at(1_100));
        assert_eq!(
            (due(&cues, &known, 4_999), due(&cues, &known, 5_000)),
            (None, Some(2))
        );
        cues.begin(at(5_000));
        cues.over(1, at(5_000));
        cues.over(2, at(5_000));
        // The step before is still under way: what is waited for may be in the middle of it.
        let mut early = Known::default();
        early.events.insert("a.replied", 5_500);
        let mut going = Cues::default();
        going.begin(at(0));
        going.begin(at(0));
        going.begin(at(5_000));
        assert_eq!(due(&going, &early, 5_550), Some(3));
        known.events.insert("a.replied", 6_000);
        assert_eq!(
            (due(&cues, &known, 6_049), due(&cues, &known, 6_050)),
            (None, Some(3))
        );
        cues.begin(at(6_050));
        assert_eq!(cues.all_over(&steps), None);
        cues.over(3, at(7_000));
        assert_eq!(cues.all_over(&steps), Some(at(7_000)));
    }

    #[test]
    fn listening_counts_once_it_has_stood_for_a_moment_after_the_step_before() {
        let steps = [
            step(after(None, 0), None),
            step(after(Some("listening"), 0), None),
        ];
        let mut cues = Cues::default();
        cues.begin(at(0));
        cues.over(0, at(1_000));
        let known = Known {
            listening: Some(200),
            ..Known::default()
        };
        assert_eq!(cues.due(&steps, at(1_299), &known), None);
        assert_eq!(cues.due(&steps, at(1_300), &known).map(|d| d.step), Some(1));
    }

    #[test]
    fn what_never_comes_is_given_up_and_told() {
        let steps = [
            step(after(Some("listening"), 0), Some(2_000)),
            step(after(Some("b"), 0), None),
        ];
        let mut cues = Cues::default();
        let known = Known::default();
        assert_eq!(cues.due(&steps, at(2_000), &known), None);
        let due = cues.due(&steps, at(2_001), &known).unwrap();
        assert_eq!(due.in_vain, Some(("listening".to_owned(), true)));
        cues.begin(at(2_001));
        cues.over(0, at(2_001));
        let late = at(2_002).after(PATIENCE);
        assert_eq!(
            cues.due(&steps, late, &known).unwrap().in_vain,
            Some(("b".to_owned(), false))
        );
    }
}
