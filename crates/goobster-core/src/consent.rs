//! Who is heard in a call: everybody who was told and did not opt out, or only those who agreed.
//!
//! A pure state machine. Bots are never heard. Who opted out stays unheard whatever happens, until they agree themselves;
//! what was agreed in a call is forgotten with it, so that after a restart everybody is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::UserId;
use crate::time::Moment;

/// Late joiners within this time are told in one message.
const TOGETHER: Duration = Duration::from_secs(3);

/// People remembered at most: more than fit into any voice channel.
const PEOPLE: usize = 1000;

/// When people are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentMode {
    /// Everybody is told, and heard unless they opt out.
    Notice,
    /// Only who agreed is heard.
    Ask,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterEvent {
    /// Somebody is in the channel.
    Present {
        /// Who.
        who: UserId,
        /// Whether it is a bot's account.
        is_bot: bool,
        /// Whether they opted out some time ago.
        opted_out: bool,
    },
    /// Somebody left the channel.
    Absent {
        /// Who.
        who: UserId,
    },
    /// Somebody agreed to be heard.
    Agreed {
        /// Who.
        who: UserId,
    },
    /// Somebody does not want to be heard.
    OptedOut {
        /// Who.
        who: UserId,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterEffect {
    /// Hear them from now on.
    Hear {
        /// Who.
        who: UserId,
    },
    /// Do not hear them any more, and forget what is buffered of them.
    Drop {
        /// Who.
        who: UserId,
    },
    /// Listening begins: tell everybody.
    TellAll,
    /// These came later: tell them.
    TellSome(Vec<UserId>),
}

/// What somebody said about being heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Said {
    #[default]
    Nothing,
    Yes,
    No,
}

/// Somebody in this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Choice {
    present: bool,
    told: bool,
    said: Said,
}

/// Who is heard in one call.
#[derive(Debug, Clone)]
pub struct Roster {
    mode: ConsentMode,
    people: BTreeMap<UserId, Choice>,
    began: bool,
    /// Late joiners that were not told yet, and when they will be.
    waiting: Vec<UserId>,
    tell_at: Option<Moment>,
}

impl Roster {
    /// A call in which nobody is heard yet.
    pub const fn new(mode: ConsentMode) -> Self {
        Self {
            mode,
            people: BTreeMap::new(),
            began: false,
            waiting: Vec::new(),
            tell_at: None,
        }
    }

    /// When to send a [`RosterEvent::Tick`].
    pub const fn deadline(&self) -> Option<Moment> {
        self.tell_at
    }

    /// Everybody who is heard.
    pub fn heard(&self) -> impl Iterator<Item = UserId> {
        let heard = self.people.iter().filter(|(_, choice)| self.hears(**choice));
        heard.map(|(who, _)| *who)
    }

