//! Short scenes, each one promise of the conversation.

use super::*;

fn alone() -> Room {
    Room::with(&[(ADA, "Ada")])
}

fn two() -> Room {
    Room::with(&[(ADA, "Ada"), (BOB, "Bob")])
}

/// Ada has asked, and the first line of a three-line answer is being heard.
fn speaking(room: &mut Room) -> (ReplyId, LineId) {
    let effects = room.say(ADA, "Goobster, tell me a story.");
    let (reply, _) = started(&effects).expect("an answer");
    let effects = room.text(
        reply,
        "Once there was a fox. It met a crow who had cheese. The crow sang. ",
    );
    let (line, _) = spoken(&effects)[0];
    room.step(Event::LineStarted { line });
    assert_eq!(room.talk.phase(), Phase::Speaking);
    (reply, line)
}

#[test]
fn alone_with_one_person_every_turn_is_answered_aloud() {
    let mut room = alone();
    let effects = room.say(ADA, "What time is it?");
    let (reply, request) = started(&effects).expect("an answer");
    assert_eq!(
        (
            request.utterance.text.as_str(),
            request.utterance.speaker.as_str()
        ),
        ("What time is it?", "Ada")
    );
    assert_eq!(room.talk.phase(), Phase::Thinking);
    let effects = room.answer(reply, "It is noon. Enjoy it.");
    let effects = room.play(effects);
    assert_eq!(
        spoken(&effects).iter().map(|s| s.1.as_str()).collect::<Vec<_>>(),
        ["It is noon.", "Enjoy it."]
    );
    assert_eq!(
        closed(&effects),
        Some((Outcome::Finished, "It is noon. Enjoy it.".into()))
    );
    assert_eq!(room.talk.phase(), Phase::Listening);
    assert_eq!(
        room.talk.history().next().unwrap().reply.as_deref(),
        Some("It is noon. Enjoy it.")
    );
}

#[test]
fn with_more_people_only_the_name_is_answered_however_it_is_spelt() {
    let mut room = two();
    assert_eq!(
        ignored(&room.say(ADA, "What time is it?")),
        Some(Ignored::NotAddressed)
    );
    let effects = room.say(BOB, "Gobster, what time is it?");
    let (_, request) = started(&effects).expect("an answer");
    assert_eq!(request.utterance.text, "What time is it?");
    assert_eq!(
        request.history.len(),
        1,
        "what was said to others is part of the conversation"
    );
    assert_eq!(request.history[0].reply, None);
}

#[test]
fn a_reply_opens_ten_seconds_for_its_speaker_and_nobody_else() {
    let mut room = two();
    let effects = room.say(ADA, "Goobster, hello.");
    let (reply, _) = started(&effects).unwrap();
    let effects = room.answer(reply, "Hello.");
    room.play(effects);
    room.now += 9_000;
    let from_bob = room.start(BOB);
    assert_eq!(
        ignored(&room.finish(BOB, from_bob, "And you?")),
        Some(Ignored::NotAddressed)
    );
    room.now -= 800;
    let from_ada = room.start(ADA);
    room.now += 5_000;
    assert!(
        started(&room.finish(ADA, from_ada, "And now?")).is_some(),
        "begun in time counts, however long it is"
    );

    let mut room = two();
    let effects = room.say(ADA, "Goobster, hello.");
    let (reply, _) = started(&effects).unwrap();
    let effects = room.answer(reply, "Hello.");
    room.play(effects);
    room.now += 10_001;
    assert_eq!(ignored(&room.say(ADA, "And now?")), Some(Ignored::NotAddressed));
}

#[test]
fn the_name_alone_gets_a_yes_and_opens_the_window() {
    let mut room = two();
    let effects = room.say(ADA, "Goobster?");
    assert!(started(&effects).is_none(), "no responder is needed");
    let effects = room.play(effects);
    assert_eq!(spoken(&effects)[0].1, "Yes?");
    room.now += 5_000;
    assert!(started(&room.say(ADA, "What time is it?")).is_some());
}

