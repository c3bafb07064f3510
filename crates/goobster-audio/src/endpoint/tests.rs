//! Scripts of probabilities against the decisions they must bring, and properties of all scripts.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const WINDOW: usize = 512;

/// The conversation preset with round numbers: windows of 32 ms, onset 3, minimum 5, hush 5, patience 19.
fn endpointer() -> Endpointer {
    Endpointer::new(&EndpointConfig::conversation(), WINDOW).unwrap()
}

fn heard(probability: f32) -> WindowHeard {
    WindowHeard {
        probability,
        power: probability * 0.01,
    }
}

fn run(endpointer: &mut Endpointer, script: &[(f32, usize)]) -> Vec<EndpointEvent> {
    let windows = script
        .iter()
        .flat_map(|(p, count)| std::iter::repeat_n(*p, *count));
    windows.flat_map(|p| endpointer.observe(heard(p))).collect()
}

fn kinds(events: &[EndpointEvent]) -> String {
    let kind = |event: &EndpointEvent| match event {
        EndpointEvent::Started { .. } => 'S',
        EndpointEvent::Paused { .. } => 'p',
        EndpointEvent::Resumed { .. } => 'r',
        EndpointEvent::Ended { .. } => 'E',
        EndpointEvent::Discarded { .. } => 'D',
    };
    events.iter().map(kind).collect()
}

fn at(windows: u64) -> Position {
    Position::new(windows * WINDOW as u64)
}

#[test]
fn an_utterance_with_a_pause_in_it_is_one() {
    let events = run(
        &mut endpointer(),
        &[(0.1, 20), (0.9, 30), (0.1, 12), (0.9, 30), (0.1, 30)],
    );
    assert_eq!(kinds(&events), "SprpE");
    assert_eq!(
        events[0],
        EndpointEvent::Started {
            from: at(20) - 4800,
            at: at(20)
        }
    );
    assert_eq!(events[1], EndpointEvent::Paused { at: at(50) });
    assert_eq!(events[2], EndpointEvent::Resumed { at: at(62) });
    let EndpointEvent::Ended {
        from,
        voice_end,
        to,
        reason,
        evidence,
    } = events[4]
    else {
        panic!("{events:?}")
    };
    assert_eq!((from, voice_end, to), (at(20) - 4800, at(92), at(92) + 3200));
    assert_eq!(reason, EndReason::Silence);
    assert_eq!(evidence.voiced, Duration::from_millis(60 * 32));
    assert_eq!(evidence.span, Duration::from_millis(72 * 32));
}

#[test]
fn hysteresis_carries_a_weak_voice_but_does_not_start_one() {
    assert_eq!(kinds(&run(&mut endpointer(), &[(0.45, 100)])), "");
    assert_eq!(
        kinds(&run(&mut endpointer(), &[(0.9, 10), (0.4, 100)])),
        "S",
        "weak voice goes on"
    );
    let murmur = [(0.9, 10), (0.1, 8), (0.4, 100)];
    assert_eq!(
        kinds(&run(&mut endpointer(), &murmur)),
        "SpE",
        "murmur after a pause does not renew patience"
    );
}

#[test]
fn a_click_starts_nothing_and_a_cough_is_discarded() {
    assert_eq!(kinds(&run(&mut endpointer(), &[(0.9, 2), (0.0, 40)])), "");
    assert_eq!(kinds(&run(&mut endpointer(), &[(0.9, 4), (0.0, 40)])), "SpD");
    let mut clicks = Vec::new();
    for _ in 0..50 {
        clicks.extend([(0.9, 1), (0.0, 2)]);
    }
    assert_eq!(
        kinds(&run(&mut endpointer(), &clicks)),
        "",
        "separate clicks do not add up"
    );
}

