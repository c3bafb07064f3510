//! The book of traces: a turn told event by event, and any order of events at all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goobster_core::ids::TurnId;
use goobster_core::time::Moment;
use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn voice(number: u64) -> Seen {
    Seen::Voice {
        turn: TurnId::new(number),
        speaker: 3,
    }
}

fn decode(ticket: u64, class: &'static str) -> Seen {
    Seen::DecodeBegan {
        turn: TurnId::new(1),
        ticket,
        class,
        audio: Duration::from_secs(1),
    }
}

fn decoded(ticket: u64, outcome: &'static str) -> Seen {
    Seen::DecodeOver {
        turn: TurnId::new(1),
        ticket,
        outcome,
    }
}

fn opened(reply: u64, turns: &[u64]) -> Seen {
    Seen::ReplyOpened {
        reply,
        turns: turns.iter().copied().map(TurnId::new).collect(),
        kind: "answer",
    }
}

fn closed(reply: u64, outcome: &'static str, go_on: bool) -> Seen {
    Seen::ReplyClosed {
        reply,
        outcome,
        go_on,
    }
}

fn outcome(trace: &TurnTrace) -> &'static str {
    match trace.field(field::OUTCOME) {
        Some(Value::Word(word)) => word,
        _ => panic!("a turn has an outcome: {trace:?}"),
    }
}

#[test]
fn a_turn_that_is_answered_is_one_trace_with_every_step_in_its_place() {
    let mut book = TraceBook::new(99);
    let (turn, reply) = (TurnId::new(1), 7);
    let ended = Seen::Ended {
        turn,
        from: at(1_000),
        speech_ended: at(3_000),
    };
    let answered = Seen::Answered {
        reply,
        outcome: "answered",
    };
    let story = [
        (1_200, voice(1)),
        (1_900, Seen::Partial { turn }),
        (2_300, Seen::Hush { turn }),
        (2_310, decode(1, "speculative")),
        (2_400, voice(1)),
        (2_450, decoded(1, "called_off")),
        (2_900, Seen::Hush { turn }),
        (3_600, Seen::Hush { turn }),
        (3_600, ended),
        (3_600, decode(2, "final")),
        (3_900, decoded(2, "recognised")),
        (3_900, Seen::Captioned { turn }),
        (3_920, opened(reply, &[1])),
        (3_920, Seen::Asked { reply }),
        (4_100, Seen::Words { reply }),
        (4_200, Seen::Sentence { reply }),
        (4_300, Seen::Synthesised { reply }),
        (4_350, Seen::Audible { reply }),
        (4_400, Seen::Words { reply }),
        (4_500, answered),
        (4_600, Seen::Sentence { reply }),
        (6_000, closed(reply, "finished", false)),
    ];
    let mut traces = Vec::new();
    for (millis, seen) in story {
        traces.extend(book.see(at(millis), seen));
    }
    assert_eq!((traces.len(), book.open()), (1, 0));
    let trace = &traces[0];
    let shape: Vec<_> = trace
        .spans
        .iter()
        .map(|span| {
            let parent = span.parent.map_or("", |parent| trace.spans[parent].name);
            (span.name, parent, span.from.as_millis(), span.upto.as_millis())
        })
        .collect();
    assert_eq!(
        shape,
        [
            ("turn", "", 1_000, 6_000),
            ("listen", "turn", 1_000, 3_000),
            ("endpoint", "turn", 3_000, 3_600),
            ("decode", "turn", 2_310, 2_450),
            ("decode", "turn", 3_600, 3_900),
            ("recognise", "turn", 3_600, 3_900),
            ("decide", "turn", 3_900, 3_920),
            ("reply", "turn", 3_920, 6_000),
            ("respond", "reply", 3_920, 4_500),
            ("synthesise", "reply", 4_200, 4_300),
            ("play", "reply", 4_350, 6_000),
        ]
    );
    assert_eq!(
        trace.spans[0].fields,
        [
            (field::TURN, Value::Number(1)),
            (field::SPEAKER, Value::Number(3)),
            (field::CONVERSATION, Value::Number(99)),
            (field::OUTCOME, Value::Word("answered")),
        ]
    );
    let marks = |name: &str| -> Vec<(&str, u64)> {
        let marks = trace.find(name).unwrap().marks.iter();
        marks.map(|mark| (mark.name, mark.at.as_millis())).collect()
    };
    assert_eq!(
        marks(span::LISTEN),
        [
            ("partial", 1_900),
            ("pause", 2_300),
            ("resume", 2_400),
            ("pause", 2_900)
        ]
    );
    assert_eq!(marks(span::RESPOND), [("first_words", 4_100)]);
    assert!(trace.spans.iter().all(|span| !span.failed));
    // Nothing more comes of it.
    let again = Seen::Over {
        turn,
        outcome: "left",
    };
    assert!(book.see(at(7_000), again).is_empty());
    assert!(book.end_all(at(7_000), "session_ended").is_empty());
}