#[test]
fn the_first_line_is_spoken_before_the_reply_is_complete() {
    let mut room = alone();
    let effects = room.say(ADA, "Tell me something.");
    let (reply, _) = started(&effects).unwrap();
    assert!(spoken(&room.text(reply, "First things fir")).is_empty());
    assert_eq!(spoken(&room.text(reply, "st. Then")).len(), 1);
}

#[test]
fn speaking_over_the_reply_stops_it_and_history_keeps_what_was_heard() {
    let mut room = alone();
    let (reply, line) = speaking(&mut room);
    room.now += 1500;
    let effects = room.step(Event::LineFinished { line });
    let (second, _) = spoken(&effects)
        .first()
        .cloned()
        .unwrap_or((LineId(2), String::new()));
    room.step(Event::LineStarted { line: second });
    room.step(Event::LineProgress {
        line: second,
        played: 0.5,
    });
    let turn = room.start(ADA);
    assert!(room.voice(ADA, turn, 20, 580).is_empty(), "not yet");
    let effects = room.voice(ADA, turn, 600, 600);
    assert_eq!(effects, [Effect::StopPlayout { reply }]);
    assert_eq!(room.talk.phase(), Phase::Interrupted);
    let effects = room.step(Event::Partial {
        who: ADA,
        turn,
        text: "No, wait".into(),
    });
    assert_eq!(effects[0], Effect::CancelReply { reply });
    let heard = "Once there was a fox. It met a crow\u{2026}";
    assert_eq!(closed(&effects), Some((Outcome::Interrupted, heard.into())));
    assert_eq!(room.talk.history().next().unwrap().reply.as_deref(), Some(heard));
    let effects = room.finish(ADA, turn, "No, wait, a different one.");
    let (_, request) = started(&effects).expect("the interrupter is answered");
    assert_eq!(request.history[0].reply.as_deref(), Some(heard));
}

#[test]
fn a_cough_stops_nothing() {
    let mut room = alone();
    speaking(&mut room);
    let turn = room.start(ADA);
    assert!(room.voice(ADA, turn, 20, 400).is_empty());
    let effects = room.step(Event::Nothing { who: ADA, turn });
    assert!(!has(&effects, |e| matches!(e, Effect::StopPlayout { .. })));
    assert_eq!(room.talk.phase(), Phase::Speaking);
}

#[test]
fn a_noise_only_delays_the_reply_which_goes_on_from_the_line_that_was_cut() {
    let mut room = alone();
    let (reply, line) = speaking(&mut room);
    let turn = room.start(ADA);
    let effects = room.voice(ADA, turn, 20, 700);
    assert!(has(&effects, |e| matches!(e, Effect::StopPlayout { .. })));
    assert!(
        !has(&effects, |e| matches!(e, Effect::CancelReply { .. })),
        "it may go on: nothing is thrown away"
    );
    assert!(spoken(&room.text(reply, "The cheese fell.")).is_empty());
    room.step(Event::SpeechStopped { who: ADA, turn });
    let effects = room.step(Event::Nothing { who: ADA, turn });
    let again = spoken(&effects);
    assert_eq!(again[0].1, "Once there was a fox.");
    assert_ne!(again[0].0, line, "late news of the old line must not be mistaken");
    room.step(Event::LineStarted { line: again[0].0 });
    let turn = room.start(ADA);
    assert!(
        room.voice(ADA, turn, 20, 1180).is_empty(),
        "noise must last longer the second time"
    );
    room.step(Event::Nothing { who: ADA, turn });
    let mut effects = effects;
    effects.extend(room.step(Event::ReplyEnded { reply }));
    let (outcome, heard) = closed(&room.play(effects)).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert!(heard.ends_with("The cheese fell."), "{heard}");
}