#[test]
fn a_turn_too_long_is_cut_in_its_best_pause_and_the_rest_is_the_next() {
    // 28 s are 875 windows; the pre-roll takes the first 9.375 of them.
    let script = [(0.9, 700), (0.0, 4), (0.9, 100), (0.0, 3), (0.9, 300), (0.0, 30)];
    let events = run(&mut endpointer(), &[&[(0.0, 20)], &script[..]].concat());
    assert_eq!(kinds(&events), "SESpE");
    let EndpointEvent::Ended {
        voice_end,
        to,
        reason,
        ..
    } = events[1]
    else {
        panic!("{events:?}")
    };
    assert_eq!((voice_end, to, reason), (at(720), at(722), EndReason::MaxTurn));
    assert_eq!(
        events[2],
        EndpointEvent::Started {
            from: at(722),
            at: at(724)
        }
    );
    let EndpointEvent::Ended {
        from,
        voice_end,
        evidence,
        ..
    } = events[4]
    else {
        panic!("{events:?}")
    };
    assert_eq!((from, voice_end), (at(722), at(1127)));
    assert_eq!(
        evidence.voiced,
        Duration::from_millis(400 * 32),
        "nothing is counted twice"
    );
}

#[test]
fn a_turn_cut_while_it_pauses_ends_there() {
    let config = EndpointConfig {
        patience: Duration::from_secs(2),
        ..EndpointConfig::conversation()
    };
    let mut endpointer = Endpointer::new(&config, WINDOW).unwrap();
    let events = run(&mut endpointer, &[(0.9, 850), (0.0, 200), (0.9, 30), (0.0, 80)]);
    assert_eq!(kinds(&events), "SpESpE");
    let EndpointEvent::Ended {
        reason, voice_end, ..
    } = events[2]
    else {
        panic!("{events:?}")
    };
    assert_eq!((reason, voice_end), (EndReason::MaxTurn, at(850)));
    assert_eq!(
        events[3],
        EndpointEvent::Started {
            from: at(1050) - 4800,
            at: at(1050)
        }
    );
}

