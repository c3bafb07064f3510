//! The planner as a speaker lives it, and what holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::language::Language;
use crate::ports::RecognisedSegment;
use crate::time::Moment;

const SECOND: u64 = 16_000;

fn heard(text: &str) -> Recognition {
    let segment = RecognisedSegment {
        start: Duration::ZERO,
        end: Duration::from_secs(1),
        text: text.to_owned(),
        confidence: 0.9,
    };
    Recognition {
        segments: vec![segment],
        language: Language::ENGLISH,
        no_speech: 0.0,
    }
}

fn aborted() -> RecogniseError {
    RecogniseError::Aborted
}

/// A planner with a clock in samples.
struct Rig(Planner, u64);

impl Rig {
    fn started() -> Self {
        let mut rig = Self(Planner::new(HearingConfig::default()), 0);
        rig.step(Heard::Started {
            turn: TurnId::new(1),
            from: 0,
        });
        rig
    }

    fn step(&mut self, heard: Heard) -> Vec<Effect> {
        self.0.step(Moment::from_millis(self.1 / 16), heard)
    }

    fn speak(&mut self, upto: u64) -> Vec<Effect> {
        let mut all = Vec::new();
        while self.1 < upto {
            self.1 += 320;
            let upto = self.1;
            all.extend(self.step(Heard::Audio { upto }));
        }
        all
    }
}

fn only_decode(effects: &[Effect]) -> (Ticket, DecodeClass, u64) {
    let decodes: Vec<_> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Decode {
                ticket, class, upto, ..
            } => Some((*ticket, *class, *upto)),
            _ => None,
        })
        .collect();
    assert_eq!(decodes.len(), 1, "{effects:?}");
    decodes[0]
}

#[test]
fn the_first_partial_comes_after_most_of_a_second_and_only_one_runs() {
    let mut rig = Rig::started();
    assert!(rig.speak(SECOND / 2).is_empty());
    let (ticket, class, upto) = only_decode(&rig.speak(5 * SECOND));
    assert_eq!((class, upto), (DecodeClass::Partial, 12_800));
    let effects = rig.step(Heard::Decoded {
        ticket,
        recognition: heard("what time"),
    });
    assert!(
        matches!(&effects[..], [Effect::PartialCaption { forming, .. }] if forming.tentative == "what time")
    );
}

#[test]
fn slow_decodes_make_partials_rarer() {
    let spacing = |took: u64| {
        let mut rig = Rig::started();
        let (ticket, _, _) = only_decode(&rig.speak(SECOND));
        rig.speak(12_800 + took);
        rig.step(Heard::Decoded {
            ticket,
            recognition: heard("a"),
        });
        only_decode(&rig.speak(12 * SECOND)).2 - 12_800
    };
    assert!(spacing(SECOND / 5) <= SECOND, "{}", spacing(SECOND / 5));
    assert!(spacing(3 * SECOND) >= 6 * SECOND, "{}", spacing(3 * SECOND));
}

#[test]
fn under_load_partials_thin_out_then_stop_and_the_final_comes_all_the_same() {
    let partials = |rate| {
        let mut rig = Rig::started();
        rig.0.set_partials(rate);
        let mut count = 0;
        for second in 1..=10 {
            for effect in rig.speak(second * SECOND) {
                if let Effect::Decode { ticket, class, .. } = effect {
                    assert_eq!(class, DecodeClass::Partial);
                    count += 1;
                    rig.step(Heard::Decoded {
                        ticket,
                        recognition: heard("words"),
                    });
                }
            }
        }
        let at = rig.1;
        let (_, class, _) = only_decode(&rig.step(Heard::Paused { at, upto: at }));
        assert_eq!(class, DecodeClass::Speculative);
        count
    };
    let (full, fewer) = (partials(Partials::Full), partials(Partials::Fewer));
    assert!(fewer >= 3 && full >= fewer * 2, "{full} {fewer}");
    assert_eq!(partials(Partials::None), 0);
}