    /// Takes in what happened, and says what is to be done.
    pub fn step(&mut self, now: Moment, event: RosterEvent) -> Vec<RosterEffect> {
        let mut effects = Vec::new();
        match event {
            RosterEvent::Present {
                who,
                is_bot,
                opted_out,
            } => {
                if !is_bot && (self.people.len() < PEOPLE || self.people.contains_key(&who)) {
                    self.change(who, &mut effects, |choice| {
                        choice.present = true;
                        if opted_out && choice.said == Said::Nothing {
                            choice.said = Said::No;
                        }
                    });
                    self.tell(now, who, &mut effects);
                }
            }
            RosterEvent::Absent { who } => {
                self.waiting.retain(|waiting| *waiting != who);
                self.change(who, &mut effects, |choice| choice.present = false);
            }
            RosterEvent::Agreed { who } => self.change(who, &mut effects, |choice| choice.said = Said::Yes),
            RosterEvent::OptedOut { who } => self.change(who, &mut effects, |choice| choice.said = Said::No),
            RosterEvent::Tick => {}
        }
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_at = None;
            let people = std::mem::take(&mut self.waiting);
            if !people.is_empty() {
                effects.push(RosterEffect::TellSome(people));
            }
        }
        effects
    }

    /// Changes somebody's choice, and says what that means for hearing them.
    fn change(&mut self, who: UserId, effects: &mut Vec<RosterEffect>, change: impl FnOnce(&mut Choice)) {
        let mut choice = self.people.get(&who).copied().unwrap_or_default();
        let before = self.hears(choice);
        change(&mut choice);
        if self.people.len() < PEOPLE || self.people.contains_key(&who) {
            self.people.insert(who, choice);
        }
        match (before, self.hears(choice)) {
            (false, true) => effects.push(RosterEffect::Hear { who }),
            (true, false) => effects.push(RosterEffect::Drop { who }),
            _ => {}
        }
    }

    fn tell(&mut self, now: Moment, who: UserId, effects: &mut Vec<RosterEffect>) {
        let Some(choice) = self.people.get_mut(&who) else {
            return;
        };
        if std::mem::replace(&mut choice.told, true) {
            return;
        }
        if !std::mem::replace(&mut self.began, true) {
            effects.push(RosterEffect::TellAll);
            // Whoever is there when it begins reads the same message.
            self.tell_at = Some(now.after(TOGETHER));
            return;
        }
        // Who opted out for good need not be told again.
        if choice.said != Said::No {
            self.waiting.push(who);
            self.tell_at.get_or_insert(now.after(TOGETHER));
        }
    }

    fn hears(&self, choice: Choice) -> bool {
        let agreed = match choice.said {
            Said::Yes => true,
            Said::Nothing => self.mode == ConsentMode::Notice,
            Said::No => false,
        };
        choice.present && agreed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const ADA: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);

    fn present(who: UserId) -> RosterEvent {
        RosterEvent::Present {
            who,
            is_bot: false,
            opted_out: false,
        }
    }

    #[test]
    fn with_a_notice_everybody_is_heard_until_they_opt_out() {
        let mut roster = Roster::new(ConsentMode::Notice);
        assert_eq!(
            roster.step(Moment::ZERO, present(ADA)),
            [RosterEffect::Hear { who: ADA }, RosterEffect::TellAll]
        );
        assert_eq!(
            roster.step(Moment::ZERO, RosterEvent::OptedOut { who: ADA }),
            [RosterEffect::Drop { who: ADA }]
        );
        roster.step(Moment::ZERO, RosterEvent::Absent { who: ADA });
        assert!(roster.step(Moment::ZERO, present(ADA)).is_empty());
        assert_eq!(
            roster.step(Moment::ZERO, RosterEvent::Agreed { who: ADA }),
            [RosterEffect::Hear { who: ADA }]
        );
    }

    #[test]
    fn asked_only_who_agreed_is_heard() {
        let mut roster = Roster::new(ConsentMode::Ask);
        assert_eq!(roster.step(Moment::ZERO, present(ADA)), [RosterEffect::TellAll]);
        assert_eq!(roster.heard().count(), 0);
        assert_eq!(
            roster.step(Moment::ZERO, RosterEvent::Agreed { who: ADA }),
            [RosterEffect::Hear { who: ADA }]
        );
        assert_eq!(
            roster.step(Moment::ZERO, RosterEvent::Absent { who: ADA }),
            [RosterEffect::Drop { who: ADA }]
        );
    }

    #[test]
    fn late_joiners_are_told_together_and_once() {
        let mut roster = Roster::new(ConsentMode::Notice);
        roster.step(Moment::ZERO, present(ADA));
        roster.step(Moment::from_millis(3_000), RosterEvent::Tick);
        let late = Moment::from_millis(10_000);
        roster.step(late, present(BOB));
        roster.step(late, present(UserId::new(3)));
        assert_eq!(roster.deadline(), Some(late.after(TOGETHER)));
        assert_eq!(
            roster.step(late.after(TOGETHER), RosterEvent::Tick),
            [RosterEffect::TellSome(vec![BOB, UserId::new(3)])]
        );
        roster.step(late, RosterEvent::Absent { who: BOB });
        roster.step(late, present(BOB));
        assert_eq!(roster.deadline(), None, "they know already");
    }

    #[test]
    fn who_opted_out_long_ago_is_never_heard_nor_told() {
        let mut roster = Roster::new(ConsentMode::Notice);
        roster.step(Moment::ZERO, present(ADA));
        roster.step(Moment::from_millis(3_000), RosterEvent::Tick);
        let event = RosterEvent::Present {
            who: BOB,
            is_bot: false,
            opted_out: true,
        };
        assert!(roster.step(Moment::from_millis(4_000), event).is_empty());
        assert_eq!(roster.deadline(), None);
    }

    fn any_event() -> impl Strategy<Value = RosterEvent> {
        (0..5_u64, 0..5_u8, any::<bool>(), any::<bool>()).prop_map(|(who, what, is_bot, opted_out)| {
            let who = UserId::new(who);
            match what {
                0 => RosterEvent::Present {
                    who,
                    // The accounts 3 and 4 are bots, for ever.
                    is_bot: who.get() >= 3 || (is_bot && who.get() >= 3),
                    opted_out,
                },
                1 => RosterEvent::Absent { who },
                2 => RosterEvent::Agreed { who },
                3 => RosterEvent::OptedOut { who },
                _ => RosterEvent::Tick,
            }
        })
    }

    proptest! {
        #[test]
        fn who_opted_out_left_or_is_a_bot_is_not_heard(ask: bool, events in proptest::collection::vec(any_event(), 0..80)) {
            let mut roster = Roster::new(if ask { ConsentMode::Ask } else { ConsentMode::Notice });
            let (mut out, mut gone, mut agreed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            let mut heard = BTreeSet::new();
            for (n, event) in events.into_iter().enumerate() {
                match event {
                    RosterEvent::Present { who, opted_out, is_bot } if !is_bot => {
                        gone.remove(&who);
                        if opted_out && !agreed.contains(&who) { out.insert(who); }
                    }
                    RosterEvent::Absent { who } => { gone.insert(who); }
                    RosterEvent::Agreed { who } => { out.remove(&who); agreed.insert(who); }
                    RosterEvent::OptedOut { who } => { out.insert(who); agreed.remove(&who); }
                    _ => {}
                }
                for effect in roster.step(Moment::from_millis(n as u64 * 700), event) {
                    match effect {
                        RosterEffect::Hear { who } => prop_assert!(heard.insert(who), "heard twice"),
                        RosterEffect::Drop { who } => prop_assert!(heard.remove(&who), "was not heard"),
                        _ => {}
                    }
                }
                prop_assert_eq!(&heard, &roster.heard().collect::<BTreeSet<_>>());
                for who in &heard {
                    prop_assert!(!out.contains(who) && !gone.contains(who) && who.get() < 3);
                    prop_assert!(!ask || agreed.contains(who));
                }
            }
        }
    }
}