#[test]
fn the_end_of_the_stream_ends_the_utterance() {
    let mut endpointer = endpointer();
    assert_eq!(kinds(&run(&mut endpointer, &[(0.9, 20)])), "S");
    let events: Vec<_> = endpointer.flush(at(20) + 100).into_iter().collect();
    let [
        EndpointEvent::Ended {
            voice_end,
            to,
            reason,
            ..
        },
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((voice_end, to, reason), (at(20), at(20) + 100, EndReason::Flush));
    assert_eq!(endpointer.flush(at(30)).into_iter().count(), 0);
    let again = run(&mut endpointer, &[(0.9, 3)]);
    assert_eq!(
        again,
        [EndpointEvent::Started {
            from: at(30),
            at: at(30)
        }],
        "no pre-roll across a flush"
    );
}

#[test]
fn silence_can_be_skipped_only_while_nobody_speaks() {
    let mut endpointer = endpointer();
    endpointer.skip(1_000_000);
    assert_eq!(endpointer.position(), at(1_000_000));
    run(&mut endpointer, &[(0.9, 5)]);
    endpointer.skip(1);
    assert_eq!(endpointer.position(), at(1_000_005), "not while someone speaks");
}

/// Every `Started` has one end, nothing overlaps, everything lies in what was heard, and no utterance is too long.
fn check_order(events: &[EndpointEvent], heard: Position, max_turn: u64) -> Result<(), TestCaseError> {
    let (mut open, mut paused) = (None, false);
    let mut floor = Position::START;
    for event in events {
        match *event {
            EndpointEvent::Started { from, at } => {
                prop_assert!(open.is_none(), "{events:?}");
                prop_assert!(floor <= from && from <= at && at <= heard, "{events:?}");
                (open, paused) = (Some(from), false);
            }
            EndpointEvent::Paused { at } => {
                prop_assert!(open.is_some() && !paused && at <= heard, "{events:?}");
                paused = true;
            }
            EndpointEvent::Resumed { at } => {
                prop_assert!(open.is_some() && paused && at <= heard, "{events:?}");
                paused = false;
            }
            EndpointEvent::Ended {
                from,
                voice_end,
                to,
                evidence,
                ..
            } => {
                prop_assert_eq!(open.take(), Some(from));
                prop_assert!(from < voice_end && voice_end <= to && to <= heard, "{:?}", events);
                prop_assert!(to.since(from) <= max_turn, "{:?}", events);
                prop_assert!(evidence.voiced <= evidence.span);
                prop_assert!((0.0..=1.0).contains(&evidence.mean_probability));
                floor = to;
            }
            EndpointEvent::Discarded { at, .. } => {
                prop_assert!(open.take().is_some() && at <= heard, "{events:?}");
            }
        }
    }
    prop_assert!(open.is_none(), "a flush leaves nothing open: {events:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_probabilities_give_an_orderly_sequence(
        runs in prop::collection::vec((0.0_f32..1.0, 1_usize..60), 1..80),
        max_turn in 5_u64..12,
        patience in 200_u64..3000,
        window in prop::sample::select(vec![160_usize, 256, 512]),
    ) {
        let config = EndpointConfig {
            max_turn: Duration::from_secs(max_turn),
            cut_search: Duration::from_secs(2),
            patience: Duration::from_millis(patience),
            ..EndpointConfig::conversation()
        };
        let mut endpointer = Endpointer::new(&config, window).unwrap();
        let mut events = run(&mut endpointer, &runs);
        let end = endpointer.position() + 100;
        events.extend(endpointer.flush(end));
        check_order(&events, end, max_turn * 16_000)?;
    }
}

#[test]
fn a_dip_is_told_from_voice_before_the_pause_is_announced() {
    let mut endpointer = endpointer();
    run(&mut endpointer, &[(0.1, 20), (0.9, 2)]);
    assert!(!endpointer.hears_voice(), "nobody has begun yet");
    run(&mut endpointer, &[(0.9, 10)]);
    assert!(endpointer.hears_voice());
    assert_eq!(kinds(&run(&mut endpointer, &[(0.1, 1)])), "");
    assert!(!endpointer.hears_voice());
    run(&mut endpointer, &[(0.9, 1)]);
    assert!(endpointer.hears_voice());
    run(&mut endpointer, &[(0.1, 40)]);
    assert!(!endpointer.hears_voice(), "nobody speaks any more");
}

/// The preset that adapts, with silence for `windows` windows after half a second of voice.
fn adapting() -> Endpointer {
    Endpointer::new(&EndpointConfig::adapting(), WINDOW).unwrap()
}

/// Windows of silence until the turn ends, when the words before it are read after `after` windows.
fn silence_to_the_end(endpointer: &mut Endpointer, after: usize, completeness: Option<f32>) -> usize {
    for window in 1..200 {
        let events: Vec<_> = endpointer.observe(heard(0.05)).into_iter().collect();
        if events
            .iter()
            .any(|event| matches!(event, EndpointEvent::Ended { .. }))
        {
            return window;
        }
        if window == after
            && let Some(completeness) = completeness
        {
            endpointer.words_read(completeness);
        }
    }
    panic!("the turn never ended");
}

#[test]
fn words_that_are_complete_end_a_turn_sooner_than_words_that_break_off() {
    let ended = |completeness| {
        let mut endpointer = adapting();
        run(&mut endpointer, &[(0.9, 16)]);
        silence_to_the_end(&mut endpointer, 6, completeness)
    };
    let (whole, half, broken) = (ended(Some(1.0)), ended(Some(0.5)), ended(Some(0.0)));
    assert!(whole < half && half < broken, "{whole} {half} {broken}");
    assert!(whole <= ended(None) && ended(None) <= broken);
}

#[test]
fn words_count_only_for_the_pause_that_they_were_read_in() {
    let mut endpointer = adapting();
    let unread = endpointer.patience();
    endpointer.words_read(1.0);
    assert_eq!(endpointer.patience(), unread, "nobody has spoken");
    run(&mut endpointer, &[(0.9, 16)]);
    endpointer.words_read(1.0);
    assert_eq!(endpointer.patience(), unread, "nobody has paused");
    run(&mut endpointer, &[(0.05, 6)]);
    endpointer.words_read(1.0);
    assert!(endpointer.patience() < unread);
    run(&mut endpointer, &[(0.9, 4), (0.05, 6)]);
    assert!(
        endpointer.patience() + Duration::from_millis(100) >= unread,
        "they went on"
    );
}

#[test]
fn who_begins_again_at_once_had_only_paused_and_is_given_more_time() {
    let patience_after = |gap: usize| {
        let mut endpointer = adapting();
        for _ in 0..8 {
            run(&mut endpointer, &[(0.9, 16)]);
            silence_to_the_end(&mut endpointer, 6, Some(1.0));
            run(&mut endpointer, &[(0.05, gap)]);
        }
        endpointer.patience()
    };
    assert!(patience_after(12) > patience_after(100) + Duration::from_millis(100));
}