#[test]
fn a_pause_begins_the_final_decode_and_silence_promotes_it() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    let (ticket, class, upto) = only_decode(&rig.step(Heard::Paused {
        at: 7_900,
        upto: 8_000,
    }));
    assert_eq!((class, upto), (DecodeClass::Speculative, 8_000));
    let effects = rig.step(Heard::Decoded {
        ticket,
        recognition: heard("yes"),
    });
    assert!(
        matches!(&effects[..], [Effect::HeardSoFar { text, .. }] if text == "yes"),
        "nothing is shown yet: {effects:?}"
    );
    let effects = rig.step(Heard::Ended {
        from: 0,
        voice_end: 7_900,
        upto: 12_000,
    });
    let [
        Effect::FinalCaption {
            recognition,
            promoted: true,
            ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(recognition.text(), "yes");
    assert!(rig.0.is_quiet());
}

#[test]
fn a_running_speculation_is_promoted_not_begun_anew() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    let (ticket, ..) = only_decode(&rig.step(Heard::Paused {
        at: 7_900,
        upto: 8_000,
    }));
    let effects = rig.step(Heard::Ended {
        from: 0,
        voice_end: 7_900,
        upto: 12_000,
    });
    assert!(
        matches!(&effects[..], [Effect::Promote { ticket: t }] if *t == ticket),
        "{effects:?}"
    );
    let effects = rig.step(Heard::Decoded {
        ticket,
        recognition: heard("yes"),
    });
    assert!(
        matches!(&effects[..], [Effect::FinalCaption { promoted: true, .. }]),
        "{effects:?}"
    );
}

#[test]
fn what_a_speculation_heard_is_told_while_the_pause_lasts_and_only_then() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    let pause = || Heard::Paused {
        at: 7_900,
        upto: 8_000,
    };
    let (ticket, ..) = only_decode(&rig.step(pause()));
    let recognition = heard("Is that all?");
    let effects = rig.step(Heard::Decoded { ticket, recognition });
    assert!(
        matches!(&effects[..], [Effect::HeardSoFar { text, .. }] if text == "Is that all?"),
        "{effects:?}"
    );
    rig.step(Heard::Resumed);
    let (ticket, ..) = only_decode(&rig.step(pause()));
    rig.step(Heard::Resumed);
    let recognition = heard("Is that all?");
    assert!(rig.step(Heard::Decoded { ticket, recognition }).is_empty());
}

#[test]
fn a_speaker_who_goes_on_calls_the_speculation_off() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    let (first, ..) = only_decode(&rig.step(Heard::Paused {
        at: 7_900,
        upto: 8_000,
    }));
    let effects = rig.step(Heard::Resumed);
    assert!(
        matches!(&effects[..], [Effect::Abort { ticket }] if *ticket == first),
        "{effects:?}"
    );
    assert!(
        rig.step(Heard::Failed {
            ticket: first,
            error: aborted()
        })
        .is_empty()
    );
    let effects = rig.step(Heard::Ended {
        from: 0,
        voice_end: 20_000,
        upto: 24_000,
    });
    assert_eq!(only_decode(&effects).1, DecodeClass::Final);
}

#[test]
fn a_speculation_that_does_not_cover_the_voice_is_not_promoted() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    rig.step(Heard::Paused {
        at: 7_900,
        upto: 8_000,
    });
    let effects = rig.step(Heard::Ended {
        from: 0,
        voice_end: 9_000,
        upto: 12_000,
    });
    assert_eq!(only_decode(&effects), (Ticket(2), DecodeClass::Final, 12_000));
}

#[test]
fn a_final_is_tried_twice_and_then_its_error_is_told() {
    let mut rig = Rig::started();
    rig.speak(SECOND / 2);
    let (ticket, ..) = only_decode(&rig.step(Heard::Ended {
        from: 0,
        voice_end: 8_000,
        upto: 8_000,
    }));
    let again = rig.step(Heard::Failed {
        ticket,
        error: aborted(),
    });
    let (retry, class, _) = only_decode(&again);
    assert_eq!(class, DecodeClass::Final);
    let effects = rig.step(Heard::Failed {
        ticket: retry,
        error: RecogniseError::Overloaded { waiting: 3 },
    });
    assert!(
        matches!(
            &effects[..],
            [Effect::FinalFailed {
                error: RecogniseError::Overloaded { waiting: 3 },
                ..
            }]
        ),
        "{effects:?}"
    );
}