#[test]
fn a_turn_whose_reply_was_superseded_ends_with_the_next_one_and_shows_both() {
    let mut book = TraceBook::new(0);
    book.see(at(0), voice(1));
    book.see(at(10), opened(1, &[1]));
    book.see(at(20), voice(2));
    assert!(book.see(at(20), closed(1, "superseded", true)).is_empty());
    book.see(at(30), opened(2, &[1, 2]));
    let traces = book.see(at(90), closed(2, "interrupted", false));
    assert_eq!((traces.len(), book.open()), (2, 0));
    for (trace, replies) in traces.iter().zip([2, 1]) {
        assert_eq!(outcome(trace), "interrupted");
        let found = trace.spans.iter().filter(|span| span.name == span::REPLY);
        assert_eq!(found.count(), replies);
    }
}

#[test]
fn noise_failures_and_ends_of_sessions_end_a_turn_too() {
    let mut book = TraceBook::new(0);
    for number in 1..=4 {
        book.see(at(number), voice(number));
    }
    let over = |number, outcome| Seen::Over {
        turn: TurnId::new(number),
        outcome,
    };
    let noise = book.see(at(10), over(1, "empty"));
    assert_eq!((outcome(&noise[0]), noise[0].spans.len()), ("empty", 2));
    let turn = TurnId::new(2);
    book.see(at(11), Seen::NotUnderstood { turn });
    let failed = book.see(at(12), over(2, "other"));
    assert_eq!(outcome(&failed[0]), "not_understood");
    assert!(failed[0].spans[0].failed);
    // A session that ends in the middle of a reply.
    book.see(at(20), opened(1, &[3]));
    book.see(at(21), Seen::Asked { reply: 1 });
    let ended = book.end_all(at(30), "session_ended");
    assert_eq!((ended.len(), book.open()), (2, 0));
    let reply = ended[0].find(span::REPLY).unwrap();
    assert!(
        reply
            .fields
            .contains(&(field::OUTCOME, Value::Word("unfinished")))
    );
    assert_eq!(ended[0].find(span::RESPOND).unwrap().upto, at(30));
}

#[test]
fn turns_that_nobody_ends_are_forgotten_the_oldest_first() {
    let mut book = TraceBook::new(0);
    let seen = (0..300).map(|number| (at(number), voice(number)));
    let forgotten: Vec<_> = seen.flat_map(|(now, seen)| book.see(now, seen)).collect();
    assert_eq!((book.open(), forgotten.len()), (256, 44));
    assert_eq!(forgotten[0].field(field::TURN), Some(Value::Number(0)));
    assert_eq!(outcome(&forgotten[0]), "forgotten");
}

#[test]
fn what_is_too_much_is_counted_instead() {
    let mut book = TraceBook::new(0);
    book.see(at(0), voice(1));
    let turn = TurnId::new(1);
    for millis in 0..1_000 {
        book.see(at(millis), Seen::Partial { turn });
    }
    let traces = book.end_all(at(1_000), "session_ended");
    assert_eq!(traces[0].find(span::LISTEN).unwrap().marks.len(), 64);
    assert_eq!(traces[0].field(field::LEFT_OUT), Some(Value::Number(936)));
}