#[test]
fn a_speaker_who_goes_on_before_the_reply_is_heard_gets_one_answer_to_both() {
    let mut room = alone();
    let effects = room.say(ADA, "What is the capital");
    let (first, _) = started(&effects).unwrap();
    let turn = room.start(ADA);
    assert!(
        spoken(&room.text(first, "Of which country? ")).is_empty(),
        "they are speaking: hold"
    );
    let effects = room.finish(ADA, turn, "of France?");
    assert!(has(&effects, |e| *e == Effect::CancelReply { reply: first }));
    assert_eq!(closed(&effects).unwrap().0, Outcome::Superseded);
    let (second, request) = started(&effects).unwrap();
    assert_eq!(request.utterance.text, "What is the capital of France?");
    assert!(request.history.is_empty());
    assert!(
        room.text(first, "Late. ").is_empty(),
        "news of the old reply is ignored"
    );
    assert_eq!(spoken(&room.text(second, "Paris. Yes")).len(), 1);
    assert_eq!(room.talk.history().count(), 1);
}

#[test]
fn several_addressed_turns_are_answered_in_order() {
    let mut room = two();
    let (reply, line) = speaking(&mut room);
    assert!(
        started(&room.say(BOB, "Goobster, roll a die.")).is_none(),
        "one at a time"
    );
    assert_eq!(room.talk.waiting(), 1);
    let effects = room.step(Event::ReplyEnded { reply });
    let mut all = room.step(Event::LineFinished { line });
    all.extend(effects);
    // The lines handed over before still play.
    let lines: Vec<LineId> = (2..=3).map(LineId).collect();
    for line in lines {
        room.step(Event::LineStarted { line });
        all.extend(room.step(Event::LineFinished { line }));
    }
    assert_eq!(started(&all).unwrap().1.utterance.speaker, "Bob");
}

#[test]
fn an_open_microphone_delays_a_reply_but_does_not_block_it_and_does_not_stop_it() {
    let mut room = two();
    let noise = room.start(BOB);
    let effects = room.say(ADA, "Goobster, what time is it?");
    let (reply, _) = started(&effects).unwrap();
    assert!(
        spoken(&room.answer(reply, "Noon.")).is_empty(),
        "Bob seems to speak"
    );
    let deadline = room.talk.deadline().expect("a bounded wait").as_millis();
    room.now = deadline;
    let effects = room.step(Event::Tick);
    let (line, _) = spoken(&effects)[0];
    room.step(Event::LineStarted { line });
    assert!(
        room.voice(BOB, noise, 20, 3000).is_empty(),
        "the noise from before stops nothing"
    );
    // A maximum turn ends and the next begins at once: the same noise.
    room.step(Event::Nothing {
        who: BOB,
        turn: noise,
    });
    let noise = room.start(BOB);
    assert!(room.voice(BOB, noise, 20, 3000).is_empty());
}

#[test]
fn a_dead_chat_server_is_told_aloud() {
    let mut room = alone();
    let effects = room.say(ADA, "Hello.");
    let (reply, _) = started(&effects).unwrap();
    let effects = room.step(Event::ReplyFailed {
        reply,
        why: Failure::Unreachable,
    });
    assert_eq!(spoken(&effects)[0].1, "Sorry, I could not reach my chat server.");
    assert_eq!(closed(&room.play(effects)).unwrap().0, Outcome::Failed);
    assert_eq!(
        room.talk.history().next().unwrap().reply,
        None,
        "an apology is no answer"
    );

    let effects = room.say(ADA, "Hello again.");
    let (reply, _) = started(&effects).unwrap();
    let mut effects = room.text(reply, "Hello to");
    effects.extend(room.step(Event::ReplyFailed {
        reply,
        why: Failure::BadAnswer,
    }));
    let said: Vec<String> = spoken(&effects).into_iter().map(|s| s.1).collect();
    assert_eq!(
        said,
        ["Hello to", "Sorry, I lost my chat server in the middle of that."]
    );
}