#[test]
fn finals_of_one_speaker_come_in_order() {
    let mut rig = Rig::started();
    let (first, ..) = only_decode(&rig.step(Heard::Ended {
        from: 0,
        voice_end: 8_000,
        upto: 8_000,
    }));
    rig.step(Heard::Started {
        turn: TurnId::new(2),
        from: 9_000,
    });
    let (second, ..) = only_decode(&rig.step(Heard::Ended {
        from: 9_000,
        voice_end: 16_000,
        upto: 16_000,
    }));
    assert!(
        rig.step(Heard::Decoded {
            ticket: second,
            recognition: heard("two")
        })
        .is_empty()
    );
    let effects = rig.step(Heard::Decoded {
        ticket: first,
        recognition: heard("one"),
    });
    let turns: Vec<u64> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::FinalCaption { turn, .. } => Some(turn.get()),
            _ => None,
        })
        .collect();
    assert_eq!(turns, [1, 2]);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Start,
    Grow(u16),
    Pause,
    Resume,
    End,
    Discard,
    Answer(u8, bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Start),
        8 => (0_u16..20_000).prop_map(Act::Grow),
        3 => Just(Act::Pause),
        2 => Just(Act::Resume),
        3 => Just(Act::End),
        1 => Just(Act::Discard),
        6 => (any::<u8>(), any::<bool>()).prop_map(|(which, ok)| Act::Answer(which, ok)),
    ]
}

proptest! {
    #[test]
    fn every_turn_ends_once_and_one_partial_runs_at_most(acts in proptest::collection::vec(act(), 0..120)) {
        let mut rig = Rig(Planner::new(HearingConfig::default()), 0);
        let mut turns = 0_u64;
        let mut running: BTreeMap<Ticket, DecodeClass> = BTreeMap::new();
        let mut open = BTreeSet::new();
        let mut closed = Vec::new();
        let mut from = 0;
        let end = [Act::End];
        let answers = [Act::Answer(0, true); 64];
        for act in acts.into_iter().chain(end).chain(answers) {
            let at = rig.1;
            let heard = match act {
                Act::Start => {
                    turns += 1;
                    open.insert(turns);
                    from = at;
                    Heard::Started { turn: TurnId::new(turns), from }
                }
                Act::Grow(by) => {
                    rig.1 += u64::from(by);
                    Heard::Audio { upto: rig.1 }
                }
                Act::Pause => Heard::Paused { at, upto: at },
                Act::Resume => Heard::Resumed,
                Act::End => Heard::Ended { from, voice_end: at, upto: at },
                Act::Discard => Heard::Discarded,
                Act::Answer(which, ok) => {
                    let Some(ticket) = running.keys().nth(usize::from(which) % running.len().max(1)).copied() else {
                        continue;
                    };
                    running.remove(&ticket);
                    if ok {
                        Heard::Decoded { ticket, recognition: heard("words") }
                    } else {
                        Heard::Failed { ticket, error: aborted() }
                    }
                }
            };
            for effect in rig.step(heard) {
                match effect {
                    Effect::Decode { ticket, class, from, upto, .. } => {
                        prop_assert!(from <= upto);
                        running.insert(ticket, class);
                    }
                    Effect::Promote { ticket } => {
                        prop_assert_eq!(running.insert(ticket, DecodeClass::Final), Some(DecodeClass::Speculative));
                    }
                    Effect::Abort { ticket } => prop_assert!(running.remove(&ticket).is_some()),
                    Effect::PartialCaption { turn, .. } | Effect::HeardSoFar { turn, .. } => {
                        prop_assert!(open.contains(&turn.get()));
                    }
                    Effect::FinalCaption { turn, .. }
                    | Effect::FinalFailed { turn, .. }
                    | Effect::Dropped { turn } => {
                        prop_assert!(open.remove(&turn.get()), "a turn ends once");
                        closed.push(turn.get());
                    }
                }
            }
            for class in [DecodeClass::Partial, DecodeClass::Speculative] {
                prop_assert!(running.values().filter(|c| **c == class).count() <= 1);
            }
            prop_assert!(running.len() <= 11);
        }
        prop_assert!(open.is_empty(), "{open:?}");
        prop_assert_eq!(closed.len() as u64, turns);
        prop_assert!(rig.0.is_quiet() && running.is_empty());
    }
}