#[derive(Default)]
struct Kept(Mutex<Vec<TurnTrace>>);

impl TraceSink for Kept {
    fn take(&self, trace: &TurnTrace, _: Moment) {
        self.0.lock().unwrap().push(trace.clone());
    }
}

#[test]
fn a_room_that_goes_away_ends_its_turns() {
    let kept = Arc::new(Kept::default());
    let mut tracing = Tracing::new(5, Arc::clone(&kept) as Arc<dyn TraceSink>);
    tracing.see(at(40), voice(1));
    assert!(kept.0.lock().unwrap().is_empty());
    drop(tracing);
    let kept = kept.0.lock().unwrap();
    assert_eq!((kept.len(), outcome(&kept[0])), (1, "session_ended"));
}

#[test]
fn the_page_explains_every_span_and_field() {
    let page = include_str!("../../../../../docs/monitoring.md");
    for name in span::ALL.into_iter().chain(field::ALL) {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/monitoring.md tells of {name}"
        );
    }
}

fn seen() -> impl Strategy<Value = Seen> {
    let words = prop::sample::select(vec!["finished", "superseded", "failed", "empty", "interrupted"]);
    let turns = prop::collection::vec(0_u64..6, 0..3);
    let any = (
        0..19_u8,
        0_u64..6,
        0_u64..4,
        words,
        turns,
        any::<bool>(),
        0_u64..9_000,
    );
    any.prop_map(|(what, number, reply, outcome, turns, go_on, moment)| {
        let turn = TurnId::new(number);
        match what {
            0..=3 => voice(number),
            4 => Seen::Hush { turn },
            5 => Seen::Partial { turn },
            6 => Seen::Ended {
                turn,
                from: at(moment),
                speech_ended: at(moment * reply),
            },
            7 => decode(reply, "final"),
            8 => decoded(reply, outcome),
            9 => Seen::Captioned { turn },
            10 => Seen::NotUnderstood { turn },
            11 | 12 => opened(reply, &turns),
            13 => Seen::Asked { reply },
            14 => Seen::Answered { reply, outcome },
            15 => Seen::Sentence { reply },
            16 => Seen::Audible { reply },
            17 => closed(reply, outcome, go_on),
            _ => Seen::Over { turn, outcome },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes in whatever order, each turn that begins ends exactly once, and no span reaches beyond its parent.
    #[test]
    fn each_turn_that_begins_ends_once(story in prop::collection::vec((0_u64..500, seen()), 0..120)) {
        let mut book = TraceBook::new(1);
        let (mut now, mut begun, mut traces) = (0, 0, Vec::new());
        let mut open = BTreeSet::new();
        for (wait, seen) in story {
            now += wait;
            if let Seen::Voice { turn, .. } = seen
                && open.insert(turn.get())
            {
                begun += 1;
            }
            let over = book.see(at(now), seen);
            for trace in &over {
                let Some(Value::Number(turn)) = trace.field(field::TURN) else { panic!("a turn has a number") };
                prop_assert!(open.remove(&turn), "turn {turn} was open");
            }
            traces.extend(over);
            prop_assert_eq!(book.open(), open.len());
        }
        traces.extend(book.end_all(at(now), "session_ended"));
        prop_assert_eq!(traces.len(), begun);
        for trace in &traces {
            for (place, span) in trace.spans.iter().enumerate() {
                prop_assert!(span.from <= span.upto && span::ALL.contains(&span.name));
                prop_assert!(span.marks.iter().all(|mark| (span.from..=span.upto).contains(&mark.at)));
                prop_assert_eq!(span.parent.is_none(), place == 0);
                if let Some(parent) = span.parent {
                    prop_assert!(parent < place);
                    let parent = &trace.spans[parent];
                    prop_assert!(parent.from <= span.from && span.upto <= parent.upto);
                }
            }
        }
    }
}