#[test]
fn a_silent_responder_or_a_stuck_playout_does_not_hang_the_conversation() {
    let mut room = alone();
    let effects = room.say(ADA, "Hello.");
    let (reply, _) = started(&effects).unwrap();
    room.now = room.talk.deadline().unwrap().as_millis();
    let effects = room.step(Event::Tick);
    assert_eq!(effects[0], Effect::CancelReply { reply });
    assert_eq!(
        spoken(&effects)[0].1,
        "Sorry, my chat server took too long to answer."
    );
    room.now = room.talk.deadline().unwrap().as_millis();
    assert_eq!(closed(&room.step(Event::Tick)).unwrap().0, Outcome::Failed);
    assert_eq!(
        (room.talk.phase(), room.talk.deadline()),
        (Phase::Listening, None)
    );
}

#[test]
fn timers_ring_aloud_when_nobody_speaks() {
    let mut room = alone();
    let effects = room.say(ADA, "Set a timer for a minute.");
    let (reply, _) = started(&effects).unwrap();
    room.step(Event::ReplyTimer {
        reply,
        after: Duration::from_mins(1),
        announcement: "Your timer for one minute is up.".into(),
    });
    let effects = room.answer(reply, "Done.");
    room.play(effects);
    let turn = room.start(ADA);
    room.now = room.talk.deadline().unwrap().as_millis();
    assert!(spoken(&room.step(Event::Tick)).is_empty(), "Ada speaks");
    let effects = room.step(Event::SpeechStopped { who: ADA, turn });
    assert_eq!(spoken(&effects)[0].1, "Your timer for one minute is up.");
}

#[test]
fn stop_means_stop_and_is_not_answered() {
    let mut room = alone();
    let (reply, _) = speaking(&mut room);
    let turn = room.start(ADA);
    let effects = room.finish(ADA, turn, "Stop!");
    assert!(
        has(&effects, |e| *e == Effect::StopPlayout { reply })
            && has(&effects, |e| *e == Effect::CancelReply { reply })
    );
    assert_eq!(
        (closed(&effects).unwrap().0, ignored(&effects)),
        (Outcome::Silenced, Some(Ignored::Hushed))
    );
    assert!(started(&effects).is_none());
}

#[test]
fn muted_it_answers_nobody() {
    let mut room = alone();
    speaking(&mut room);
    let effects = room.step(Event::Mute(true));
    assert_eq!(closed(&effects).unwrap().0, Outcome::Silenced);
    assert_eq!(ignored(&room.say(ADA, "Goobster?")), Some(Ignored::Muted));
    room.step(Event::Mute(false));
    assert!(started(&room.say(ADA, "Hello.")).is_some());
}

#[test]
fn who_leaves_is_not_answered() {
    let mut room = two();
    let (reply, _) = speaking(&mut room);
    room.say(BOB, "Goobster, hello.");
    let effects = room.step(Event::Left { who: ADA });
    assert!(has(&effects, |e| *e == Effect::StopPlayout { reply }));
    assert_eq!(started(&effects).unwrap().1.utterance.speaker, "Bob");
}

#[test]
fn what_cannot_be_recognised_is_said_so() {
    let mut room = alone();
    let turn = room.start(ADA);
    let effects = room.step(Event::HearingFailed {
        who: ADA,
        turn,
        language: Language::ENGLISH,
    });
    assert_eq!(spoken(&effects)[0].1, "Sorry, I could not make that out.");
}

#[test]
fn an_endless_reply_is_cut_and_called_off() {
    let mut room = alone();
    let effects = room.say(ADA, "Count.");
    let (reply, _) = started(&effects).unwrap();
    let effects = room.text(reply, &"and one more, ".repeat(2000));
    assert!(has(&effects, |e| *e == Effect::CancelReply { reply }));
    let played = room.play(effects);
    assert_eq!(closed(&played).unwrap().0, Outcome::Finished);
    assert!(closed(&played).unwrap().1.len() <= 8 * 1024);
}
